"""Experiment 7, beyond the training length: does in-context learning go on where training ended?

Models trained on D_cont with up to K exemplars answer prompts with more. Three kinds of positions:

    learned                 beyond K the position table holds rows that no training has touched
    learned-random-offset   each training prompt begins at a random place of the longer table
    rotary                  positions are relative, there is no table

The optimum at every length is ridge regression, whatever the training length was.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor

from unskew.regression.bayes import ridge
from unskew.regression.experiments.names import LENGTH
from unskew.regression.measure import label, mean_over, risk_rows, row
from unskew.regression.prompts import Prompts
from unskew.runs.tables import tidy
from unskew.statistics import fieller

if TYPE_CHECKING:
    import pandas as pd

UNTRAINED = {
    "learned": "beyond the training length; these positions were never trained",
    "learned-random-offset": "beyond the training length; these positions were trained",
}


def length(
    answers: Mapping[str, Tensor],
    prompts: Prompts,
    trained: int,
    sigma: float,
    tau: float,
    seed: int,
) -> "pd.DataFrame":
    """Rows of excess_continuous by arm and k, and of ratio_to_ridge within and beyond `trained`.

    Args:
        answers: (N, P) on `prompts`, by kind of positions; arm `ridge` is added.
        trained: the largest exemplar count in training, below P - 1.
    """
    last = prompts.x.shape[1] - 1
    optimum = ridge(prompts.x.double(), prompts.y.double(), sigma, tau).prediction
    spans = [range(trained + 1), range(trained + 1, last + 1)]
    labels = {"experiment": LENGTH, "seed": seed}

    def squared(a: Tensor):
        return (a.double() - prompts.clean.double()).square().numpy()

    best = squared(optimum)
    rows: list[dict[str, Any]] = []
    for arm, a in {**answers, "ridge": optimum}.items():
        risk = squared(a)
        by_count = risk_rows(risk, spans, arm=arm, metric="excess_continuous", **labels)
        note = UNTRAINED.get(arm, "beyond the training length") if arm != "ridge" else None
        beyond = label(spans[1])
        for one in by_count:
            if one.get("k", 0) > trained or one.get("span") == beyond:
                one["note"] = note
        rows += by_count
        if arm == "ridge":
            continue
        for span in spans:
            ratio = fieller(mean_over(risk, span), mean_over(best, span))
            at = {"arm": arm, "metric": "ratio_to_ridge", "span": label(span)}
            rows.append(row(ratio, note=note if span is spans[1] else None, **at, **labels))
    return tidy(rows)
