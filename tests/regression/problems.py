"""Small prompts to try the Bayes predictors on, and how results are compared."""

from typing import NamedTuple

import numpy as np
import torch
from hypothesis import strategies as st
from torch import Tensor

from regression.references import brute_discrete, brute_ridge
from unskew.regression import Posterior, Predictors, predictors


class Problem(NamedTuple):
    x: Tensor
    y: Tensor
    tasks: Tensor
    sigma: float
    tau: float


def problem(
    seed: int = 0,
    batch: int = 4,
    exemplars: int = 12,
    dim: int = 5,
    n: int = 6,
    sigma: float = 0.5,
    tau: float = 1.0,
) -> Problem:
    """Float64 prompts, the first half on a task of the pool, the others on a continuous one."""
    rng = np.random.default_rng(seed)
    tasks = tau * rng.standard_normal((n, dim))
    w = tau * rng.standard_normal((batch, dim))
    w[: batch // 2] = tasks[rng.integers(n, size=batch // 2)]
    x = rng.standard_normal((batch, exemplars + 1, dim))
    y = np.einsum("bpd,bd->bp", x, w) + sigma * rng.standard_normal(x.shape[:2])
    as_tensor = torch.from_numpy
    return Problem(as_tensor(x), as_tensor(y), as_tensor(tasks), sigma, tau)


problems = st.builds(
    problem,
    seed=st.integers(0, 2**32 - 1),
    batch=st.integers(1, 3),
    exemplars=st.integers(0, 9),
    dim=st.integers(1, 5),
    n=st.integers(1, 5),
    sigma=st.floats(0.1, 3.0),
    tau=st.floats(0.3, 3.0),
)


def both(p: Problem) -> Predictors:
    return predictors(p.x, p.y, p.tasks, p.sigma, p.tau)


def close(a: Tensor, b: Tensor, rtol: float = 1e-9, atol: float = 1e-10) -> None:
    torch.testing.assert_close(a, b, rtol=rtol, atol=atol)


def ridge_reference(p: Problem) -> tuple[np.ndarray, np.ndarray]:
    return brute_ridge(p.x.numpy(), p.y.numpy(), p.sigma, p.tau)


def discrete_reference(
    p: Problem, weights: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    return brute_discrete(p.x.numpy(), p.y.numpy(), p.tasks.numpy(), p.sigma, weights)


def agree(result: Posterior, reference: tuple[np.ndarray, np.ndarray]) -> None:
    """To a relative 1e-9, with nothing added for small numbers."""
    np.testing.assert_allclose(result.prediction.numpy(), reference[0], rtol=1e-9, atol=0)
    np.testing.assert_allclose(result.log_evidence.numpy(), reference[1], rtol=1e-9, atol=0)


def log_normal(y: Tensor, mean: Tensor, variance: Tensor | float) -> Tensor:
    variance = torch.as_tensor(variance, dtype=torch.float64)
    return -0.5 * ((y - mean) ** 2 / variance + variance.log() + np.log(2 * np.pi))
