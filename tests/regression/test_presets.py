"""Shipped presets: each loads, and those that share a world share its models."""

import pytest
from pydantic import TypeAdapter

from unskew.regression.config import (
    Diversity,
    Experiment,
    Length,
    Pretrain,
    Protections,
    Replications,
    Study,
)
from unskew.regression.study import needs
from unskew.runs.config import kind, load, presets
from unskew.runs.identity import run_id

BASE, ALPHA_0 = "regression-pretrain-f9f0997142c3", "regression-pretrain-a355aae530da"


def read(name: str, *overrides: str):
    return load(name, overrides, TypeAdapter(Experiment))


@pytest.mark.parametrize("name", [n for n in presets() if kind(n).startswith("regression")])
def test_every_preset_loads_and_knows_what_it_needs(name: str) -> None:
    config = read(name)
    for role, parent in needs(config).items():
        assert role
        assert run_id(parent).startswith("regression-")


def test_kinds() -> None:
    kinds = {
        "base": Pretrain,
        "demo": Study,
        "paper": Study,
        "small": Replications,
        "diversity": Diversity,
        "length": Length,
        "protection": Protections,
    }
    assert {name: type(read(name)) for name in kinds} == kinds


def test_base_is_the_model_that_demo_and_protection_start_from() -> None:
    """These ids name trained weights that come with the package; a change loses them."""
    demo, protection = read("demo"), read("protection")
    assert run_id(read("base")) == BASE
    assert run_id(needs(demo)["base-0.5"]) == BASE
    assert run_id(needs(demo)["base-0"]) == ALPHA_0
    assert run_id(needs(protection)["base-0.5"]) == BASE
    assert isinstance(demo, Study)
    assert isinstance(protection, Protections)
    assert protection.arms()["tuned"] == demo.finetune(0.5)


def test_small_has_five_seeds_with_their_own_tasks_and_two_finetunings() -> None:
    small = read("small")
    assert isinstance(small, Replications)
    studies = small.studies()
    assert [len(of_seed) for of_seed in studies] == [2] * 5
    assert len({s.discrete().seed for of_seed in studies for s in of_seed}) == 5
    assert len(needs(small)) == 5
    for of_seed in studies:
        assert len({run_id(s.pretrain(0.5)) for s in of_seed}) == 1
        assert len({s.finetune_seed for s in of_seed}) == 2


def test_paper_has_the_papers_sizes() -> None:
    paper = read("paper")
    assert isinstance(paper, Study)
    assert (paper.d, paper.n, paper.sigma, paper.exemplars) == (10, 64, 1.0, 40)
    shape = paper.model
    assert (shape.layers, shape.heads, shape.width) == (12, 8, 256)
    assert (shape.layout, shape.block, shape.positions) == ("interleaved", "gpt2", "learned")
    for training in (paper.pretraining, paper.finetuning):
        assert (training.precision, training.compile) == ("bfloat16", True)
    assert (paper.device, paper.generator) == ("cuda", "philox-cuda")


def test_the_papers_seeds_share_its_study_and_the_first_training() -> None:
    paper, seeds = read("paper"), read("paper-seeds")
    assert isinstance(paper, Study)
    assert isinstance(seeds, Replications)
    assert (seeds.seeds, seeds.finetune_seeds) == ((0, 1, 2), (0, 1))
    mine = {"alphas": (0.5,), "experiments": ("where-it-hurts", "task-inference", "conjugate")}
    assert seeds.studies()[0][0] == paper.model_copy(update=mine)
    assert run_id(seeds.studies()[0][0].pretrain(0.5)) == run_id(paper.pretrain(0.5))
    assert len(needs(seeds)) == 3
