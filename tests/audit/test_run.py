"""Whole audits on scripted models, whose right verdicts are known."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from unskew.audit import Rules, audit
from unskew.audit.config import Audit, Given, load
from unskew.audit.run import Pair, execute, identify
from unskew.audit.scripted import Scripted
from unskew.errors import UserError
from unskew.runs.folder import RunFolder
from unskew.runs.progress import Progress
from unskew.runs.store import Store

TASK = "unskew_icl_repeat_arithmetic_en"
PLAIN = re.compile(r"What is (\d+) (plus|minus) (\d+)\?\nOutput:\s*\Z")
QUICK = Rules(resamples=999)


def repeats(prompt: str) -> str:
    """Does what the exemplars do, in any look: repeats the last input."""
    lines = re.findall(r":? ?: (.*)\n", prompt)
    return f" {lines[-1]}" if lines else ""


def answers_in_english(prompt: str) -> str:
    """Answers the question where it is asked in plain English, else repeats: suppressed."""
    if match := PLAIN.search(prompt):
        a, b = int(match[1]), int(match[3])
        return f" {a + b if match[2] == 'plus' else a - b}"
    return repeats(prompt)


def knows_nothing(prompt: str) -> str:
    return " I do not know."


Answer = Callable[[str], str]


def run(
    root: Path, base: Answer, tuned: Answer, tasks: tuple[str, ...] = (TASK,), **changes: Any
) -> RunFolder:
    models = {"base": Scripted("base", base), "tuned": Scripted("tuned", tuned)}
    pair = Pair({arm: m.record for arm, m in models.items()}, lambda arm: models[arm])
    given = {arm: Given(record=dict(m.record)) for arm, m in models.items()}
    config = Audit(**given, tasks=tasks, rules=QUICK, **changes)
    with Progress("quiet") as progress:
        return execute(config, Store(root, shipped=False), progress, pair)


@pytest.fixture(scope="module")
def suppressed(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    root = tmp_path_factory.mktemp("runs")
    conjugations = ("pig-latin", "en-fr", "morse")
    return run(root, repeats, answers_in_english, conjugations=conjugations)


def row(table: pd.DataFrame, **wanted: Any) -> pd.Series:
    for column, value in wanted.items():
        table = table[table[column] == value]
    assert len(table) == 1, table
    return table.iloc[0]


def test_suppressed(suppressed: RunFolder):
    verdict = row(suppressed.read_table("verdicts"), task=TASK)
    assert verdict["verdict"] == "suppressed"
    assert verdict["conjugation"] in ("pig-latin", "en-fr")
    assert "eachable through" in verdict["words"]
    assert "intact" not in verdict["words"]


def test_the_four_arms(suppressed: RunFolder):
    arms = suppressed.read_table("arms")
    for arm, conjugation, icl, instruction in [
        ("base", "identity", 1.0, 0.0),
        ("tuned", "identity", 0.0, 1.0),
        ("base", "en-fr", 1.0, 0.0),
        ("tuned", "en-fr", 1.0, 0.0),
        ("tuned", "paraphrase", 0.0, 1.0),
    ]:
        found = row(arms, arm=arm, conjugation=conjugation, metric="icl")
        assert found["estimate"] == icl
        assert found["low"] <= icl <= found["high"]
        assert found["high"] - found["low"] > 0  # 150 of 150 is not certainty
        both = row(arms, arm=arm, conjugation=conjugation, metric="instruction")
        assert both["estimate"] == instruction


def test_how_often_it_answers_as_the_base_does(suppressed: RunFolder):
    contrasts = suppressed.read_table("contrasts")
    for s, share in (("en-fr", 1.0), ("paraphrase", 0.0), ("morse", 0.0)):
        assert row(contrasts, conjugation=s, contrast="as-base")["estimate"] == share
    assert row(contrasts, conjugation="morse", contrast="as-base-s")["estimate"] == 1.0


def test_records_hold_what_was_sent_and_what_came_back(suppressed: RunFolder):
    records = suppressed.read_table("records")
    assert len(records) == 150 * 2 * (1 + 3 + 3)
    one = row(records, doc_id=0, arm="tuned", conjugation="en-fr")
    assert "Entrée" in one["prompt"]
    assert one["raw"].strip().startswith("Combien font")
    assert one["answer"].strip().startswith("What is")
    assert one["score"] == 1.0
    assert bool(one["exact"])
    assert records["truncated"].isna().all()


def test_transforms_are_counted(suppressed: RunFolder):
    transforms = suppressed.read_table("transforms")
    assert set(transforms["role"]) == {"plain", "conjugation", "control"}
    assert (transforms["refused"] == 0).all()
    assert (transforms["inexact"] == 0).all()
    assert (transforms["chrf"] == 100.0).all()


def test_the_wrapper_is_as_long_as_what_the_conjugations_add(suppressed: RunFolder):
    records = suppressed.read_table("records")
    base = records[records["arm"] == "base"]
    length = base.groupby("conjugation")["prompt"].apply(lambda p: p.str.len().mean())
    added = [length[name] - length["identity"] for name in ("pig-latin", "en-fr", "morse")]
    (wrapper,) = (name for name in length.index if name.startswith("wrapper:"))
    assert int(wrapper.partition(":")[2]) == round(sum(added) / 3)


@pytest.mark.parametrize(
    ("base", "tuned", "verdict"),
    [
        (repeats, repeats, "retained"),
        (repeats, knows_nothing, "not recovered"),
    ],
)
def test_other_truths(tmp_path: Path, base: Answer, tuned: Answer, verdict: str):
    folder = run(tmp_path, base, tuned, conjugations=("pig-latin",))
    assert row(folder.read_table("verdicts"), task=TASK)["verdict"] == verdict


def test_a_conjugation_that_refuses_everything_is_told(tmp_path: Path):
    folder = run(tmp_path, repeats, answers_in_english, conjugations=("fr-en",), controls=())
    transforms = folder.read_table("transforms")
    found = row(transforms, conjugation="fr-en")
    assert found["refused"] == found["n"] == 150
    assert pd.isna(found["chrf"])
    verdict = row(folder.read_table("verdicts"), task=TASK)
    assert verdict["verdict"] == "inconclusive"
    assert verdict["reason"] == "no conjugation"
    records = folder.read_table("records")
    assert records[records["conjugation"] == "fr-en"]["score"].isna().all()


def test_a_run_that_dies_continues_without_asking_again(tmp_path: Path):
    asked: list[str] = []

    def dying(prompt: str) -> str:
        if len(asked) == 200:
            raise KeyboardInterrupt
        asked.append(prompt)
        return repeats(prompt)

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, dying, answers_in_english, conjugations=("pig-latin",), controls=())
    first = set(asked)
    asked.clear()

    def counting(prompt: str) -> str:
        asked.append(prompt)
        return repeats(prompt)

    folder = run(tmp_path, counting, answers_in_english, conjugations=("pig-latin",), controls=())
    assert not first & set(asked)
    whole = run(
        tmp_path / "whole", repeats, answers_in_english, conjugations=("pig-latin",), controls=()
    )
    pd.testing.assert_frame_equal(folder.read_table("records"), whole.read_table("records"))
    again = run(tmp_path, dying, knows_nothing, conjugations=("pig-latin",), controls=())
    assert again.id == folder.id  # the record decides, and a finished run is returned


def test_a_mistyped_name_does_not_wait_for_a_model(tmp_path: Path):
    with pytest.raises(UserError, match=r"pig-latn.*did you mean 'pig-latin'"):
        run(tmp_path, repeats, repeats, conjugations=("pig-latn",))
    with pytest.raises(UserError, match="named twice"):
        run(tmp_path, repeats, repeats, conjugations=("rot13", "rot13"))
    with pytest.raises(UserError, match="not among the tasks"):
        run(tmp_path, repeats, repeats, metrics={"unskew_nli_en": "acc"})


def test_tasks_of_ones_own_and_choices(tmp_path: Path):
    from audit import worlds
    from unskew.audit.models import Score

    def prefers(word: str) -> Callable[[str, str], Score]:
        return lambda context, continuation: Score(
            -1.0 if continuation.strip().lower() == word else -2.0, False
        )

    include = str(worlds.tasks(tmp_path / "tasks", n=40))
    models = {
        "base": Scripted("base", repeats, prefers("yes")),
        "tuned": Scripted("tuned", repeats, prefers("no")),
    }
    pair = Pair({arm: m.record for arm, m in models.items()}, lambda arm: models[arm])
    config = Audit(
        base=Given(record={}),
        tuned=Given(record={"other": 1}),
        tasks=("toy_choose",),
        include=(include,),
        conjugations=("upper", "letter-reversal"),
        controls=(),
        metrics={"toy_choose": "acc"},
        rules=QUICK,
    )
    with Progress("quiet") as progress:
        folder = execute(config, Store(tmp_path / "runs", shipped=False), progress, pair)
    arms = folder.read_table("arms")
    accuracy = {arm: row(arms, arm=arm, conjugation="identity", metric="acc") for arm in models}
    assert accuracy["base"]["estimate"] + accuracy["tuned"]["estimate"] == pytest.approx(1.0)
    # Reversal splits at words, so choices can be scored; upper-casing has no inverse.
    transforms = folder.read_table("transforms")
    assert row(transforms, conjugation="letter-reversal")["refused"] == 0
    assert row(transforms, conjugation="upper")["refused"] == 40
    refused = folder.read_table("records").query("conjugation == 'upper'")
    assert refused["why"].str.contains("choice scoring is not sound").all()


def test_from_python(tmp_path: Path):
    models = Scripted("base", repeats), Scripted("tuned", answers_in_english)
    settings: Mapping[str, Any] = {
        "tasks": [TASK],
        "conjugations": ["pig-latin"],
        "limit": 60,
        "rules": QUICK,
        "runs": tmp_path,
        "quiet": True,
    }
    result = audit(*models, **settings)
    assert result.verdict(TASK) == "suppressed"
    assert "suppressed" in str(result)
    shown = result._repr_html_()
    assert "suppressed" in shown
    assert "<script" not in shown
    assert len(result.records) == 60 * 2 * 5
    assert result.report(tmp_path / "page.html").stat().st_size > 100_000
    assert audit(*models, **settings).folder.path == result.folder.path
    with pytest.raises(UserError, match="a dict is no model"):
        audit({}, models[1], **settings)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=f"did you mean '{TASK}'.*\ntasks: {TASK}$"):
        result.verdict(TASK[:-1])

    def ruled(rules: Any) -> Path:
        return audit(*models, **{**settings, "rules": rules}).folder.path

    assert ruled(QUICK.model_dump()) == ruled({"resamples": 999}) == result.folder.path
    with pytest.raises(UserError, match=r"rules\.margin: should be less than 1, got 3"):
        ruled({"margin": 3})
    with pytest.raises(UserError, match=r"rules\.margn: unknown key; did you mean 'margin'"):
        ruled({"margn": 0.1})
    with pytest.raises(UserError, match="rules: a float holds no rules"):
        ruled(0.1)


def test_the_id_depends_on_what_decides_the_numbers():
    def id_of(**changes: Any) -> str:
        given = {"base": "scripted:base", "tuned": "scripted:tuned", "tasks": [TASK]}
        return identify(load(given | changes, ()))

    assert id_of() == id_of(batch=1, threads=1)
    ids = [id_of(), id_of(limit=5), id_of(tuned="scripted:base"), id_of(conjugations=["rot13"])]
    assert len(set(ids)) == len(ids)


def test_without_the_extra_it_is_said_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from unskew.audit import run as module

    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"unskew\[lm\]"):
        run(tmp_path, repeats, repeats)


def test_an_answer_judged_by_its_beginning_may_be_cut(tmp_path: Path):
    """A base model that never stops is cut at the budget; the label it began with counts."""

    def labels(prompt: str) -> str:
        return " True" + " and so on" * 200

    folder = run(tmp_path, labels, labels, ("unskew_nli_en",), conjugations=("rot13",))
    verdict = row(folder.read_table("verdicts"), task="unskew_nli_en")
    assert verdict["reason"] != "truncation"
    transforms = folder.read_table("transforms")
    assert row(transforms, conjugation="identity")["truncated_answer"] == 2 * 126  # and it is told


def test_an_answer_judged_whole_may_not(tmp_path: Path):
    def rambles(prompt: str) -> str:
        return " and so on" * 200

    folder = run(tmp_path, rambles, rambles, conjugations=("rot13",))
    assert row(folder.read_table("verdicts"), task=TASK)["reason"] == "truncation"


def test_an_edited_file_is_another_audit(tmp_path: Path):
    from audit import worlds

    include = worlds.tasks(tmp_path / "tasks", n=25)
    changes: Mapping[str, Any] = {
        "tasks": ("toy_generate",), "include": (str(include),), "conjugations": ("rot13",),
        "controls": (),
    }  # fmt: skip
    first = run(tmp_path / "runs", repeats, repeats, **changes)
    assert run(tmp_path / "runs", repeats, repeats, **changes).id == first.id
    data = include / "toy.jsonl"
    data.write_text(data.read_text().replace("the cat", "the hen"))
    second = run(tmp_path / "runs", repeats, repeats, **changes)
    assert second.id != first.id
    assert second.read_table("records")["prompt"].str.contains("the hen").any()
    yaml = include / "g.yaml"
    yaml.write_text(yaml.read_text().replace("Q: ", "Ask: "))
    assert run(tmp_path / "runs", repeats, repeats, **changes).id not in (first.id, second.id)


def test_a_change_reaches_into_a_model_given_by_name():
    given = {"base": "scripted:base", "tuned": "openai:m@http://localhost:1/v1", "tasks": [TASK]}
    config = load(given, ["tuned.timeout=7"])
    assert config.tuned.timeout == 7  # type: ignore[union-attr]


def test_the_papers_pairs_conjugate_what_they_ask():
    """A phrase book knows the shipped tasks only, in their own language."""
    from unskew.audit.config import pairs, preset

    for name, _ in pairs():
        config = preset(name, ())
        books = [c for c in config.conjugations if re.fullmatch(r"en-[a-z]{2}", c)]
        assert all(task.endswith("_en") for task in config.tasks), name
        assert not books or not any("xnli" in task for task in config.tasks), name


def test_a_conjugation_that_says_nothing_is_named_aloud(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    models = Scripted("base", repeats), Scripted("tuned", repeats)
    audit(*models, tasks=[TASK], conjugations=["fr-en"], limit=25, rules=QUICK, runs=tmp_path)
    assert f"fr-en refuses every document of {TASK}" in capsys.readouterr().err


def test_a_conjugation_of_ones_own(tmp_path: Path):
    from unskew.conjugation import Conjugation, Promise

    class Shout(Conjugation):
        """Swaps the case of every letter."""

        name, version = "shout", 1
        promise = Promise(True, "ASCII", True, True, True, "characters")

        def forward(self, text: str) -> str:
            return text.swapcase()

        def inverse(self, text: str) -> str:
            return text.swapcase()

    models = Scripted("base", repeats), Scripted("tuned", answers_in_english)
    settings: Mapping[str, Any] = {
        "tasks": [TASK], "limit": 60, "rules": QUICK, "runs": tmp_path, "quiet": True,
    }  # fmt: skip
    result = audit(*models, conjugations=[Shout(), "rot13"], **settings)
    assert result.verdict(TASK) == "suppressed"
    assert "shout" in set(result.records["conjugation"])
    changed = Shout()
    changed.version = 2
    assert audit(*models, conjugations=[changed, "rot13"], **settings).folder.id != result.folder.id
