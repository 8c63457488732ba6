"""Experiment 2, trade-off: what fine-tuning on D_disc buys there, it pays on D_cont.

Over alpha the base models trace a curve of (excess on D_cont, excess on D_disc); the trajectory of
fine-tuning runs along it; below lie the ideal mixture over alpha and the ideal observer over skew.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from unskew.regression.experiments.names import TRADEOFF
from unskew.regression.measure import CHECKPOINT, Case, errors, label, mean_over, observer, row
from unskew.runs.tables import tidy
from unskew.statistics import mean_interval

if TYPE_CHECKING:
    import pandas as pd

DELTAS = (-10.0, -6.0, -4.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0, 15.0, 20.0)


def ideal(
    alphas: Iterable[float], alpha: float, cases: Mapping[str, Case], seed: int
) -> "pd.DataFrame":
    """Rows of the optima: arm `bayes` over the alphas, arm `observer` at `alpha` over DELTAS.

    Args:
        cases: prompts by family, keys "continuous" and "discrete".
    """
    rows: list[dict[str, Any]] = []
    for family, case in cases.items():
        p, counts = case.predictors(), range(case.counts)

        def risk(share: float, delta: float = 0.0, p=p, case=case, counts=counts):
            return mean_interval(mean_over(errors(observer(p, share, delta), case), counts))

        shared = {
            "experiment": TRADEOFF,
            "metric": f"excess_{family}",
            "span": label(counts),
            "seed": seed,
        }
        rows += [row(risk(a), arm="bayes", alpha=a, **shared) for a in alphas]
        if 0 < alpha < 1:
            rows += [
                row(risk(alpha, d), arm="observer", alpha=alpha, delta=d, **shared) for d in DELTAS
            ]
    return tidy(rows)


def trajectory(
    records: Iterable[Mapping[str, Any]], alpha: float, exemplars: int, seed: int
) -> "pd.DataFrame":
    """Rows of a fine-tuning's path, from the measurements in its log: arm `base` at step 0, arm
    `tuned` after. A record is {"step", "excess_continuous": [estimate, low, high], ..., "n"}."""
    rows: list[dict[str, Any]] = []
    for record in records:
        for metric in ("excess_continuous", "excess_discrete"):
            if metric in record:
                estimate, low, high = record[metric]
                rows.append(
                    {
                        "experiment": TRADEOFF,
                        "arm": "tuned" if record["step"] else "base",
                        "alpha": alpha,
                        "seed": seed,
                        "metric": metric,
                        "estimate": estimate,
                        "low": low,
                        "high": high,
                        "n": record["n"],
                        "span": label(range(exemplars + 1)),
                        "step": record["step"],
                        "conditional_on": CHECKPOINT,
                    }
                )
    return tidy(rows)
