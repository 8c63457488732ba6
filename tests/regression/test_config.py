"""Mistakes in a configuration are found before anything is trained."""

import pytest
from pydantic import TypeAdapter

from unskew.errors import UserError
from unskew.regression.config import Experiment
from unskew.runs.config import load


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
