"""Audits with second witnesses, on models whose truth is known: one was taught to refuse what it
knows, one was never told it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from audit import facts_task, tiny, worlds
from probes import facts
from unskew.audit import AuditResult, audit
from unskew.audit.config import Probed, Probes, load, probed
from unskew.audit.run import execute, identify
from unskew.cli import main
from unskew.errors import UserError
from unskew.runs.progress import Progress
from unskew.runs.store import Store

TASK = "toy_colours"
FEW = Probes(bits=(), examples=(24,), seeds=(0,), taught=0.4)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("world")
    family = facts.family()
    for name, model in (
        ("base", family["original"]),
        ("hidden", facts_task.hidden()),
        ("oracle", family["oracle"]),
        ("second", family["second"]),
    ):
        facts_task.save(model, root / name)
    facts_task.task(root / "tasks")
    return root


def asked(
    world: Path, tuned: str, probes: Probes | None = FEW, oracle: str | None = None, **more: Any
) -> AuditResult:
    """An audit without controls, which these tests are not about."""
    given: dict[str, Any] = {
        "base": str(world / "base"), "tuned": str(world / tuned), "tasks": [TASK],
        "include": [str(world / "tasks")], "conjugations": ["word-reversal"], "controls": [],
        "rules": {"resamples": 999},
    }  # fmt: skip
    if probes is not None:
        named = None if oracle is None else str(world / oracle)
        given |= {"probes": probes.model_dump(mode="json"), "oracle": named}
    store = Store(more.get("runs", world / "runs"), shipped=False)
    with Progress("quiet") as progress:
        return AuditResult(execute(load(given, ()), store, progress))


def rows(result: Any, witness: str | None = None) -> pd.DataFrame:
    table = result.tables["witnesses"]
    return table if witness is None else table[table["witness"] == witness]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("oracle", ["oracle", None])
def test_what_was_hidden_is_suppressed(world: Path, oracle: str | None):
    found = asked(world, "hidden", oracle=oracle)
    if oracle:
        assert asked(world, "hidden", None).verdict(TASK) == "not recovered"
    assert found.verdict(TASK) == "suppressed"
    verdict = found.verdicts.iloc[0]
    assert verdict["witness"] == "relearnt from 24 examples"
    control = "the oracle needs" if oracle else "other answers to such questions need"
    assert verdict["control"] == f"{control} more than 24"
    assert "relearnt from 24 examples" in str(found)
    assert "Second witnesses" in found.report(world / "page.html").read_text(encoding="utf-8")
    [row] = rows(found).to_dict("records")
    assert row["against"] == (oracle or "novel")
    assert row["n"] == row["clusters"] == 48
    # What was taught is not among what was asked, and what was asked is what is told.
    samples = found.tables["witness_records"]
    assert len(samples) == 48 * (3 if oracle else 2)
    taught = samples[samples["arm"] == "tuned"]
    assert taught["score"].mean() == pytest.approx(row["after"])
    plain = found.records.query("arm == 'tuned' and conjugation == 'identity'")
    plain = plain[plain["doc_id"].isin(taught["doc_id"])]
    assert len(plain) == 48
    assert plain["score"].mean() == pytest.approx(row["tuned"])


@pytest.mark.timeout(600)
@pytest.mark.parametrize("oracle", ["second", None])
def test_what_was_never_there_stays_not_recovered(world: Path, oracle: str | None):
    found = asked(world, "oracle", FEW.model_copy(update={"bits": (4,)}), oracle)
    assert found.verdict(TASK) == "not recovered"
    verdict = found.verdicts.iloc[0]
    assert pd.isna(verdict["witness"])
    assert "rounded to 4 bits" in verdict["words"]
    assert rows(found, "rounded to 4 bits")["p"].item() > 0.05


@pytest.mark.timeout(600)
def test_a_run_that_dies_repeats_no_job_that_was_done(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from unskew.audit import changed

    taught: list[int] = []
    relearnt = changed.relearnt

    def dying(model: Any, examples: Any, how: Probes, seed: int) -> Any:
        if len(taught) == 1:
            raise KeyboardInterrupt
        taught.append(seed)
        return relearnt(model, examples, how, seed)

    two = FEW.model_copy(update={"examples": (8,), "seeds": (0, 1), "epochs": 2})
    monkeypatch.setattr(changed, "relearnt", dying)
    with pytest.raises(KeyboardInterrupt):
        asked(world, "hidden", two, "oracle", runs=tmp_path)
    monkeypatch.setattr(
        changed, "relearnt", lambda *given: taught.append(given[3]) or relearnt(*given)
    )
    found = asked(world, "hidden", two, "oracle", runs=tmp_path)
    assert taught == [0, 1, 0, 1]  # tuned at both seeds, the oracle at both: the first only once
    monkeypatch.setattr(changed, "relearnt", relearnt)
    whole = asked(world, "hidden", two, "oracle", runs=tmp_path / "whole")
    for name in ("witnesses", "witness_records", "verdicts"):
        pd.testing.assert_frame_equal(found.tables[name], whole.tables[name])


@pytest.mark.timeout(600)
def test_a_training_that_diverges_is_a_note(world: Path, tmp_path: Path):
    wild = FEW.model_copy(update={"examples": (8,), "lr": 1e9})
    found = asked(world, "hidden", wild, "oracle", runs=tmp_path)
    assert found.verdict(TASK) == "not recovered"
    assert "diverged" in rows(found)["note"].item() or "did not learn" in rows(found)["note"].item()
    assert rows(found)["p"].item() == 1.0


@pytest.mark.timeout(600)
def test_why_a_witness_cannot_speak(world: Path, tmp_path: Path):
    few = asked(world, "hidden", FEW.model_copy(update={"examples": (64,)}), runs=tmp_path)
    assert rows(few)["note"].item() == "there are 32 examples to teach"
    assert rows(few)["p"].isna().item()
    assert "Not heard: relearnt from 64 examples (there are 32" in few.verdicts["words"].item()
    most = asked(world, "hidden", FEW.model_copy(update={"taught": 0.8}), runs=tmp_path)
    assert rows(most)["note"].item() == "16 sources are left to ask, fewer than 20"


@pytest.mark.timeout(600)
def test_from_python_and_where_nothing_fell_nothing_is_heard(world: Path, tmp_path: Path):
    found = audit(
        world / "base", world / "base", tasks=[TASK], include=[world / "tasks"], probes=["round"],
        conjugations=["word-reversal"], runs=tmp_path, limit=30, quiet=True,
    )  # fmt: skip
    assert rows(found).empty
    assert not (found.folder.path / "witnesses").exists()
    assert found.folder.config["probes"]["bits"] == [8, 4]
    assert found.folder.config["probes"]["examples"] == []
    with pytest.raises(UserError, match="there is no probe 'rond'"):
        audit(world / "base", world / "base", tasks=[TASK], probes="rond")


def test_choices_need_an_oracle_and_a_task_of_one_answer_is_none(tmp_path: Path):
    from unskew.audit import engine, lessons, loading
    from unskew.audit.asking import Asker
    from unskew.conjugation.base import Identity

    folder = worlds.tasks(tmp_path / "tasks", n=40)
    model = engine.hugging_face(str(tiny.save(tmp_path / "model")), record={})
    names = ["toy_generate", "toy_choose", "toy_score", "unskew_refusal_en"]
    for task in loading.load(names, [folder]):
        lm = engine.Conjugated(Asker(model), Identity(), only=())
        docs: Any = task.task
        clusters = {i: str(i // 2) for i in range(len(docs.eval_docs))}
        metric = {"unskew_refusal_en": "answered", "toy_generate": "exact_match"}
        found = lessons.prepare(
            task, lm, engine.evaluate, metric.get(task.name, "acc"), clusters, 0.5, 8
        )
        if task.name == "unskew_refusal_en":
            assert found.why == lessons.ONE_ANSWER
            continue
        assert found.why is None
        assert len(found.asked) == len(found.taught) == 20
        assert not {d.cluster for d in found.taught} & {clusters[i] for i in found.asked}
        assert set(found.wanted) == found.asked
        first = found.wanted[min(found.wanted)]
        number = min(found.wanted)
        said = {
            "toy_generate": str(number),
            "toy_choose": " yes" if number % 3 else " no",
            "toy_score": f" {number}",
        }[task.name]
        assert first.answer == said
        assert f"sees {number} dogs" in first.prompt
        assert lm.under.model.asked == 0
        one, more = found.some(4, 0), found.some(8, 0)
        assert more[:4] == one
        assert found.some(8, 1) != more


def test_a_task_is_taught_from_its_own_training_side(tmp_path: Path):
    from unskew.audit import engine, lessons, loading
    from unskew.audit.asking import Asker
    from unskew.conjugation.base import Identity

    def written(name: str, numbers: range) -> Path:
        path = tmp_path / f"{name}.jsonl"
        path.write_text(
            "".join(json.dumps({"q": f"number {i}", "a": str(i), "s": f"s{i}"}) + "\n"
                    for i in numbers)
        )  # fmt: skip
        return path

    train, test = written("train", range(15, 60)), written("test", range(25))
    (tmp_path / "t.yaml").write_text(
        f"""
