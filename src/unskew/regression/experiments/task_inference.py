"""Experiment 4, task inference: fine-tuning moves which task is inferred, not the two abilities.

By exemplar count, the weight g on the discrete predictor; the skew in nats, before and after; how
well the skew fitted on plain prompts predicts the tuned model's answers to scaled ones, against its
rivals; and the change of risk split into an inference part and an ability part:

    inference part   what the observer's change of answers, from the base's skew to the tuned
                     model's, does to the risk when added to the base model's answers
    ability part     the rest: whatever one shift of the prior does not say

The two orders of adding the parts are averaged (Shapley), so the parts sum to the whole.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from unskew.regression.bayes import Predictors
from unskew.regression.experiments.names import TASK_INFERENCE
from unskew.regression.experiments.rivals import rivals
from unskew.regression.measure import Case, errors, label, mean_over, observer, risk_rows, row
from unskew.regression.skew import (
    NOT_DEFINED,
    explained_skew,
    fitted_skews,
    skew_drift,
    skew_rise,
    weight_on_discrete,
)
from unskew.runs.tables import tidy
from unskew.statistics import mean_interval

if TYPE_CHECKING:
    import pandas as pd

CLOSE_TO_BAYES = 1.1


def task_inference(
    alpha: float,
    base: Mapping[float, Tensor],
    tuned: Mapping[float, Tensor],
    case: Case,
    ratios: Mapping[str, float],
    seed: int,
) -> "pd.DataFrame":
    """Rows of g, skew, rivals and the split of the risk.

    Args:
        base, tuned: answers (N, P) to the D_cont prompts of `case`, by gamma, 1 among them.
        ratios: the base model's excess over Bayes on each family: below CLOSE_TO_BAYES on both,
            a rise of g is skew; otherwise it may be learning, and every skew row says so.
    """
    labels = {"experiment": TASK_INFERENCE, "alpha": alpha, "seed": seed}
    gammas = {gamma: case.predictors(gamma) for gamma in base}
    plain, counts = gammas[1.0], range(1, case.dim + 1)
    rows = []

    optimum = {gamma: observer(p, alpha) for gamma, p in gammas.items()}
    for arm, answers in (("base", base), ("tuned", tuned), ("bayes", optimum)):
        for gamma, a in answers.items():
            g = weight_on_discrete(a, gammas[gamma])
            rows += [
                row(g, k, arm=arm, gamma=gamma, k=k, metric="g", **labels)
                for k in range(case.counts)
            ]

    note = _reading(alpha, ratios)
    spans = [*([k] for k in range(1, case.counts)), counts]
    null: dict[tuple[str, str], str | None] = {}  # why, by arm and span
    for span in spans:
        at = {"k": span[0]} if isinstance(span, list) else {"span": label(span)}
        for arm, answers in (("base", base), ("tuned", tuned)):
            fitted, why = explained_skew(answers[1.0], plain, alpha, span)
            said = _with_reason(note, why)
            rows.append(row(fitted, arm=arm, gamma=1.0, metric="skew", note=said, **at, **labels))
            null[arm, label(span)] = why
    rise = skew_rise(base[1.0], tuned[1.0], plain, alpha, counts, seed)
    pooled = {"span": label(counts), **labels}
    why = null["base", label(counts)] or null["tuned", label(counts)]
    said = _with_reason(note, why)
    rows.append(row(rise, arm="tuned", metric="skew_rise", note=said, **pooled))

    if case.dim > 1:
        # One shift of the prior would be the same at every k; a drift says how far from that it is.
        for arm, answers in (("base", base[1.0]), ("tuned", tuned[1.0])):
            drift = skew_drift(answers, plain, alpha, 1, case.dim, seed)
            why = null[arm, label([1])] or null[arm, label([case.dim])]
            said = _with_reason("k = d less k = 1", why)
            rows.append(row(drift, arm=arm, metric="skew_drift", note=said, **pooled))

    rows += _held_out(alpha, tuned, case, gammas, pooled)
    return tidy(rows + _split(alpha, base[1.0], tuned[1.0], case, plain, labels))


def _reading(alpha: float, ratios: Mapping[str, float]) -> str:
    """How the skew of this base model may be read."""
    if alpha in (0.0, 1.0):
        return NOT_DEFINED
    if all(ratio <= CLOSE_TO_BAYES for ratio in ratios.values()):
        return f"base within {CLOSE_TO_BAYES} x Bayes on both families"
    far = ", ".join(f"{family} {ratio:.2f}" for family, ratio in ratios.items())
    return (
        f"base not within {CLOSE_TO_BAYES} x Bayes ({far}): part of this may be learning, not skew"
    )


def _with_reason(note: str, why: str | None) -> str:
    """The note of a row that is null for a reason, said once."""
    return note if why is None or why == note else f"{note}; null: {why}"


def _held_out(
    alpha: float,
    tuned: Mapping[float, Tensor],
    case: Case,
    gammas: Mapping[float, Predictors],
    labels: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """Squared distance of each rival's prediction to the tuned model's answers to scaled prompts,
    on the half not fitted on; `skew_advantage` is the rival's minus the skew's, paired: for each
    gamma, and, without one, for the mean over gammas (which the largest distances dominate)."""
    report, counts = case.half(1), range(1, case.dim + 1)
    scaled = [gamma for gamma in gammas if gamma > 0 and gamma != 1.0]
    distances = {}
    rows = []
    fitted = rivals(tuned[1.0], case, alpha, gammas)
    for rival in fitted:
        if not np.isfinite(rival.parameter):
            rows.append(
                {"arm": f"rival:{rival.name}", "metric": "held_out_error", **labels}
                | {"note": "no parameter could be fitted"}
            )
            continue
        by_gamma = [
            mean_over((rival.answers[g] - tuned[g].double()).square().numpy()[report], counts)
            for g in scaled
        ]
        note = f"parameter {rival.parameter:.4g}, fitted at gamma 1 on the other half"
        shared = {"arm": f"rival:{rival.name}", "metric": "held_out_error", "note": note, **labels}
        rows += [
            row(mean_interval(v), gamma=g, **shared) for g, v in zip(scaled, by_gamma, strict=True)
        ]
        distances[rival.name] = by_gamma
        rows.append(row(mean_interval(np.mean(by_gamma, axis=0)), **shared))
    for name, theirs in distances.items():
        if name == "skew" or "skew" not in distances:
            continue
        apart = [a - b for a, b in zip(theirs, distances["skew"], strict=True)]
        shared = {"arm": f"rival:{name}", "metric": "skew_advantage", **labels}
        rows.append(row(mean_interval(np.mean(apart, axis=0)), **shared))
        rows += [
            row(mean_interval(v), gamma=g, **shared) for g, v in zip(scaled, apart, strict=True)
        ]
    return rows


def _split(
    alpha: float,
    base: Tensor,
    tuned: Tensor,
    case: Case,
    p: Predictors,
    labels: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """Rows total_rise, inference_part and ability_part, by k and over 1..d and all k; skews fitted
    on the first half of the prompts, parts reported on the second."""
    report, counts = case.half(1), range(1, case.dim + 1)
    skews = fitted_skews(base, tuned, case, alpha)
    total = (errors(tuned, case) - errors(base, case))[report]
    spans = [counts, range(1, case.counts)]
    shared = {"arm": "tuned", **labels}
    rows = risk_rows(total, spans, metric="total_rise", **shared)
    if not np.isfinite(skews).all():
        return rows
    change = observer(p, alpha, skews[1]) - observer(p, alpha, skews[0])
    first = errors(base.double() + change, case) - errors(base, case)
    last = errors(tuned, case) - errors(tuned.double() - change, case)
    inference = (0.5 * (first + last))[report]
    rows += risk_rows(inference, spans, metric="inference_part", **shared)
    return rows + risk_rows(total - inference, spans, metric="ability_part", **shared)
