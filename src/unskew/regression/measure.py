"""What every experiment needs: prompts whose answers are known, a model's answers, risks as rows.

A `Case` holds evaluation prompts and the Bayes predictors' answers to them; `answer` asks a model,
under conjugation where gamma is not 1; `risk_rows` turns squared errors into table rows.

Excess risk here is the mean of (prediction - <w, x>)^2. In expectation that is the mean squared
error of the label minus sigma^2; taking the noise of the query's own label out exactly makes the
same number with less variance.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unskew.errors import UserError
from unskew.regression.bayes import Predictors, mixture, predictors
from unskew.regression.prompts import Prompts
from unskew.regression.transformer import Transformer
from unskew.statistics import Interval, mean_interval

Errors = NDArray[np.float64]  # (N, P) squared errors, one row per prompt, one column per k
CHECKPOINT = "checkpoint"  # the intervals' condition: these weights, other prompts


class Case(NamedTuple):
    """Evaluation prompts and the world they come from.

    Attributes:
        prompts: x (N, P, d), y and clean (N, P).
        tasks: the pool of the discrete family, (n, d).
        sigma: standard deviation of the labels' noise.
        tau: that of each weight of the continuous family.
    """

    prompts: Prompts
    tasks: Tensor
    sigma: float
    tau: float

    @property
    def dim(self) -> int:
        """d, the dimension of x."""
        return self.prompts.x.shape[-1]

    @property
    def counts(self) -> int:
        """Number of exemplar counts, P = K + 1."""
        return self.prompts.x.shape[1]

    def half(self, which: int) -> slice:
        """The first half of the prompts (0: to choose and fit) or the second (1: to report)."""
        middle = len(self.prompts.x) // 2
        return slice(0, middle) if which == 0 else slice(middle, None)

    def predictors(self, gamma: float = 1.0) -> Predictors:
        """The two Bayes predictors' answers to the prompts with labels times gamma, carried back.

        The log evidences are those of the scaled labels, so `mixture` of the result is what an
        observer answers under conjugation."""
        x, y = self.prompts.x.double(), gamma * self.prompts.y.double()
        p = predictors(x, y, self.tasks, self.sigma, self.tau)
        return Predictors(*(q._replace(prediction=q.prediction / gamma) for q in p))


@torch.no_grad()
def answer(
    model: Transformer, x: Tensor, y: Tensor, gamma: float = 1.0, batch: int = 2048
) -> Tensor:
    """Ask `model` with labels times gamma and divide its answers by gamma: (N, P) float64, CPU.

    gamma = 1 is the plain prompt; any other is conjugate prompting by label scaling.

    Args:
        x, y: inputs (N, P, d) and labels (N, P).

    Raises:
        UserError: x and y are no prompts, or none that the model can take.
    """
    _check(model, x, y)
    weight = model.read_in.weight
    parts = [
        model(a.to(weight), (gamma * b).to(weight)).double().cpu() / gamma
        for a, b in zip(x.split(batch), y.split(batch), strict=True)
    ]
    return torch.cat(parts)


def _check(model: Transformer, x: Tensor, y: Tensor) -> None:
    if x.ndim != 3 or y.shape != x.shape[:2]:
        raise UserError(
            f"x is {tuple(x.shape)} and y {tuple(y.shape)}: no prompts",
            hint="x is (N, P, d) and y (N, P), for N prompts of P points in d dimensions",
        )
    exemplars, dim = x.shape[1] - 1, x.shape[2]
    if dim != model.dim:
        raise UserError(
            f"the prompts have d = {dim}, but the model reads d = {model.dim}",
            hint=f"ask it prompts of d = {model.dim}",
        )
    if model.positions is not None and model.config.length(exemplars) > model.capacity:
        fitting = (k for k in range(exemplars) if model.config.length(k) <= model.capacity)
        raise UserError(
            f"the prompts have {exemplars} exemplars, but the model takes {max(fitting)} at most",
            hint="ask it shorter prompts, or a model with rotary positions, which have no end",
        )


def observer(p: Predictors, alpha: float, delta: float = 0.0) -> Tensor:
    """Answers (N, P) of the mixture's Bayes predictor whose prior log-odds are moved by delta."""
    return mixture(p, alpha, delta).prediction.double()


def errors(answers: Tensor, case: Case) -> Errors:
    """Squared distance of answers (N, P) to the noiseless labels: (N, P) float64."""
    return (answers.double() - case.prompts.clean.double()).square().numpy()


def subset(p: Predictors, rows: slice) -> Predictors:
    """The Bayes predictors' answers to some of the prompts."""
    return Predictors(*(type(q)(*(t[rows] for t in q)) for q in p))


def mean_over(values: Errors, span: Sequence[int]) -> NDArray[np.float64]:
    """(N, P) -> (N,): each prompt's mean over the exemplar counts of `span`."""
    return values[:, list(span)].mean(axis=1)


def label(span: Sequence[int]) -> str:
    """A span of exemplar counts as the tables write it: "1..3"."""
    return f"{span[0]}..{span[-1]}"


def row(interval: Interval, at: int | None = None, **labels: Any) -> dict[str, Any]:
    """One row of the tidy table; `at` picks an entry of an array-valued interval. A bound that is
    open (infinite) or unknown is null."""

    def number(value: Any) -> float | None:
        value = float(value if at is None else value[at])
        return value if np.isfinite(value) else None

    return {
        "estimate": number(interval.estimate),
        "low": number(interval.low),
        "high": number(interval.high),
        "n": interval.n,
        "conditional_on": CHECKPOINT,
        **labels,
    }


def risk_rows(
    values: Errors, spans: Iterable[Sequence[int]] = (), **labels: Any
) -> list[dict[str, Any]]:
    """Rows of per-prompt values (N, P): one per exemplar count k, then one per span."""
    by_count = mean_interval(values)
    rows = [row(by_count, k, k=k, **labels) for k in range(values.shape[1])]
    return rows + [
        row(mean_interval(mean_over(values, span)), span=label(span), **labels) for span in spans
    ]
