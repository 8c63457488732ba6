"""Make the tables of claims: which parts, which of them are there, one after another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from unskew.paper.claims import Claim
from unskew.paper.findings import Scale
from unskew.paper.parts import Means, Part
from unskew.paper.shelf import Shelf

__all__ = ["Step", "make", "plan"]


class Step(NamedTuple):
    """A part, and whether its runs are finished: all, some (of several pairs, seeds), or none."""

    part: Part
    state: Literal["finished", "begun", "to run"]


def plan(claims: Iterable[Claim], scale: Scale, shelf: Shelf) -> list[Step]:
    """The parts that make the tables of these claims at a scale, each once."""
    parts = {part.name: part for one in claims if (part := one.part(scale)) is not None}
    return [Step(part, _state(part, shelf)) for part in parts.values()]


def make(steps: Sequence[Step], scale: Scale, means: Means) -> Path | None:
    """Make every part, or go on making it; a page of all its runs, None where there is none.

    Raises:
        UserError: something that a part needs is not there.
        KeyboardInterrupt: interrupted, everything saved; the same call continues.
    """
    from unskew.report import page
    from unskew.runs.folder import RunFolder

    if any(step.part.lm for step in steps):  # told now, not after a night of the laboratory
        from unskew.nursery import family

        family.require()
    if means.threads is not None:  # an audit computes with what it finds set
        import torch

        torch.set_num_threads(means.threads)
    made = [path for step in steps for path in step.part.make(means)]
    folders = [RunFolder.read(path) for path in dict.fromkeys(made)]
    if not folders:
        return None
    return page.write(folders, means.runs / f"paper-{scale}.html")


def _state(part: Part, shelf: Shelf) -> Literal["finished", "begun", "to run"]:
    done = part.done(shelf)
    if all(done):
        return "finished"
    return "begun" if any(done) else "to run"
