"""Controls of experiment 5: what theory says must not bring anything back.

Transformations of the prompt under which D_cont keeps its distribution, so that no model's risk
can change in expectation: a random rotation of x, another order of the exemplars (and gamma = -1,
in `conjugate`). And fine-tunings with the same optimiser restart on other data: D_mix (the restart
alone), D_cont, another set of tasks.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from unskew.regression.experiments.conjugate import Pair, share_of_rise
from unskew.regression.experiments.names import CONTROLS
from unskew.regression.measure import Case, answer, errors, label, mean_over, row
from unskew.regression.priors import normal, philox
from unskew.regression.transformer import Transformer
from unskew.runs.tables import tidy
from unskew.statistics import mean_interval

if TYPE_CHECKING:
    import pandas as pd


def rotated(model: Transformer, case: Case, seed: int) -> Tensor:
    """Answers (N, P) to the prompts with each prompt's x turned by a random rotation of its own.
    Labels stay: (R x, y) is a prompt of the task R w, and D_cont is the same in every direction."""
    x, y = case.prompts.x, case.prompts.y
    gaussian = normal(philox("rotations", seed), (len(x), case.dim, case.dim))
    q, r = torch.linalg.qr(gaussian)
    q = q * r.diagonal(dim1=-2, dim2=-1).sign()[:, None]  # uniform over the orthogonal group
    return answer(model, torch.einsum("nij,npj->npi", q.to(x), x), y)


def permuted(model: Transformer, case: Case, seed: int) -> Tensor:
    """Answers (N, P) at 1 <= k <= d with the k exemplars in a random order, the query kept; NaN at
    other k. Every k needs a pass of its own, since a causal pass shows one order only."""
    x, y = case.prompts.x, case.prompts.y
    answers = torch.full(y.shape, float("nan"), dtype=torch.float64)
    for k in range(1, case.dim + 1):
        keys = philox("orders", seed, step=k).random((len(x), k))
        order = torch.from_numpy(keys).argsort(1)
        shuffled_x = torch.cat(
            (x.gather(1, order[..., None].expand(-1, -1, case.dim)), x[:, k : k + 1]), 1
        )
        shuffled_y = torch.cat((y.gather(1, order), y[:, k : k + 1]), 1)
        answers[:, k] = answer(model, shuffled_x, shuffled_y)[:, k]
    return answers


def symmetries(
    base: Transformer, tuned: Transformer, pair: Pair, case: Case, seed: int
) -> dict[str, tuple[Tensor, Tensor, Tensor, Tensor]]:
    """Answers of base, tuned, and both under each symmetry, for `conjugate`."""
    plain = (pair.base[1.0], pair.tuned[1.0])
    return {
        "rotated-x": (*plain, rotated(base, case, seed), rotated(tuned, case, seed)),
        "permuted-exemplars": (*plain, permuted(base, case, seed), permuted(tuned, case, seed)),
    }


def other_finetuning(
    name: str, alpha: float, pairs: Mapping[str, Pair], cases: Mapping[str, Case], seed: int
) -> "pd.DataFrame":
    """Rows of one fine-tuning over 1 <= k <= d: rise_<family>, and for each gamma the tuned model's
    gain_continuous (risk at gamma 1 minus risk at gamma) and net_recovery (null where the
    fine-tuning did not clearly raise the risk)."""
    rows: list[dict[str, Any]] = []
    labels = {"experiment": CONTROLS, "arm": f"control:{name}", "alpha": alpha, "seed": seed}
    for family, pair in pairs.items():
        case = cases[family]
        span = range(1, case.dim + 1)

        def risk(a: Tensor, case=case, span=span):
            return mean_over(errors(a, case), span)

        at = {"span": label(span), **labels}
        base, tuned = risk(pair.base[1.0]), risk(pair.tuned[1.0])
        rows.append(row(mean_interval(tuned - base), metric=f"rise_{family}", **at))
        if family != "continuous":
            continue
        for gamma in pair.tuned:
            if gamma == 1.0:
                continue
            gain = tuned - risk(pair.tuned[gamma])
            base_gain = base - risk(pair.base[gamma])
            ratio = share_of_rise(gain - base_gain, tuned - base)
            rows += [
                row(mean_interval(gain), gamma=gamma, metric="gain_continuous", **at),
                row(mean_interval(base_gain), gamma=gamma, metric="base_gain_continuous", **at),
                row(ratio, gamma=gamma, metric="net_recovery", **at),
            ]
    return tidy(rows)


def base_gain(
    name: str, alpha: float, answers: Mapping[float, Tensor], case: Case, seed: int
) -> "pd.DataFrame":
    """Rows of what gamma does to one base model over 1 <= k <= d: gain_continuous, its risk at
    gamma 1 minus its risk at gamma. Theory: nothing for alpha = 0, since ridge is linear."""
    span = range(1, case.dim + 1)
    plain = mean_over(errors(answers[1.0], case), span)
    return tidy(
        row(
            mean_interval(plain - mean_over(errors(a, case), span)),
            experiment=CONTROLS,
            arm=f"control:{name}",
            alpha=alpha,
            seed=seed,
            gamma=gamma,
            metric="gain_continuous",
            span=label(span),
        )
        for gamma, a in answers.items()
        if gamma != 1.0
    )
