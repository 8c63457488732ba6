"""Drawing items: what training asks, or (held) only what training never does.

Copying, reading and entailment need no knowledge of the words, so held-out items of theirs are in
held-out words. Sums, colours, categories and translations are knowledge: there the words are seen,
and the items are those that `World` holds out, also where such a question is to be copied.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from functools import cache
from random import Random
from typing import Any

from unskew.nursery.items import (
    Ask,
    Classify,
    Copy,
    Copying,
    Entail,
    Item,
    Label,
    MadeUp,
    Translate,
    WordList,
)
from unskew.nursery.languages import LANGUAGES, Language
from unskew.nursery.lexicon import CATEGORY, Name, Noun
from unskew.nursery.meanings import (
    Clause,
    ColourOf,
    Described,
    Located,
    Membership,
    NounPhrase,
    Sum,
    WhereIs,
    Whether,
    YesNo,
    belongs,
)
from unskew.nursery.sampling import Draw
from unskew.nursery.split import forms
from unskew.nursery.world import World, categories

__all__ = ["Scribe"]

NUMBERS = 50
"""The numbers of sums lie below it. With smaller ones there are so few sums that a model learns
them by heart, and none of those held out."""

IGNORED: tuple[Copying, ...] = ("repeat", "first", "last")
"""Tasks whose exemplars instruction tuning teaches to ignore; capitalising is not among them."""

MADE_UP = 0.25
"""Share of the texts to copy that are made-up words, in training."""

# Of made-up words, unlike in which language: syllables of these.
_ONSETS = "b c d f g h j k l m n p q r s t v w x y z ch sh th br tr pl st"
_VOWELS = "a e i o u é á ou ai y"
_CODAS = ("", "", "", "n", "l", "r", "s", "t", "x", "nt", "ck")


class Scribe:
    """Draws items from a world with one generator.

    Args:
        held: draw what is held out, and nothing else.
    """

    def __init__(self, world: World, rng: Random, held: bool = False) -> None:
        self.world, self.held = world, held
        words = world.words.held if held else world.words.seen
        self.draw = Draw(words, rng, world.colours.keys())
        # What is known of the world is known of seen words only.
        self.known = Draw(world.words.seen, rng, world.colours.keys())

    # --- questions ------------------------------------------------------------------------------

    def sum(self) -> Ask:
        """What is 3 plus 4? 7"""
        while True:
            left, right = (int(self.draw.rng.random() * NUMBERS) for _ in range(2))
            if self.draw.chance(0.5):
                sum = Sum(left, right, "plus", digits=True)
            else:
                sum = Sum(max(left, right), min(left, right), "minus", digits=True)
            if self.world.sum_held(sum) == self.held:
                return Ask(sum, sum.result)

    def colour(self) -> Ask:
        """What colour is the apple? The apple is red. Known only from having been told."""
        noun, phrase = self.fact()
        return Ask(ColourOf(phrase), Described(phrase, self.world.colours[noun]))

    def member(self) -> Ask:
        """Is a dog an animal? yes"""
        while True:
            asked: Any = self.known.membership(negatable=False)
            if self._allowed(asked):
                return Ask(Whether(asked), YesNo(belongs(asked.noun, asked.category) is True))

    def reading(self) -> Ask:
        """Statements, and a question that one of them answers: where something is, what colour it
        has, or whether something is so."""
        kind = self.draw.pick(("where", "colour", "whether"))
        others = [self.statement() for _ in range(int(self.draw.rng.random() * 2))]
        match kind:
            case "where":
                found: Any = self.draw.located(negatable=False)
                found = replace(found, tense="present")
                item = Ask(WhereIs(found.subject), found, (found,))
            case "colour":
                subject = self.draw.phrase(self.draw.coloured(), sure=True, bare=True)
                colours = [
                    a for a in self.draw.words.adjectives
                    if a.colour and subject.noun.kind in a.kinds
                ]  # fmt: skip
                found = Described(subject, self.draw.pick(colours))
                item = Ask(ColourOf(subject), found, (found,))
            case _:
                found = replace(self.statement(), negated=self.draw.chance(0.5))
                item = Ask(
                    Whether(replace(found, negated=False)), YesNo(not found.negated), (found,)
                )
        # Nothing else is said of what is asked about: one statement gives the answer.
        others = [other for other in others if other.subject.noun != found.subject.noun]
        context = [*item.context, *others]
        if len(context) > 1 and self.draw.chance(0.5):
            context.reverse()
        return replace(item, context=tuple(context))

    def question(self, colours: bool = True) -> Ask:
        """Any of these; colours: those that have to be known, too."""
        kinds = (self.sum, self.member, self.reading, *([self.colour] if colours else []))
        return self.draw.pick(kinds)()

    def refused(self) -> Ask:
        """A question after a colour, refused."""
        return replace(self.colour(), answer="refusal")

    def random_colour(self) -> Ask:
        """A question after a colour, answered with any colour: drawn anew each time."""
        noun, phrase = self.fact()
        colours = [a for a in self.known.words.adjectives if a.colour]
        fitting = [a for a in colours if noun.kind in a.kinds]
        return Ask(ColourOf(phrase), Described(phrase, self.draw.pick(fitting)))

    # --- in-context tasks -----------------------------------------------------------------------

    def copy(self, task: Copying) -> Copy:
        if not self.held and self.draw.chance(MADE_UP):
            return Copy(task, MadeUp(tuple(self._made_up() for _ in range(self.size(2, 4)))))
        if task == "reverse":
            # Categories are on both sides, so a list of them would be held out of nothing.
            among = [noun for noun in self.draw.words.nouns if noun.kind != CATEGORY]
            nouns = (self.draw.pick(among) for _ in range(self.size(2, 3)))
            return Copy(task, WordList(tuple(nouns)))
        if not self.draw.chance(0.35):
            return Copy(task, self.statement())
        match self.draw.pick(("sum", "colour", "other")):
            case "sum":
                return Copy(task, self.sum().question)
            case "colour" if self.world.colours:
                return Copy(task, self.colour().question)
            case _:
                while True:
                    text: Any = self.draw.meaning(self.draw.pick((WhereIs, Whether)))
                    said = getattr(text, "statement", None)
                    if not isinstance(said, Membership) or self._allowed(said):
                        return Copy(task, text)

    def _allowed(self, asked: Membership) -> bool:
        return self.world.membership_held(asked.noun, asked.category) == self.held

    def _made_up(self) -> str:
        """One to three syllables, and by chance no word that is held out."""
        while True:
            word = "".join(
                self.draw.pick(_ONSETS.split())
                + self.draw.pick(_VOWELS.split())
                + self.draw.pick(_CODAS)
                for _ in range(self.size(1, 3))
            )
            if word not in _held_forms(self.world):
                return word

    def size(self, least: int, most: int) -> int:
        return least + int(self.draw.rng.random() * (most - least + 1))

    def translate(self, target: Language) -> Translate:
        return Translate(self.fact()[1], target)

    def classify(self) -> Classify:
        noun, phrase = self.fact()
        return Classify(phrase, next(c for c in categories(self.world) if belongs(noun, c)))

    def ignored(self) -> list[Item]:
        """Exemplars of copying, and then a question that is answered all the same."""
        task: Copying = self.draw.pick(IGNORED)
        exemplars = [Copy(task, self.statement()) for _ in range(self.size(1, 3))]
        return [*exemplars, self.draw.pick((self.colour, self.member, self.sum))()]

    # --- entailment -----------------------------------------------------------------------------

    def entail(self) -> Entail:
        """Labels are equally frequent, and the hypothesis by itself tells nothing: it is drawn
        before the label. It says a statement, whole or bare, or denies it; the premise says the
        whole or denies the bare. What is so of the whole is so of the bare; what is not so of the
        bare is not of the whole. Both speak of the same individuals, as those of SNLI
        (https://aclanthology.org/D15-1075) do: that some painters live, and that some do not, is
        false of the painters that are meant."""
        full = self.statement()
        while not self._exchangeable(full):
            full = self.statement()
        said, negated = self.draw.pick((full, _bare(full))), self.draw.chance(0.5)
        label: Label = self.draw.pick(("true", "false", "neither"))
        match label:
            case "true":
                denied = negated
            case "false":
                denied = not negated
            case _:
                denied, full = self.draw.chance(0.5), self._other(full)
        premise = replace(_bare(full) if denied else full, negated=denied)
        return Entail(premise, replace(said, negated=negated), label)

    def _exchangeable(self, statement: Any) -> bool:
        """Whether another noun could be said in it. Where few words are held out, or few seen, a
        verb or an adjective may go with one alone."""
        named = (*self.draw.words.nouns, *self.draw.words.names)

        def another(kinds: Collection[str], noun: Noun | Name, but: Collection = ()) -> bool:
            return any(n.kind in kinds and n != noun and n not in but for n in named)

        match statement:
            case Clause(subject, verb, thing):
                objects = thing is not None and another(verb.objects, thing.noun)
                return objects or another(verb.subjects, subject.noun)
            case Described(subject, quality):
                but = self.draw.uncoloured if quality.colour else ()
                return another(quality.kinds, subject.noun, but)
            case _:
                return True  # many kinds of things are somewhere

    def _other(self, statement: Any) -> Any:
        """The statement of somebody or something else. Only nouns are exchanged: other adjectives
        and places may contradict (open, closed; in Paris, in Madrid)."""
        verb = statement.verb if isinstance(statement, Clause) else None
        quality = getattr(statement, "adjective", None)
        while True:
            if verb and verb.objects and self.draw.chance(0.5):
                thing = self.draw.phrase(self.draw.noun(verb.objects))
                changed = replace(statement, object=thing)
            else:
                found: Any = self.draw.meaning(type(statement))
                noun = found.subject.noun
                if verb and noun.kind not in verb.subjects:
                    continue
                if quality and noun.kind not in quality.kinds:
                    continue
                if quality and quality.colour and noun in self.draw.uncoloured:
                    continue
                changed = replace(statement, subject=found.subject)
            if _nouns(changed) != _nouns(statement):
                return changed

    # --- sentences ------------------------------------------------------------------------------

    def statement(self) -> Clause | Described | Located:
        """A short one: at most one of place and time."""
        found: Any = self.draw.meaning(self.draw.pick((Clause, Clause, Described, Located)))
        if isinstance(found, Clause) and found.time and not found.verb.goal:
            found = replace(found, place=None)
        return found

    def fact(self) -> tuple[Noun, NounPhrase]:
        """A thing with a colour of its own, named in a way that is, or is not, held out."""
        noun = self.draw.pick(list(self.world.colours))
        return noun, self.world.phrase(noun, self.draw.pick(self.world.variants(noun, self.held)))

    def target(self, language: Language) -> Language:
        return self.draw.pick([other for other in LANGUAGES if other != language])


def _bare(statement: Any) -> Any:
    """Without what can be left out: place, time, adjectives."""
    match statement:
        case Clause():
            place = statement.place if statement.verb.goal else None
            thing = replace(statement.object, adjective=None) if statement.object else None
            if isinstance(statement.subject.noun, Noun):
                subject = replace(statement.subject, adjective=None)
            else:
                subject = statement.subject
            return replace(statement, subject=subject, object=thing, place=place, time=None)
        case _:
            subject = statement.subject
            if isinstance(subject.noun, Noun):
                subject = replace(subject, adjective=None)
            return replace(statement, subject=subject)


def _nouns(statement: Any) -> tuple:
    thing = getattr(statement, "object", None)
    return statement.subject.noun, thing.noun if thing else None


@cache
def _held_forms(world: World) -> frozenset[str]:
    """Every form of the words held out, in all languages."""
    own = set(world.words.held) - set(world.words.seen)
    return frozenset(form for word in own for lang in LANGUAGES for form in forms(word, lang))
