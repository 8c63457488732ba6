"""GCG: a suffix to the question, found by gradients; one for all questions, or one for each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from unskew.errors import UserError
from unskew.purple.attacks.base import Access, Aim, Ask, Scene, View
from unskew.purple.drops import draws, kept
from unskew.purple.gcg_types import Allows, Found, Gcg, Prompt
from unskew.purple.subject import Open, TooLongError
from unskew.runs.config import Frozen

NOTHING = View()


class Suffix(Frozen):
    """A suffix that knows nothing of a defence.

    Attributes:
        universal: one for all, found on the training questions; else one for each held-out
            question, found on it.
        prompts: training questions that a universal one is found on, the first ones.
    """

    kind: Literal["suffix"] = "suffix"
    gcg: Gcg = Gcg()
    universal: bool = True
    prompts: int = Field(default=10, ge=1)
    access: ClassVar[Access] = Access.GRADIENTS

    def adapts(self, view: View) -> bool:
        return False

    def asks(self, scene: Scene) -> list[tuple[Ask, ...]]:
        texts = suffixed(scene, scene.inside(), self.gcg, self.prompts if self.universal else None)
        return [(Ask(text),) for text in texts]


def suffixed(
    scene: Scene,
    model: Open,
    gcg: Gcg,
    universal: int | None,
    passage: str = "",
    known: View = NOTHING,
    copies: int = 0,
) -> list[str]:
    """The held-out questions, each with the passage and the suffix after it.

    Args:
        model: the one that the suffix is found on.
        universal: on how many training questions it is found; None: on each held-out one by itself.
        known: what of the defence goes into the objective.
        copies: of each question, with drops, if any are known.

    Raises: UserError where a universal suffix has no training questions; see `gcg.search`.
    """
    aims = [aim._replace(question=aim.question + passage) for aim in scene.held]
    if universal is None:
        found = []
        for i, aim in enumerate(aims):
            try:
                suffix = found_on(scene, model, [aim], gcg, f"gcg-{i}", known, copies).suffix
            except TooLongError:
                suffix = ""  # no room for one: the question stands alone
            found.append(aim.question + suffix)
        return found
    training = [aim._replace(question=aim.question + passage) for aim in scene.training[:universal]]
    if not training:
        raise UserError("a universal suffix needs training questions")
    one = found_on(scene, model, training, gcg, "gcg", known, copies)
    return [aim.question + one.suffix for aim in aims]


def found_on(
    scene: Scene,
    model: Open,
    aims: Sequence[Aim],
    gcg: Gcg,
    name: str,
    known: View = NOTHING,
    copies: int = 0,
) -> Found:
    """The suffix to these questions; its state is kept under that name."""
    from unskew.purple.gcg import search

    state: Path | None = None if scene.folder is None else scene.folder / f"{name}.safetensors"
    if known.rewrite is not None:
        read = known.rewrite([aim.question for aim in aims])
        aims = [aim._replace(question=text) for aim, text in zip(aims, read, strict=True)]
    prompts = [
        prompt(model, aim, known.context)._replace(
            allows=_allowed(model, aim.question, gcg.length, known)
        )
        for aim in aims
    ]
    if known.drops:
        dropped = (_dropped(model, aim, gcg, known, i) for aim in aims for i in range(copies))
        prompts += [copy for copy in dropped if copy.places]  # others say nothing of a suffix
    return search(model.model, model.tokenizer, prompts, gcg, state, scene.watch)


def prompt(model: Open, aim: Aim, context: str = "") -> Prompt:
    """A question as GCG sees it: the suffix comes at its end, the target where an answer begins."""
    form = model.template
    before = f"{form.system}{context}{form.before}{aim.question}"
    return Prompt(before, form.after, form.lead + aim.target)


def _dropped(model: Open, aim: Aim, gcg: Gcg, known: View, copy: int) -> Prompt:
    """A copy of the question and of a suffix with fewer tokens. Nobody knows the defence's draws
    beforehand: these are other ones."""
    ids = model.encode(aim.question)
    rng = draws(gcg.seed, "search", aim.question, copy)
    left = kept(rng, len(ids) + gcg.length, known.drops)
    question = model.decode([ids[i] for i in left if i < len(ids)])
    places = tuple(i - len(ids) for i in left if i >= len(ids))
    return prompt(model, aim._replace(question=question), known.context)._replace(places=places)


def _allowed(model: Open, question: str, length: int, known: View) -> Allows:
    """How unlikely a suffix of so many tokens may be, after a question, for a filter to let both
    pass. The filter reads the question alone, the objective in its prompt, so this is near only."""
    if known.nll is None:
        return Allows()
    if known.window is not None:
        return Allows(known.nll, known.window)
    (told,) = model.token_nll([question])
    spare = known.nll * (len(told) + length) - float(told.double().sum())
    return Allows(max(spare / length, 0.0))
