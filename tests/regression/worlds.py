"""Prompts and ideal observers for the experiments' tests: subjects whose truth is known exactly."""

import torch
from torch import Tensor

from unskew.regression.measure import Case, observer
from unskew.regression.priors import Continuous, Discrete, Prior
from unskew.regression.prompts import PromptStream

DIM, EXEMPLARS, SIGMA, ALPHA = 3, 6, 0.5, 0.5
POOL = Discrete(n=4, seed=0)
PROMPTS = 4000
GAMMAS = (-1.0, 0.5, 1.0, 2.0, 4.0)


def case(prior: Prior | None = None, prompts: int = PROMPTS) -> Case:
    """Prompts of D_cont (or `prior`) in a small world."""
    stream = PromptStream(prior or Continuous(), DIM, EXEMPLARS, SIGMA, seed=0, stream="test")
    return Case(stream.batch(0, prompts, torch.float64), POOL.tasks(DIM), SIGMA, 1.0)


def skewed(world: Case, delta: float, noise: float = 0.0, seed: int = 0) -> dict[float, Tensor]:
    """A subject that is the observer of skew `delta`, by gamma, plus Gaussian noise of its own."""
    generator = torch.Generator().manual_seed(seed)
    found = {}
    for gamma in GAMMAS:
        a = observer(world.predictors(gamma), ALPHA, delta)
        found[gamma] = a + noise * torch.randn(a.shape, generator=generator, dtype=a.dtype)
    return found
