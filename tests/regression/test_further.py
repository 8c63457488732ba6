"""Runs of experiments 6 to 8 and of several seeds, from configuration to page, on toy models."""

from pathlib import Path

import pandas as pd
import pytest
import torch
from pydantic import TypeAdapter

from unskew.regression.config import Diversity, Experiment, Watched
from unskew.regression.study import execute, identify, needs
from unskew.runs.config import parse_yaml
from unskew.runs.folder import RunFolder
from unskew.runs.identity import run_id
from unskew.runs.progress import Progress
from unskew.runs.store import Store

TOY = """
d: 2
exemplars: 4
model: {layers: 1, heads: 1, width: 8, layout: paired, block: swiglu}
pretraining: {steps: 12, batch: 8, optimiser: {kind: adam}}
evaluation: {prompts: 64}
threads: 1
"""


def config(kind: str, text: str = "") -> Experiment:
    doc = parse_yaml(TOY) | {"kind": f"regression-{kind}"} | (parse_yaml(text) or {})
    return TypeAdapter(Experiment).validate_python(doc)


def run(one: Experiment, root: Path) -> RunFolder:
    return execute(one, Store(root, shipped=False), Progress("quiet"))


def trainings(text: str) -> list[Watched]:
    """The trainings of a run of experiment 6."""
    one = config("diversity", text)
    assert isinstance(one, Diversity)
    assert list(needs(one).values()) == list(one.arms().values())
    return list(one.arms().values())


def check(folder: RunFolder, name: str) -> pd.DataFrame:
    """The run is finished and has its page and its table, with intervals around estimates."""
    assert folder.finished
    assert folder.extra["headline"]
    assert (folder.path / "report.html").stat().st_size > 1000
    table = folder.read_table(name)
    known = table.dropna(subset=["estimate", "low", "high"])
    assert len(known)
    assert (known["low"] <= known["estimate"]).all()
    assert (known["estimate"] <= known["high"]).all()
    return table


def test_diversity(tmp_path: Path) -> None:
    one = config("diversity", "{pools: [2, 8], looks: 3, evaluation: {prompts: 64}}")
    store = Store(tmp_path, shipped=False)
    assert identify(one, store)[0] is None  # the trainings come first
    folder = run(one, tmp_path)
    assert identify(one, store) == (folder.id, [])
    table = check(folder, "diversity")
    assert set(table["arm"]) == {"discrete-2", "discrete-8", "continuous", "ridge"}
    curve = table[(table["arm"] == "discrete-2") & (table["metric"] == "distance_to_ridge")]
    assert list(curve["step"]) == [0, 10, 11, 12]
    # All begin with the same weights, so with the same distance.
    begin = table[(table["step"] == 0) & (table["metric"] == "distance_to_ridge")]
    assert begin["estimate"].nunique() == 1
    again = run(one, tmp_path)
    assert again.manifest() == folder.manifest()


def test_a_watched_training_ends_in_the_same_weights_as_an_unwatched_one(tmp_path: Path) -> None:
    (watched, *_) = trainings("{pools: [2], looks: 3}")
    plain = run(watched.pretrain, tmp_path)
    one, other = (folder.read_tensors("model")[0] for folder in (run(watched, tmp_path), plain))
    assert all(torch.equal(one[name], other[name]) for name in {*one, *other})


def test_an_interrupted_watched_training_continues(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from unskew.regression.experiments import diversity

    (watched, *_) = trainings("{pools: [2], looks: 3}")
    whole = run(watched, tmp_path / "whole")
    measure, calls = diversity.measure, []

    def interrupted(*given):
        import signal

        calls.append(given)
        if len(calls) == 2:
            signal.raise_signal(signal.SIGINT)
        return measure(*given)

    monkeypatch.setattr(diversity, "measure", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(watched, tmp_path / "parts")
    folder = tmp_path / "parts" / run_id(watched)
    assert (folder / "checkpoint.safetensors").exists()
    done = run(watched, tmp_path / "parts")
    assert done.sha256("model") == whole.sha256("model")
    assert [r for r in done.records() if "n" in r] == [r for r in whole.records() if "n" in r]


def test_length(tmp_path: Path) -> None:
    folder = run(config("length", "longest: 9"), tmp_path)
    table = check(folder, "length")
    last = table[table["k"].notna()].groupby("arm")["k"].max()
    assert set(last.index) == {"learned", "learned-random-offset", "rotary", "ridge"}
    assert last.eq(9).all()


FINETUNING = """
finetuning: {steps: 4, batch: 8, optimiser: {kind: adam}}
trajectory: [2]
"""
WAYS = """
replay: [0.5]
anchor: [1.0]
low_rank: [1]
interpolation: [0.5]
evaluation: {prompts: 64, gammas: [1.0, 2.0]}
"""


def test_protection(tmp_path: Path) -> None:
    one = config("protections", FINETUNING + WAYS)
    table = check(run(one, tmp_path), "protection")
    arms = ["replay:0.5", "anchor:1", "low-rank:1", "interpolation:0.5", "conjugate:gamma=2"]
    assert set(table["arm"]) == {"base", "tuned", "bayes", *arms}
    assert set(table["span"]) == {"0..4", "1..2"}
    plain = table[(table["metric"] == "excess_discrete") & (table["span"] == "0..4")]
    # Different ways, different models: none of them is the plain one under another name.
    assert plain["estimate"].nunique() == len(plain)


def test_replications(tmp_path: Path) -> None:
    study = parse_yaml(f"{TOY}{FINETUNING}alphas: [0.5]")
    threads = study.pop("threads")
    study["kind"] = "regression-study"
    study["evaluation"] = {"prompts": 64, "gammas": [1.0, 2.0]}
    study["experiments"] = ["converge", "task-inference", "conjugate"]
    doc = {
        "kind": "regression-replications",
        "study": study,
        "seeds": [0, 1],
        "finetune_seeds": [0],
        "threads": threads,
    }
    one = TypeAdapter(Experiment).validate_python(doc)
    folder = run(one, tmp_path)
    table = check(folder, "conjugate")
    assert folder.tables() == ["conjugate", "converge", "task-inference"]
    assert set(table["conditional_on"]) == {"training seeds"}
    studies = {path.name for path in tmp_path.glob("regression-study-*")}
    assert len(studies) == 2
    rise = table[(table["metric"] == "rise_continuous") & (table["span"] == "1..2")]
    single = [
        RunFolder.read(tmp_path / name).read_table("conjugate").query(
            "arm == 'tuned' and metric == 'rise_continuous' and span == '1..2'"
        )["estimate"].iloc[0]
        for name in studies
    ]  # fmt: skip
    assert rise[rise["arm"] == "tuned"]["estimate"].iloc[0] == pytest.approx(sum(single) / 2)
    for metric in ("net_numerator", "contrast_0.4", "rise_discrete", "net_recovery"):
        there = table[(table["metric"] == metric) & (table["arm"] == "tuned")]
        assert len(there[there["span"] == "1..2"]) == 1
    assert "skew_rise" in set(folder.read_table("task-inference")["metric"])


@pytest.mark.parametrize(
    ("study", "said"),
    [
        ({"seed": 3}, "study.seed"),
        ({"threads": 2}, "study.threads"),
        ({"experiments": ["conjugate"]}, "task-inference"),
    ],
)
def test_replications_refuse_what_would_be_ignored(study: dict[str, object], said: str) -> None:
    doc = {"kind": "regression-replications", "study": {"kind": "regression-study"} | study}
    with pytest.raises(ValueError, match=said):
        TypeAdapter(Experiment).validate_python(doc)
