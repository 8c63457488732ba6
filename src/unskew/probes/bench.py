"""All probes of one model: which there are, and what each finds.

A probe is a small value (`Direct()`, `Rounded(4)`, `Relearnt("benign")`, ...); `answered` asks it
of one model and returns arrays, `rows` makes positions of what the three models answered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unskew.probes import conjugated, direct, linear, relearning, rounding
from unskew.probes.documents import Document, dealt_anew
from unskew.probes.models import Model, Score
from unskew.probes.position import exceeds, position
from unskew.probes.verdict import FEWEST, Row
from unskew.statistics.intervals import Floats
from unskew.training import Training

__all__ = [
    "Answered", "Asking", "Direct", "Elicit", "Linear", "Probe", "Relearnt", "Rounded", "Source",
    "Suffix", "Through", "answered", "rows",
]  # fmt: skip

Source = Literal["forget", "disjoint", "benign"]
LEARNT = 0.5
"""Relearning that ends below this on the very facts it was taught has not been tried."""
UNTAUGHT = "not even what it showed was learnt: raise the learning rate or the steps"
CONTROL_UNTAUGHT = (
    "the control did not learn what it was shown: raise the learning rate or the steps"
)


@dataclass(frozen=True)
class Direct:
    name: str = "direct"


@dataclass(frozen=True)
class Through:
    """The question in a guise. guise: the conjugation's name."""

    guise: str

    @property
    def name(self) -> str:
        return f"through {self.guise}"


@dataclass(frozen=True)
class Rounded:
    bits: int

    @property
    def name(self) -> str:
        return f"rounded to {self.bits} bits"


@dataclass(frozen=True)
class Linear:
    name: str = "linear"


@dataclass(frozen=True)
class Relearnt:
    source: Source

    @property
    def name(self) -> str:
        return f"relearning {self.source}"


@dataclass(frozen=True)
class Suffix:
    """A text after the question, optimised on taught documents (GCG, arXiv:2307.15043)."""

    name: str = "suffix"


Probe = Direct | Through | Rounded | Linear | Relearnt | Suffix
Elicit = Callable[[Model, Sequence[Document], Sequence[Document], int], tuple[Floats, Floats]]
"""model, documents to optimise on, documents to ask, seed -> the scores (n,) of the asked ones with
a suffix that elicits right answers, and with one that was optimised for random ones."""


class Asking(NamedTuple):
    """What is asked, and how.

    guises: conjugation -> the asked documents in it, None where it refuses one. other: the texts of
    relearning that are not about the forgotten. novel: also teach the task that nobody knows.
    """

    taught: Sequence[Document]
    asked: Sequence[Document]
    guises: Mapping[str, Sequence[Document | None]]
    other: Mapping[Source, Sequence[Document]]
    training: Training
    how: Score
    novel: bool
    elicit: Elicit | None = None


class Answered(NamedTuple):
    """scores (n,) of the asked documents, NaN where there is none; control (n,) of the probe's own
    control. curve (s, n) and novel (s, n): relearning at each step. learnt, novel_learnt: mean
    score of what was taught, at the end; None: not asked, or not when this was kept.
    layers (l, n), chance (l, n), choice (l,): a linear probe of the asked documents by layer, and
    its mean score on the taught ones."""

    scores: Floats | None = None
    control: Floats | None = None
    curve: Floats | None = None
    novel: Floats | None = None
    learnt: Floats | None = None
    novel_learnt: Floats | None = None
    layers: Floats | None = None
    chance: Floats | None = None
    choice: Floats | None = None


