"""From predictions to task inference: which task does a model act as if it had inferred?

Two readings of the same answers T, on D_cont prompts, at each exemplar count k:

    g      the weight on the discrete predictor: T ~ g f_disc + (1 - g) f_cont, least squares
    skew   the delta, in nats, whose skewed observer (mixture's Bayes predictor with its prior
           log-odds of the discrete family moved by delta) answers most like the model

g mixes evidence and prior; skew takes the evidence out, so it is one number for all k if the model
is Bayes but for its prior. It is relative to logit alpha and null for alpha 0 and 1, where no
finite shift of the prior changes anything.

Only prompts whose evidence leaves g between 0 and 1 tell one skew from another. Of strong evidence
(small sigma, many exemplars) they may be one or two in a thousand, and then they decide both the
best delta and what is taken for its error: with fewer than `FEWEST` in effect, the skew is null.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unskew.regression.bayes import Predictors, mixture
from unskew.regression.measure import Case, subset
from unskew.statistics import (
    Interval,
    fieller,
    profile_contrast,
    profile_interval,
    profile_minimum,
)
from unskew.statistics.profile import effective_number

NOT_DEFINED = "skew is not defined for alpha 0 and 1: no prior can be moved"

GRID = np.arange(-15.0, 30.0 + 1e-9, 0.25)
"""Deltas, in nats, among which the skew is sought; a fit at its end is null, not the end."""

FEWEST = 30
"""Prompts, in effect, of which a skew is fitted. Its interval holds for many; 30 is where a mean's
is commonly trusted. Chosen before its coverage was measured, and by that alone."""


def weight_on_discrete(answers: Tensor, p: Predictors) -> Interval:
    """g by exemplar count: arrays (P,), with Fieller intervals over prompts.

    The least-squares g solves sum (T - f_cont)(f_disc - f_cont) = g sum (f_disc - f_cont)^2.
    Null at a count where the two predictors do not differ.
    """
    apart = (p.discrete.prediction - p.continuous.prediction).double()
    top = (answers.double() - p.continuous.prediction.double()) * apart
    return fieller(top.numpy(), apart.square().numpy())


def distances(
    answers: Tensor, p: Predictors, alpha: float, counts: Sequence[int], grid: NDArray = GRID
) -> NDArray[np.float64]:
    """Each prompt's mean squared distance to every observer of the grid: (N, G).

    Args:
        answers: the model's, (N, P). p: from `predictors` on the same prompts.
        counts: exemplar counts to average over.
    """
    at = list(counts)
    picked = Predictors(*(type(q)(*(t[:, at] for t in q)) for q in p))
    target = answers[:, at].double()
    columns = [
        (mixture(picked, alpha, float(delta)).prediction - target).square().mean(1)
        for delta in grid
    ]
    return torch.stack(columns, dim=1).numpy()


def fit_skew(answers: Tensor, p: Predictors, alpha: float, counts: Sequence[int]) -> Interval:
    """The skew in nats with its profile interval; all NaN for alpha 0 and 1, off the grid, or where
    too few prompts tell skews apart."""
    return explained_skew(answers, p, alpha, counts)[0]


def explained_skew(
    answers: Tensor, p: Predictors, alpha: float, counts: Sequence[int]
) -> tuple[Interval, str | None]:
    """What `fit_skew` gives and, where that is null, why."""
    if alpha in (0.0, 1.0):
        return _null(answers), NOT_DEFINED
    losses = distances(answers, p, alpha, counts)
    why = _why_null(losses, p, alpha, counts)
    return (_null(answers), why) if why else (profile_interval(GRID, losses), None)


def telling_prompts(p: Predictors, alpha: float, counts: Sequence[int], delta: float) -> float:
    """How many prompts, in effect, tell skews near delta apart: the effective number of them
    weighted by the squared slope in delta of the observer's answer, which the model's noise does
    not enter."""
    at = list(counts)
    g = mixture(p, alpha, delta).g[:, at]
    apart = (p.discrete.prediction - p.continuous.prediction)[:, at].double()
    slopes = g * (1 - g) * apart
    return effective_number(slopes.square().mean(1).numpy())


def _why_null(
    losses: NDArray[np.float64], p: Predictors, alpha: float, counts: Sequence[int]
) -> str | None:
    if len(losses) == 0:
        return "there are no prompts"
    delta = profile_minimum(GRID, losses.mean(axis=0))
    if np.isnan(delta):
        return f"no skew inside {GRID[0]:g}..{GRID[-1]:g} nats fits best"
    telling = telling_prompts(p, alpha, counts, delta)
    if telling < FEWEST:
        return f"too few prompts tell skews apart: {int(telling)} of {len(losses):,}"
    return None


def _null(answers: Tensor) -> Interval:
    return Interval(float("nan"), float("nan"), float("nan"), len(answers))


def _contrast(
    answers: tuple[Tensor, Tensor],
    p: Predictors,
    alpha: float,
    counts: tuple[Sequence[int], Sequence[int]],
    seed: int,
) -> Interval:
    """The second skew minus the first; null where one of them is."""
    if alpha in (0.0, 1.0):
        return _null(answers[0])
    both = [(distances(a, p, alpha, c), c) for a, c in zip(answers, counts, strict=True)]
    if any(_why_null(losses, p, alpha, c) for losses, c in both):
        return _null(answers[0])
    return profile_contrast(GRID, both[0][0], both[1][0], seed=seed)


def fitted_skews(base: Tensor, tuned: Tensor, case: Case, alpha: float) -> tuple[float, float]:
    """Skews of base and tuned model over 1 <= k <= d, fitted on the first half of the prompts; NaN
    where none can be fitted. For predictions on the second half."""
    fit, counts = case.half(0), range(1, case.dim + 1)
    p = subset(case.predictors(), fit)
    before, after = (fit_skew(a[fit], p, alpha, counts).estimate for a in (base, tuned))
    return float(before), float(after)


def skew_drift(
    answers: Tensor, p: Predictors, alpha: float, first: int, last: int, seed: int
) -> Interval:
    """Skew fitted at k = `last` minus skew fitted at k = `first`, on the same prompts: 0 for a
    model whose prior alone is off."""
    return _contrast((answers, answers), p, alpha, ([first], [last]), seed)


def skew_rise(
    before: Tensor, after: Tensor, p: Predictors, alpha: float, counts: Sequence[int], seed: int
) -> Interval:
    """Skew of `after` minus skew of `before` on the same prompts, by a paired bootstrap; null where
    one of them is."""
    return _contrast((before, after), p, alpha, (counts, counts), seed)
