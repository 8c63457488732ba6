"""The bootstrap over training runs, deterministic from an explicit seed.

`hierarchical_bootstrap` is for statements about training itself: it resamples pretraining
seeds, then fine-tunings within each seed, then moves each run's mean by its prompt noise.
All draws come from one PCG64 stream in order, so a run repeats bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from unskew.statistics.intervals import Floats, Interval, checked
from unskew.statistics.student import student_quantile

__all__ = ["RunSummary", "generator", "hierarchical_bootstrap", "root", "run_summary"]


def generator(seed: int) -> np.random.Generator:
    """A generator of its own for every call: nothing here touches numpy's global state."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed)))


class RunSummary(NamedTuple):
    """One trained run, as the hierarchical bootstrap sees it.

    mean: (m,) means over prompts; covariance: (m, m) of these means (their squared standard
    errors on the diagonal), all zero where prompt noise is to be ignored.
    """

    mean: Floats
    covariance: Floats


def run_summary(values: ArrayLike) -> RunSummary:
    """Summary of per-prompt values (N,) or (N, m), N >= 2, paired across the m columns."""
    array = checked(values)
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2 or array.shape[0] < 2:
        raise ValueError(f"need per-prompt values (N >= 2, m), got {array.shape}")
    covariance = np.atleast_2d(np.cov(array, rowvar=False)) / array.shape[0]
    return RunSummary(array.mean(axis=0), covariance)


def hierarchical_bootstrap(
    runs: Sequence[Sequence[RunSummary]],
    seed: int,
    statistic: Callable[[Floats], float] | None = None,
    resamples: int = 20_000,
    level: float = 0.95,
) -> Interval:
    """Interval that speaks for training seeds: runs[s][f] is fine-tuning f of seed s.

    A resample draws seeds, then fine-tunings within each drawn seed, then for each drawn run
    a normal deviate with its prompt covariance; `statistic` maps the grand mean (m,) (equal
    weight per seed) to a number, by default its first entry. Each end of the interval is the
    farther one of two:

    - the expanded percentile (Hesterberg, The American Statistician 69, 2015, section 3.2), at
      Phi(-sqrt(S / (S - 1)) t_{S-1}): it has the noise within seeds and the statistic's bends;
    - Student's t with the jackknife's standard error over seeds, which of a mean is the t interval
      of the seeds' means: no bootstrap of S seeds leaves their range, and the truth lies outside
      of it once in 2^(S-1) times, so that by itself it covers half of the time with two seeds.

    n = number of seeds; one seed gives NaN bounds. Raises ValueError for no seeds, a seed without
    runs, or a statistic that is not finite.
    """
    if not runs or any(not seed_runs for seed_runs in runs):
        raise ValueError("every seed needs at least one run, and there must be a seed")
    if not 0.0 < level < 1.0:
        raise ValueError(f"level must lie between 0 and 1, got {level}")
    read = statistic if statistic is not None else (lambda mean: float(mean[0]))
    means = [np.stack([checked(run.mean, "mean") for run in row]) for row in runs]
    roots = [np.stack([root(run.covariance) for run in row]) for row in runs]
    by_seed = np.stack([row.mean(axis=0) for row in means])
    estimate = float(read(by_seed.mean(axis=0)))
    count, size = len(runs), means[0].shape[1]
    if not np.isfinite(estimate):
        raise ValueError("the statistic is not finite")
    if count == 1:
        return Interval(estimate, float("nan"), float("nan"), 1)
    rng = generator(seed)
    drawn = rng.integers(0, count, (resamples, count))
    total = np.zeros((resamples, size))
    for s in range(count):
        # All the slots that drew seed s at once; rows name the resample each belongs to.
        rows = np.nonzero(drawn == s)[0]
        picks = rng.integers(0, means[s].shape[0], (rows.size, means[s].shape[0]))
        deviates = rng.standard_normal((*picks.shape, size))
        noise = np.einsum("rfij,rfj->rfi", roots[s][picks], deviates)
        np.add.at(total, rows, (means[s][picks] + noise).mean(axis=1))
    draws = np.array([read(mean) for mean in total / count], dtype=np.float64)
    without = np.array([read(np.delete(by_seed, s, axis=0).mean(axis=0)) for s in range(count)])
    if not (np.isfinite(draws).all() and np.isfinite(without).all()):
        raise ValueError("the statistic is not finite on a resample")
    t = student_quantile(0.5 + 0.5 * level, count - 1)
    tail = NormalDist().cdf(-((count / (count - 1)) ** 0.5) * t)
    low, high = np.quantile(draws, [tail, 1.0 - tail])
    far = t * ((count - 1) * without.var()) ** 0.5
    return Interval(estimate, min(low, estimate - far), max(high, estimate + far), count)


def root(covariance: ArrayLike) -> Floats:
    """A matrix square root that accepts singular covariances (Cholesky does not)."""
    values, vectors = np.linalg.eigh(np.atleast_2d(np.asarray(covariance, dtype=np.float64)))
    if values.min() < -1e-9 * max(float(np.abs(values).max()), 1e-300):
        raise ValueError("a covariance has a negative eigenvalue")
    return vectors * np.sqrt(np.maximum(values, 0.0))
