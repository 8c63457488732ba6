"""Experiment 3, where it hurts: fine-tuning harms the D_cont prompts that look like D_disc.

How close a prompt lies is log p_disc(y_1..y_k | X), compared within one exemplar count, since
evidence shrinks with k. The harm is not monotone in it: on the very likeliest prompts the two
predictors agree and nothing is lost. So the test is on the theory's own prediction: the skews of
base and tuned model are fitted on one half of the prompts; on the other half the observers with
these skews predict each prompt's rise of squared error, and observed is regressed on predicted.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from unskew.regression.experiments.names import WHERE_IT_HURTS
from unskew.regression.measure import Case, errors, label, observer, row
from unskew.regression.skew import NOT_DEFINED, fitted_skews
from unskew.runs.tables import tidy
from unskew.statistics import mean_interval, slope, slope_within

if TYPE_CHECKING:
    import pandas as pd

BINS = 10


def where_it_hurts(
    alpha: float, base: Tensor, tuned: Tensor, case: Case, seed: int
) -> "pd.DataFrame":
    """Rows by likelihood decile and exemplar count, and the slopes of observed on predicted rise.

    Args:
        alpha: the base model's share of discrete tasks, inside (0, 1).
        base, tuned: the models' answers (N, P) to the D_cont prompts of `case`.

    Returns: rise_continuous per (k, bin) for arms `tuned` (observed) and `observer` (predicted),
    log_likelihood per (k, bin), slope per k and over 1..d. Where a skew cannot be fitted, the
    predicted rows and slopes are null and say so.
    """
    labels = {"experiment": WHERE_IT_HURTS, "alpha": alpha, "seed": seed}
    report = case.half(1)
    p, inference = case.predictors(), range(1, case.dim + 1)
    skews = fitted_skews(base, tuned, case, alpha)
    known = bool(np.isfinite(skews).all())
    observed = (errors(tuned, case) - errors(base, case))[report]
    likelihood = p.discrete.log_evidence.numpy()[report]
    predicted = None
    if known:
        before, after = (errors(observer(p, alpha, float(d)), case)[report] for d in skews)
        predicted = after - before

    rows: list[dict[str, Any]] = []
    for k in range(1, case.counts):
        order = np.argsort(likelihood[:, k], kind="stable")
        for bin, members in enumerate(np.array_split(order, BINS)):
            at = {"k": k, "bin": bin, **labels}
            shown = [
                ("tuned", "rise_continuous", observed),
                ("tuned", "log_likelihood", likelihood),
            ]
            if predicted is not None:
                shown.append(("observer", "rise_continuous", predicted))
            rows += [
                row(mean_interval(values[members, k]), arm=arm, metric=metric, **at)
                for arm, metric, values in shown
            ]
    note = (
        f"skews {skews[0]:.2f} and {skews[1]:.2f} nats, fitted on the other half of the prompts"
        if known
        else NOT_DEFINED
        if alpha in (0.0, 1.0)
        else "no skew could be fitted"
    )
    shared = {"arm": "tuned", "metric": "slope", "note": note, **labels}
    if predicted is None:
        return tidy([*rows, {**shared, "span": label(inference)}])
    rows += [
        row(slope(predicted[:, k], observed[:, k]), k=k, **shared) for k in range(1, case.counts)
    ]
    at = list(inference)
    n = len(observed)
    pooled = slope_within(
        predicted[:, at].ravel(),
        observed[:, at].ravel(),
        group=np.tile(at, n),
        cluster=np.repeat(np.arange(n), len(at)),
    )
    rows.append(row(pooled, span=label(inference), **shared))
    return tidy(rows)
