"""Families of tasks: where the weight vector w of a prompt comes from.

    Continuous   w ~ N(0, tau^2 I)
    Discrete     w uniform over a fixed pool {w_1..w_n}, itself drawn once from N(0, tau^2 I)
    Mixture      with probability alpha from the discrete pool, otherwise continuous

A prior is a frozen config (it lies in presets and in a run's identity); `sample` draws from it.
The log evidence of data under each of them is in `bayes`. Draws are float64 on the generator's
device and never touch torch's or numpy's global generator.
"""

import functools
import hashlib
import json
from typing import Annotated, Literal, NamedTuple

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from unskew.runs.config import Frozen

Seed = Annotated[int, Field(ge=0, lt=2**63)]
Rng = np.random.Generator | torch.Generator


class Continuous(Frozen):
    """w ~ N(0, tau^2 I); its Bayes predictor is ridge regression with lambda = (sigma/tau)^2."""

    kind: Literal["continuous"] = "continuous"
    tau: float = Field(default=1.0, gt=0)


class Discrete(Frozen):
    """w uniform over n fixed tasks. The pool is drawn from N(0, tau^2 I) by `seed` alone."""

    kind: Literal["discrete"] = "discrete"
    n: int = Field(default=64, ge=1)
    tau: float = Field(default=1.0, gt=0)
    seed: Seed = 0

    def tasks(self, dim: int) -> Tensor:
        """The pool, (n, dim) float64: a pure function of seed, n, tau and dim.

        Pools of one seed and dim are nested: the first m of n tasks are the pool of size m.
        """
        return _pool(self.seed, self.n, self.tau, dim, torch.device("cpu")).clone()


class Mixture(Frozen):
    """With probability alpha a task of the discrete pool, otherwise a continuous one."""

    kind: Literal["mixture"] = "mixture"
    alpha: float = Field(default=0.5, ge=0, le=1)
    discrete: Discrete = Discrete()
    continuous: Continuous = Continuous()


Prior = Annotated[Continuous | Discrete | Mixture, Field(discriminator="kind")]


class Weights(NamedTuple):
    """Sampled tasks: w (B, d) float64, is_discrete (B,) bool."""

    w: Tensor
    is_discrete: Tensor


def sample(prior: Prior, rng: Rng, batch: int, dim: int) -> Weights:
    """Draw `batch` tasks of dimension `dim`, on the device of `rng`.

    The mixture draws both kinds for every row and then tosses its coin, so that mixtures which
    differ in alpha alone share their draws, and a row once discrete stays so as alpha grows.
    """
    match prior:
        case Continuous(tau=tau):
            w = tau * normal(rng, (batch, dim))
            return Weights(w, torch.zeros(batch, dtype=torch.bool, device=w.device))
        case Discrete(n=n):
            index = integers(rng, n, batch)
            pool = _pool(prior.seed, n, prior.tau, dim, index.device)
            return Weights(pool[index], torch.ones_like(index, dtype=torch.bool))
        case Mixture(alpha=alpha):
            continuous = sample(prior.continuous, rng, batch, dim).w
            discrete = sample(prior.discrete, rng, batch, dim).w
            is_discrete = uniform(rng, batch) < alpha
            return Weights(torch.where(is_discrete[:, None], discrete, continuous), is_discrete)


def normal(rng: Rng, shape: tuple[int, ...]) -> Tensor:
    """Standard normal draws, float64, on the device of `rng`."""
    if isinstance(rng, torch.Generator):
        return torch.randn(shape, generator=rng, device=rng.device, dtype=torch.float64)
    return torch.from_numpy(rng.standard_normal(shape))


def uniform(rng: Rng, size: int) -> Tensor:
    """Uniform draws from [0, 1), (size,) float64, on the device of `rng`."""
    if isinstance(rng, torch.Generator):
        return torch.rand(size, generator=rng, device=rng.device, dtype=torch.float64)
    return torch.from_numpy(rng.random(size))


def integers(rng: Rng, high: int, size: int) -> Tensor:
    """Uniform draws from 0..high-1, (size,) int64, on the device of `rng`."""
    if isinstance(rng, torch.Generator):
        return torch.randint(high, (size,), generator=rng, device=rng.device)
    return torch.from_numpy(rng.integers(high, size=size))


def hashed_bits(*parts: str | int) -> int:
    """256 bits that name `parts`: SHA-256 of their JSON list, so no two lists run together."""
    return int.from_bytes(hashlib.sha256(json.dumps(parts).encode()).digest(), "big")


def philox(*name: str | int, part: int = 0, step: int = 0) -> np.random.Generator:
    """A counter-based generator: 128-bit key from `name`, counter (0, 0, part, step).

    Different names have different keys; under one key, different (part, step) lie at least 2^128
    draws apart, so they never overlap. (torch's CPU generator keeps 32 bits of its seed and can
    promise neither.)
    """
    counter = np.array([0, 0, part, step], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=hashed_bits(*name) >> 128, counter=counter))


@functools.lru_cache(maxsize=32)
def _pool(seed: int, n: int, tau: float, dim: int, device: torch.device) -> Tensor:
    # Shared between callers: never handed out without a copy or an index. Kept on the device, as
    # a copy to it in every batch would make a GPU wait.
    return (tau * normal(philox("tasks", seed), (n, dim))).to(device)
