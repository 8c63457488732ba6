"""Attacks that a grid adds to those of `attacks`: what needs the questions in other languages, and
suffixes that are repeated, or were found elsewhere.

given        suffixes from a file, sent anew                        gradients, when they were found
repeated     a short suffix several times over, against drops       gradients
translated   the whole prompt in another language or cipher         black box
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from unskew.conjugation.names import parse
from unskew.errors import UserError
from unskew.purple.attacks import Access, AnyAttack, Ask, Scene, View
from unskew.purple.attacks.adaptive import REPEAT
from unskew.purple.attacks.suffix import suffixed
from unskew.purple.gcg_types import Gcg
from unskew.purple.shipped import SHIPPED, file_of
from unskew.purple.subject import Template
from unskew.runs.config import Frozen
from unskew.runs.lines import objects

__all__ = ["AnyGridAttack", "AskIn", "Given", "Repeated", "Translated", "label"]

PARTS = ("context", "nll", "paraphrased", "rewrite", "drops")
"""What of a View a suffix can have been found with."""
FORM = f'a line is {{"suffix": " x y"}}; its adapts_to is of {", ".join(PARTS)}'


@dataclass(frozen=True)
class AskIn(Ask):
    """An attempt that is put in another form of prompt. template: None: the subject's own."""

    template: Template | None = None


class Given(Frozen):
    """Suffixes that an earlier search found, each an attempt; whether they work is asked anew.

    A line of the file is {"suffix": " ...", "adapts_to": ["nll"]}; `adapts_to` names what of a
    defence was in the search's objective (one of PARTS), and may be left out.
    Suffixes that were found with what this defence has are sent; where there are none, the plain
    ones. What else a line says is where they come from, as in those that ship (see `shipped`).

    The access is that of the search. On a subject that they were not found on, suffixes are
    transferred, and that is more than their sender needs.

    Attributes:
        suffixes: a JSONL file, or `shipped`.
    """

    kind: Literal["given"] = "given"
    suffixes: str = SHIPPED
    access: ClassVar[Access] = Access.GRADIENTS

    def adapts(self, view: View) -> bool:
        return any(rows and rows == _parts(view) for _, rows in self._read())

    def asks(self, scene: Scene) -> list[tuple[Ask, ...]]:
        """Raises UserError where the file is missing or damaged, or has no suffix that fits."""
        rows, parts = self._read(), _parts(scene.view)
        fitting = [suffix for suffix, of in rows if of == parts] or [s for s, of in rows if not of]
        if not fitting:
            raise UserError("no suffix was found with this defence, or without any", self.suffixes)
        form = REPEAT if self.adapts(scene.view) and scene.view.paraphrased else "{}"
        return [
            tuple(Ask(form.format(aim.question + suffix)) for suffix in dict.fromkeys(fitting))
            for aim in scene.held
        ]

    def _read(self) -> list[tuple[str, frozenset[str]]]:
        return [_suffix(row, where) for _, where, row in objects(file_of(self.suffixes), FORM)]


class Repeated(Frozen):
    """A short suffix, each number of times an attempt: where tokens are dropped at random, some
    copy may be left whole. Which number is best is found on training questions, through the
    defence.

    Attributes:
        gcg: the search, which knows nothing of the drops; short suffixes suit.
        times: how often the suffix is said.
        prompts: training questions that it is found on, the first ones.
    """

    kind: Literal["repeated"] = "repeated"
    gcg: Gcg = Gcg(length=6)
    times: tuple[Annotated[int, Field(ge=1)], ...] = Field(default=(1, 2, 4, 8), min_length=1)
    prompts: int = Field(default=10, ge=1)
    access: ClassVar[Access] = Access.GRADIENTS

    def adapts(self, view: View) -> bool:
        return view.drops > 0

    def asks(self, scene: Scene) -> list[tuple[Ask, ...]]:
        texts = suffixed(scene, scene.inside(), self.gcg, self.prompts)
        return [
            tuple(Ask(aim.question + text.removeprefix(aim.question) * n) for n in self.times)
            for aim, text in zip(scene.held, texts, strict=True)
        ]


class Translated(Frozen):
    """Conjugate prompting of the whole prompt: the question and the words around it in another
    language of the nursery, or in a cipher of English that its models read.

    Attributes:
        into: the language or cipher.
    """

    kind: Literal["translated"] = "translated"
    into: Literal["fr", "es", "qon", "pig-latin", "leetspeak"] = "fr"
    access: ClassVar[Access] = Access.BLACK_BOX

    def adapts(self, view: View) -> bool:
        return False

    def sent(
        self,
        questions: Sequence[Mapping[str, str]],
        templates: Mapping[str, Template],
        language: str,
    ) -> list[tuple[Ask, ...]]:
        """The attempts on questions that are given as language -> text.

        Args:
            templates: how a question is put, by language; none: only the question is changed.

        Raises: UserError where the questions are in one language, and this is no cipher of it.
        """
        if all(self.into in said for said in questions):
            form = templates.get(self.into)
            return [(AskIn(said[self.into], template=form),) for said in questions]
        if self.into not in ("pig-latin", "leetspeak"):
            raise UserError("these questions are in one language", f"into {self.into}")
        s = parse(self.into)
        plain = templates.get(language)
        form = None if plain is None else _in_cipher(plain, s.forward)
        return [(AskIn(s.forward(said[language]), reads=s, template=form),) for said in questions]

    def asks(self, scene: Scene) -> list[tuple[Ask, ...]]:
        raise UserError("a scene has its questions in one language", self.kind)


AnyGridAttack = Annotated[
    AnyAttack | Given | Repeated | Translated, Field(discriminator="kind")
]  # fmt: skip


def label(attack: AnyGridAttack) -> str:
    """What an attack is called."""
    match attack:
        case Translated(into=into):
            return f"translated {into}"
        case _:
            more = {"conjugate": "conjugation", "transfer": "source"}.get(attack.kind)
            single = "" if getattr(attack, "universal", True) else " each"
            return f"{attack.kind}{single}" + (f" {getattr(attack, more)}" if more else "")


def _suffix(row: Mapping[str, Any], where: str) -> tuple[str, frozenset[str]]:
    suffix, of = row.get("suffix"), row.get("adapts_to", [])
    known = isinstance(of, list) and all(part in PARTS for part in of)
    if not (isinstance(suffix, str) and suffix and known):
        raise UserError("no suffix", where, FORM)
    return suffix, frozenset(of)


def _parts(view: View) -> frozenset[str]:
    known = (
        view.context != "", view.nll is not None, view.paraphrased, view.rewrite is not None,
        view.drops > 0,
    )  # fmt: skip
    return frozenset(part for part, there in zip(PARTS, known, strict=True) if there)


def _in_cipher(form: Template, cipher: Callable[[str], str]) -> Template:
    return Template(
        cipher(form.before), cipher(form.after), form.system, form.lead, form.gap, form.stop
    )
