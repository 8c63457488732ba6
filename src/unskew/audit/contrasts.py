"""The four arms of one task become contrasts with bounds and tests.

    drop     = base - tuned                     able = base+s - chance
    gain     = tuned+s - tuned                  help = base+s - base
    recovery = gain - f drop - max(0, help) = min(A, B),  A = gain - f drop,  B = A - help

All are means over documents, under one set of random weights per cluster. The minimum makes
recovery no mean. It is above 0 where A and B both are, so its lower bound is the smaller of their
two lower bounds, each at the full level. It is below 0 where either is, so its upper bound is the
smaller of two upper bounds, each at half the level.

A document refused under s leaves all contrasts with s, in all four arms.
"""

from collections.abc import Mapping
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from unskew.audit.crossfit import Choice
from unskew.audit.rules import Rules
from unskew.statistics.choosing import ChoiceNoise, choice_noise
from unskew.statistics.clustered import ClusteredMeans, clustered_means
from unskew.statistics.intervals import Floats

__all__ = ["CHOSEN", "PLAIN", "Arms", "Contrast", "Evidence", "Sheet"]

CHOSEN, PLAIN = "chosen", "identity"

Pair = tuple[Floats, Floats]


class Arms(NamedTuple):
    """Scores in [0, 1] of one task, paired by document.

    base, tuned: (N,). conjugated: name -> (base+s, tuned+s), each (N,), NaN where s refused the
    document. cluster: (N,) the source each document belongs to. chance: the score of guessing.
    controls: like conjugated; measured, never chosen, part of no verdict.
    """

    base: Floats
    tuned: Floats
    conjugated: Mapping[str, Pair]
    cluster: NDArray[np.generic]
    chance: float
    controls: Mapping[str, Pair] = {}


class Contrast(NamedTuple):
    """A row of the contrasts table. low, high: one-sided bounds, each at 1 - level.

    null: what p_above (the contrast is larger) and p_below (it is smaller) test against; they are
    the twins of the bounds. NaN where there are no documents.
    """

    conjugation: str
    contrast: str
    estimate: float
    low: float
    high: float
    null: float
    p_above: float
    p_below: float
    n: int
    clusters: int


class Evidence(NamedTuple):
    """One test that a contrast lies beyond a null, and what `statistics.power` needs of it.

    p: of the test. gap: how far the estimate lies beyond the null (negative: on the wrong side).
    spread: standard error times sqrt(n). pull: distance to the end of the range times the largest
    cluster. n: documents. strict: the level it was taken at over the level asked for.
    """

    p: float
    gap: float
    spread: float
    pull: float
    n: int
    strict: float


