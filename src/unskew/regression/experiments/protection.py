"""Experiment 8, what protects: keep D_cont while fine-tuning on D_disc, or bring it back after.

Arms, all from the same base model and the same fine-tuning prompts:

    base, tuned           before, and after plain fine-tuning
    replay:<share>        that share of fine-tuning prompts comes from the pretraining prior
    anchor:<strength>     a penalty on the distance to the base weights
    low-rank:<r>          only rank-r changes of the hidden matrices
    interpolation:<s>     no training: s of the tuned weights and 1 - s of the base's (Wortsman et
                          al. 2022, "Robust fine-tuning of zero-shot models")
    conjugate:gamma=<g>   no training: the tuned model under label scaling
    bayes                 the optimum of the pretraining mixture

Whatever keeps D_cont may cost on D_disc, which is what fine-tuning is for; so both are measured, on
the second half of the prompts, as in experiment 5.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from unskew.regression.experiments.names import PROTECTION
from unskew.regression.measure import Case, errors, label, mean_over, observer, row
from unskew.regression.transformer import Transformer
from unskew.runs.tables import tidy
from unskew.statistics import mean_interval

if TYPE_CHECKING:
    import pandas as pd


def interpolated(base: Transformer, tuned: Transformer, share: float, into: Transformer):
    """`into` with weights (1 - share) base + share tuned, ready to answer."""
    ends = base.state_dict(), tuned.state_dict()
    into.load_state_dict(
        {name: torch.lerp(ends[0][name], ends[1][name], share) for name in ends[0]}
    )
    return into.eval()


def protection(
    alpha: float,
    answers: Mapping[str, Mapping[str, Tensor]],
    gammas: Mapping[str, float],
    cases: Mapping[str, Case],
    seed: int,
) -> "pd.DataFrame":
    """Rows of excess_<family> for every arm, and of rise_<family>, its paired difference to `base`,
    for every trained or tuned one; over 0..K and 1..d.

    Args:
        answers: arm -> family -> answers (N, P); `base` among the arms.
        gammas: the label scaling of the arms that have one.
        cases: prompts by family, "continuous" and "discrete".
    """
    rows: list[dict[str, Any]] = []
    for family, case in cases.items():
        report = case.half(1)
        spans = [range(case.counts), range(1, case.dim + 1)]
        before = errors(answers["base"][family], case)[report]
        arms = {arm: by_family[family] for arm, by_family in answers.items()}
        arms["bayes"] = observer(case.predictors(), alpha)
        for arm, a in arms.items():
            risk = errors(a, case)[report]
            labels = {
                "experiment": PROTECTION,
                "arm": arm,
                "alpha": alpha,
                "gamma": gammas.get(arm),
                "seed": seed,
            }
            found = {f"excess_{family}": risk}
            if arm not in ("base", "bayes"):
                found[f"rise_{family}"] = risk - before
            rows += [
                row(mean_interval(mean_over(values, span)), metric=m, span=label(span), **labels)
                for m, values in found.items()
                for span in spans
            ]
    return tidy(rows)