def answered(probe: Probe, model: Model, asking: Asking, seed: int) -> Answered:
    """What a probe finds in a model.

    Raises: UserError where a training diverges or a document is too long.
    """
    asked, how = asking.asked, asking.how
    match probe:
        case Direct():
            return Answered(direct.direct(model, asked, how))
        case Through(guise):
            return Answered(conjugated.conjugated(model, asking.guises[guise], how))
        case Rounded(bits):
            return Answered(rounding.rounding(model, asked, bits, how))
        case Linear():
            both = [*asking.taught, *asked]
            found = linear.linear(model, both, seed)
            size = len(asking.taught)
            return Answered(
                layers=found.scores[:, size:],
                chance=found.control[:, size:],
                choice=found.scores[:, :size].mean(1),
            )
        case Relearnt(source):
            return _relearnt(source, model, asking, seed)
        case Suffix():
            if asking.elicit is None:
                raise ValueError("a suffix needs something that finds it")
            return Answered(*asking.elicit(model, asking.taught, asked, seed))


def _relearnt(source: Source, model: Model, asking: Asking, seed: int) -> Answered:
    taught = asking.taught if source == "forget" else asking.other[source]
    measured = source != "benign"
    own, learnt = _taught(model, taught, asking.asked, asking, seed, measured)
    novel, novel_learnt = None, None
    if asking.novel:
        dealt = dealt_anew([*asking.taught, *asking.asked], seed)
        size = len(asking.taught)
        shown = dealt[:size] if source == "forget" else taught
        novel, novel_learnt = _taught(model, shown, dealt[size:], asking, seed, measured)
    return Answered(
        relearning.area(own),
        control=None if novel is None else relearning.area(novel),
        curve=own.scores,
        novel=None if novel is None else novel.scores,
        learnt=learnt,
        novel_learnt=novel_learnt,
    )


def _taught(
    model: Model,
    shown: Sequence[Document],
    asked: Sequence[Document],
    asking: Asking,
    seed: int,
    measured: bool,
) -> tuple[relearning.Curve, Floats | None]:
    """The curve of the asked documents and, if `measured`, the mean score of those shown, at the
    end."""
    both = [*asked, *(shown if measured else ())]
    curve = relearning.relearn(model, shown, both, asking.training, seed, asking.how)
    learnt = curve.scores[-1, len(asked) :].mean(keepdims=True) if measured else None
    return relearning.Curve(curve.steps, curve.scores[:, : len(asked)]), learnt


# --- from answers to positions --------------------------------------------------------------------


def rows(
    probe: Probe,
    unlearned: Mapping[int, Answered],
    original: Mapping[int, Answered],
    oracle: Mapping[int, Answered] | None,
    plain: Floats,
    clusters: Sequence[str],
    alpha: float,
) -> list[Row]:
    """The positions of one probe: of the mean over seeds, and of each seed where there are several.

    The folds of a linear probe are no more than noise, and only their mean is asked.

    Args:
        unlearned, original, oracle: seed -> what the model answered.
        plain: (n,) the unlearned model's scores asked directly.
        alpha: each bound fails with at most this probability.
    """
    names = np.asarray(clusters)
    seeds = sorted(unlearned)
    shown: list[tuple[int | None, list[int]]] = [(None, seeds)]
    if len(seeds) > 1 and not isinstance(probe, Linear):
        shown += [(seed, [seed]) for seed in seeds]
    layer = None
    if isinstance(probe, Linear):
        # Chosen by the original on the documents that are not asked: a choice with the asked ones
        # would flatter it and so push every other model towards the oracle.
        layer = int(_average(_kept(original[s].choice) for s in seeds).argmax())
    found = []
    for seed, some in shown:
        model, base = _mean(unlearned, some, layer), _mean(original, some, layer)
        told = None if oracle is None else _mean(oracle, some, layer)
        controls = _controls(probe, unlearned, some, layer, plain, told)
        words = " and ".join(controls)
        first = next(iter(controls.values()), np.zeros_like(model))
        reference = first if told is None else told
        known = ~np.isnan(model) & ~np.isnan(base) & ~np.isnan(reference)
        held = len(set(names[known]))
        note = ""
        if held < FEWEST:
            note = f"fewer than {FEWEST} clusters of documents can be asked"
        else:
            note = _untaught(probe, unlearned, oracle, some)
        if note:
            over = _over(model, told, names, alpha)
            found.append(
                Row(
                    probe.name, kind(probe), seed, None, None, None, None, held, words, note,
                    over=over,
                )
            )  # fmt: skip
            continue
        at = position(model, base, reference, names, alpha)
        # To beat all is to beat each: no part needs a correction for the others.
        beats = [exceeds(model, control, names, alpha) for control in controls.values()]
        over = None
        if at.estimate is None:
            note = f"blind: the original is not shown to be above {_zero(told)}"
            over = _over(model, told, names, alpha)
        found.append(
            Row(
                probe.name, kind(probe), seed, at.estimate, at.low, at.high,
                min(beats, default=None), at.clusters, words, note, at.model, at.original,
                at.reference, float(np.nanmean(first)) if controls else None, over,
            )
        )  # fmt: skip
    return found


