"""Experiment 1, converge to Bayes: does a trained transformer match the optimum of its prior?

Claim: trained on D_cont it is ridge regression, trained on D_disc it is discrete regression, at
every exemplar count (ratio of excess risks, both averaged over k, at most 1.1).
"""

from typing import TYPE_CHECKING

from torch import Tensor

from unskew.regression.experiments.names import CONVERGE
from unskew.regression.measure import Case, errors, label, mean_over, observer, risk_rows, row
from unskew.runs.tables import tidy
from unskew.statistics import Interval, fieller

if TYPE_CHECKING:
    import pandas as pd


def converge(alpha: float, answers: Tensor, case: Case, family: str, seed: int) -> "pd.DataFrame":
    """Rows comparing one model with the Bayes predictor of its own prior, on one family's prompts.

    Args:
        alpha: share of discrete tasks in the model's pretraining.
        answers: the model's, (N, P), on `case`. family: "continuous" or "discrete" (the prompts').

    Returns: excess_<family> by k and over all k for arms `base` and `bayes`, and
    ratio_to_bayes_<family>, the ratio of their means over all k with its Fieller interval.
    """
    labels = {"experiment": CONVERGE, "alpha": alpha, "seed": seed}
    model = errors(answers, case)
    bayes = errors(observer(case.predictors(), alpha), case)
    counts = range(case.counts)
    metric = f"excess_{family}"
    rows = risk_rows(model, [counts], arm="base", metric=metric, **labels)
    rows += risk_rows(bayes, [counts], arm="bayes", metric=metric, **labels)
    ratio = ratio_to_bayes(alpha, answers, case)
    rows.append(
        row(ratio, arm="base", metric=f"ratio_to_bayes_{family}", span=label(counts), **labels)
    )
    return tidy(rows)


def ratio_to_bayes(alpha: float, answers: Tensor, case: Case) -> Interval:
    """Excess risk of `answers` (N, P) over that of the mixture's Bayes predictor, both averaged
    over all exemplar counts, with its Fieller interval."""
    counts = range(case.counts)
    bayes = errors(observer(case.predictors(), alpha), case)
    return fieller(mean_over(errors(answers, case), counts), mean_over(bayes, counts))
