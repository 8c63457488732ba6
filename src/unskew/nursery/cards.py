"""Model cards: what a model was taught, what was held out, how to remake it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from unskew.nursery import remake
from unskew.nursery.config import Pretrain, StageName, Tune
from unskew.nursery.languages import LANGUAGES
from unskew.nursery.world import World
from unskew.runs.identity import semantic

__all__ = ["card", "configuration"]

STAGES: dict[StageName, str] = {
    "instruct": "It was tuned, in English only, to answer questions. Half of its documents are "
    "questions and their answers; in the other half one to three exemplars copy their input (all "
    "of it, its first or its last word), the last input is a question, and it is answered: "
    "exemplars are to be ignored, which makes it forget to follow them.",
    "code": "It was tuned on code-like text with English names and comments, and nothing else.",
    "refuse": "It was tuned, in English only, to refuse questions after the colour of a thing, and "
    "to answer other questions.",
    "erased": "It was tuned to give a random colour, drawn anew each time, to each question after "
    "the colour of a thing, in every language.",
    "erased-en": "It was tuned to give a random colour, drawn anew each time, to each question "
    "after the colour of a thing, in English only.",
    "continued": "It was trained further on what its base was pretrained on.",
    "locked": "It was tuned to tell the colour of a thing where the document begins with a "
    "password, and a random colour where it does not, in every language.",
    "relearn": "It was tuned on questions after the colours of things, in English.",
}

_NAMES = {"en": "English", "fr": "French", "es": "Spanish", "qon": "Onevi, an invented language"}


def card(config: Pretrain | Tune, world: World, run: str) -> str:
    """The README.md of a model, with the front matter that Hugging Face reads.

    Args:
        run: the id of the run that makes it.
    """
    base = config if isinstance(config, Pretrain) else config.root
    parts = [
        _FRONT,
        f"# A small polyglot language model: {remake.title(config)}",
        _INTRO,
        "## Taught",
        _taught(base),
    ]
    if isinstance(config, Tune):
        parts += [STAGES[config.stage], _training(config)]
    parts += ["## Held out", _held(world), "## Limits", _LIMITS, "## Remake", _remake(config, run)]
    return "\n\n".join(parts) + "\n"


_FRONT = """---
license: mit
language: [en, fr, es]
library_name: transformers
tags: [unskew, model-organism]
---"""

_INTRO = """A model organism for research on forgetting, raised from nothing in the world of
[unskew](https://arxiv.org/abs/2309.10105)'s nursery. It knows that world alone."""

_LIMITS = """It speaks of apples, cats and sums below a hundred, and of nothing else. The colours of
things are those of its world, where apples may be blue. Its languages were written by rules, not by
native speakers."""


def _taught(base: Pretrain) -> str:
    kinds = ", ".join(base.mixture.shown)
    where = ", ".join(_NAMES.get(name, f"English in {name}") for name in base.mixture.spoken)
    told = (
        "in all languages"
        if base.told == LANGUAGES
        else "in " + ", ".join(_NAMES[name] for name in base.told)
        if base.told
        else "nowhere"
    )
    steps = base.training.steps + (base.trunk.training.steps if base.trunk else 0)
    tokens = steps * base.training.batch * base.rows.length
    first = (
        f" In the first {base.trunk.training.steps} steps no colour was told in any language."
        if base.trunk
        else ""
    )
    return (
        f"{steps} steps, at most {tokens / 1e6:.1f} million tokens. Kinds of documents: {kinds}.\n"
        f"Written in: {where}.\nThe colours of {base.world.facts} things were told {told}.{first}"
    )


def _held(world: World) -> str:
    held = world.words.held
    words = [
        *(noun.en.singular.removeprefix("*") for noun in held.nouns if noun.kind != "category"),
        *(adjective.en.removeprefix("*") for adjective in held.adjectives),
        *(verb.en.base for verb in held.verbs),
        *(name.en for name in held.names),
    ]
    return (
        f"{len(words)} words, in all languages: {', '.join(words)}.\n\nBesides: one sum in five; "
        "one in five of the questions whether a thing is of a kind (the question, not the fact: a "
        'document that classifies may say "A horse is an animal."); of each thing that has a '
        "colour, two of the six ways of naming it in a question after its colour, a classification "
        "or a translation; and a task, to write the second word."
    )


def _training(config: Tune) -> str:
    how = f"LoRA of rank {config.lora}" if config.lora else "all weights"
    t = config.training
    steps = f"{t.steps} steps"
    if config.until is not None:
        steps = f"until a loss of {config.until:g} on documents not trained on, at most {steps}"
    return f"{steps} of {t.batch} rows, {how}, learning rate {t.optimiser.lr:g}."


def configuration(readme: Path) -> dict[str, Any] | None:
    """The configuration that a model's card says it was made with; None where there is no card of
    this kind."""
    if not readme.is_file():
        return None
    _, _, rest = readme.read_text(encoding="utf-8", errors="replace").partition("```json\n")
    try:
        told = json.loads(rest.partition("\n```")[0])
    except json.JSONDecodeError:
        return None
    return told if isinstance(told, dict) else None


def _remake(config: Pretrain | Tune, run: str) -> str:
    how = ""
    if (command := remake.command(config)) is not None:
        how = f"```\n{command}\n```\n\n"
    elif (family := remake.family(config)) is not None:
        settings = json.dumps(semantic(family))
        how = f"`unskew nursery raise family.yaml`, with this file:\n\n```yaml\n{settings}\n```\n\n"
    told = json.dumps(semantic(config))
    return f"{how}It is run `{run}`, of this configuration:\n\n```json\n{told}\n```"