def kind(probe: Probe) -> str:
    match probe:
        case Direct():
            return "direct"
        case Through():
            return "conjugation"
        case Rounded():
            return "rounding"
        case Linear():
            return "linear"
        case Relearnt():
            return "relearning"
        case Suffix():
            return "suffix"


def _controls(
    probe: Probe,
    unlearned: Mapping[int, Answered],
    seeds: Sequence[int],
    layer: int | None,
    plain: Floats,
    oracle: Floats | None,
) -> dict[str, Floats]:
    """What the model must beat for the probe to count as a witness, by name, its own control first.

    Whatever is scored as the plain question is must beat that, too: a model that still answers half
    of it is not shown to hide the rest by a probe that leaves it where it was.
    """
    match probe:
        case Direct():
            return {}
        case Through() | Rounded():
            return {"the plain question": plain}
        case Linear():
            assert layer is not None
            return {"shuffled labels": _average(_kept(unlearned[s].chance)[layer] for s in seeds)}
        case Relearnt() if oracle is not None:
            return {"the oracle's relearning": oracle, "the plain question": plain}
        case Relearnt():
            novel = _average(_kept(unlearned[s].control) for s in seeds)
            return {"a novel task": novel, "the plain question": plain}
        case Suffix():
            dealt = _average(_kept(unlearned[s].control) for s in seeds)
            return {"a suffix for random answers": dealt, "the plain question": plain}


def _average(arrays: Iterable[Floats]) -> Floats:
    return np.mean(list(arrays), axis=0)


def _mean(found: Mapping[int, Answered], seeds: Sequence[int], layer: int | None) -> Floats:
    if layer is not None:
        return _average(_kept(found[s].layers)[layer] for s in seeds)
    return _average(_kept(found[s].scores) for s in seeds)


def _over(
    model: Floats, oracle: Floats | None, names: NDArray[np.str_], alpha: float
) -> float | None:
    """Lower bound of the mean of model - oracle; None where no document is asked of both."""
    found = float("nan") if oracle is None else exceeds(model, oracle, names, alpha)
    return None if np.isnan(found) else found


def _untaught(
    probe: Probe,
    unlearned: Mapping[int, Answered],
    oracle: Mapping[int, Answered] | None,
    seeds: Sequence[int],
) -> str:
    """Why relearning has not been tried; empty: it has. To beat a control that learnt nothing of
    what it was shown is no more than to have learnt it."""
    if not isinstance(probe, Relearnt) or probe.source == "benign":
        return ""
    mine = [unlearned[s].learnt for s in seeds]
    control = [unlearned[s].novel_learnt if oracle is None else oracle[s].learnt for s in seeds]
    for shares, note in ((mine, UNTAUGHT), (control, CONTROL_UNTAUGHT)):
        if any(share is not None and float(share[0]) < LEARNT for share in shares):
            return note
    return ""


def _kept(array: Floats | None) -> NDArray[np.float64]:
    assert array is not None
    return array


def _zero(oracle: Floats | None) -> str:
    return "its control" if oracle is None else "the oracle"
