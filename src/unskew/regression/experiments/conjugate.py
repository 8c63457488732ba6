"""Experiment 5, conjugate prompting: scale the labels by gamma, divide the answer by gamma.

Ridge regression is linear in the labels, so the same ability answers; but scaled labels are
unlikely under D_disc, so a skewed inference lets go. gamma also helps the base model a little; what
counts is the net recovery

    [(tuned - tuned_gamma) - (base - base_gamma)] / (tuned - base)

of excess risks on D_cont. One gamma for all k, chosen on the first half of the prompts and reported
on the second. Ridge is the ceiling; the observer with the fitted skews says what theory predicts.
Whether more than a floor comes back is tested on a linear contrast (numerator - floor *
denominator), not on the ratio.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from unskew.regression.experiments.names import CONJUGATE
from unskew.regression.measure import (
    Case,
    Errors,
    errors,
    label,
    mean_over,
    observer,
    risk_rows,
    row,
)
from unskew.regression.skew import fitted_skews
from unskew.runs.tables import tidy
from unskew.statistics import (
    Interval,
    contrast,
    fieller,
    mean_interval,
    one_sided_lower,
    one_sided_upper,
)

if TYPE_CHECKING:
    import pandas as pd


class Pair(NamedTuple):
    """Answers (N, P) of base and tuned model to the same prompts, by gamma (1 among them)."""

    base: Mapping[float, Tensor]
    tuned: Mapping[float, Tensor]


class Risks(NamedTuple):
    """Squared errors (N, P) of the four arms at one gamma."""

    base: Errors
    tuned: Errors
    base_s: Errors
    tuned_s: Errors

    def over(self, span: range) -> "np.ndarray":
        """Each prompt's means over `span`, one column per arm: (N, 4)."""
        return np.stack([mean_over(values, span) for values in self], axis=1)


NUMERATOR = np.array([-1.0, 1.0, 1.0, -1.0])  # (tuned - tuned_s) - (base - base_s)
DENOMINATOR = np.array([-1.0, 1.0, 0.0, 0.0])  # tuned - base


def choose_gamma(pair: Pair, case: Case) -> float:
    """The gamma above 1 under which the tuned model's risk over 1 <= k <= d, on the first half of
    the prompts, is least. Raises ValueError where no gamma above 1 was asked."""
    candidates = sorted(gamma for gamma in pair.tuned if gamma > 1)
    if not candidates:
        raise ValueError("no gamma above 1 among the evaluated ones")
    counts, first = range(1, case.dim + 1), case.half(0)
    risks = {g: mean_over(errors(pair.tuned[g], case)[first], counts).mean() for g in candidates}
    return min(candidates, key=lambda g: risks[g])


def recovery_rows(
    risks: Risks,
    spans: list[range],
    floor: float,
    margin: float,
    counts: Iterable[int] = (),
    **labels: Any,
) -> list[dict[str, Any]]:
    """Rows of one arm's recovery.

    net_recovery and gross_recovery (null where the risk did not clearly rise) and net_numerator,
    for every span and every k in `counts`; over the first span also contrast_<floor> (one-sided
    lower bound: more than the floor comes back) and contrast_null (one-sided upper bound of
    numerator - margin * denominator: below 0, less than the margin comes back).
    """
    rows = []
    places = [(span, {"span": label(span)}) for span in spans]
    places += [(range(k, k + 1), {"k": k}) for k in counts]
    for span, at in places:
        columns = risks.over(span)
        top, bottom = columns @ NUMERATOR, columns @ DENOMINATOR
        gross = columns[:, 1] - columns[:, 3]
        rows += [
            row(share_of_rise(top, bottom), metric="net_recovery", **at, **labels),
            row(share_of_rise(gross, bottom), metric="gross_recovery", **at, **labels),
            row(contrast(columns, NUMERATOR), metric="net_numerator", **at, **labels),
        ]
    columns = risks.over(spans[0])
    top, bottom = columns @ NUMERATOR, columns @ DENOMINATOR
    at = {"span": label(spans[0]), **labels}
    rows.append(
        row(
            one_sided_lower(top - floor * bottom),
            metric=f"contrast_{floor:g}",
            note="one-sided 95% lower bound",
            **at,
        )
    )
    rows.append(
        row(
            one_sided_upper(top - margin * bottom),
            metric="contrast_null",
            note=f"one-sided 95% upper bound; margin {margin:g} of the rise",
            **at,
        )
    )
    return rows


def share_of_rise(recovered: NDArray[np.float64], rise: NDArray[np.float64]) -> Interval:
    """mean(recovered) / mean(rise) over prompts (N,), by Fieller; all NaN unless the rise's
    interval lies above 0, as there is no share of a fall or of nothing."""
    if not mean_interval(rise).low > 0:
        unknown = float("nan")
        return Interval(unknown, unknown, unknown, len(rise))
    return fieller(recovered, rise)