class Sheet:
    """All contrasts of one task: each a column of per-document values, weighed together.

    choice: None where no conjugation could be tried. The contrasts named "chosen" then do not
    exist. In them each document is under the conjugation of its fold, and bounds and tests pay for
    the choice.
    """

    def __init__(self, arms: Arms, choice: Choice | None, rules: Rules) -> None:
        self.rules = rules
        self.choice = choice
        self._names: list[tuple[str, str]] = []
        self._values: list[Floats] = []
        self._reach: list[tuple[float, float]] = []
        self._noise: dict[str, ChoiceNoise] = {}
        nothing = np.zeros_like(arms.base)
        self._add(arms, PLAIN, "drop", (1.0, -1.0, 0.0, 0.0), (nothing, nothing))
        self._add(arms, PLAIN, "able", (1.0, 0.0, 0.0, 0.0), (nothing, nothing))
        for name, pair in {**arms.conjugated, **arms.controls}.items():
            self._add_all(arms, name, pair)
        if choice:
            self._add_chosen(arms, choice)
        self.means: ClusteredMeans = clustered_means(
            np.stack(self._values, axis=1), arms.cluster, self._reach, rules.seed, rules.resamples
        )

    def _add(
        self, arms: Arms, name: str, contrast: str, coefficients: tuple[float, ...], pair: Pair
    ) -> None:
        """A column: coefficients of base, tuned, base+s, tuned+s; `able` is taken from chance."""
        shift = -arms.chance if contrast == "able" else 0.0
        value = np.full_like(arms.base, shift)
        for factor, scores in zip(coefficients, (arms.base, arms.tuned, *pair), strict=True):
            # Even with factor 0: a document missing in one arm is missing in the contrast.
            value = value + factor * scores
        self._names.append((name, contrast))
        self._values.append(value)
        down, up = (sum(pick(c, 0.0) for c in coefficients) for pick in (min, max))
        self._reach.append((shift + down, shift + up))

    def _add_all(self, arms: Arms, name: str, pair: Pair) -> None:
        f = self.rules.floor
        self._add(arms, name, "drop", (1.0, -1.0, 0.0, 0.0), pair)
        self._add(arms, name, "able", (0.0, 0.0, 1.0, 0.0), pair)
        self._add(arms, name, "help", (-1.0, 0.0, 1.0, 0.0), pair)
        self._add(arms, name, "gain", (0.0, -1.0, 0.0, 1.0), pair)
        self._add(arms, name, "A", (-f, f - 1.0, 0.0, 1.0), pair)
        self._add(arms, name, "B", (1.0 - f, f - 1.0, -1.0, 1.0), pair)

    def _add_chosen(self, arms: Arms, choice: Choice) -> None:
        """Each document under the conjugation of its fold.

        The folds' recoveries are averaged, sum_s share_s min(A_s, B_s): the smallest of the means
        that take A for some of the chosen conjugations and B for the others. Without the mixed
        ones, a conjugation with A > 0 > B and one with B > 0 > A would pass for a recovery.
        """
        rows = np.arange(choice.pick.size)
        base_s, tuned_s = (
            np.stack([arms.conjugated[name][arm] for name in choice.names])[choice.pick, rows]
            for arm in (0, 1)
        )
        self._add_all(arms, CHOSEN, (base_s, tuned_s))
        a, b = (self._values[self.column(CHOSEN, side)] for side in "AB")
        reach = self._reach[self.column(CHOSEN, "B")]  # wider than that of A on both sides
        chosen = np.unique(choice.pick)
        for sides in product((False, True), repeat=chosen.size):
            if any(sides) and not all(sides):
                takes_b = np.isin(choice.pick, chosen[np.asarray(sides)])
                self._names.append((CHOSEN, f"mixed {len(self._names)}"))
                self._values.append(np.where(takes_b, b, a))
                self._reach.append(reach)

    def column(self, name: str, contrast: str) -> int:
        return self._names.index((name, contrast))

    def size(self, name: str, contrast: str) -> int:
        """How many documents are in a contrast."""
        return int(self.means.n[self.column(name, contrast)])

    def _price(self, name: str, contrast: str) -> ChoiceNoise:
        if name != CHOSEN or self.choice is None:
            return ChoiceNoise(None)
        if contrast not in self._noise:
            at = [self.column(candidate, contrast) for candidate in self.choice.names]
            self._noise[contrast] = choice_noise(
                self.means.residuals[:, at],
                self.means.n[at],
                self.choice.fold,
                self.rules.seed,
                self.rules.resamples,
            )
        return self._noise[contrast]

    def above(self, name: str, contrast: str, null: float = 0.0) -> Evidence:
        """The test that a mean is larger than `null`."""
        return self._above(self.column(name, contrast), null, (self._price(name, contrast),))

    def below(self, name: str, contrast: str, null: float = 0.0) -> Evidence:
        """The test that a mean is smaller than `null`."""
        return self._below(self.column(name, contrast), null, self._price(name, contrast), 1.0)

    def recovery_above(self, name: str) -> tuple[Evidence, ...]:
        """The tests that must all reject for a recovery above 0."""
        prices = self._price(name, "A"), self._price(name, "B")
        return tuple(self._above(column, 0.0, prices) for column in self._parts(name))

    def recovery_below(self, name: str) -> Evidence:
        """The test that the recovery is below 0: either of A and B, each at half the level."""
        sides = (
            self._below(self.column(name, side), 0.0, self._price(name, side), 0.5) for side in "AB"
        )
        return min(sides, key=lambda test: test.p)

    def mean(self, name: str, contrast: str, null: float = 0.0) -> Contrast:
        """A row of the table for a contrast that is a mean."""
        column, price, level = self.column(name, contrast), self._price(name, contrast), self.rules
        return Contrast(
            name,
            contrast,
            float(self.means.estimate[column]),
            self.means.low(column, price.alpha_above(level.level)),
            self.means.high(column, price.alpha_below(level.level)),
            null,
            self.above(name, contrast, null).p,
            self.below(name, contrast, null).p,
            int(self.means.n[column]),
            int(self.means.clusters[column]),
        )

    def recovery(self, name: str) -> Contrast:
        """The row of the recovery."""
        parts, level = self._parts(name), self.rules.level
        prices = {side: self._price(name, side) for side in "AB"}
        strictest = min(price.alpha_above(level) for price in prices.values())
        highs = [
            self.means.high(self.column(name, side), price.alpha_below(0.5 * level))
            for side, price in prices.items()
        ]
        return Contrast(
            name,
            "recovery",
            min(float(self.means.estimate[part]) for part in parts),
            min(self.means.low(part, strictest) for part in parts),
            min(highs),
            0.0,
            max(test.p for test in self.recovery_above(name)),
            self.recovery_below(name).p,
            int(self.means.n[parts[0]]),
            int(self.means.clusters[parts[0]]),
        )

    def _parts(self, name: str) -> list[int]:
        """The columns whose smallest mean is the recovery."""
        return [
            column
            for column, (owner, contrast) in enumerate(self._names)
            if owner == name and (contrast in ("A", "B") or contrast.startswith("mixed"))
        ]

    def _above(self, column: int, null: float, prices: tuple[ChoiceNoise, ...]) -> Evidence:
        plain, level = self.means.p_above(column, null), self.rules.level
        p = max(price.p_above(plain) for price in prices)
        strict = min(price.alpha_above(level) for price in prices) / level
        gap = float(self.means.estimate[column]) - null
        away = float(self.means.estimate[column] - self.means.reach[column, 0])
        return self._test(column, p, gap, away, strict)

    def _below(self, column: int, null: float, price: ChoiceNoise, part: float) -> Evidence:
        p = min(1.0, price.p_below(self.means.p_below(column, null)) / part)
        strict = price.alpha_below(part * self.rules.level) / self.rules.level
        gap = null - float(self.means.estimate[column])
        away = float(self.means.reach[column, 1] - self.means.estimate[column])
        return self._test(column, p, gap, away, strict)

    def _test(self, column: int, p: float, gap: float, away: float, strict: float) -> Evidence:
        n = int(self.means.n[column])
        spread = float(self.means.error[column]) * n**0.5
        return Evidence(p, gap, spread, away * float(self.means.largest[column]), n, strict)
