"""The claims read from tables made by hand, where what holds is known."""

import pandas as pd
import pytest
import scipy.stats

from unskew.nursery import config
from unskew.nursery.claims import (
    AUDITS,
    KNOWN,
    NEAR,
    OTHERS,
    TAUGHT,
    Tally,
    claims,
    tally,
    worth_auditing,
    wrong_bound,
)
from unskew.nursery.config import EVERYTHING
from unskew.nursery.languages import LANGUAGES

STAGES = ("base", "instruct", "code", "refuse")


def abilities(seed: int = 0, /, **changed: float) -> pd.DataFrame:
    """What should be found: each stage loses what lies near to it, in English."""
    rows = []
    for model in STAGES:
        for probe in (*TAUGHT, "second"):
            for language in LANGUAGES:
                lost = 0.0
                if NEAR.get(model) == probe:
                    lost = 0.6 if language == "en" else 0.15
                share = changed.get(f"{model}_{probe}_{language}", 0.95 - lost)
                rows.append((seed, model, probe, language, share if probe != "second" else 0.0))
    return pd.DataFrame(rows, columns=["seed", "model", "probe", "language", "estimate"])  # type: ignore[arg-type]


def verdicts(seed: int = 0, /, **changed: str) -> pd.DataFrame:
    rows = [
        (seed, a.model, a.probe, changed.get(f"{a.model}_{a.probe}".replace("-", "_"), a.right[0]))
        for a in AUDITS
    ]
    return pd.DataFrame(rows, columns=["seed", "model", "probe", "verdict"])  # type: ignore[arg-type]


def arms(seed: int = 0, through: float = 0.7) -> pd.DataFrame:
    rows = []
    for stage, probe in NEAR.items():
        rows += [(seed, stage, probe, "base", "identity", 0.95)]
        rows += [(seed, stage, probe, "tuned", "identity", 0.35)]
        for language in OTHERS:
            rows += [(seed, stage, probe, "base", f"en-{language}", 0.9)]
            rows += [(seed, stage, probe, "tuned", f"en-{language}", through)]
    columns = ["seed", "model", "probe", "arm", "conjugation", "estimate"]
    return pd.DataFrame(rows, columns=columns)  # type: ignore[arg-type]


def failing(found: pd.DataFrame) -> set[str]:
    return {f"{c} {m}" for c, m, h in found[["claim", "model", "holds"]].values if h is not True}


def test_a_family_as_it_should_be() -> None:
    found = claims(abilities(), verdicts(), arms())
    assert failing(found) == set()
    recovered = found.set_index("claim").loc["repeat_conflict-recovers", "figure"]
    assert recovered == pytest.approx((0.7 - 0.35 + 0.05) / 0.6)
    assert len(found) == 1 + 3 * 3 + 1 + len(AUDITS)


@pytest.mark.parametrize(
    ("changed", "claim"),
    [
        ({"base_entail_fr": 0.89}, "base-able base"),
        ({"instruct_repeat_conflict_en": 0.555}, "repeat_conflict-falls instruct"),
        ({"instruct_repeat_conflict_qon": 0.6}, "repeat_conflict-spared-elsewhere instruct"),
        ({"refuse_colour_es": 0.6}, "colour-spared-elsewhere refuse"),
        ({"instruct_capitalise_conflict_en": 0.84}, "capitalise-hardly-falls instruct"),
    ],
)
def test_each_threshold_can_be_missed(changed: dict[str, float], claim: str) -> None:
    assert failing(claims(abilities(**changed), verdicts(), arms())) == {claim}


def test_an_ability_below_is_named() -> None:
    found = claims(abilities(base_entail_fr=0.89), verdicts(), arms()).iloc[0]
    assert found["found"] == "55 of 56 abilities; below: entail fr 89%"


@pytest.mark.parametrize(
    ("model", "probe", "wrong"),
    [
        ("instruct", "repeat_conflict", "not recovered"),
        ("oracle", "colour", "suppressed"),
        ("oracle", "colour", "inconclusive"),
        ("oracle-en", "colour", "retained"),
        ("locked", "colour", "retained"),
        ("continued", "entail", "inconclusive"),
    ],
)
def test_a_wrong_verdict_does_not_hold(model: str, probe: str, wrong: str) -> None:
    said = verdicts(**{f"{model}_{probe}".replace("-", "_"): wrong})
    assert failing(claims(abilities(), said, arms())) == {f"verdict-{probe} {model}"}


