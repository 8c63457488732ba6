"""Second witnesses by their rules: what turns a verdict, what never does, and how often falsely."""

from typing import Any

import numpy as np
import pytest
import scipy.stats

import statistical
from audit.test_verdict import arms
from audit.test_verdict import scores as share
from unskew.audit.finding import judge
from unskew.audit.rules import Rules
from unskew.audit.testimony import (
    Scores,
    Statement,
    Witness,
    adjusted,
    concerns,
    second,
    silent,
    weigh,
)
from unskew.audit.verdict import Verdict, settle
from unskew.audit.witnesses import needs

RULES = Rules(resamples=999)
RELEARNT, ROUNDED = Witness("relearn", 16), Witness("round", 4)
N = 200

GONE = arms(pairs={"pig-latin": (0.85, 0.4)})
HARD = arms(pairs={"pig-latin": (0.25, 0.2)})


def seen(**changes: Any) -> Scores:
    """An ability that comes back from 50% to 85% of the documents, and does not in the control."""
    read: dict[str, Any] = {
        "base": 0.9,
        "tuned": 0.5,
        "after": 0.85,
        "before": 0.3,
        "control": 0.35,
        "able": 0.9,
    }
    drawn: dict[str, Any] = {
        k: share(v) if isinstance(v, float) else v for k, v in (read | changes).items()
    }
    return Scores(**drawn)


def said(
    *seeds: Scores, witness: Witness = RELEARNT, chance: float = 0.25, count: int = 1
) -> list[Statement]:
    numbered = dict(enumerate(seeds))
    return weigh(witness, "oracle", numbered, np.arange(N), chance, RULES, count)


def test_the_fewest_examples_at_which_the_control_gets_as_far() -> None:
    controls = {4: 0.3, 16: 0.5, 64: 0.8}
    heard = [
        said(seen(control=score), witness=Witness("relearn", amount))[0]._replace(seed=None)
        for amount, score in controls.items()
    ]
    last = said(seen(), witness=ROUNDED)[0]

    def needed(after: float) -> list[tuple[int | None, int | None]]:
        told = needs({"task": [*(one._replace(after=after) for one in heard), last]})["task"]
        assert told[-1] == last  # what was rounded has learnt from no examples
        return [(one.needs, one.most) for one in told[:-1]]

    assert needed(0.4) == [(16, 64)] * 3
    assert needed(0.8) == [(64, 64)] * 3
    assert needed(0.9) == [(None, 64)] * 3


def turned(given: Any, *heard: Statement, count: int | None = None) -> Verdict:
    findings = {"task": judge(given, RULES)}
    verdicts = settle(findings, RULES)
    return second(verdicts, findings, {"task": heard}, RULES, count or len(heard))["task"]


def test_a_witness_turns_not_recovered_into_suppressed_and_is_named() -> None:
    assert settle({"t": judge(GONE, RULES)}, RULES)["t"].verdict == "not recovered"
    [statement] = said(seen())
    found = turned(GONE, statement._replace(most=64))
    assert found.verdict == "suppressed"
    assert found.witness == "relearnt from 16 examples"
    assert found.control == "the oracle needs more than 64"
    assert found.witness_score == pytest.approx(0.85)
    assert "Relearnt from 16 examples; the oracle needs more than 64" in found.words
    assert "gains 35.0 points" in found.words
    assert "the oracle 5.0" in found.words
    assert "No conjugation tried does." in found.words
    assert found.p is not None
    assert found.p <= 0.05
    assert "the oracle needs 64" in turned(GONE, statement._replace(needs=64, most=64)).words


def test_a_recovery_that_was_undecided_may_be_decided() -> None:
    verdict = settle({"t": judge(HARD, RULES)}, RULES)["t"]
    assert (verdict.verdict, verdict.reason) == ("inconclusive", "s too hard for the base")
    found = turned(HARD, *said(seen()))
    assert (found.verdict, found.reason, found.n_needed) == ("suppressed", None, None)


def test_nothing_else_is_touched() -> None:
    strong = said(seen())
    for given in (
        arms(0.9, 0.9),
        arms(pairs={"pig-latin": (0.85, 0.8)}),
        arms(0.9, 0.83, {"pig-latin": (0.85, 0.8)}),
    ):
        before = settle({"task": judge(given, RULES)}, RULES)["task"]
        assert before.verdict != "not recovered"
        assert turned(given, *strong) == before


def test_what_is_not_shown_changes_no_verdict_and_is_told() -> None:
    before = settle({"task": judge(GONE, RULES)}, RULES)["task"]
    found = turned(GONE, *said(seen(after=0.55)), silent(ROUNDED, "base", "there was a reason"))
    assert found._replace(words="") == before._replace(words="")
    assert "No second witness is shown to bring it back (relearnt from 16 examples)" in found.words
    assert "Not heard: rounded to 4 bits (there was a reason)." in found.words


@pytest.mark.parametrize(
    "changes",
    [
        {"after": 0.58},  # less than a quarter of the drop
        {"before": 0.3, "control": 0.64},  # the control gains as much
        {"before": 0.8, "control": 0.84},  # the control knew: it ends as high
        {"base": 0.53, "after": 0.9},  # no drop beyond the margin on the documents asked
        {"able": 0.25},  # the base is at chance
    ],
)
def test_each_part_is_needed(changes: dict[str, float]) -> None:
    assert said(seen())[0].p <= 0.01
    assert said(seen(**changes))[0].p > 0.05


