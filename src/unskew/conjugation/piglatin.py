"""Pig latin, exact (`pig-latin`) and everyday (`pig-latin-common`).

The consonants before the first vowel go to the end, then comes "ay"; a word that begins with a
vowel gets "way": "hello apple" is "ellohay appleway". Everyday pig latin cannot be undone: "opstay"
is "stop" or "tops". One rule of reading (`_guessed`) decides: common words first, then words that
keep an ending -s, -ed or -ing, then the longest beginning that English has. The exact cipher writes
plainly what that rule reads back rightly, and marks the rest, as lightly as will do:

- a hyphen before the letters moved: "ops-tay" is "tops", "as-ay" is "as" (nothing moved);
- a broken bar before everything up to the next white space, which then stays as it is: "¦hEllo".

What is not in Latin letters stays as it is, digits and punctuation too. So does, in the inverse, a
word that is no pig latin: a model's answer may be cut off, or fall back into English.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import lru_cache

from unskew.conjugation.base import Conjugation, Promise
from unskew.conjugation.delimiters import around, undo

RAW = "¦"

_LETTER = "[A-Za-zÀ-ÖØ-öø-ɏḀ-ỿ]"
_UNIT = f"{_LETTER}[\u0300-\u036f]*"  # a letter with its combining marks
_UNITS = re.compile(f"{_UNIT}|['’]")
_WORD = re.compile(f"{_UNIT}(?:['’]?{_UNIT})*")
_CHUNK = re.compile(r"\S+")

# Beginnings of English words that may be read back from the end of a pig latin word.
_ONSETS = """
b bl br c ch cl cr d dr f fl fr g gl gr h j k kn l m n p ph pl pr qu r s sc sch scr sh shr sk sl sm
sn sp spl spr squ st str sw t th thr tr tw v w wh wr x y z
"""
# Common words that the rules would read wrongly: with w, which a word with a vowel first gets too;
# with s before a consonant, where the rest could be a plural or a verb; with l, r or h after a
# consonant, where the rest could end in that consonant.
_COMMON = """
swap sweet swim switch twelve twenty twice two wait waiting want wanted wants war warning was wash
wasn't watch water wave way ways we weak wear weather web week weeks weight well went were west wide
width wife wild will wind window windows wine winter wish with within without woman women wonder
wood word words wore work worked worker workers working works world worry worse worst worth would
wouldn't
scale scene school science scientist score screen script shadow shall shape share shared sharp she
sheep sheet shelf ship shirt shoe shop shore short shorter should shouldn't show showed showing
shown shut skill skin sky sleep slice slide slight slightly slip slow slowly small smart smell smile
smoke smooth snow space speak speaker special specific speech speed spell spend split spoke spoken
sport spot spread spring square stable stack staff stage stand standard star start started state
stated statement station status stay step still stone stood stop stopped storage store stored storm
story straight strange strategy stream street strength strict string strong structure student study
studying style
dream dress drive driver had has hat have head health heart heat height help hit hot how hurt lab
lack lady lamp land large last late law lead leaf leg less lib light list lock log logic long loop
lot love pass phrase press process progress rabbit race rain ran rat raw reach read real reason
receive record red reference repeat report represent request require respond response rest restate
restaurant result review rich ride right ring river road robot rock room root round run rust
"""
_ONSET_SET, _COMMON_SET = frozenset(_ONSETS.split()), frozenset(_COMMON.split())


class PigLatin(Conjugation):
    """Pig latin, exact: "hello world" is "ellohay orldway"; with marks where needed."""

    name = "pig-latin"
    version = 1
    promise = Promise(True, "any Unicode text", True, True, True, "words")

    def forward(self, text: str) -> str:
        return around(text, lambda piece: _CHUNK.sub(lambda m: _write(m[0]), piece))

    def inverse(self, text: str) -> str:
        return undo(text, lambda piece: _CHUNK.sub(lambda m: _read(m[0]), piece))


class PigLatinCommon(Conjugation):
    """Pig latin as people write it, lossy: the inverse is the best guess."""

    name = "pig-latin-common"
    version = 1
    promise = Promise(False, "any Unicode text", True, True, True, "words")

    def forward(self, text: str) -> str:
        return around(text, lambda piece: _WORD.sub(lambda m: _plain(m[0]), piece))

    def inverse(self, text: str) -> str:
        return undo(text, lambda piece: _CHUNK.sub(lambda m: _read_words(m[0]), piece))


# Writing ------------------------------------------------------------------------------------------


@lru_cache(maxsize=1 << 14)
def _write(chunk: str) -> str:
    """The lightest writing of a chunk without white space that is read back as that chunk."""
    natural = _WORD.sub(lambda m: _written(m[0]), chunk)
    if _read(natural) == chunk:
        return natural
    # Hyphenated words can look like a word and its mark: "well-b".
    marked = _WORD.sub(lambda m: _marked(m[0]), chunk)
    return marked if _read(marked) == chunk else RAW + chunk


def _written(word: str) -> str:
    plain = _plain(word)
    return plain if _read_words(plain) == word else _marked(word)


def _plain(word: str) -> str:
    def move(word: str) -> str:
        onset, rest = _split(word)
        if not rest:
            return f"{onset}ay"  # no vowel at all: "hmm"
        return f"{rest}{onset}ay" if onset else f"{rest}way"

    return _in_its_case(word, move)


def _marked(word: str) -> str:
    def move(word: str) -> str:
        onset, rest = _split(word)
        return f"{rest}-{onset}ay" if rest else f"{onset}-ay"

    return _in_its_case(word, move)


def _split(word: str) -> tuple[str, str]:
    """(the consonants before the first vowel, with their apostrophes; the rest)."""
    units = _UNITS.findall(word)
    k = 0
    while k < len(units) and not _is_vowel(units, k):
        k += 1
    return "".join(units[:k]), "".join(units[k:])


def _is_vowel(units: list[str], k: int) -> bool:
    """y is a consonant at the beginning of a word only, and u is one after q."""
    letter = _base(units[k])
    if letter == "y":
        return k > 0
    return letter in "aeiouæœøı" and not (letter == "u" and k > 0 and _base(units[k - 1]) == "q")


def _base(unit: str) -> str:
    return unicodedata.normalize("NFD", unit)[0].lower()[0]


# Reading ------------------------------------------------------------------------------------------


def _read(chunk: str) -> str:
    return chunk[len(RAW) :] if chunk.startswith(RAW) else _read_words(chunk)


@lru_cache(maxsize=1 << 14)
def _read_words(chunk: str) -> str:
    words = list(_WORD.finditer(chunk))
    pieces, end = [], 0
    while words:
        word, end_before = words.pop(0), end
        pieces.append(chunk[end_before : word.start()])
        end = word.end()
        mark = words[0] if words else None
        if mark and chunk[end : mark.start()] == "-" and _is_mark(mark[0]):
            pieces.append(_in_its_case(f"{word[0]}-{mark[0]}", _unmarked))
            end = words.pop(0).end()
        else:
            pieces.append(_in_its_case(word[0], _guessed))
    return "".join([*pieces, chunk[end:]])


def _is_mark(word: str) -> bool:
    return word[-2:].lower() == "ay" and not _split(word[:-2])[1]


def _unmarked(marked: str) -> str:
    rest, _, onset = marked.rpartition("-")
    return onset[:-2] + rest


def _guessed(word: str) -> str:
    """The likeliest word that is written so; the word itself if it is no pig latin."""
    if word[-2:].lower() != "ay" or len(word) == 2:
        return word
    candidates = list(_candidates(_UNITS.findall(word[:-2])))
    common = [candidate for candidate in candidates if candidate.lower() in _COMMON_SET]
    return (common or candidates)[0]


def _candidates(units: list[str]) -> Iterator[str]:
    """Words that everyday pig latin writes as units + "ay", the likeliest first."""
    letters = "".join(map(_base, units))
    n = len(units)
    if letters.endswith("w") and n > 1 and _begins_as_rest(units):
        yield "".join(units[:-1])  # a vowel came first: "appleway"
    if _begins_as_rest(units):
        cuts = [k for k in range(max(1, n - 4), n) if letters[k:] in _ONSET_SET]
        cuts = [k for k in cuts if units[k - 1] not in "'’"]
        for k in sorted(cuts, key=lambda k: (_tears(letters[:k], letters[k:]), k)):
            yield "".join(units[k:] + units[:k])
    yield "".join(units)  # no vowel ("hmmay"), or "ay" put to a vowel ("appleay")


def _tears(rest: str, onset: str) -> bool:
    """Whether the onset takes the last letter of an ending -s, -ed or -ing from the rest."""
    if len(onset) == 1:
        return False
    match onset[0]:
        case "s":  # not of -ss, -eds, -ings, -ys; but of -ness
            return not re.search(r"(?<!ne)s$|ed$|ing$|y$", rest)
        case "d":
            return rest.endswith("e")
        case "g":
            return rest.endswith("in")
    return False


def _begins_as_rest(units: list[str]) -> bool:
    return _base(units[0]) in "aeiouyæœøı"


# Case ---------------------------------------------------------------------------------------------


def _in_its_case(word: str, change: Callable[[str], str]) -> str:
    """`change` of the word in lower case, put back into its case: lower, Capitalised or UPPER. In
    other words (McDonald) the letters take their case along."""
    if word == word.lower():
        return change(word)
    if word[0] == word[0].upper() and word[1:] == word[1:].lower():
        changed = change(word.lower())
        return changed[:1].upper() + changed[1:]
    return change(word.lower()).upper() if word == word.upper() else change(word)
