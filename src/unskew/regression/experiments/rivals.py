"""Rivals of the skew story: other one-parameter accounts of what fine-tuning did.

Each is fitted on the tuned model's answers to plain prompts and then predicts its answers under
label scaling, where the accounts part:

    skew           the mixture's Bayes predictor with its prior log-odds moved by delta
    ridge-lambda   ridge regression with another prior width
    shrinkage      the mixture's Bayes predictor times a constant
    partial-tasks  the mixture's Bayes predictor whose discrete tasks are known only to within
                   N(0, s^2 I): between discrete regression (s = 0) and ridge
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from unskew.regression.bayes import Posterior, Predictors, mixture, ridge
from unskew.regression.measure import Case, subset
from unskew.regression.skew import fit_skew

GOLDEN = 0.5 * (5**0.5 - 1)
Rival = Callable[[float, Tensor, Tensor], Tensor]  # parameter, x, y -> predictions (N, P)


class Fitted(NamedTuple):
    """A rival's name, its parameter (NaN where none could be fitted) and its predictions under
    each gamma, answers carried back, (N, P)."""

    name: str
    parameter: float
    answers: dict[float, Tensor]


def blurred_tasks(x: Tensor, y: Tensor, tasks: Tensor, sigma: float, blur: float) -> Posterior:
    """Bayes predictor of w ~ mean_j N(w_j, blur^2 I): ridge around each task, weighted by evidence.

    x (N, P, d), y (N, P), tasks (n, d) -> `Posterior`, float64. blur -> 0 is discrete regression.
    """
    offsets = torch.einsum("npd,td->tnp", x, tasks.to(x))
    around = [ridge(x, y - o, sigma, blur) for o in offsets]
    evidence = torch.stack([q.log_evidence for q in around])
    predictions = torch.stack([q.prediction for q in around]) + offsets
    prediction = (evidence.softmax(0) * predictions).sum(0)
    return Posterior(prediction, evidence.logsumexp(0) - np.log(len(tasks)))


def rivals(
    answers: Tensor, case: Case, alpha: float, gammas: Mapping[float, Predictors]
) -> list[Fitted]:
    """Fit every account to `answers` (N, P) on the first half of the prompts at 1 <= k <= d.

    Args:
        gammas: the Bayes predictors of `case` under each gamma, 1 among them.
    """
    fit, counts = case.half(0), list(range(1, case.dim + 1))
    x, y = case.prompts.x.double(), case.prompts.y.double()
    target = answers[fit][:, counts].double()

    def distance(predictions: Tensor) -> float:
        return float((predictions[fit][:, counts] - target).square().mean())

    def search(name: str, grid: np.ndarray, predict: Rival) -> Fitted:
        """The best parameter, by the grid and then by golden sections of the logarithm between
        its neighbours, then its predictions under every gamma."""
        coarse = int(np.argmin([distance(predict(float(v), x, y)) for v in grid]))
        low, high = np.log(grid[max(coarse - 1, 0)]), np.log(grid[min(coarse + 1, len(grid) - 1)])
        for _ in range(8):
            width = GOLDEN * (high - low)
            a, b = high - width, low + width
            inner = [distance(predict(float(np.exp(v)), x, y)) for v in (a, b)]
            low, high = (low, b) if inner[0] < inner[1] else (a, high)
        best = float(np.exp(0.5 * (low + high)))
        return Fitted(name, best, {g: predict(best, x, g * y) / g for g in gammas})

    plain = gammas[1.0]
    half = subset(plain, fit)
    delta = float(fit_skew(answers[fit], half, alpha, counts).estimate)
    skewed = Fitted(
        "skew", delta, {g: mixture(p, alpha, delta).prediction for g, p in gammas.items()}
    )

    base = {g: mixture(p, alpha).prediction for g, p in gammas.items()}
    against = base[1.0][fit][:, counts]
    factor = float((against * target).sum() / against.square().sum())
    shrunk = Fitted("shrinkage", factor, {g: factor * b for g, b in base.items()})

    def with_width(tau: float, x: Tensor, y: Tensor) -> Tensor:
        return ridge(x, y, case.sigma, tau).prediction

    def with_blur(blur: float, x: Tensor, y: Tensor) -> Tensor:
        tasks = blurred_tasks(x, y, case.tasks, case.sigma, blur)
        continuous = ridge(x, y, case.sigma, case.tau)
        return mixture(Predictors(continuous, tasks), alpha).prediction

    return [
        skewed,
        search("ridge-lambda", case.tau * np.geomspace(0.1, 10, 41), with_width),
        shrunk,
        search("partial-tasks", case.tau * np.geomspace(0.01, 1, 13), with_blur),
    ]
