"""The idea: a conjugation is a pair (s, s_inv) that keeps the question and changes its look.

A model T answers the transformed prompt and the answer is carried back: s_inv(T(s(prompt))). It is
*admissible* on a text where s_inv(s(text)) == text; outside of that a conjugation refuses with
`NotAdmissible` or, where it is lossy by nature, says so in its `Promise`, and the round trip is
checked text by text. Conjugations compose: `a @ b` applies b first, then a.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


class NotAdmissible(ValueError):  # noqa: N818  # a refusal, often returned as a value
    """This text lies outside the conjugation's domain.

    Args:
        conjugation: the conjugation's name.
        why: what in the text is the matter, in a sentence.
    """

    def __init__(self, conjugation: str, why: str) -> None:
        super().__init__(f"{conjugation}: {why}")
        self.conjugation, self.why = conjugation, why

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return type(self), (self.conjugation, self.why)


@dataclass(frozen=True)
class Promise:
    """What a conjugation promises; tests hold it to every word.

    Attributes:
        exact: inverse(forward(x)) == x for every x in the domain.
        domain: the texts on which `exact` holds, in words ("any text", "phrases of the book").
        newlines: forward maps the k-th line of the text to the k-th line of the result.
        edges: white space at the beginning and the end of the text is kept as it is.
        numbers: digits are kept as they are.
        boundaries: where forward(a + b) == forward(a) + forward(b): between any two "characters",
            at white space ("words"), at newlines ("lines"), or nowhere ("none").
    """

    exact: bool
    domain: str
    newlines: bool
    edges: bool
    numbers: bool
    boundaries: str = "none"


class Conjugation(ABC):
    """A pair (forward, inverse) of text transforms. Deterministic; safe to share among threads.

    Attributes:
        name: as it is written on the command line; two conjugations of one name and version give
            the same texts.
        version: raised whenever forward or inverse changes on any text.
        promise: what holds.
    """

    name: str
    version: int
    promise: Promise

    @abstractmethod
    def forward(self, text: str) -> str:
        """s(text). Raises NotAdmissible outside the domain."""

    @abstractmethod
    def inverse(self, text: str) -> str:
        """s_inv(text). Raises NotAdmissible where the text is no image of anything."""

    def forward_all(self, texts: Sequence[str]) -> list[str | NotAdmissible]:
        """forward of each text, in order; where it refuses, the refusal. Models translate in
        batches here."""
        return [_or_refusal(self.forward, text) for text in texts]

    def inverse_all(self, texts: Sequence[str]) -> list[str | NotAdmissible]:
        """inverse of each text, in order; where it refuses, the refusal."""
        return [_or_refusal(self.inverse, text) for text in texts]

    def __matmul__(self, first: Conjugation) -> Conjugation:
        """`self @ first`: apply `first`, then `self`; the identity drops out."""
        if isinstance(first, Identity):
            return self
        if isinstance(self, Identity):
            return first
        return Composition(self, first)

    def __repr__(self) -> str:
        return f"<conjugation {self.name} v{self.version}>"


class Identity(Conjugation):
    """Changes nothing. A model under it must answer exactly as without any conjugation."""

    name = "identity"
    version = 1
    promise = Promise(True, "any text", True, True, True, "characters")

    def forward(self, text: str) -> str:
        return text

    def inverse(self, text: str) -> str:
        return text


class Composition(Conjugation):
    """outer @ inner: forward(x) = outer.forward(inner.forward(x)). Promises what both promise."""

    def __init__(self, outer: Conjugation, inner: Conjugation) -> None:
        self.outer, self.inner = outer, inner
        self.name = f"{outer.name}@{inner.name}"
        # Distinct for distinct versions of two parts, as neither reaches 1000. Of more parts it may
        # be the same: `described` tells them apart, by the version of each.
        self.version = 1000 * outer.version + inner.version
        a, b = outer.promise, inner.promise
        order = ("none", "lines", "words", "characters")
        self.promise = Promise(
            exact=a.exact and b.exact,
            domain=b.domain if a.domain == b.domain else f"{b.domain}, then {a.domain}",
            newlines=a.newlines and b.newlines,
            edges=a.edges and b.edges,
            numbers=a.numbers and b.numbers,
            boundaries=min(a.boundaries, b.boundaries, key=order.index),
        )

    def forward(self, text: str) -> str:
        return self.outer.forward(self.inner.forward(text))

    def inverse(self, text: str) -> str:
        return self.inner.inverse(self.outer.inverse(text))

    def forward_all(self, texts: Sequence[str]) -> list[str | NotAdmissible]:
        return _through(texts, self.inner.forward_all, self.outer.forward_all)

    def inverse_all(self, texts: Sequence[str]) -> list[str | NotAdmissible]:
        return _through(texts, self.outer.inverse_all, self.inner.inverse_all)


def described(conjugation: Conjugation) -> Any:
    """What decides the texts that a conjugation makes, as plain JSON: name and version of a cipher,
    of a book or a translation the digests of what it reads as well; of a composition its parts."""
    if isinstance(conjugation, Composition):
        return [described(conjugation.outer), described(conjugation.inner)]
    record = dict(getattr(conjugation, "record", {}))
    return {"name": conjugation.name, "version": conjugation.version, **record}


def _or_refusal(transform, text: str) -> str | NotAdmissible:
    try:
        return transform(text)
    except NotAdmissible as refusal:
        return refusal


def _through(texts: Sequence[str], first, second) -> list[str | NotAdmissible]:
    """Both stages in batches; what the first refuses never reaches the second."""
    results: list[str | NotAdmissible] = first(texts)
    passed = [i for i, result in enumerate(results) if isinstance(result, str)]
    for i, result in zip(passed, second([results[i] for i in passed]), strict=True):
        results[i] = result
    return results
