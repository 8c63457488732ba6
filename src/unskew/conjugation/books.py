"""The idea: a phrase book translates exactly, as it knows every phrase it is ever given.

A text is cut into words, numbers, delimiters and single signs. From left to right the longest
phrase that begins at a word is replaced by its partner; what stands between phrases must be
neutral (white space, digits, punctuation, symbols, template delimiters). Any other letter is
refused, by name. A phrase may hold numeric slots: "What is {a} plus {b}?" stands for all numbers.

Exactness does not rest on a proof about the book: every result is read back, and a text whose
translation reads back as anything else is refused.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from unskew.conjugation.base import Conjugation, NotAdmissible, Promise
from unskew.conjugation.delimiters import SPAN
from unskew.conjugation.glossary import LINE_BREAK, NUMBER
from unskew.errors import AbsentError, UserError

_SLOT = re.compile(r"\{([A-Za-z]\w*)\}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:_[A-Za-z]+)*")
_ANY = object()  # in a key, the place of a number
_END = object()  # in a tree of phrases, where one ends
_SHOWN = 5  # mistakes told at once

Key = tuple[Any, ...]  # the tokens of a phrase, _ANY for a slot


class Phrase(NamedTuple):
    """One side of an entry: its tokens, and the name of each slot in order."""

    key: Key
    slots: tuple[str, ...]


class Pair(NamedTuple):
    """Two phrases that translate each other."""

    source: Phrase
    target: Phrase


class PhraseBook(Conjugation):
    """Translation by a list of parallel phrases, exact in both directions.

    A phrase is also found all in upper case, and with a first capital, and its partner is put in
    the same dress; a dress that two phrases share, or that looks like a phrase of the book, is not
    known. Upper case is Unicode's: é is É (an answer without accents, ETE, is refused), ß is SS
    (STRASSE comes back as Straße), ő is Ő; Dutch ijs gets the first capital Ijs.

    Args:
        entries: (source phrase, target phrase) pairs. A slot `{name}` matches one number, must
            stand apart from letters and digits, and occurs once on each side.
        source, target: language codes.
        name: as it is written on the command line.
        places: where each entry stands, for messages; "entry 1", "entry 2", ... by default.

    Raises:
        UserError: no entries; a phrase that is empty, has no letter, a line break or white space
            at its edges; slots that do not agree; two partners for one phrase.
    """

    version = 1

    def __init__(
        self,
        entries: Sequence[tuple[str, str]],
        source: str,
        target: str,
        name: str,
        places: Sequence[str] | None = None,
    ) -> None:
        places = places or [f"entry {i}" for i in range(1, len(entries) + 1)]
        if not entries:
            raise UserError("a phrase book needs at least one phrase", name)
        self.name, self.source, self.target = name, source, target
        pairs = _checked(entries, places, name)
        forms = [*pairs, *_dressed(pairs)]
        self._there = _tree((form.source, form.target) for form in forms)
        self._back = _tree((form.target, form.source) for form in forms)
        domain = f"phrases of the book {name} and neutral text between them"
        numbers = all(_digits(a) == _digits(b) for a, b in entries)
        self.promise = Promise(True, domain, True, True, numbers, "lines")
        told = json.dumps([source, target, [list(entry) for entry in entries]])
        self.record: Mapping[str, Any] = {
            "kind": "phrase book",
            "source": source,
            "target": target,
            "entries": len(entries),
            "digest": hashlib.sha256(told.encode()).hexdigest(),
        }

    @classmethod
    def read(
        cls, path: Path | str, source: str, target: str, name: str | None = None
    ) -> PhraseBook:
        """The book of a parallel JSONL file: an object per line with a text per language, such as
        {"en": "Good morning.", "fr": "Bonjour."}; other keys are ignored.

        A row may lack a language only if it says so: {"en": "Cheers!", "lacks": ["fr"]}; it is
        left out of books that need that language.

        Raises:
            UserError: unreadable, or with the line numbers of what is wrong.
        """
        entries, places = parallel(Path(path), source, target)
        return cls(entries, source, target, name or f"book:{path}:{source}-{target}", places)

    def forward(self, text: str) -> str:
        return self._translate(text, self._there, self._back, self.source)

    def inverse(self, text: str) -> str:
        return self._translate(text, self._back, self._there, self.target)

    def _translate(self, text: str, there: dict, back: dict, language: str) -> str:
        result = self._replace(text, there, language)
        try:
            again = self._replace(result, back, language)
        except NotAdmissible:
            again = None
        if again != text:
            raise NotAdmissible(
                self.name, f"the {language} text is ambiguous: its translation reads back otherwise"
            )
        return result

    def _replace(self, text: str, tree: dict, language: str) -> str:
        tokens = _tokens(text)
        out: list[str] = []
        at = 0
        while at < len(tokens):
            found = _longest(tree, tokens, at)
            if found is not None:
                at, piece = found
                out.append(piece)
            elif _neutral(tokens[at]):
                out.append(tokens[at])
                at += 1
            else:
                before, rest = "".join(tokens[:at]), "".join(tokens[at:])
                line = len(LINE_BREAK.findall(before)) + 1
                where = f" (line {line})" if LINE_BREAK.search(text) else ""
                unknown = LINE_BREAK.split(rest, maxsplit=1)[0]
                unknown = unknown if len(unknown) <= 60 else unknown[:59] + "…"
                why = f"no {language} phrase of the book begins {unknown!r}{where}"
                raise NotAdmissible(self.name, why)
        return "".join(out)


def _longest(tree: dict, tokens: list[str], at: int) -> tuple[int, str] | None:
    """The end and the translation of the longest phrase that begins at `at`; among equally long
    ones that with the fewest slots, then the earliest in the book."""
    best: tuple[int, int, int] | None = None
    parts: list[str | int] = []
    numbers: tuple[str, ...] = ()
    todo: list[tuple[dict, int, tuple[str, ...]]] = [(tree, at, ())]
    while todo:
        node, end, read = todo.pop()
        if _END in node:
            order, translation = node[_END]
            rank = (end, -len(read), -order)
            if best is None or rank > best:
                best, parts, numbers = rank, translation, read
        if end < len(tokens):
            token = tokens[end]
            if token in node:
                todo.append((node[token], end + 1, read))
            if _ANY in node and _is_number(token):
                todo.append((node[_ANY], end + 1, (*read, token)))
    if best is None:
        return None
    return best[0], "".join(numbers[part] if isinstance(part, int) else part for part in parts)


def _tree(forms: Iterator[tuple[Phrase, Phrase]]) -> dict:
    """Phrases by their tokens, shared beginnings once; at the end of each its order in the book
    and its translation: strings, and for a slot its place among the numbers read."""
    root: dict = {}
    for order, (read, written) in enumerate(forms):
        node = root
        for token in read.key:
            node = node.setdefault(token, {})
        slots = iter(written.slots)
        parts = [read.slots.index(next(slots)) if t is _ANY else t for t in written.key]
        node.setdefault(_END, (order, parts))
    return root


# --- checks at load -----------------------------------------------------------------------------


def _checked(entries: Sequence[tuple[str, str]], places: Sequence[str], name: str) -> list[Pair]:
    """The entries as tokens, repeated ones once; all that is wrong with them as one UserError."""
    pairs: list[Pair] = []
    wrong: list[str] = []
    sources: dict[Key, tuple[Pair, str]] = {}
    targets: dict[Key, tuple[Pair, str]] = {}
    for (a, b), place in zip(entries, places, strict=True):
        left, right = _phrase(a), _phrase(b)
        if isinstance(left, str) or isinstance(right, str):
            wrong.append(f"{place}: {left if isinstance(left, str) else right}")
            continue
        if sorted(left.slots) != sorted(right.slots):
            wrong.append(f"{place}: {a!r} and {b!r} have different slots")
            continue
        pair = Pair(left, right)
        clashes = [
            f"{place}: {phrase!r} has another translation at {earlier[1]}"
            for phrase, earlier in (
                (a, sources.get(pair.source.key)),
                (b, targets.get(pair.target.key)),
            )
            if earlier is not None and _plain(earlier[0]) != _plain(pair)
        ]
        wrong += clashes[:1]
        if not clashes and pair.source.key not in sources:
            sources[pair.source.key] = targets[pair.target.key] = (pair, place)
            pairs.append(pair)
    if wrong:
        hint = "a phrase has one translation in each direction, or the way back is not defined"
        raise UserError(_first(wrong), name, hint if "another translation" in wrong[0] else None)
    return pairs


def _phrase(phrase: str) -> Phrase | str:
    """The phrase as tokens, or what is wrong with it."""
    names = _SLOT.findall(phrase)
    if phrase != phrase.strip() or not phrase:
        return f"{phrase!r} is empty or has white space at its edges"
    if LINE_BREAK.search(phrase):
        return f"{phrase!r} has a line break"
    if len(set(names)) != len(names):
        return f"{phrase!r} has a slot twice"
    if not any(c.isalpha() for c in _SLOT.sub("", phrase)):
        return f"{phrase!r} has no letter"
    # With a number in each slot, each of these numbers must be read as one.
    sample, starts = "", set()
    for i, piece in enumerate(_SLOT.split(phrase)):
        if i % 2:
            starts.add(len(sample))
        sample += "0" if i % 2 else piece
    key: list[Any] = []
    at = 0
    for token in _tokens(sample):
        key.append(_ANY if at in starts and token == "0" else token)
        at += len(token)
    if key.count(_ANY) < len(names):
        return f"a slot of {phrase!r} does not stand apart from letters, digits and signs"
    return Phrase(tuple(key), tuple(names))


def _dressed(pairs: Sequence[Pair]) -> list[Pair]:
    """The pairs in upper case and with a first capital, where both sides are still unmistakable."""
    taken = {pair.source.key for pair in pairs}, {pair.target.key for pair in pairs}
    forms = {
        _plain(form): form
        for dress in (_upper, _capital)
        for pair in pairs
        if (form := Pair(*(Phrase(dress(side.key), side.slots) for side in pair)))
        and not any(side.key in keys for side, keys in zip(form, taken, strict=True))
    }
    seen = [Counter(form[side].key for form in forms.values()) for side in (0, 1)]
    return [form for form in forms.values() if all(seen[i][form[i].key] == 1 for i in (0, 1))]


def _upper(key: Key) -> Key:
    return tuple(token.upper() if _is_word(token) else token for token in key)


def _capital(key: Key) -> Key:
    """The first word with its first letter as in a title; unchanged where a number comes first."""
    for i, token in enumerate(key):
        if token is _ANY or _is_number(token):
            break
        if _is_word(token):
            return (*key[:i], token[0].title() + token[1:], *key[i + 1 :])
    return key


def _plain(pair: Pair) -> tuple[Key, Key, tuple[int, ...]]:
    """What makes two entries the same, whatever their slots are called."""
    order = tuple(pair.source.slots.index(slot) for slot in pair.target.slots)
    return pair.source.key, pair.target.key, order


def _digits(phrase: str) -> list[str]:
    """The slots and digits of a phrase, in order."""
    return re.findall(rf"{_SLOT.pattern.replace('(', '(?:')}|\d+", phrase)


def parallel(path: Path, source: str, target: str) -> tuple[list[tuple[str, str]], list[str]]:
    """The entries of a parallel JSONL file, as `PhraseBook.read` takes it, and where each stands.

    Raises:
        UserError: unreadable, or with the line numbers of what is wrong.
    """
    try:
        lines = path.read_text("utf-8-sig").split("\n")
    except FileNotFoundError:
        raise AbsentError("there is no such phrase book", str(path)) from None
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else error  # which names the file, too
        raise UserError(f"cannot be read as a phrase book: {why}", str(path)) from error
    entries: list[tuple[str, str]] = []
    places: list[str] = []
    wrong: list[str] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        row = _row(line, source, target)
        if isinstance(row, str):
            wrong.append(f"line {number}: {row}")
        elif row is not None:
            entries.append(row)
            places.append(f"line {number}")
    if len(wrong) > _SHOWN and not entries:
        for language in (source, target):
            if all(mistake.endswith(f"no text in {language}") for mistake in wrong):
                there = f"languages there: {', '.join(_languages(lines))}"
                raise UserError(f"no line has a text in {language}", str(path), there)
    if wrong:
        raise UserError(
            _first(wrong),
            str(path),
            f'each line is like {{"{source}": "...", "{target}": "..."}}; a row that has no '
            'text in a language says so with "lacks": [code]',
        )
    if not entries:
        raise UserError(f"has no phrases in both {source} and {target}", str(path))
    return entries, places


def _row(line: str, source: str, target: str) -> tuple[str, str] | str | None:
    """The entry of a line of JSONL; None where it says that it lacks a language; or the mistake."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        return f"not JSON ({error})"
    if not isinstance(row, dict):
        return "not an object"
    lacks = row.get("lacks", [])
    if not isinstance(lacks, list):
        return '"lacks" is not a list of language codes'
    for language in (source, target):
        text = row.get(language)
        if language in lacks:
            if text is None:
                return None
            return f"has {language} and says that it lacks it"
        if not isinstance(text, str):
            return f"no text in {language}" if text is None else f"{language} is not a text"
    return row[source], row[target]