def test_where_rounding_ends_is_not_compared_with_the_base() -> None:
    """The base is above the tuned model anyway: what counts is what rounding does to each."""
    given = seen(before=0.9, control=0.88)
    assert said(given, witness=ROUNDED)[0].p <= 0.01
    assert said(given)[0].p > 0.5


def test_ends_may_be_compared_by_another_score() -> None:
    assert said(seen(ends=(share(0.8), share(0.75))))[0].p > 0.5
    assert said(seen(before=0.8, control=0.8, ends=(share(0.8), share(0.1))))[0].p <= 0.01


def test_every_seed_must_say_it() -> None:
    weak = seen(after=0.6)
    pooled, *each = said(seen(), weak)
    assert [one.seed for one in (pooled, *each)] == [None, 0, 1]
    assert pooled.p == max(one.p for one in each) > 0.05
    assert pooled.after == pytest.approx((0.85 + 0.6) / 2)
    assert pooled.low == each[1].low
    assert len(said(seen())) == 1


def test_a_document_without_a_score_is_left_out_of_all_of_them() -> None:
    after = share(0.85)
    after[:20] = np.nan
    found = said(seen(after=after))[0]
    assert (found.n, found.clusters) == (N - 20, N - 20)
    assert found.base == pytest.approx(share(0.9)[20:].mean())


def test_a_document_without_a_score_at_one_seed_is_left_out_of_all() -> None:
    after = share(0.85)
    after[:20] = np.nan
    found = said(seen(), seen(after=after))
    assert [one.n for one in found] == [N - 20] * 3
    assert [one.base for one in found] == pytest.approx([share(0.9)[20:].mean()] * 3)
    here, there = share(0.85), share(0.85)
    here[::2], there[1::2] = np.nan, np.nan
    [nothing] = said(seen(after=here), seen(after=there))
    assert (nothing.p, nothing.n, nothing.seed) == (1.0, None, None)
    assert nothing.note == "no document has all its scores at every seed"


def test_the_bound_is_the_twin_of_the_test() -> None:
    for after in np.arange(0.6, 0.8, 0.02):
        for count in (1, 5):
            found = said(seen(after=float(after)), count=count)[0]
            assert found.low is not None
            assert (found.low > 0.0) == (found.p <= RULES.level / count)


def test_of_several_the_one_that_did_least_is_named_and_all_are_paid_for() -> None:
    weak = said(seen(after=0.64))[0]
    assert weak.p > 0.05 / 3
    strong = said(seen())[0]
    found = turned(GONE, weak, strong._replace(witness=Witness("relearn", 64)), strong)
    assert found.witness == "relearnt from 64 examples"
    assert found.p_adjusted == pytest.approx(3 * strong.p)


def test_tasks_that_were_not_heard_are_paid_for_too() -> None:
    heard = {"b": [Statement(RELEARNT, None, "oracle", p=0.004)]}
    assert adjusted(["b"], heard, 1)["b"] == [0.004]
    assert adjusted(["a", "b", "c"], heard, 1)["b"] == [pytest.approx(0.012)]
    assert adjusted(["a", "b"], heard, 5)["b"] == [pytest.approx(0.004 * 6)]
    # One that could not speak whatever anybody scored is in no family.
    quiet = {"b": [*heard["b"], silent(ROUNDED, "base", "why")]}
    assert adjusted(["b"], quiet, 2)["b"][0] == 0.004


def test_few_sources_and_cut_answers_are_not_for_witnesses() -> None:
    cut = judge(GONE, RULES, truncated=0.5)
    assert not concerns(settle({"t": cut}, RULES)["t"], cut, RULES)
    few = judge(GONE._replace(cluster=np.arange(N) % 12), RULES)
    assert not concerns(settle({"t": few}, RULES)["t"], few, RULES)
    many = {f"t{i}": judge(GONE, RULES) for i in range(3)}
    assert all(concerns(v, many[t], RULES) for t, v in settle(many, RULES).items())


def test_false_suppression_is_rare() -> None:
    """At the edge of each part, where all other parts hold: the examples teach the tuned model a
    quarter of the drop, or no more than they teach the oracle."""
    edges = {
        "gain at the floor": (0.9, 0.5, 0.6, 0.1, 0.1),
        "the control gains as much": (0.9, 0.3, 0.75, 0.2, 0.5),
        "the control ends as high": (0.9, 0.5, 0.9, 0.8, 0.8),
    }
    trials, n, rules = 400, 80, Rules(resamples=399, clusters=10)
    level = statistical.share("second witnesses hold their level", comparisons=len(edges))
    allowed = scipy.stats.binom(trials, 0.05).isf(level)
    for name, levels in edges.items():
        false = 0
        for trial in range(trials):
            rng = np.random.default_rng([trial, n])
            drawn = [(rng.random(n) < level).astype(float) for level in levels]
            given = Scores(*drawn, able=drawn[0])
            found = weigh(RELEARNT, "oracle", {0: given}, np.arange(n), 0.0, rules, 1)
            false += found[0].p <= 0.05
        assert 0 < false <= allowed, name
