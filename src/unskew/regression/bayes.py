"""Bayes-optimal predictors for every prefix of a prompt, in one batched pass.

Each predictor walks once over the exemplars, all prompts at a time. Before it takes in pair k it
has predicted y_k from x_k and the pairs 0..k-1, and knows log p(y_0..y_{k-1} | x): so a single
walk gives all P = K + 1 predictions and evidences, k = 0 included.

    continuous prior  ridge: recursive least squares (a Kalman filter with a constant state)
    discrete prior    softmax over the pool of the accumulated log likelihoods
    mixture           g * discrete + (1 - g) * ridge,
                      g = sigmoid(log evidence_disc - log evidence_cont + logit alpha + delta)

delta = 0 is the Bayes predictor of the mixture; delta > 0, in nats, is the *skewed observer*, which
overrates the discrete prior and does everything else right.

Everything runs in float64, whatever the inputs; predictions come back in the dtype of x, evidences
and g in float64. No gradients flow through `ridge` and `discrete`; they do through `mixture`.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from unskew.errors import UserError
from unskew.regression.priors import Continuous, Discrete, Mixture, Prior

_LOG_2PI = math.log(2 * math.pi)
# sigma / tau below which `ridge` carries the root of the covariance: above it, the cheaper update
# loses at most three of the sixteen digits.
_SMALL_NOISE = 0.03


class Posterior(NamedTuple):
    """prediction (B, P) in the dtype of x: entry k predicts y_k from x_k and the pairs before it.

    log_evidence (B, P) float64, nats: entry k is log p(y_0..y_{k-1} | x_0..x_{k-1}), entry 0 is 0.
    """

    prediction: Tensor
    log_evidence: Tensor


class Predictors(NamedTuple):
    """The Bayes predictors of the two pure priors, on the same prompts."""

    continuous: Posterior
    discrete: Posterior


class MixtureOutput(NamedTuple):
    """prediction (..., B, P) in the dtype of x; g (..., B, P) float64, weight on `discrete`."""

    prediction: Tensor
    g: Tensor


@torch.no_grad()
def ridge(x: Tensor, y: Tensor, sigma: float, tau: float) -> Posterior:
    """Bayes predictor of w ~ N(0, tau^2 I), y = <w, x> + N(0, sigma^2): ridge regression.

    After k pairs w ~ N(m, C). With the predictive variance a = sigma^2 + x'Cx, a pair (x, y) gives

        m += C x (y - <m, x>) / a        C -= C x (C x)' / a

    That loses (sigma/tau)^2 in precision, as C spans (sigma/tau)^2..1. Where the noise is small the
    root S, C = S S', is carried instead, which spans only sigma/tau..1: with f = S'x, a = sigma^2
    + f'f, Potter's update (Kaminski, Bryson & Schmidt 1971, "Discrete square root filtering") is

        m += S f (y - <m, x>) / a        S -= S f f' / (a + sigma sqrt(a))

    Evidence is the chain of predictive densities, the sum of log N(y_k; <m, x_k>, a).

    Args:
        x: (B, P, d). y: (B, P); the last label is never read. sigma, tau: standard deviations.

    Raises:
        UserError: shapes that do not fit, or sigma or tau not positive.
    """
    _check(x, y, sigma=sigma, tau=tau)
    batch, points, dim = x.shape
    options = {"dtype": torch.float64, "device": x.device}
    carry_root = sigma < _SMALL_NOISE * tau
    labels = y.t().to(torch.float64).contiguous()
    mean = torch.empty(points, batch, **options)
    variance = torch.empty(points, batch, **options)
    for rows in _blocks(batch, dim * (dim + 1), x.device):
        # The batch comes last in memory: every operation below runs along it.
        inputs = x[rows].flatten(1).t().contiguous().to(torch.float64).view(points, dim, -1)
        # C or S and, as one more column, m: one product with x serves f and the prediction.
        state = torch.zeros(dim, dim + 1, inputs.shape[-1], **options)
        spread = state[:, :dim]
        spread.diagonal().fill_(tau if carry_root else tau**2)
        projected, step = torch.empty_like(state[0]), torch.empty_like(state[0])
        f, guess = projected[:dim], projected[dim]
        gain = torch.empty_like(f) if carry_root else f  # C x, either way
        for k in range(points):
            _contract(state, inputs[k][:, None], 0, out=projected)
            a = (f * (f if carry_root else inputs[k])).sum(0).add_(sigma**2)
            mean[k, rows] = guess
            variance[k, rows] = a
            if k == points - 1:
                break
            scale = a
            if carry_root:
                _contract(spread, f[None], 1, out=gain)
                scale = a.sqrt().mul_(sigma).add_(a)
            torch.mul(f, scale.reciprocal(), out=step[:dim])
            torch.sub(guess, labels[k, rows], out=step[dim]).div_(a)
            state.addcmul_(gain[:, None], step, value=-1)
    # In place, as the batch may be large; -log N(y; mean, variance) is half of what is summed.
    surprise = (labels - mean).square_().div_(variance).add_(variance.log_()).add_(_LOG_2PI)
    return Posterior(mean.t().to(x.dtype).contiguous(), _before(surprise.mul_(-0.5)))


@torch.no_grad()
def discrete(x: Tensor, y: Tensor, tasks: Tensor, sigma: float) -> Posterior:
    """Bayes predictor of w uniform over `tasks`: their mean, weighted by likelihood.

        prediction = sum_j softmax_j(log N(y_<k; X w_j, sigma^2 I)) <w_j, x_k>
        log evidence = logmeanexp_j log N(y_<k; X w_j, sigma^2 I)

    A task that stands twice in the pool counts twice. Memory stays O(B n), not O(B P n).

    Args:
        x: (B, P, d). y: (B, P); the last label is never read. tasks: (n, d). sigma: noise.

    Raises:
        UserError: shapes that do not fit, an empty pool, or sigma not positive.
    """
    _check(x, y, sigma=sigma)
    if tasks.ndim != 2 or tasks.shape[1] != x.shape[2] or len(tasks) == 0:
        raise UserError(
            f"tasks {tuple(tasks.shape)} and x {tuple(x.shape)} do not fit",
            hint="tasks are (n, dim) with n >= 1, x is (batch, points, dim)",
        )
    batch, points, _ = x.shape
    options = {"dtype": torch.float64, "device": x.device}
    pool = tasks.to(**options).t()
    prediction = torch.empty(points, batch, **options)
    log_sum = torch.empty(points, batch, **options)
    for rows in _blocks(batch, len(tasks), x.device):
        inputs = x[rows].to(torch.float64).transpose(0, 1).contiguous()
        labels = y[rows].to(torch.float64).t().contiguous()
        # -|y - X w_j|^2 / (2 sigma^2); the constants of the density join at the end.
        log_likelihood = torch.zeros(inputs.shape[1], len(tasks), **options)
        for k in range(points):
            answers = inputs[k] @ pool
            top = log_likelihood.amax(1, keepdim=True)
            # exp is tens of times slower where it underflows; e^-700 adds nothing to a sum >= 1.
            weight = (log_likelihood - top).clamp_(min=-700).exp_()
            total = weight.sum(1)
            log_sum[k, rows] = top[:, 0] + total.log()
            prediction[k, rows] = weight.mul_(answers).sum(1) / total
            residual = answers.sub_(labels[k][:, None])
            log_likelihood.addcmul_(residual, residual, value=-0.5 / sigma**2)
    count = torch.arange(points, **options)[:, None]
    constants = math.log(len(tasks)) + count * (0.5 * _LOG_2PI + math.log(sigma))
    return Posterior(
        prediction.t().to(x.dtype).contiguous(), (log_sum - constants).t().contiguous()
    )


def predictors(x: Tensor, y: Tensor, tasks: Tensor, sigma: float, tau: float) -> Predictors:
    """`ridge` and `discrete` on the same prompts; see there for shapes and errors."""
    return Predictors(ridge(x, y, sigma, tau), discrete(x, y, tasks, sigma))


def mixture(p: Predictors, alpha: float | Tensor, delta: float | Tensor = 0.0) -> MixtureOutput:
    """Bayes predictor of the mixture, with its prior log-odds moved by delta nats.

    Args:
        p: from `predictors`, fields (B, P).
        alpha: prior probability of the discrete pool, 0..1; 0 and 1 give g = 0 and 1 exactly.
        delta: skew in nats, finite; broadcasts, e.g. (D, 1, 1) gives outputs (D, B, P).

    Raises:
        UserError: alpha outside 0..1.
    """
    log_odds = p.discrete.log_evidence - p.continuous.log_evidence
    alpha = torch.as_tensor(alpha, dtype=torch.float64, device=log_odds.device)
    if not bool(((alpha >= 0) & (alpha <= 1)).all()):
        raise UserError(f"alpha {alpha.tolist()} is not between 0 and 1")
    g = torch.sigmoid(log_odds + alpha.logit() + delta)
    # Not c + g (d - c): this form is exactly one of the two where g is 0 or 1.
    prediction = g * p.discrete.prediction + (1 - g) * p.continuous.prediction
    return MixtureOutput(prediction.to(p.continuous.prediction.dtype), g)


def posterior(prior: Prior, x: Tensor, y: Tensor, sigma: float) -> Posterior:
    """Prediction and log evidence of the Bayes-optimal predictor of `prior`, each (B, P)."""
    match prior:
        case Continuous(tau=tau):
            return ridge(x, y, sigma, tau)
        case Discrete():
            return discrete(x, y, prior.tasks(x.shape[-1]), sigma)
        case Mixture(alpha=alpha):
            p = Predictors(
                posterior(prior.continuous, x, y, sigma), posterior(prior.discrete, x, y, sigma)
            )
            weight = torch.tensor([alpha, 1 - alpha], dtype=torch.float64, device=x.device).log()
            log_evidence = torch.logaddexp(
                weight[0] + p.discrete.log_evidence, weight[1] + p.continuous.log_evidence
            )
            return Posterior(mixture(p, alpha).prediction, log_evidence)


def bayes_predict(prior: Prior, x: Tensor, y: Tensor, sigma: float) -> Tensor:
    """Predictions (B, P) of the Bayes-optimal predictor of `prior`, in the dtype of x."""
    return posterior(prior, x, y, sigma).prediction


def _check(x: Tensor, y: Tensor, **positive: float) -> None:
    if x.ndim != 3 or y.shape != x.shape[:2]:
        raise UserError(
            f"x {tuple(x.shape)} and y {tuple(y.shape)} do not fit",
            hint="x is (batch, points, dim), y is (batch, points)",
        )
    for name, value in positive.items():
        if not 0 < value < math.inf:
            raise UserError(f"{name} = {value} must be positive and finite")


def _blocks(batch: int, numbers_per_prompt: int, device: torch.device) -> list[slice]:
    """Cut the batch so that a block's state stays near the cache of a CPU core (on a GPU, within
    a quarter of a gigabyte), yet long enough for the operations along it to be worth their call."""
    numbers, least = (2**25, 1) if device.type == "cuda" else (2**17, 64)
    size = max(least, numbers // numbers_per_prompt)
    return [slice(start, min(start + size, batch)) for start in range(0, batch, size)]


def _contract(a: Tensor, b: Tensor, axis: int, out: Tensor) -> None:
    """Sum of a * b over `axis` (0 or 1), batch last: (i, j, B) and its broadcast partner."""
    if out.device.type == "cpu":
        # One pass without a temporary. torch.einsum would turn this into a batched matrix product
        # with a copy, four times slower at these sizes.
        fixed = b.squeeze(1 - axis).numpy()
        equation = "ijb,ib->jb" if axis == 0 else "ijb,jb->ib"
        np.einsum(equation, a.numpy(), fixed, out=out.numpy())
    else:
        torch.sum(a * b, axis, out=out)


def _before(log_density: Tensor) -> Tensor:
    """(P, B) log p(y_k | pairs before k) -> (B, P) sums over what lies before k: 0 at k = 0."""
    total = log_density.cumsum(0).roll(1, 0)
    total[0] = 0
    return total.t().contiguous()