def conjugate(
    alpha: float,
    pairs: Mapping[str, Pair],
    cases: Mapping[str, Case],
    controls: Mapping[str, tuple[Tensor, Tensor, Tensor, Tensor]],
    floor: float,
    margin: float,
    seed: int,
) -> "pd.DataFrame":
    """Rows of experiment 5 on the second half of the prompts.

    Args:
        pairs, cases: answers and prompts by family, "continuous" and "discrete".
        controls: name -> answers (N, P) of base, tuned, base_s, tuned_s to the D_cont prompts under
            a transformation that theory says recovers nothing; NaN where it defines no answer.
        floor: recovery that the claim asks for. margin: share of the rise that counts as nothing.
    """
    case, pair = cases["continuous"], pairs["continuous"]
    labels = {"experiment": CONJUGATE, "alpha": alpha, "seed": seed}
    report = case.half(1)
    inside, beyond = range(1, case.dim + 1), range(case.dim + 1, case.counts)
    everything = range(case.counts)
    spans = [inside, *([beyond] if beyond else []), everything]
    rows: list[dict[str, Any]] = []

    for family, answers in pairs.items():
        here = cases[family]
        for arm, by_gamma in (("base", answers.base), ("tuned", answers.tuned)):
            for gamma, a in by_gamma.items():
                shared = {"arm": arm, "gamma": gamma, "metric": f"excess_{family}", **labels}
                rows += risk_rows(errors(a, here)[report], spans, **shared)
        rise = (errors(answers.tuned[1.0], here) - errors(answers.base[1.0], here))[report]
        before = errors(answers.base[1.0], here)[report]
        rows += risk_rows(rise, spans, arm="tuned", metric=f"rise_{family}", **labels)
        for span in spans:
            relative = fieller(mean_over(rise, span), mean_over(before, span))
            rows.append(
                row(
                    relative,
                    arm="tuned",
                    metric=f"relative_rise_{family}",
                    span=label(span),
                    **labels,
                )
            )
    ceiling = errors(case.predictors().continuous.prediction, case)[report]
    rows += risk_rows(ceiling, spans, arm="ridge", metric="excess_continuous", **labels)

    chosen = choose_gamma(pair, case)
    rows.append(
        {
            "arm": "tuned",
            "metric": "gamma_chosen",
            "estimate": chosen,
            "span": label(inside),
            "note": "least risk of the tuned model on the other half of the prompts",
            **labels,
        }
    )

    def at(gamma: float, p: Pair = pair) -> Risks:
        four = (p.base[1.0], p.tuned[1.0], p.base[gamma], p.tuned[gamma])
        return Risks(*(errors(a, case)[report] for a in four))

    bounds = {"floor": floor, "margin": margin}
    each = range(1, case.counts)
    rows += recovery_rows(
        at(chosen), spans, counts=each, **bounds, arm="tuned", gamma=chosen, **labels
    )

    ideal = ideal_pair(alpha, pair, case)
    if ideal is not None:
        for gamma, a in ideal.tuned.items():
            shared = {"arm": "observer", "gamma": gamma, "metric": "excess_continuous", **labels}
            rows += risk_rows(errors(a, case)[report], spans, **shared)
        rows += recovery_rows(
            at(chosen, ideal),
            spans,
            counts=each,
            **bounds,
            arm="observer",
            gamma=chosen,
            **labels,
        )

    for gamma in (-1.0, 0.5):
        if gamma in pair.tuned:
            arm = f"control:gamma={gamma:g}"
            rows += recovery_rows(at(gamma), [inside], **bounds, arm=arm, gamma=gamma, **labels)
    for name, four in controls.items():
        risks = Risks(*(errors(a, case)[report] for a in four))
        rows += recovery_rows(risks, [inside], **bounds, arm=f"control:{name}", **labels)
    discrete = pairs["discrete"]
    harm = (
        errors(discrete.tuned[chosen], cases["discrete"])
        - errors(discrete.tuned[1.0], cases["discrete"])
    )[cases["discrete"].half(1)]
    rows.append(
        row(
            mean_interval(mean_over(harm, inside)),
            arm="control:discrete-prompts",
            gamma=chosen,
            metric="cost_discrete",
            span=label(inside),
            note="change of the tuned model's risk on D_disc prompts under gamma",
            **labels,
        )
    )
    return tidy(rows)


def ideal_pair(alpha: float, pair: Pair, case: Case) -> Pair | None:
    """The observers with the skews of base and tuned model (fitted on the first half), by gamma;
    None where a skew cannot be fitted."""
    skews = fitted_skews(pair.base[1.0], pair.tuned[1.0], case, alpha)
    if not np.isfinite(skews).all():
        return None
    by_gamma = {gamma: case.predictors(gamma) for gamma in pair.tuned}
    return Pair(*({g: observer(p, alpha, d) for g, p in by_gamma.items()} for d in skews))
