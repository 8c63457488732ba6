"""One task before the others are looked at: its contrasts, and the hurdles of each verdict.

A verdict is a conjunction, so the p-value of the verdict is the largest of its hurdles'
(intersection-union test: no hurdle needs a correction for the others).

    retained       the drop is below the margin
    suppressed     the drop is above the margin; the base is able under the chosen conjugation;
                   the recovery under it is above 0
    not recovered  the drop is above the margin; the base is able under the chosen conjugation;
                   the recovery is below 0 under the chosen one and under each one tried

Where conjugations refuse documents, the drop must also be real on those that are left.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np

from unskew.audit.contrasts import CHOSEN, PLAIN, Arms, Contrast, Evidence, Sheet
from unskew.audit.crossfit import choose
from unskew.audit.rules import Rules
from unskew.errors import UserError
from unskew.statistics.clustered import cluster_codes

__all__ = ["LEFT", "Finding", "Hurdle", "Kind", "judge"]

LEFT = "drop-left"
"""The drop on the documents that the chosen conjugations do not refuse, where they refuse some."""

Kind = Literal["retained", "suppressed", "not recovered"]


class Hurdle(NamedTuple):
    """One of the statements a verdict is made of."""

    name: Literal["drop", "able", "recovery"]
    test: Evidence


class Finding(NamedTuple):
    """What one task shows by itself.

    hurdles: of each verdict that can be tested at all. chosen: the conjugation of each fold, empty
    where none could be tried. tried, untried: candidates with enough documents, and without.
    admissible: share of documents in the chosen contrasts, NaN without them. base_p: of the test
    that the base is above chance. discordance, design, largest: what
    `statistics.power.detectable` asks of the drop. truncated: share of documents, None if unknown.
    """

    contrasts: tuple[Contrast, ...]
    hurdles: Mapping[Kind, tuple[Hurdle, ...]]
    chosen: tuple[str, ...]
    tried: tuple[str, ...]
    untried: tuple[str, ...]
    n: int
    clusters: int
    chance: float
    admissible: float
    base_p: float
    discordance: float
    design: float
    largest: int
    truncated: float | None

    def contrast(self, conjugation: str, contrast: str) -> Contrast:
        """The row of this name; KeyError where it was not measured."""
        for row in self.contrasts:
            if (row.conjugation, row.contrast) == (conjugation, contrast):
                return row
        raise KeyError((conjugation, contrast))


def judge(arms: Arms, rules: Rules, truncated: float | None = None) -> Finding:
    """The contrasts of one task and the unadjusted tests of its verdicts.

    truncated: share of documents with a truncated prompt or answer, None if unknown. Raises
    UserError for no samples, for scores outside [0, 1], or missing where nothing was conjugated;
    ValueError for shapes that do not fit and names used twice.
    """
    _check(arms)
    tried, untried = _tried(arms, rules)
    choice = None
    if tried:
        candidates = {name: arms.conjugated[name] for name in tried}
        choice = choose(arms.base, arms.tuned, candidates, arms.cluster, arms.chance, rules)
    sheet = Sheet(arms, choice, rules)
    rows = [sheet.mean(PLAIN, "drop", rules.margin)]
    for name in (*arms.conjugated, *arms.controls, *([CHOSEN] if choice else [])):
        rows += [sheet.mean(name, contrast) for contrast in ("able", "help", "gain")]
        rows.append(sheet.recovery(name))
    if choice and sheet.size(CHOSEN, "drop") < sheet.size(PLAIN, "drop"):
        # It must be real there, too. Another name, as "drop" is that of all documents.
        rows.append(sheet.mean(CHOSEN, "drop", rules.margin)._replace(contrast=LEFT))
    drop, n = rows[0], arms.base.size
    column = sheet.column(PLAIN, "drop")
    square = float(((arms.base - arms.tuned) ** 2).mean())
    alone = (square - drop.estimate**2) / n
    design = float(sheet.means.error[column]) ** 2 / alone if alone > 0.0 else 1.0
    return Finding(
        contrasts=tuple(rows),
        hurdles=_hurdles(sheet, tried, rules),
        chosen=choice.chosen if choice else (),
        tried=tried,
        untried=untried,
        n=n,
        clusters=drop.clusters,
        chance=arms.chance,
        admissible=sheet.size(CHOSEN, "drop") / n if choice else float("nan"),
        base_p=sheet.above(PLAIN, "able").p,
        discordance=square,
        # One cluster has no spread to compare, and luck is no reason to expect less noise.
        design=max(1.0, design) if np.isfinite(design) else 1.0,
        largest=int(sheet.means.largest[column]),
        truncated=truncated,
    )


def _hurdles(sheet: Sheet, tried: tuple[str, ...], rules: Rules) -> dict[Kind, tuple[Hurdle, ...]]:
    found: dict[Kind, tuple[Hurdle, ...]] = {
        "retained": (Hurdle("drop", sheet.below(PLAIN, "drop", rules.margin)),)
    }
    if not tried:
        return found
    first = [Hurdle("drop", sheet.above(PLAIN, "drop", rules.margin))]
    if sheet.size(CHOSEN, "drop") < sheet.size(PLAIN, "drop"):
        first.append(Hurdle("drop", sheet.above(CHOSEN, "drop", rules.margin)))
    first.append(Hurdle("able", sheet.above(CHOSEN, "able")))
    back = [Hurdle("recovery", test) for test in sheet.recovery_above(CHOSEN)]
    away = [Hurdle("recovery", sheet.recovery_below(name)) for name in (CHOSEN, *tried)]
    found["suppressed"] = (*first, *back)
    found["not recovered"] = (*first, *away)
    return found


def _check(arms: Arms) -> None:
    n = arms.base.size
    if not n:
        raise UserError("there are no samples to compare")
    if not 0.0 <= arms.chance < 1.0:
        raise UserError(f"the score of guessing must lie in [0, 1), not {arms.chance}")
    names = [*arms.conjugated, *arms.controls, CHOSEN, PLAIN]
    if len(set(names)) < len(names):
        raise ValueError(f"names must be distinct and none {CHOSEN!r} or {PLAIN!r}: {names[:-2]}")
    arrays = {"base": arms.base, "tuned": arms.tuned}
    for name, (base_s, tuned_s) in {**arms.conjugated, **arms.controls}.items():
        arrays |= {f"base + {name}": base_s, f"tuned + {name}": tuned_s}
    if np.shape(arms.cluster) != (n,) or any(a.shape != (n,) for a in arrays.values()):
        raise ValueError("all arms and the clusters need one entry per document")
    for name, scores in arrays.items():
        if name in ("base", "tuned") and np.isnan(scores).any():
            raise UserError("a sample without conjugation has no score", name)
        if (scores < 0.0).any() or (scores > 1.0).any():
            raise UserError(
                "verdicts need scores between 0 and 1, and this metric has others",
                name,
                "choose a metric that is a share, such as acc or exact_match",
            )


def _tried(arms: Arms, rules: Rules) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Candidates that leave documents of enough clusters to say anything, and the others."""
    codes, _ = cluster_codes(arms.cluster)
    tried, untried = [], []
    for name, (base_s, tuned_s) in arms.conjugated.items():
        left = np.unique(codes[~np.isnan(base_s + tuned_s)]).size
        (tried if left >= rules.clusters else untried).append(name)
    return tuple(tried), tuple(untried)
