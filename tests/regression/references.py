"""Slow, independent answers for the Bayes predictors: one prompt and one prefix at a time.

`brute_*` go through numpy's least squares and scipy's densities in float64; `exact_*` through
mpmath with 50 digits, which leaves no doubt where the noise is small.
"""

import math

import mpmath
import numpy as np
from scipy import special, stats

Array = np.ndarray


def brute_ridge(x: Array, y: Array, sigma: float, tau: float) -> tuple[Array, Array]:
    """Predictions and log evidence, (B, P) each: stacked least squares and the joint Gaussian."""
    batch, points, dim = x.shape
    prediction, evidence = np.zeros((batch, points)), np.zeros((batch, points))
    for b in range(batch):
        for k in range(points):
            X, labels = x[b, :k], y[b, :k]
            stacked = np.concatenate([X, sigma / tau * np.eye(dim)])
            w = np.linalg.lstsq(stacked, np.concatenate([labels, np.zeros(dim)]), rcond=None)[0]
            prediction[b, k] = x[b, k] @ w
            if k:
                cov = tau**2 * X @ X.T + sigma**2 * np.eye(k)
                # scipy's own annotation of `cov` is inferred from its default, 1
                joint = stats.multivariate_normal(np.zeros(k), cov)  # pyright: ignore[reportArgumentType]
                evidence[b, k] = joint.logpdf(labels)
    return prediction, evidence


def brute_discrete(
    x: Array, y: Array, tasks: Array, sigma: float, weights: Array | None = None
) -> tuple[Array, Array]:
    """Predictions and log evidence, (B, P) each; `weights` is the prior over tasks."""
    batch, points, _ = x.shape
    prior = np.full(len(tasks), 1 / len(tasks)) if weights is None else weights
    prediction, evidence = np.zeros((batch, points)), np.zeros((batch, points))
    for b in range(batch):
        for k in range(points):
            density = stats.norm.logpdf(y[b, :k, None], x[b, :k] @ tasks.T, sigma)
            joint = np.log(prior) + density.sum(0)
            evidence[b, k] = special.logsumexp(joint)
            prediction[b, k] = np.exp(joint - evidence[b, k]) @ (tasks @ x[b, k])
    return prediction, evidence


def brute_mixture_weight(discrete: Array, continuous: Array, log_odds: float) -> Array:
    """g from the two log evidences, by the densities themselves rather than their difference."""
    top = np.maximum(discrete + log_odds, continuous)
    a, b = np.exp(discrete + log_odds - top), np.exp(continuous - top)
    return a / (a + b)


def exact_ridge(x: Array, y: Array, sigma: float, tau: float) -> tuple[list, list]:
    """Prediction and log evidence of one prompt, (P, d) and (P,), as lists of mpf.

    The kernel matrix tau^2 X X' + sigma^2 I, its Cholesky factor row by row, with 50 digits.
    """
    with mpmath.workdps(50):
        rows, labels = _mpf(x), _mpf(y)
        noise, scale = mpmath.mpf(sigma) ** 2, mpmath.mpf(tau) ** 2
        factor: list[list] = []
        white: list = []
        prediction, evidence = [], [mpmath.mpf(0)]
        for k, row in enumerate(rows):
            covariances = [scale * mpmath.fdot(row, rows[j]) for j in range(k)]
            line: list = []
            for j in range(k):
                line.append((covariances[j] - mpmath.fdot(line, factor[j][:j])) / factor[j][j])
            own = scale * mpmath.fdot(row, row) + noise - mpmath.fdot(line, line)
            line.append(mpmath.sqrt(own))
            prediction.append(mpmath.fdot(line[:k], white))
            white.append((labels[k] - prediction[-1]) / line[k])
            density = -(white[-1] ** 2) / 2 - mpmath.log(line[k]) - mpmath.log(2 * mpmath.pi) / 2
            evidence.append(evidence[-1] + density)
            factor.append(line)
        return prediction, evidence[:-1]


def exact_discrete(x: Array, y: Array, tasks: Array, sigma: float) -> tuple[list, list]:
    """Prediction and log evidence of one prompt, (P, d) and (P,), as lists of mpf.

    Float64 first finds, at each prefix, the tasks within 80 nats of the best; the others together
    would change nothing before the 30th digit.
    """
    residual = y[:, None] - x @ tasks.T
    rough = np.cumsum(-0.5 * (residual / sigma) ** 2, axis=0)
    with mpmath.workdps(50):
        rows, labels, noise = _mpf(x), _mpf(y), mpmath.mpf(sigma) ** 2
        prediction, evidence = [], []
        for k, row in enumerate(rows):
            scores = rough[k - 1] if k else np.zeros(len(tasks))
            near = np.flatnonzero(scores > scores.max() - 80)
            pool = _mpf(tasks[near])
            joint = [
                -mpmath.fsum((labels[i] - mpmath.fdot(rows[i], w)) ** 2 for i in range(k))
                / (2 * noise)
                for w in pool
            ]
            top = max(joint)
            likelihood = [mpmath.exp(s - top) for s in joint]
            total = mpmath.fsum(likelihood)
            answers = [mpmath.fdot(row, w) for w in pool]
            prediction.append(mpmath.fdot(likelihood, answers) / total)
            constant = k * mpmath.log(2 * mpmath.pi * noise) / 2 + mpmath.log(len(tasks))
            evidence.append(top + mpmath.log(total) - constant)
        return prediction, evidence


def logit(p: float) -> float:
    return math.log(p) - math.log1p(-p)


def _mpf(values: Array) -> list:
    if values.ndim == 1:
        return [mpmath.mpf(float(v)) for v in values]
    return [_mpf(row) for row in values]
