"""Experiment 6, diversity speeds up ridge: when does training on n tasks pass through ridge?

The answer to D_cont prompts that training on D_cont ends at is ridge regression. Training on a pool
of n tasks ends at discrete regression on that pool, but on the way it may answer like ridge, and
sooner than training on D_cont does. Each training is measured at set steps, on the same D_cont
prompts:

    excess_continuous   mean over k = 0..K of (prediction - <w, x>)^2
    distance_to_ridge   mean over k = 0..K of (prediction - ridge's)^2
    steps_to_ridge      first measured step at which the excess is within a ratio of ridge's

Whether a step is within the ratio is decided by the ratio of mean excesses; its Fieller interval
over prompts gives the bounds of steps_to_ridge. Never reached is null: censored at the last step.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from torch import Tensor

from unskew.regression import fit
from unskew.regression.bayes import ridge
from unskew.regression.config import Pretrain, Watched
from unskew.regression.experiments.names import DIVERSITY
from unskew.regression.measure import CHECKPOINT, answer, label, row
from unskew.regression.priors import Continuous, Mixture
from unskew.regression.prompts import Prompts
from unskew.regression.transformer import Transformer
from unskew.runs.tables import tidy
from unskew.statistics import Interval, fieller, mean_interval

if TYPE_CHECKING:
    import pandas as pd

METRICS = ("excess_continuous", "distance_to_ridge")


class Yardstick(NamedTuple):
    """D_cont prompts, ridge's answers to them (N, P), and each prompt's excess under ridge (N,)."""

    prompts: Prompts
    ridge: Tensor
    excess: np.ndarray


def yardstick(config: Watched) -> Yardstick:
    """The prompts on which `config` is watched; the same for all priors of one world."""
    world = config.pretrain
    prompts = prompts_of(world, world.exemplars, config.evaluation.prompts, config.evaluation.seed)
    answers = ridge(prompts.x.double(), prompts.y.double(), world.sigma, tau_of(world)).prediction
    return Yardstick(prompts, answers, _mean_square(answers, prompts.clean))


def prompts_of(config: Pretrain, exemplars: int, prompts: int, seed: int) -> Prompts:
    """`prompts` D_cont prompts of config's world with K = `exemplars`, apart from all training."""
    prior = Continuous(tau=tau_of(config))
    changes = {"prior": prior, "exemplars": exemplars, "generator": "philox-numpy"}
    return fit.stream(config.model_copy(update=changes), "evaluation", seed).batch(0, prompts)


def tau_of(config: Pretrain) -> float:
    """The standard deviation of the weights on D_cont in config's world."""
    prior = config.prior
    return prior.continuous.tau if isinstance(prior, Mixture) else prior.tau


def measure(model: Transformer, by: Yardstick) -> dict[str, object]:
    """What a watched training logs: METRICS and ratio_to_ridge as [estimate, low, high], and n."""
    answers = answer(model, by.prompts.x, by.prompts.y)
    excess = _mean_square(answers, by.prompts.clean)
    apart = _mean_square(answers, by.ridge)
    found = {
        "excess_continuous": mean_interval(excess),
        "distance_to_ridge": mean_interval(apart),
        "ratio_to_ridge": fieller(excess, by.excess),
    }
    written: dict[str, object] = {
        name: [interval.estimate, interval.low, interval.high] for name, interval in found.items()
    }
    return written | {"n": len(excess)}


def diversity(
    logs: Mapping[str, Iterable[Mapping[str, Any]]],
    by: Yardstick,
    ratio: float,
    seed: int,
) -> "pd.DataFrame":
    """Rows of METRICS by arm and step, steps_to_ridge by arm, and ridge's own excess at each step.

    Args:
        logs: the trainings' records by arm, `discrete-<n>` and `continuous`.
        ratio: of ridge's excess that counts as having found ridge.
    """
    last = by.prompts.x.shape[1] - 1
    shared = {"experiment": DIVERSITY, "span": label(range(last + 1)), "seed": seed}
    rows: list[dict[str, Any]] = []
    steps: set[int] = set()
    for arm, records in logs.items():
        watched = [record for record in records if "ratio_to_ridge" in record]
        steps |= {record["step"] for record in watched}
        for record in watched:
            for metric in METRICS:
                estimate, low, high = record[metric]
                at = Interval(estimate, low, high, record["n"])
                rows.append(row(at, arm=arm, step=record["step"], metric=metric, **shared))
        rows.append({"arm": arm, **steps_to_ridge(watched, ratio), **shared})
    excess = mean_interval(by.excess)
    return tidy(
        rows
        + [
            row(excess, arm="ridge", step=step, metric="excess_continuous", **shared)
            for step in sorted(steps)
        ]
    )


def steps_to_ridge(watched: Iterable[Mapping[str, Any]], ratio: float) -> dict[str, Any]:
    """The row of the first measured step whose excess is at most `ratio` times ridge's: null where
    there is none, with bounds from the ratio's bounds (a bound never reached is null)."""
    records = list(watched)

    def first(which: int) -> int | None:
        ratios = ((r["step"], r["ratio_to_ridge"][which]) for r in records)
        return next((step for step, value in ratios if value is not None and value <= ratio), None)

    estimate, low, high = first(0), first(1), first(2)
    note = f"first of {len(records)} measured steps within {ratio:g} x ridge's excess"
    if estimate is None and records:
        note = f"censored: not within {ratio:g} x ridge's excess by step {records[-1]['step']}"
    return {
        "metric": "steps_to_ridge",
        "estimate": estimate,
        "low": low,
        "high": high,
        "n": records[-1]["n"] if records else None,
        "conditional_on": CHECKPOINT,
        "note": note,
    }


def _mean_square(a: Tensor, b: Tensor) -> np.ndarray:
    """(N, P), (N, P) -> (N,): each prompt's squared difference, averaged over k."""
    return (a.double() - b.double()).square().mean(1).numpy()