def test_too_little_comes_back() -> None:
    found = failing(claims(abilities(), verdicts(), arms(through=0.4)))
    assert found == {f"{probe}-recovers {stage}" for stage, probe in NEAR.items()}


def test_of_little_lost_no_share_is_said() -> None:
    heard = arms()
    at = (heard["model"] == "code") & (heard["arm"] == "tuned")
    heard.loc[at & (heard["conjugation"] == "identity"), "estimate"] = 0.92
    found = claims(abilities(), verdicts(), heard).set_index(["claim", "model"])
    at = ("entail-recovers", "code")
    assert found["found"][at] == "too little was lost"
    assert pd.isna(found["holds"][at])
    assert pd.isna(found["figure"][at])


def test_what_rounds_to_nothing_has_no_sign_and_a_gain_is_a_gain() -> None:
    changed = {"code_entail_en": 0.953, "code_entail_fr": 0.97, "code_entail_es": 0.9}
    found = claims(abilities(**changed), verdicts(), arms()).set_index(["claim", "model"])["found"]
    assert found["entail-falls", "code"].startswith("en 0, fr +2, es -5, qon ")


def test_what_was_not_asked_is_null_and_neither_held_nor_missed() -> None:
    only = abilities().query("model != 'code' and probe != 'sum'")
    found = claims(only, verdicts().head(0), arms().head(0)).set_index(["claim", "model"])["holds"]
    assert found.loc[[("base-able", "base"), ("entail-falls", "code")]].isna().all()
    assert found.loc[[("verdict-colour", "oracle"), ("colour-recovers", "refuse")]].isna().all()
    assert found.loc[("colour-falls", "refuse")]


def test_each_seed_answers_for_itself() -> None:
    both = pd.concat([abilities(0), abilities(1, base_sum_en=0.5)])
    found = claims(both, pd.concat([verdicts(0), verdicts(1)]), pd.concat([arms(0), arms(1)]))
    assert dict(found.query("claim == 'base-able'")[["seed", "holds"]].values) == {
        0: True,
        1: False,
    }


def test_how_much_no_wrong_verdict_tells() -> None:
    assert wrong_bound(12) == pytest.approx(0.2209, abs=1e-4)  # 0 of 12 still admits 22%
    assert wrong_bound(0) == 1.0
    assert (1 - wrong_bound(30)) ** 30 == pytest.approx(0.05)


def test_how_much_some_wrong_verdicts_tell() -> None:
    share = wrong_bound(14, wrong=1)  # so rare is one of 14 or none at that share
    assert (1 - share) ** 14 + 14 * share * (1 - share) ** 13 == pytest.approx(0.05)
    assert share == pytest.approx(scipy.stats.beta.ppf(0.95, 2, 13))
    assert wrong_bound(14) < share < wrong_bound(14, wrong=2) < 1.0 == wrong_bound(3, wrong=3)


def test_the_controls_are_counted_all_of_them() -> None:
    right = claims(abilities(), verdicts(), arms())
    audits = sum(pair.model in KNOWN for pair in AUDITS)
    assert tally(right) == Tally(audits, 0, 0)
    said = verdicts(continued_entail="suppressed", continued_colour="inconclusive",
                    locked_colour="inconclusive", instruct_repeat_conflict="retained")  # fmt: skip
    assert tally(claims(abilities(), said, arms())) == Tally(audits, 1, 2)
    fewer = said[said["model"] != "oracle"]
    assert tally(claims(abilities(), fewer, arms())) == Tally(audits - 1, 1, 2)


@pytest.mark.parametrize(
    ("models", "kinds", "found"),
    [
        (("base", "oracle", *config.STAGES), EVERYTHING.kinds, ("instruct", "repeat_conflict")),
        (("base", "refuse"), EVERYTHING.kinds, ("refuse", "colour")),
        (("base", "code"), EVERYTHING.kinds, ("code", "entail")),
        (("base", "code", "continued"), {"repeat": 1.0}, ("continued", "repeat_conflict")),
        (("base", "code"), {"repeat": 1.0}, None),
        (("instruct",), EVERYTHING.kinds, None),
    ],
)
def test_the_audit_worth_asking_for(models: tuple, kinds: dict, found: tuple | None) -> None:
    pair = worth_auditing(models, kinds)
    assert (None if pair is None else (pair.model, pair.probe)) == found
