"""Where the subjects of a grid come from, and what it stands on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from unskew.conjugation.base import described
from unskew.conjugation.names import parse
from unskew.errors import UserError
from unskew.probes.models import digest
from unskew.purple.enforcement import MODEL, Attack, Lesson, enforced
from unskew.purple.gcg import Prompt, Step, search
from unskew.purple.grid_config import AnySubject, Model, Purple, Rules, Taught
from unskew.purple.questions import Material
from unskew.purple.shipped import file_of
from unskew.purple.subject import Open, Template, located, nursery_template, open_model
from unskew.runs.identity import canonical
from unskew.runs.progress import Progress
from unskew.runs.store import Store

__all__ = ["opened", "parents", "searching", "source"]


def opened(config: Purple, where: str | Path, material: Material, system: str = "") -> Open:
    """A model, asked as it was trained to be: one of the nursery in the questions' language.

    Raises: UserError where there is none, or no place for a system prompt.
    """
    model = open_model(where, config.device, None, system)
    if of_nursery(model.template):
        model = model.asked_by(material.templates.get(material.language, model.template))
    return model


def of_nursery(template: Template) -> bool:
    """Whether a model's way of being asked is the nursery's."""
    return template == nursery_template()


def source(
    config: Purple, subject: AnySubject, material: Material, store: Store, progress: Progress
) -> str | Path | None:
    """The model's folder; taught now, where it is to be and is not."""
    match subject:
        case Rules():
            return None
        case Model(model=name):
            return config.folder(name)
        case Taught(base=base, enforce=how):
            how = how.model_copy(update={"device": config.device, "threads": config.threads})
            adversarial = how.method.kind == "adversarial"
            attack = searching(subject, progress) if adversarial else None
            folder = enforced(how, config.folder(base), material.lessons, store, progress, attack)
            return folder.path / MODEL


def searching(subject: Taught, progress: Progress) -> Attack:
    """How adversarial training finds its suffixes: each on a few lessons of its own."""
    told = [subject.search.model_dump(mode="json"), subject.suffixes, subject.prompts, "as found"]

    def find(model: Open, lessons: Sequence[Lesson], number: int, kept: Path) -> list[str]:
        found = []
        title, steps = f"{subject.name}: attack, round {number}", subject.search.steps
        with progress.task(title, subject.suffixes * steps) as task:
            for i in range(subject.suffixes):
                place = ((number - 1) * subject.suffixes + i) * subject.prompts
                some = [lessons[(place + j) % len(lessons)] for j in range(subject.prompts)]
                gcg = subject.search.model_copy(update={"seed": subject.search.seed + place})
                prompts = [_attacked(model, lesson) for lesson in some]
                state = kept / f"{i}.safetensors"

                def watch(step: Step, before: int = i * steps) -> None:
                    # Steps of an earlier session come at once.
                    task.advance(before + step.step - task.done, loss=step.best)

                one = search(model.model, model.tokenizer, prompts, gcg, state, watch)
                found.append(one.suffix)
        return found

    return Attack(json.dumps(told, sort_keys=True), find)


def _attacked(model: Open, lesson: Lesson) -> Prompt:
    form = model.template if lesson.template is None else lesson.template
    before = f"{form.system}{form.before}{lesson.pair.question}"
    return Prompt(before, form.after, form.lead + lesson.pair.rejected)


def parents(config: Purple, material: Material, where: str | Path | None) -> dict[str, str]:
    """What a grid of one subject, whose model lies at `where`, stands on, by hash: the texts, the
    models, the conjugations and the suffixes that it is given."""
    told = {"questions": _hashed(repr(material).encode())}
    if where is not None:
        told[f"subject {config.subjects[0].name}"] = digest(Path(located(where)))
    own = {s.model for s in config.subjects if isinstance(s, Model)}
    own |= {s.base for s in config.subjects if isinstance(s, Taught)}
    for name in config.models():
        if name not in own:
            told[f"model {name}"] = digest(Path(located(config.folder(name))))
    for name in config.conjugations():
        told[f"conjugation {name}"] = _hashed(canonical(described(parse(name))).encode())
    for name in config.files():
        path = file_of(name)
        try:
            told[f"file {name}"] = _hashed(path.read_bytes())
        except OSError as error:
            raise UserError(f"cannot be read: {error.strerror}", str(path)) from None
    return told


def _hashed(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
