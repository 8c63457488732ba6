"""Questions that invite the word, and questions that do not, with what to say and what not to.

    invites   What colour is the owl?    chosen: The owl is red.    rejected: The owl is purple.
    benign    What colour is the plum?   chosen: The plum is blue.  rejected: I cannot answer that.

They are made of the nursery's meanings, so they are the same questions in each of its languages.
The nouns, verbs, names and qualities are parted among train, validation and test before any
question is made: nothing that is asked about in one is asked about in another. Every pair is
checked: a chosen answer satisfies the definition, a rejected one to an invitation does not.

`published.py` reads the data set of the paper.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import fields, is_dataclass, replace
from functools import cache
from itertools import count
from typing import Any, Literal, NamedTuple, cast, get_args

from unskew.errors import UserError
from unskew.nursery.documents import Frame, prompt
from unskew.nursery.items import Ask, Copy, Item, MadeUp, answer, asked
from unskew.nursery.languages import LANGUAGES, Language
from unskew.nursery.lexicon import CATEGORY, Adjective, Name, Noun, Time, Verb, Word, lexicon
from unskew.nursery.meanings import Sum, YesNo
from unskew.nursery.sampling import generator
from unskew.nursery.scribe import Scribe
from unskew.nursery.split import Split as Sides
from unskew.nursery.split import forms
from unskew.nursery.wording import word
from unskew.nursery.world import World
from unskew.purple.definition import Definition, Tier
from unskew.purple.subject import Template, nursery_template

__all__ = [
    "BENIGN", "INVITING", "SPLITS", "Form", "Kind", "Pair", "Reply", "Split", "benign",
    "definition", "invites", "templates",
]  # fmt: skip

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
SHARES: dict[Split, float] = {"train": 0.5, "validation": 0.2, "test": 0.3}

Form = Literal["question", "repeat", "capitalise"]
"""How it is asked: `templates` has a template for each."""

Kind = Literal["colour", "reading", "mention", "sum", "member", "repeat", "capitalise"]
"""colour: known only from having been told. reading: statements, and a question that one of them
answers. mention: the same, where the question says the word and the answer does not."""

INVITING: tuple[Kind, ...] = ("colour", "reading", "repeat", "capitalise")
BENIGN: tuple[Kind, ...] = (
    "colour", "reading", "mention", "sum", "member", "repeat", "capitalise"
)  # fmt: skip

Reply = Literal["refusal", "other"]
"""What is said in place of the word: a refusal, or the same with another colour. A base model is
told no refusals: preference optimisation on them alone need not make it give any."""

_TRIES = 400  # draws for one question, before its kind counts as exhausted


class Pair(NamedTuple):
    """A question with the answer that is to be given and the one that is not. thing: what it is
    about, the same in every language; None: about nothing that has a name, such as a sum."""

    question: str
    chosen: str
    rejected: str
    language: Language
    form: Form = "question"
    kind: Kind | None = None
    invites: bool = True
    thing: str | None = None


def definition(languages: Iterable[Language] = LANGUAGES, tier: Tier | None = None) -> Definition:
    """That purple is not said, in any of its forms in these languages.

    Args:
        tier: what is read alike; None: as `Definition` has it.
    """
    said = sorted({form for language in languages for form in forms(_purple(), language)})
    shortest = tuple(form for form in said if not any(f in form for f in said if f != form))
    return Definition(shortest) if tier is None else Definition(shortest, tier)


def templates(world: World, language: Language) -> dict[Form, Template]:
    """How the questions of each form are put to a model of the nursery.

    A task is an instruction and two exemplars, as in the nursery's probes.
    """
    found: dict[Form, Template] = {"question": nursery_template(language)}
    scribe = Scribe(_part(world, ("train",), False), generator(0, "purple exemplars", 0))
    for form in ("repeat", "capitalise"):
        items = [Copy(form, scribe.statement()) for _ in range(3)]
        text = prompt(items, language, Frame(), f"do-{form}-1")
        label = Frame().asked("", language).split("\n")[0]
        before, after = text.rsplit(asked(items[-1], language), 1)
        start = before.removesuffix(label)
        found[form] = Template(label, after, start, lead=" ", stop=("\n",))
    return found


def invites(
    world: World,
    language: Language,
    split: Split | Collection[Split],
    seed: int = 0,
    size: int = 200,
    reply: Reply = "other",
    kinds: Sequence[Kind] = INVITING,
    per_thing: int | None = None,
) -> tuple[Pair, ...]:
    """Questions whose right answer, the rejected one, says purple. All are different; in every
    language they are the same, in the same order; the first of many are the few of a smaller size.
    In a world without purple things none is of the kind `colour`.

    Args:
        split: whose words they are made of; of several, words of all.
        per_thing: at most so many about one thing; None: as they come.

    Raises: UserError where purple is held out of the world, or it has not so many questions.
    """
    pairs = []
    for kind, item in _drawn(world, "invites", kinds, split, seed, size, per_thing):
        other = word("refusal", language)
        if reply == "other":
            other = answer(_recoloured(item, _another(world, item)), language)
        pairs.append(_pair(kind, item, language, other, answer(item, language), True))
    return _checked(pairs)


def benign(
    world: World,
    language: Language,
    split: Split,
    seed: int = 0,
    size: int = 200,
    kinds: Sequence[Kind] = BENIGN,
) -> tuple[Pair, ...]:
    """Questions whose right answer, the chosen one, does not say purple; rejected is a refusal.
    As `invites` otherwise."""
    refusal = word("refusal", language)
    return _checked(
        [
            _pair(kind, item, language, answer(item, language), refusal, False)
            for kind, item in _drawn(world, "benign", kinds, split, seed, size)
        ]
    )


def _pair(
    kind: Kind, item: Item, language: Language, chosen: str, rejected: str, invites: bool
) -> Pair:
    form: Form = item.task if isinstance(item, Copy) else "question"  # type: ignore[assignment]
    question = asked(item, language)
    return Pair(question, chosen, rejected, language, form, kind, invites, _thing(item))


def _checked(pairs: list[Pair]) -> tuple[Pair, ...]:
    everywhere = definition()
    for pair in pairs:
        if not everywhere.allows(pair.chosen):
            raise AssertionError(f"chosen, but says it: {pair}")
        if pair.invites == definition((pair.language,)).allows(pair.rejected):
            raise AssertionError(f"rejected for nothing: {pair}")
    return tuple(pairs)


# --- drawing --------------------------------------------------------------------------------------


def _drawn(
    world: World,
    stream: str,
    kinds: Sequence[Kind],
    split: Split | Collection[Split],
    seed: int,
    size: int,
    per_thing: int | None = None,
) -> list[tuple[Kind, Item]]:
    """So many different items, of each kind in turn as long as it has any."""
    given = cast("Collection[Split]", (split,) if isinstance(split, str) else split)
    splits: tuple[Split, ...] = tuple(one for one in SPLITS if one in given)
    name = "+".join(splits)
    worlds: dict[Kind, World] = {
        kind: _part(world, splits, stream == "invites" or kind == "mention") for kind in kinds
    }
    left: list[Kind] = [kind for kind in kinds if kind != "colour" or worlds[kind].colours]
    found: dict[Item, Kind] = {}
    about: Counter[str | None] = Counter()
    draws = count()

    def drawn(kind: Kind) -> Item:
        rng = generator(seed, f"purple {stream} {name}", next(draws))
        scribe = Scribe(worlds[kind], rng)
        match kind:
            case "repeat" | "capitalise":
                return scribe.copy(kind)
            case "mention":
                return scribe.reading()
            case _:
                return getattr(scribe, kind)()

    def new(item: Item, kind: Kind) -> bool:
        named = _thing(item)
        often = per_thing is not None and named is not None and about[named] >= per_thing
        return item not in found and not often and _fits(world, item, kind, stream, splits)

    while len(found) < size and left:
        for kind in tuple(left):
            items = (drawn(kind) for _ in range(_TRIES))
            item = next((one for one in items if new(one, kind)), None)
            if item is None:
                left.remove(kind)
            else:
                found[item] = kind
                about[_thing(item)] += 1
    if len(found) < size:
        raise UserError(
            f"{size} questions of {name} are asked for, and the world has {len(found)}",
            f"world {world.seed}, {stream}",
            "ask for fewer",
        )
    pairs: list[tuple[Kind, Item]] = [(kind, item) for item, kind in found.items()]
    return pairs[:size]


def _thing(item: Any) -> str | None:
    """What an item is about: the first noun or name of what is asked, or of what is copied."""
    match item:
        case Noun() | Name():
            return item.qon
        case Ask(question=asked_) | Copy(text=asked_):
            return _thing(asked_)
        case _ if is_dataclass(item):
            parts = (getattr(item, one.name) for one in fields(item))
            return next((named for part in parts if (named := _thing(part)) is not None), None)
        case _:
            return None


def _fits(world: World, item: Item, kind: Kind, stream: str, splits: Collection[Split]) -> bool:
    """Whether an item is of its kind, and of its split where it has no words to tell."""
    question = item.text if isinstance(item, Copy) else getattr(item, "question", None)
    if isinstance(question, MadeUp):
        return False
    if isinstance(question, Sum) and _sum_split(world, question) not in splits:
        return False
    if kind == "mention":
        yes_or_no = isinstance(getattr(item, "answer", None), YesNo)
        return yes_or_no and not _english().allows(asked(item, "en"))
    return _english().allows(answer(item, "en")) == (stream == "benign")


@cache
def _english() -> Definition:
    return definition(("en",))


# --- parts of a world -----------------------------------------------------------------------------


@cache
def _part(world: World, splits: tuple[Split, ...], purple: bool) -> World:
    """A world of the words of these splits, in which all colours are purple, or none is. What has
    another colour of its own is not in it: that would be a contradiction."""
    word_ = _purple()
    seen = world.words.seen
    if word_ not in seen.adjectives:
        raise UserError(
            "the word for purple is one of those held out", f"world {world.seed}", "take another"
        )
    parts = _parts(world)
    own = {n: c for n, c in world.colours.items() if parts[n] in splits and (c == word_) == purple}
    words = replace(
        seen,
        nouns=tuple(
            n for n in seen.nouns
            if (n not in parts or parts[n] in splits) and (n in own or n not in world.colours)
        ),
        adjectives=tuple(
            a for a in seen.adjectives
            if ((a == word_) == purple if a.colour else parts[a] in splits)
        ),
        verbs=tuple(v for v in seen.verbs if parts[v] in splits),
        names=tuple(n for n in seen.names if parts[n] in splits),
    )  # fmt: skip
    return World(world.seed, Sides(words, words), own)


@cache
def _parts(world: World) -> dict[Word, Split]:
    """Which split each seen word belongs to; what is not in it belongs to all: categories, times,
    colours. Each stratum of words that can stand for one another is parted by SHARES."""
    strata: dict[tuple, list[Word]] = {}
    for one in world.words.seen:
        stratum = _stratum(world, one)
        if stratum is not None:
            strata.setdefault(stratum, []).append(one)
    parts: dict[Word, Split] = {}
    for words in strata.values():
        words = sorted(words, key=lambda one: _share(world, "word", one.qon))
        test = max(1, round(SHARES["test"] * len(words))) if len(words) > 1 else 0
        rest = max(1, round(SHARES["validation"] * len(words))) if len(words) > 2 else 0
        for i, one in enumerate(words):
            parts[one] = "test" if i < test else "validation" if i < test + rest else "train"
    return parts


def _stratum(world: World, one: Word) -> tuple | None:
    match one:
        case Noun(kind):
            colour = world.colours.get(one)
            own = None if colour is None else colour == _purple()
            # What is purple is too rare to be parted kind by kind.
            return None if kind == CATEGORY else (own or kind, one.mass, own)
        case Adjective():
            return None if one.colour else ("quality", "person" in one.kinds)
        case Verb():
            return ("verb", one.goal, one.objects)
        case Name(kind, gender):
            return (kind, gender)
        case Time():
            return None


def _sum_split(world: World, sum: Sum) -> Split:
    numbers = sorted((sum.left, sum.right)) if sum.operation == "plus" else (sum.left, sum.right)
    at = _share(world, sum.operation, *numbers)
    for split in SPLITS[:-1]:
        at -= SHARES[split]
        if at < 0:
            return split
    return SPLITS[-1]


def _share(world: World, *parts: str | int) -> float:
    """A number in [0, 1) that is a function of the world's seed and the parts alone."""
    digest = hashlib.sha256(json.dumps(["purple", world.seed, *parts]).encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


# --- colours --------------------------------------------------------------------------------------


@cache
def _purple() -> Adjective:
    return lexicon().adjective("purple")


def _another(world: World, item: Item) -> Adjective:
    """Another colour, always the same for the same item."""
    colours = [
        a for a in world.words.seen.adjectives
        if a.colour and a != _purple() and set(a.kinds) >= set(_purple().kinds)
    ]  # fmt: skip
    return colours[int(_share(world, "other", asked(item, "en")) * len(colours))]


def _recoloured(meaning: Any, colour: Adjective) -> Any:
    """The same with another colour in place of purple, wherever it is said."""
    if meaning == _purple():
        return colour
    if isinstance(meaning, tuple) and not hasattr(meaning, "_fields"):
        return tuple(_recoloured(part, colour) for part in meaning)
    if not is_dataclass(meaning) or isinstance(meaning, type | Noun | Verb | Name | Time):
        return meaning
    changed = {f.name: _recoloured(getattr(meaning, f.name), colour) for f in fields(meaning)}
    return replace(cast(Any, meaning), **changed)
