"""The ideal skewed observer, which needs no training: an exact yardstick for every other result.

It is the Bayes predictor of D_mix with one thing changed: its prior log-odds of the discrete
family are moved by delta nats. On prompts of D_cont that costs error; multiplying the labels by
gamma and dividing the answer by gamma makes the discrete family unlikely again and takes the
cost back, up to what ridge regression itself gets. `observer` tabulates this over a grid of
(delta, gamma, exemplar count), which the page's sliders walk over.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from unskew.errors import UserError
from unskew.regression.bayes import mixture, predictors, ridge
from unskew.regression.experiments.names import OBSERVER
from unskew.regression.priors import Continuous, Discrete
from unskew.regression.prompts import GeneratorKind, PromptStream
from unskew.statistics import Interval, mean_interval

if TYPE_CHECKING:
    import pandas as pd

DELTAS = tuple(float(nats) for nats in range(21))
GAMMAS = (0.5, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0)


def observer(
    *,
    dim: int,
    exemplars: int,
    sigma: float,
    discrete: Discrete,
    tau: float = 1.0,
    alpha: float = 0.5,
    prompts: int = 4096,
    deltas: Sequence[float] = DELTAS,
    gammas: Sequence[float] = GAMMAS,
    seed: int = 0,
    generator: GeneratorKind = "philox-numpy",
    device: torch.device | str = "cpu",
) -> "pd.DataFrame":
    """Excess error and weight on the discrete family of the skewed observer, on D_cont prompts.

    The same `prompts` prompts serve every delta and gamma, so differences along a slider are
    paired. Answers are compared with <w, x> itself: the query's label noise is averaged out
    exactly, and `excess_continuous` is the mean squared error less sigma^2.

    Args:
        dim, exemplars, sigma, tau, discrete, alpha: the world; alpha is the unskewed prior
            probability of the discrete family. At alpha 0 and 1 no skew can move it.
        prompts: how many prompts (at least 2) of D_cont.
        deltas: skews in nats, finite. gammas: label scales, finite and not 0.
        seed: of the prompts; their stream is "observer".

    Returns:
        A tidy table: arm `observer` (per delta and gamma) with metrics `excess_continuous` and
        `g` per k, and `excess_continuous` pooled over "1..d" and "0..K"; arm `ridge` (the
        ceiling, which no gamma moves) with `excess_continuous` alike. n = prompts; intervals
        are Student's t over prompts at 95%.

    Raises:
        UserError: a setting out of range.
    """
    from unskew.runs.tables import tidy

    if prompts < 2:
        raise UserError("the observer needs at least 2 prompts", where=f"prompts = {prompts}")
    if not gammas or 0.0 in gammas:
        raise UserError("labels cannot be scaled by 0", where=f"gammas = {tuple(gammas)}")
    stream = PromptStream(Continuous(tau=tau), dim, exemplars, sigma, seed, "observer", generator)
    batch = stream.batch(0, prompts, dtype=torch.float64, device=device)
    tasks = discrete.tasks(dim)
    skews = torch.tensor(list(deltas), dtype=torch.float64, device=device)[:, None, None]

    rows: list[dict[str, Any]] = []
    common = {"experiment": OBSERVER, "alpha": alpha, "seed": seed, "n": prompts}
    for gamma in gammas:
        seen = predictors(batch.x, gamma * batch.y, tasks, sigma, tau)
        answer = mixture(seen, alpha, skews)
        excess = (answer.prediction / gamma - batch.clean) ** 2
        for index, delta in enumerate(deltas):
            where = common | {"arm": "observer", "gamma": float(gamma), "delta": float(delta)}
            rows += _per_k(where, "excess_continuous", excess[index])
            rows += _pooled(where, dim, excess[index])
            rows += _per_k(where, "g", answer.g[index])
    best = (ridge(batch.x, batch.y, sigma, tau).prediction - batch.clean) ** 2
    where = common | {"arm": "ridge"}
    rows += [*_per_k(where, "excess_continuous", best), *_pooled(where, dim, best)]
    return tidy(rows)


def _per_k(where: dict[str, Any], metric: str, values: Tensor) -> Iterator[dict[str, Any]]:
    """One row per exemplar count from per-prompt values (B, P)."""
    fit = mean_interval(values.cpu().numpy())
    for k, bounds in enumerate(zip(*_bounds(fit), strict=True)):
        yield where | {"metric": metric, "k": k} | _row(bounds)


def _pooled(where: dict[str, Any], dim: int, values: Tensor) -> Iterator[dict[str, Any]]:
    """The average over exemplar counts: 1..d, where labels exist and tasks are open, and all."""
    last = values.shape[1] - 1
    for low, high in ((1, min(dim, last)), (0, last)):
        fit = mean_interval(values[:, low : high + 1].mean(1).cpu().numpy())
        span = {"metric": "excess_continuous", "span": f"{low}..{high}"}
        yield where | span | _row(tuple(float(bound) for bound in _bounds(fit)))


def _bounds(fit: Interval) -> tuple[Any, Any, Any]:
    return fit.estimate, fit.low, fit.high


def _row(bounds: tuple[float, ...]) -> dict[str, float]:
    return dict(zip(("estimate", "low", "high"), map(float, bounds), strict=True))
