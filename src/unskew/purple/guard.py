"""A guard around any generation: what leaves it satisfies the definition, by construction.

    for text in Guard().stream(chunks):
        print(text, end="")

An automaton reads code point by code point (`Definition.read`) and its state is what may still
become a forbidden word: the longest end of the reading that begins one. The guard holds back the
text of that end and releases all before it. The step that would complete a word leads to a state
of no return, before the text that completes it is released; so everything released, at any moment,
satisfies the definition. docs/GUARD.md has the argument.

Characters that are read as nothing may stand inside a word in any number. Were all held back, the
buffer would have no bound. So of a long run of them the older part is released, while the state
stays: the word can still not be completed, only less of its beginning is kept from view.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import NamedTuple

from unskew.errors import UserError
from unskew.purple.definition import Definition, Forbidden, Foreign, Tier, Violation

__all__ = ["HOLD", "Guard", "Guarded", "Raise", "Replace", "Stop", "Stream", "Withheld"]

HOLD = 64
"""Code points that are held back at most for the sake of characters that are read as nothing."""


@dataclass(frozen=True)
class Replace:
    """On a violation: this text, once, instead of the rest."""

    text: str = "[withheld]"


@dataclass(frozen=True)
class Stop:
    """On a violation: nothing more."""


@dataclass(frozen=True)
class Raise:
    """On a violation: the exception `Withheld`."""


class Withheld(UserError):  # noqa: N818  # what happened to the text
    """A guarded text violated the definition.

    Args:
        violation: what was the matter, and where.
        released: what may still be said and was not handed out before; `Guard.stream` yields it
            before it raises.
    """

    def __init__(self, violation: Violation, released: str) -> None:
        super().__init__(
            f"withheld: {violation}",
            hint="Guard(..., then=Replace()) puts a constant in place of the rest instead.",
        )
        self.violation, self.released = violation, released

    def __reduce__(self) -> tuple[type, tuple[Violation, str]]:  # type: ignore[override]
        return type(self), (self.violation, self.released)


class Guarded(NamedTuple):
    """What may be said of a text, and why not all of it (None: it is all of it)."""

    text: str
    violation: Violation | None


@dataclass(frozen=True)
class Guard:
    """Wraps a generation. Safe to share among threads; each text needs its own `Stream`.

    Attributes:
        definition: what must not leave.
        then: what happens on a violation.

    Raises:
        UserError: the constant of `Replace` may violate the definition, by itself or with what
            was released before it; or what was given is neither a definition nor such an end.
    """

    definition: Definition = field(default_factory=Definition)
    then: Replace | Stop | Raise = Replace()

    def __post_init__(self) -> None:
        # Here, as the first violation may come after much was released.
        if not isinstance(self.definition, Definition):
            raise UserError(
                f"{self.definition!r} is no definition of what must not leave",
                hint='Write Guard(Definition(words=("purple",))).',
            )
        match self.then:
            case Replace(constant):
                self._check(constant)
            case Stop() | Raise():
                pass
            case other:
                raise UserError(
                    f"{other!r} is nothing to do on a violation",
                    hint="Write then=Replace(), then=Stop() or then=Raise(), with the brackets.",
                )

    def _check(self, constant: str) -> None:
        """Raises UserError unless the constant may follow whatever was released."""
        if not isinstance(constant, str):
            raise UserError("no text", f"Replace({constant!r})", 'Write Replace("[withheld]").')
        match _automaton(self.definition).may_meet(constant):
            case None:
                return
            case Forbidden(word):
                why = f"alone or with text before it, it can complete the forbidden word {word!r}"
            case Foreign(character):
                why = f"U+{ord(character):04X} is outside the alphabet"
        raise UserError(
            why,
            where=f"Replace({constant!r})",
            hint='Take another constant; Replace("") always serves.',
        )

    @property
    def bound(self) -> int:
        """Code points that are held back at most, and how many more may have to come before one
        leaves."""
        longest = max(map(len, self.definition.patterns), default=0)
        return longest + (HOLD if self.definition.tier >= Tier.COMPATIBLE else 0)

    def whole(self, text: str) -> Guarded:
        """The same as the text in one chunk: all of it where it satisfies the definition.

        Raises:
            Withheld: on a violation, with `then=Raise()`.
        """
        stream = self.open()
        return Guarded(stream.feed(text) + stream.close(), stream.violation)

    def stream(self, chunks: Iterable[str | None]) -> Iterator[str]:
        """The chunks, guarded; empty ones and None, which some servers send, are skipped.

        Where it ends early, on a violation or because nobody listens any more, `chunks.close()` is
        called if there is one.

        Raises:
            Withheld: on a violation, with `then=Raise()`, after all that may be said.
        """
        stream, finished = self.open(), False
        try:
            for chunk in chunks:
                if chunk and (released := stream.feed(chunk)):
                    yield released
                if stream.violation is not None:
                    return
            finished = True
            if released := stream.close():
                yield released
        except Withheld as withheld:
            if withheld.released:
                yield withheld.released
            raise
        finally:
            close = getattr(chunks, "close", None)
            if close is not None and not finished:
                close()

    async def astream(self, chunks: AsyncIterable[str | None]) -> AsyncIterator[str]:
        """`stream` for asynchronous chunks; `aclose` is what it calls."""
        stream, finished = self.open(), False
        try:
            async for chunk in chunks:
                if chunk and (released := stream.feed(chunk)):
                    yield released
                if stream.violation is not None:
                    return
            finished = True
            if released := stream.close():
                yield released
        except Withheld as withheld:
            if withheld.released:
                yield withheld.released
            raise
        finally:
            close = getattr(chunks, "aclose", None)
            if close is not None and not finished:
                await close()

    def open(self) -> Stream:
        """A text to come, to be fed by hand."""
        return Stream(_automaton(self.definition), self.then)


class Stream:
    """One text on its way: `feed` it chunk by chunk, then `close` it; both return what may be said
    now.

    Attributes:
        violation: what was the matter; None as long as nothing is. After it, nothing is released.
    """

    def __init__(self, automaton: _Automaton, then: Replace | Stop | Raise) -> None:
        self.violation: Violation | None = None
        self._automaton, self._then = automaton, then
        self._state = automaton.start
        self._held = ""  # read, and not released
        self._count = 0  # code points read
        self._over = False

    def feed(self, chunk: str) -> str:
        """Read a chunk of any length; return what can no longer become part of a violation.

        Raises:
            Withheld: on a violation, with `Raise`.
            UserError: the stream is closed, or the chunk is no text.
        """
        if self._over:
            return self._too_late()
        after = self._state
        for character in chunk:
            after = after[character]
        if after.pending:
            return self._hold(chunk, after)
        self._state = after
        self._count += len(chunk)
        if not self._held:
            return chunk
        text, self._held = self._held + chunk, ""
        return text

    def close(self) -> str:
        """The text ends here: what was held back, unless its end makes it a violation.

        Raises:
            Withheld: on a violation, with `Raise`.
        """
        if self._over:
            return ""
        self._over = True
        if self._state.word is not None:  # a whole word, and now nothing follows
            return self._end(Forbidden(self._state.word, self._count - 1), self._held, self._state)
        return self._held

    def _too_late(self) -> str:
        if self.violation is None:
            raise UserError("fed after close()", hint="Open a stream for each text: Guard.open().")
        return ""

    def _hold(self, chunk: str, after: _State) -> str:
        """`feed`, where something is to be held back."""
        if after.violation is not None:
            # Once more and slowly, to the place: what is released must not depend on the chunks.
            before = self._state
            for index, character in enumerate(chunk):
                after = before[character]
                if after.violation is not None:
                    at = self._count + index + after.violation.at
                    text = self._held + chunk[:index]
                    return self._end(replace(after.violation, at=at), text, before)
                before = after
        text = self._held + chunk
        cut = self._automaton.cut(text, after)
        self._state, self._held = after, text[cut:]
        self._count += len(chunk)
        return text[:cut]

    def _end(self, violation: Violation, text: str, state: _State) -> str:
        """The end at a violation: `text` is what was held back right before it, in `state`."""
        self.violation, self._over = violation, True
        released = text[: self._automaton.cut(text, state)]
        match self._then:
            case Replace(constant):
                return released + constant
            case Stop():
                return released
            case Raise():
                raise Withheld(violation, released)


# --- the automaton --------------------------------------------------------------------------------


class _State(dict[str, "_State"]):
    """A state, and the states after each code point, found out when first asked for.

    Attributes:
        key: one character for what was read before (a space, or x if a letter or digit that
            matters), then the longest end of the reading that begins a word. States differ by it.
        pending: characters of the reading that are held back; above 0 too after a violation.
        word: the word that is complete here, if what follows ends it.
        violation: why there is no way on, `at` counted from the code point that led here.
    """

    __slots__ = ("automaton", "key", "pending", "violation", "word")

    def __init__(
        self,
        automaton: _Automaton,
        key: str,
        word: str | None = None,
        violation: Violation | None = None,
    ) -> None:
        super().__init__()
        self.automaton, self.key, self.word, self.violation = automaton, key, word, violation
        self.pending = len(key) - 1 if violation is None else 1

    def __missing__(self, character: str) -> _State:
        return self.automaton.learn(self, character)


class _Automaton:
    """Aho and Corasick's, over readings of code points, made as far as texts need it."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        self._words = definition.patterns
        self._beginnings = {word[:n] for word in ("", *self._words) for n in range(len(word) + 1)}
        self._states: dict[str, _State] = {}
        self._room = 500_000  # transitions kept, so that no text can fill the memory
        self.start = self._state(" ")

    def learn(self, state: _State, character: str) -> _State:
        """The state after `character`, kept for the next time."""
        if not isinstance(character, str) or len(character) != 1:
            raise UserError(
                f"a guard was fed {character!r} as one character",
                hint="Chunks are texts (str), not bytes or lists.",
            )
        if state.violation is not None:
            return state
        after = self._after(state, character)
        if self._room > 0:
            self._room -= 1
            state[character] = after
        return after

    def _after(self, state: _State, character: str) -> _State:
        reading, whole = self.definition.read(character), self.definition.whole_words
        if state.word is not None and not reading.isalnum():
            return _State(self, "", violation=Forbidden(state.word, -1))
        if not self.definition.admits(character):
            return _State(self, "", violation=Foreign(character, 0))
        for i, symbol in enumerate(reading):
            state = self._state(state.key + symbol)
            if state.word is not None and (
                not whole or (i + 1 < len(reading) and not reading[i + 1].isalnum())
            ):
                return _State(self, "", violation=Forbidden(state.word, 0))
        return state

    def _state(self, read: str) -> _State:
        """The state after a key and perhaps a symbol: its longest end that begins a word."""
        begin = next(
            (
                i
                for i in range(1, len(read))
                if read[i:] in self._beginnings and self._free(read, i)
            ),
            len(read),
        )
        key = (" " if self._free(read, begin) else "x") + read[begin:]
        if key not in self._states:
            ends = (key[i:] for i in range(1, len(key)) if self._free(key, i))
            word = next((self._words[end] for end in ends if end in self._words), None)
            self._states[key] = _State(self, key, word)
        return self._states[key]

    def _free(self, read: str, i: int) -> bool:
        """Whether a word may begin at read[i]."""
        return not (self.definition.whole_words and read[i - 1].isalnum())

    def cut(self, text: str, state: _State) -> int:
        """Where in the text that is held back the part begins that must stay.

        text: all that is not yet released, in code points, which ends in `state`. What stays is as
        much of its end as is read as the pending characters; but from HOLD code points on, no more
        than up to the next one that is read as nothing."""
        begin, missing = len(text), state.pending
        while missing > 0 and begin > 0:
            size = len(self.definition.read(text[begin - 1]))
            if size == 0 and len(text) - begin >= HOLD:
                break
            begin, missing = begin - 1, missing - size
        return begin

    def may_meet(self, text: str) -> Violation | None:
        """A violation that `text` makes after some text that was released; None if there is none.

        A released text may end in any state but one in which a word is complete. (The state x, in
        which no word may begin, is left out: what it meets is met after a space, too.)"""
        states = [self._state(" " + word) for word in self._beginnings]
        now = {state.key: state for state in states if state.word is None}
        for character in text:
            after = [self._after(state, character) for state in now.values()]
            found = next((state.violation for state in after if state.violation), None)
            if found is not None:
                return found
            now = {state.key: state for state in after}
        word = next((state.word for state in now.values() if state.word is not None), None)
        return Forbidden(word, len(text)) if word is not None else None


@lru_cache(maxsize=16)
def _automaton(definition: Definition) -> _Automaton:
    return _Automaton(definition)
