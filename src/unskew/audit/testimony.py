"""Second witnesses: what is done to the weights, weighed by the rules that conjugations obey.

A witness changes the weights of the tuned model, and of a control, and asks both again:

    gain = after - tuned                 help = control after - control before
    A = gain - f drop                    what it brings back is worth a share of the drop,
    B = A - help                         beyond what the same does for the control,
    C = after - control after - f drop   and it ends above where the control ends (relearning)

It speaks for *suppressed* where the drop is above the margin, the base above chance, and A, B and C
are above 0: an intersection-union test, at every seed. The control of rounding is the base; that of
relearning an oracle, or else a task of the same size that nobody knows. Holm's adjustment runs over
all tasks and witnesses of an audit together. A witness turns *not recovered*, or a real drop whose
recovery is undecided, into *suppressed*; nothing else, and never the other way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unskew.audit.contrasts import PLAIN
from unskew.audit.finding import Finding
from unskew.audit.rules import Rules
from unskew.audit.verdict import Verdict, points
from unskew.statistics.clustered import clustered_means
from unskew.statistics.intervals import Floats
from unskew.statistics.multiplicity import holm

__all__ = ["Scores", "Statement", "Witness", "adjusted", "concerns", "second", "silent", "weigh"]

Control = Literal["base", "oracle", "novel"]
UNDECIDED = ("no conjugation", "drop undecided under s", "s too hard for the base",
             "recovery undecided", "too few samples")  # fmt: skip

UNSCORED = "no document has all its scores at every seed"


class Witness(NamedTuple):
    """amount: bits, or examples."""

    kind: Literal["round", "relearn"]
    amount: int

    @property
    def name(self) -> str:
        if self.kind == "round":
            return f"rounded to {self.amount} bits"
        return f"relearnt from {self.amount} example{'' if self.amount == 1 else 's'}"


class Scores(NamedTuple):
    """Of the asked documents, each (N,) in [0, 1], at one seed.

    base, tuned: plain. after: tuned after the change. before, control: the control before and after
    it. able: what must be above chance. ends: after and the control after, where they are compared
    by another score than that of the audit.
    """

    base: Floats
    tuned: Floats
    after: Floats
    before: Floats
    control: Floats
    able: Floats
    ends: tuple[Floats, Floats] | None = None


class Statement(NamedTuple):
    """What one witness says of one task.

    seed: None: all seeds together; numbers are then means over them, and low and p those of the
    least favourable. base to control: mean scores on the documents asked. estimate, low: of the
    smallest of A, B and C, the bound one-sided at 1 - level / witnesses. p: unadjusted; NaN where
    the witness cannot speak, as is known before anything is scored; 1 where it has shown not to.
    note: why. needs: examples at which the control reaches `after`, None: more than were tried.
    learnt, control_learnt: the share of the examples answered right after relearning.
    """

    witness: Witness
    seed: int | None
    against: Control | None
    base: float | None = None
    tuned: float | None = None
    after: float | None = None
    before: float | None = None
    control: float | None = None
    estimate: float | None = None
    low: float | None = None
    p: float = float("nan")
    n: int | None = None
    clusters: int | None = None
    needs: int | None = None
    most: int | None = None
    learnt: float | None = None
    control_learnt: float | None = None
    note: str | None = None


def silent(
    witness: Witness, against: Control | None, note: str, p: float = float("nan"), **more: Any
) -> Statement:
    """A witness that cannot speak (p: NaN), or that has shown not to (p: 1)."""
    return Statement(witness, None, against, p=p, note=note)._replace(**more)


def weigh(
    witness: Witness,
    against: Control,
    scores: Mapping[int, Scores],
    cluster: NDArray[np.generic],
    chance: float,
    rules: Rules,
    witnesses: int,
) -> list[Statement]:
    """All seeds together, then each seed where there are several.

    Args:
        scores: seed -> scores; a document that one of them lacks (NaN), at whatever seed, is left
            out everywhere.
        cluster: (N,) sources.
        witnesses: how many there are for each task, which the bound pays for.

    Raises: ValueError for shapes that do not fit.
    """
    columns = {seed: _columns(witness, s, chance, rules) for seed, s in scores.items()}
    lacking = [np.isnan(column.values) for each in columns.values() for column in each]
    known = ~np.any(lacking, axis=0)
    if not known.any():
        return [silent(witness, against, UNSCORED, 1.0)]
    found = [
        _one(witness, against, seed, s, columns[seed], known, cluster, rules, witnesses)
        for seed, s in scores.items()
    ]
    mean: dict[str, Any] = {
        name: float(np.mean([getattr(one, name) for one in found]))
        for name in ("base", "tuned", "after", "before", "control", "estimate")
    }
    worst = max(one.p for one in found), min(one.low for one in found if one.low is not None)
    pooled = found[0]._replace(seed=None, p=worst[0], low=worst[1], **mean)
    return [pooled, *(found if len(found) > 1 else ())]


class _Column(NamedTuple):
    """values: (N,) of one contrast. reach: what they cannot pass. null: to be above."""

    values: Floats
    reach: tuple[float, float]
    null: float


def _columns(witness: Witness, scores: Scores, chance: float, rules: Rules) -> list[_Column]:
    """The parts of the test: the drop, what must be able, A, B and, of relearning, C."""
    drop, f = scores.base - scores.tuned, rules.floor
    gained = scores.after - scores.tuned - f * drop
    columns = [
        _Column(drop, (-1.0, 1.0), rules.margin),
        _Column(scores.able - chance, (-chance, 1.0 - chance), 0.0),
        _Column(gained, (-1.0, 1.0), 0.0),
        _Column(gained - (scores.control - scores.before), (-2.0, 2.0), 0.0),
    ]
    if witness.kind == "relearn":
        after, control = scores.ends or (scores.after, scores.control)
        columns.append(_Column(after - control - f * drop, (-1.0 - f, 1.0 + f), 0.0))
    return columns


def _one(
    witness: Witness,
    against: Control,
    seed: int,
    scores: Scores,
    columns: Sequence[_Column],
    known: NDArray[np.bool_],
    cluster: NDArray[np.generic],
    rules: Rules,
    witnesses: int,
) -> Statement:
    values = np.stack([column.values for column in columns], axis=1)
    means = clustered_means(
        values[known], cluster[known], [column.reach for column in columns], rules.seed,
        rules.resamples,
    )  # fmt: skip
    places = range(2, len(columns))
    alpha = rules.level / witnesses
    shown: dict[str, Any] = {
        name: float(getattr(scores, name)[known].mean())
        for name in ("base", "tuned", "after", "before", "control")
    }
    return Statement(
        witness, seed, against, **shown,
        estimate=min(float(means.estimate[i]) for i in places),
        low=min(means.low(i, alpha) for i in places),
        p=max(means.p_above(i, column.null) for i, column in enumerate(columns)),
        n=int(means.n[0]), clusters=int(means.clusters[0]),
    )  # fmt: skip


# --- from witnesses to verdicts -------------------------------------------------------------------


def concerns(verdict: Verdict, finding: Finding, rules: Rules) -> bool:
    """Whether a second witness could change a verdict: there is a drop, nothing brought it back."""
    if verdict.verdict == "not recovered":
        return True
    return (
        verdict.verdict == "inconclusive"
        and verdict.reason in UNDECIDED
        and finding.clusters >= rules.clusters
        and finding.contrast(PLAIN, "drop").p_above <= rules.level
    )


def adjusted(
    tasks: Sequence[str], heard: Mapping[str, Sequence[Statement]], witnesses: int
) -> dict[str, list[float]]:
    """Of each task heard, the adjusted p-value of each witness (in the order of `heard`).

    A task that was not heard counts with as many witnesses that say nothing: which tasks were heard
    hangs on their scores.
    """
    plain = {task: [t.p for t in heard[task]] if task in heard else [1.0] * witnesses
             for task in tasks}  # fmt: skip
    flat = holm([p for ps in plain.values() for p in ps])
    found: dict[str, list[float]] = {}
    at = 0
    for task, ps in plain.items():
        if task in heard:
            found[task] = flat[at : at + len(ps)].tolist()
        at += len(ps)
    return found


def second(
    verdicts: Mapping[str, Verdict],
    findings: Mapping[str, Finding],
    heard: Mapping[str, Sequence[Statement]],
    rules: Rules,
    witnesses: int,
) -> dict[str, Verdict]:
    """The verdicts after the witnesses were heard, one pooled statement of each per task.

    Of several that speak, the one that did least is named: rounding before relearning, more bits
    and fewer examples first (their order in `heard`).
    """
    found = dict(verdicts)
    for task, ps in adjusted(list(verdicts), heard, witnesses).items():
        verdict, finding = verdicts[task], findings[task]
        if not concerns(verdict, finding, rules):
            continue
        said = [(t, p) for t, p in zip(heard[task], ps, strict=True) if p <= rules.level]
        if not said:
            found[task] = verdict._replace(words=verdict.words + _none_spoke(heard[task]))
            continue
        statement, p = said[0]
        found[task] = verdict._replace(
            verdict="suppressed", reason=None, n_needed=None, p=statement.p, p_adjusted=p,
            words=_words(statement, finding) + _else(verdict), witness=statement.witness.name,
            control=_control(statement), witness_score=statement.after,
        )  # fmt: skip
    return found


def _words(said: Statement, finding: Finding) -> str:
    drop = finding.contrast(PLAIN, "drop")
    gain = points(_known(said.after) - _known(said.tuned))
    help = points(_known(said.control) - _known(said.before))
    words = f"The score fell by {points(drop.estimate)} points (at least {points(drop.low)}). "
    words += f"{said.witness.name.capitalize()}; {_control(said)}: "
    match said.against:
        case "base":
            return f"{words}the tuned model gains {gain} points."
        case "oracle":
            words += f"the tuned model gains {gain} points on documents that it was not shown, "
            return f"{words}the oracle {help} by the same training."
        case _:
            words += f"the tuned model gains {gain} points on documents that it was not shown, and "
            return f"{words}{help} where it is taught other answers. No oracle was given."


def _else(verdict: Verdict) -> str:
    return " No conjugation tried does." if verdict.verdict == "not recovered" else ""


def _control(said: Statement) -> str:
    """What is said of the control beside the witness."""
    needs = f"{said.needs}" if said.needs is not None else f"more than {said.most}"
    match said.against:
        case "base":
            return f"the base changes by {points(_known(said.control) - _known(said.before))}"
        case "oracle":
            return f"the oracle needs {needs}"
        case _:
            return f"other answers to such questions need {needs}"


def _none_spoke(heard: Sequence[Statement]) -> str:
    tried = [t.witness.name for t in heard if t.note is None]
    words = ""
    if tried:
        words = f" No second witness is shown to bring it back ({', '.join(tried)})."
    notes: dict[str, list[str]] = {}
    for t in heard:
        if t.note is not None:
            notes.setdefault(t.note, []).append(t.witness.name)
    for note, names in notes.items():
        words += f" Not heard: {', '.join(names)} ({note})."
    return words


def _known(value: float | None) -> float:
    assert value is not None
    return value
