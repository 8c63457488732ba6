"""Which conjugation a document is scored with: the best one of the other folds.

Clusters are dealt into folds at random. For each fold the conjugation is the one with the largest
estimated recovery in the other folds, among those under which the base is able there, so that no
document takes part in the choice it is scored with. What the choice still costs is in
`unskew.statistics.choosing`.
"""

from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from unskew.audit.rules import Rules
from unskew.statistics.clustered import TOLERANCE, cluster_codes
from unskew.statistics.intervals import Floats

__all__ = ["Choice", "choose"]


class Choice(NamedTuple):
    """chosen: a name per fold. fold: (C,) of each cluster, in the order of the clusters' names.
    pick: (N,) index into `names`, the candidates, for each document."""

    names: tuple[str, ...]
    chosen: tuple[str, ...]
    fold: NDArray[np.int64]
    pick: NDArray[np.int64]


def choose(
    base: Floats,
    tuned: Floats,
    conjugated: Mapping[str, tuple[Floats, Floats]],
    cluster: Sequence[str] | NDArray[np.generic],
    chance: float,
    rules: Rules,
) -> Choice:
    """The conjugation of each fold, out of fold.

    base, tuned: (N,) scores; conjugated: per candidate the (N,) scores of base and tuned under
    it, NaN where refused. Where the base is able under none in the other folds, the one it does
    best under is taken, so that the verdict can say so. Ties go to the candidate named first.
    Raises ValueError without candidates.
    """
    names = tuple(conjugated)
    if not names:
        raise ValueError("there is no conjugation to choose from")
    codes, count = cluster_codes(cluster)
    folds = min(rules.folds, count)
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([rules.seed, 1])))
    fold = np.empty(count, dtype=np.int64)
    fold[rng.permutation(count)] = np.arange(count) % folds
    of_document = fold[codes]
    pick = np.zeros(codes.size, dtype=np.int64)
    chosen = []
    for k in range(folds):
        rest = of_document != k
        best = _best(base, tuned, [conjugated[name] for name in names], codes, rest, chance, rules)
        pick[~rest] = best
        chosen.append(names[best])
    return Choice(names, tuple(chosen), fold, pick)


def _best(
    base: Floats,
    tuned: Floats,
    candidates: Sequence[tuple[Floats, Floats]],
    codes: NDArray[np.int64],
    rest: NDArray[np.bool_],
    chance: float,
    rules: Rules,
) -> int:
    z = NormalDist().inv_cdf(1.0 - rules.level)
    recovery = np.full(len(candidates), -np.inf)
    ability = np.full(len(candidates), -np.inf)
    for s, (base_s, tuned_s) in enumerate(candidates):
        here = rest & ~np.isnan(base_s) & ~np.isnan(tuned_s)
        n = int(here.sum())
        if n == 0:
            continue
        able = base_s[here] - chance
        ability[s] = able.mean()
        sums = np.bincount(codes[here], weights=able - ability[s])
        if ability[s] - z * (sums**2).sum() ** 0.5 / n > TOLERANCE:
            drop = (base[here] - tuned[here]).mean()
            help = (base_s[here] - base[here]).mean()
            gain = (tuned_s[here] - tuned[here]).mean()
            recovery[s] = gain - rules.floor * drop - max(0.0, help)
    measure = recovery if np.isfinite(recovery).any() else ability
    return int(measure.argmax())
