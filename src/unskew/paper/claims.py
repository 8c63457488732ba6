"""What a claim is, and what the tables on a shelf say of it. The claims stand in documents.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from unskew.paper.findings import NOT_RUN, SCALES, Finding, Scale, over
from unskew.paper.parts import Part, PartName, parts
from unskew.paper.shelf import Place, Shelf

__all__ = ["AREAS", "Answer", "Claim", "Source", "answer"]


class Source(NamedTuple):
    """What a claim is read from at one scale: a part, its table, how that is read."""

    part: PartName
    table: str
    read: Callable[[Place], Finding]


@dataclass(frozen=True)
class Claim:
    """A claim.

    Attributes:
        area: of AREAS. documents: where it stands in the paper (P) or the thesis (T).
        text: the claim, in one sentence. threshold: when it counts as reproduced.
        brief: whether the README shows it.
        sources: by scale; at a scale that is not there nothing makes its table.
    """

    id: str
    area: str
    documents: str
    text: str
    threshold: str
    brief: bool = True
    sources: Mapping[Scale, Source] = field(default_factory=dict)

    def part(self, scale: Scale) -> Part | None:
        """What makes its table at that scale; None where nothing does."""
        source = self.sources.get(scale)
        return None if source is None else parts()[source.part, scale]


class Answer(NamedTuple):
    """What is known of a claim. scale: where it was read, or asked; places: the tables it was read
    from; part: what makes them, None where nothing does."""

    claim: Claim
    scale: Scale | None
    finding: Finding
    places: tuple[str, ...]
    part: Part | None


AREAS = {
    "regression": "Linear regression in context",
    "language": "Language models, raised here or downloaded",
    "thesis": "A word that must not be said; abilities that were removed",
}


def answer(claim: Claim, shelf: Shelf, scale: Scale | None = None) -> Answer:
    """What the tables say of a claim: at one scale, or at the largest that has been run."""
    wanted: tuple[Scale, ...] = SCALES[::-1] if scale is None else (scale,)
    for size in wanted:
        if size in claim.sources:
            found, places = _read(
                claim.sources[size], parts()[claim.sources[size].part, size], shelf
            )
            if found.word != "not run":
                return Answer(claim, size, found, places, claim.part(size))
    # The smallest scale that makes it is the one to begin with.
    there: list[Scale] = [size for size in SCALES if size in wanted and size in claim.sources]
    first: Scale | None = there[0] if there else scale
    return Answer(claim, first, NOT_RUN, (), None if first is None else claim.part(first))


def _read(source: Source, part: Part, shelf: Shelf) -> tuple[Finding, tuple[str, ...]]:
    cases, read = {}, []
    for case, places in shelf.once(f"{part.name} {part.scale}", part.places).items():
        cases[case] = NOT_RUN
        for place in places:
            found = source.read(place)
            if found.word != "not run":
                cases[case] = found
                read.append(place.where(source.table))
                break
    return over(cases, len(cases)), tuple(read)