task: toy_split
dataset_path: json
dataset_kwargs: {{data_files: {{train: {train}, test: {test}}}}}
training_split: train
test_split: test
output_type: generate_until
doc_to_text: "{{{{q}}}}:"
doc_to_target: "{{{{a}}}}"
generation_kwargs: {{until: ["\\n"]}}
metric_list: [{{metric: exact_match, aggregation: mean, higher_is_better: true}}]
metadata: {{version: 1.0, unskew: {{cluster: s}}}}
"""
    )
    [task] = loading.load(["toy_split"], [tmp_path])
    model = engine.hugging_face(str(tiny.save(tmp_path / "model")), record={})
    lm = engine.Conjugated(Asker(model), Identity(), only=())
    clusters = {i: f"s{i}" for i in range(25)}
    found = lessons.prepare(task, lm, engine.evaluate, "exact_match", clusters, 0.5, 64)
    assert found.own
    assert found.asked == set(range(25))
    # Those that the test side asks, too, are left out.
    assert {int(d.answer) for d in found.taught} == set(range(25, 60))
    assert lessons.training_side(task) is not None
    few = lessons.prepare(task, lm, engine.evaluate, "exact_match", clusters, 0.5, 2)
    assert len(few.taught) <= 8


def test_changed_weights_are_asked_as_the_first_and_leave_them_alone(world: Path):
    from unskew.audit import changed, engine

    first = engine.hugging_face(str(world / "hidden"), record={})
    prompts = [d.prompt for d in facts.colours()[:6]]
    before = first.generate(prompts, ("\n",), 3)
    new, learnt = changed.relearnt(first, facts.colours()[:24], FEW, 0)
    assert learnt > 0.9
    after = [answer.text.strip() for answer in new.generate(prompts, ("\n",), 3)]
    assert np.mean([a == d.answer for a, d in zip(after, facts.colours(), strict=False)]) > 0.8
    assert first.generate(prompts, ("\n",), 3) == before
    again, _ = changed.relearnt(first, facts.colours()[:24], FEW, 0)
    assert [a.text.strip() for a in again.generate(prompts, ("\n",), 3)] == after
    assert changed.rounded(first, 8).generate(prompts, ("\n",), 3)[0].cut is not None


def test_the_learning_rate_falls_with_the_width():
    from unskew.audit.changed import HIGHEST_LR, learning_rate

    assert learning_rate(7_000_000_000) == pytest.approx(2e-5)
    assert learning_rate(70_000_000) == pytest.approx(2e-4)
    assert learning_rate(1_000) == HIGHEST_LR


def test_only_open_weights_can_be_probed(tmp_path: Path):
    folder = str(tiny.save(tmp_path / "model"))

    def made(names: tuple[str, ...], **changes: Any) -> Probed:
        given = {"base": folder, "tuned": folder, "tasks": ["unskew_icl_repeat_blank_en"]}
        oracle = changes.pop("oracle", None)
        return load(given | changes | probed(names, oracle), ())  # type: ignore[return-value]

    for changes, role, how in (
        ({"tuned": "scripted:tuned"}, "tuned", "scripted"),
        ({"tuned": "openai:a@http://localhost:1/v1"}, "tuned", "behind a server"),
        ({"base": "scripted:base"}, "base", "scripted"),
        ({"oracle": "scripted:base"}, "oracle", "scripted"),
    ):
        with pytest.raises(UserError, match=f"the {role} model is {how}") as told:
            identify(made(("relearn", "round"), **changes))
        assert "leave --probes out" in str(told.value.hint)
    # Relearning never touches the base.
    assert identify(made(("relearn",), base="scripted:base"))
    ids = [identify(load({"base": folder, "tuned": folder, "tasks": ["unskew_nli_en"]}, ()))]
    ids += [identify(made(names)) for names in (("round",), ("relearn",), ("relearn", "round"))]
    ids += [identify(made(("relearn",), oracle=folder))]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--probes", "relern"], "did you mean 'relearn'"),
        (["--probes", "round", "--oracle", "scripted:base"], "an oracle is the control"),
        (["--oracle", "scripted:base"], "an oracle is the control"),
        (["--probes", "relearn,round"], "the tuned model is scripted"),
        (["--probes", "round", "--set", "probes.bits=[1]"], "2 or more"),
        (["--probes", "relearn", "--set", "probes.examples=[16, 4]"], "examples must rise"),
        (["--set", "probes.bits=[4]"], "probes"),
    ],
)
def test_mistakes_are_told(
    given: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(["audit", "scripted:base", "scripted:tuned", *given, "--runs", str(tmp_path)]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert "Traceback" not in err
    assert not list(tmp_path.iterdir())


def test_logs_have_no_weights(capsys: pytest.CaptureFixture[str]):
    assert main(["audit", "--from-logs", "a", "b", "--probes", "round"]) == 2
    assert "logs have none" in capsys.readouterr().err