def _languages(lines: Sequence[str]) -> list[str]:
    """The keys of lines, which are sound, that may be languages and have texts."""
    rows = [json.loads(line) for line in lines if line.strip()]
    texts = {key for row in rows for key, text in row.items() if isinstance(text, str)}
    return sorted(key for key in texts if _LANGUAGE.fullmatch(key))


def _first(wrong: Sequence[str]) -> str:
    more = [f"and {len(wrong) - _SHOWN} more"] if len(wrong) > _SHOWN else []
    return "\n".join([*wrong[:_SHOWN], *more])


# --- tokens -------------------------------------------------------------------------------------


def _tokens(text: str) -> list[str]:
    """Delimiters, numbers, words (with their marks), single signs (with theirs); joined they are
    the text."""
    return _pattern().findall(text)


@cache
def _pattern() -> re.Pattern[str]:
    # `re` has no class of combining marks; all of them lie in these two ranges.
    planes = (*range(0x300, 0x20000), *range(0xE0100, 0xE01F0))
    codes = [c for c in planes if unicodedata.category(chr(c)).startswith("M")]
    known = set(codes)
    starts = [c for c in codes if c - 1 not in known]
    ends = [c for c in codes if c + 1 not in known]
    marks = "".join(f"{chr(a)}-{chr(b)}" for a, b in zip(starts, ends, strict=True))
    word = rf"[^\W_](?:(?!_)[\w{marks}])*"
    return re.compile(rf"{SPAN.pattern}|{NUMBER}|{word}|.[{marks}]*", re.DOTALL)


def _is_number(token: Any) -> bool:
    return token is not _ANY and token[-1].isdigit() and bool(re.fullmatch(NUMBER, token))


def _is_word(token: Any) -> bool:
    return token is not _ANY and token[0].isalnum() and not _neutral(token)


def _neutral(token: str) -> bool:
    if token.isalpha():
        return False
    return not any(c.isalpha() for c in token) or SPAN.fullmatch(token) is not None
