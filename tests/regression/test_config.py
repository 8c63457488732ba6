"""Mistakes in a configuration are found before anything is trained."""

from pathlib import Path

import pytest
import torch
from pydantic import TypeAdapter

from unskew.cli import main
from unskew.errors import UserError
from unskew.regression.config import Experiment, Pretrain
from unskew.regression.study import execute
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
