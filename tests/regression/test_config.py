"""Mistakes in a configuration are found before anything is trained."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from unskew.cli import main
from unskew.errors import UserError
from unskew.regression.config import (
    Experiment,
    Pretrain,
    Protections,
    Replications,
    Study,
    spelt,
)
from unskew.regression.studies import OTHER_TASKS
from unskew.regression.study import execute, needs
from unskew.runs.config import load
from unskew.runs.progress import Progress
from unskew.runs.store import Store


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["d=20"], "at least d"),
        (["evaluation.gammas=[-1,1]"], "above 1"),
        (["evaluation.gammas=[2]"], "must hold 1"),
        (["evaluation.gammas=[1,2,2]"], "differ"),
        (["alphas=[2]"], "alphas"),
        (["alphas=[]"], "alphas"),
        (["model.heads=3"], "multiple of heads"),
        (["experiments=[converged]"], "converge"),
        (["finetuning.optimiser.kind=sgd"], "adam"),
        (["alhpa=0.2"], "alpha"),
    ],
)
def test_mistakes_are_named(overrides: list[str], said: str):
    with pytest.raises(UserError) as caught:
        load("demo", overrides, TypeAdapter(Experiment))
    assert said in str(caught.value)


KINDS = {
    "study": ("finetuning", ""),
    "protections": ("finetuning", ""),
    "finetune": ("training", "base: {}\nprior: {kind: continuous}\n"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("partial", "override"),
    [
        ("{steps: 10}", "steps=10"),
        ("{optimiser: {lr: 0.5}}", "optimiser.lr=0.5"),
        ("{optimiser: {kind: adam}}", "optimiser.kind=adam"),
        ("{optimiser: {kind: muon, lr: 0.5}}", "optimiser={kind: muon, lr: 0.5}"),
    ],
)
def test_a_partial_fine_tuning_is_completed_as_one_override_would_be(
    tmp_path: Path, kind: str, partial: str, override: str
):
    """However it is said, the rest is the default fine-tuning, not the default pretraining."""
    name, rest = KINDS[kind]
    plain, written = tmp_path / "plain.yaml", tmp_path / "written.yaml"
    plain.write_text(f"kind: regression-{kind}\n{rest}")
    written.write_text(f"kind: regression-{kind}\n{rest}{name}: {partial}\n")
    schema = TypeAdapter(Experiment)
    expected = load(str(plain), [f"{name}.{override}"], schema)
    assert load(str(written), [], schema) == expected
    assert load(str(plain), [f"{name}={partial}"], schema) == expected
    assert getattr(expected, name).decay == 1.0


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("finetuning=3", r"^finetuning: .*dictionary|^finetuning: .*a group of settings"),
        ("finetuning={optimiser: {lr: -1}}", r"^finetuning\.optimiser\.lr: should be greater"),
        ("finetuning={optimiser: {kind: sgd}}", r"^finetuning\.optimiser: there is no kind 'sgd'"),
        ("finetuning={stepz: 1}", r"^finetuning\.stepz: unknown key; did you mean 'steps'"),
    ],
)
def test_mistakes_in_a_partial_fine_tuning_are_named(override: str, said: str):
    with pytest.raises(UserError, match=said):
        load("demo", [override], TypeAdapter(Experiment))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_said_before_anything_runs(tmp_path: Path):
    config = Pretrain(device="cuda")
    with pytest.raises(UserError, match="no CUDA device"):
        execute(config, Store(tmp_path), Progress("quiet"))
    assert not list(tmp_path.iterdir())


def test_a_page_lost_to_a_kill_is_drawn_again(tmp_path: Path):
    """Killed between the manifest and the page, the same command draws the page."""
    given = ["run", "demo", "experiments=[observer]", "--runs", str(tmp_path)]
    assert main(given) == 0
    (page,) = tmp_path.glob("*/report.html")
    page.unlink()
    assert main(given) == 0
    assert page.exists()


# --- what no model can be is told before anything runs ------------------------------------------


@pytest.mark.parametrize(
    ("doc", "message"),
    [
        ({"kind": "regression-pretrain", "model": {"capacity": 3}},
         "model.capacity 3 is below the training length 25"),
        ({"kind": "regression-study", "model": {"layout": "paired", "capacity": 12}},
         "model.capacity 12 is below the training length 13"),
        ({"kind": "regression-pretrain", "model": {"positions": "learned-random-offset"}},
         "no offsets to draw"),
        ({"kind": "regression-length", "model": {"width": 6, "heads": 2}}, "even width per head"),
        ({"kind": "regression-study", "seed": 2**62}, "less than"),
        ({"kind": "regression-replications", "finetune_seeds": [0, 1000]}, "must be below 1000"),
        ({"kind": "regression-replications", "seeds": [0, 2**61]}, "seeds below"),
    ],
)  # fmt: skip
def test_what_no_model_can_be_is_refused(doc: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TypeAdapter(Experiment).validate_json(json.dumps(doc))


def test_the_largest_seeds_have_all_that_is_derived_from_them() -> None:
    study = Study(seed=2**62 - 1)
    assert study.discrete(study.seed + OTHER_TASKS).seed > study.seed
    largest = 2**62 // 1000 - 1
    studies = Replications(seeds=(0, largest), finetune_seeds=(0, 999)).studies()
    seeds = [one.finetune_seed for of_seed in studies for one in of_seed]
    assert len(set(seeds)) == 4
    for of_seed in studies:
        for one in of_seed:
            assert Study.model_validate(one.model_dump()) == one


def test_numbers_that_print_alike_have_names_of_their_own() -> None:
    assert [spelt(n) for n in (0.1, 0.5, 2.0, -1.0, 1e-5)] == ["0.1", "0.5", "2", "-1", "1e-05"]
    close = 0.10000001
    assert spelt(close) != spelt(0.1)
    assert float(spelt(close)) == close
    arms = Protections(replay=(0.1, close)).arms()
    assert sum(name.startswith("replay:") for name in arms) == 2
    bases = needs(Study(alphas=(0.3333333, 0.33333334)))
    assert len(bases) == 3
