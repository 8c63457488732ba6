"""Teach a model not to say it: a base model's folder -> a run folder with the model that it became.

Fine-tuning (SFT) or preference optimisation (DPO) on pairs of answers, on all weights or in low
rank, by the project's own loop. Adversarial training adds suffixes to some of the questions: before
each of its later parts the model as it then is gets attacked, and what is found is written into the
run folder, so that a training that was interrupted goes on to the same weights.
"""

from __future__ import annotations

import copy
import hashlib
import json
import shutil
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from unskew.errors import UserError
from unskew.nursery.raising import MODEL, low_rank
from unskew.nursery.sampling import generator
from unskew.probes.models import Model, digest
from unskew.probes.relearning import hidden_matrices
from unskew.purple.config import Adversarial, Dpo, Enforce, Sft
from unskew.purple.data import Pair
from unskew.purple.preferences import Answered, answered, dpo, likelihood, sft
from unskew.purple.subject import Open, Template, located, open_model
from unskew.runs.folder import RunFolder
from unskew.runs.progress import Progress, Task
from unskew.runs.quiet import hushed
from unskew.runs.store import Store
from unskew.training import train
from unskew.training.loop import interrupted_at_once
from unskew.training.machine import prepare

__all__ = ["MODEL", "Attack", "Lesson", "enforce", "enforced", "margins", "parents"]

SUFFIXES = "suffixes-{}.json"
"""What the attack of a round found, in the run folder."""
SEARCHES = "searches-{}"
"""What it keeps while it searches."""


class Lesson(NamedTuple):
    """A pair and how its question is put; None: as the model is asked anyway."""

    pair: Pair
    template: Template | None = None


@dataclass(frozen=True)
class Attack:
    """How suffixes are searched for.

    Attributes:
        identity: says all that decides what is found; part of what the run is.
        find: (model, the lessons whose questions invite the word, round, folder) -> suffixes, each
            as it stands behind a question, the space before it included. It may leave gradients
            behind, and must not change the weights. What it keeps in the folder an interrupted
            round finds there again.
    """

    identity: str
    find: Callable[[Open, Sequence[Lesson], int, Path], Sequence[str]]


def enforced(
    config: Enforce,
    base: str | Path,
    lessons: Sequence[Lesson],
    store: Store,
    progress: Progress,
    attack: Attack | None = None,
) -> RunFolder:
    """The finished run: found, gone on with, or trained now. See `enforce`."""
    prepare(config)
    with store.open(config, parents(base, lessons, attack)) as folder:
        if not folder.finished:
            with progress.task(f"purple {config.method.kind}", config.training.steps) as task:
                enforce(config, base, lessons, folder, attack, task)
        return folder


def enforce(
    config: Enforce,
    base: str | Path,
    lessons: Sequence[Lesson],
    folder: RunFolder,
    attack: Attack | None = None,
    task: Task | None = None,
    watch: Callable[[Open], Mapping[str, object]] | None = None,
    watch_at: Collection[int] = (),
) -> None:
    """Train a copy of the model in `base` into `folder` (continuing a checkpoint), and finish.

    Args:
        lessons: those with `invites` are what adversarial training adds suffixes to.
        watch, watch_at: what of the model to log, and after which steps (0: before training).

    Raises: UserError where there is no model, a lesson is too long for it, adversarial training has
        no attack or nothing that invites, or another method has an attack; or training diverged.
    """
    _check(config, lessons, attack)
    subject = open_model(base, config.device)
    _check_lengths(subject, lessons)
    frozen: Any = None
    if config.low_rank is not None:
        low = config.low_rank
        subject = _with(subject, low_rank(subject.model, low.rank, low.alpha, config.seed))
    elif not isinstance(_loss_of(config), Sft):
        frozen = copy.deepcopy(subject.model).requires_grad_(False)
    model: Any = subject.model
    matrices = hidden_matrices(Model(subject.name, model, subject.tokenizer))

    def reference(batch: Answered) -> Tensor:
        with torch.no_grad():
            if frozen is not None:
                return likelihood(frozen, batch).logprobs
            with model.disable_adapter():
                return likelihood(model, batch).logprobs

    def loss(step: int) -> Tensor:
        model.eval()  # the loop turns dropout on, which draws from the global state
        suffixes = _suffixes(config, step, subject, lessons, folder, attack)
        chosen, rejected = _asked(config, step, subject, lessons, suffixes)
        match _loss_of(config):
            case Sft():
                return sft(likelihood(model, _batch(subject, chosen)))
            case Dpo(beta=beta):
                batch = _batch(subject, [*chosen, *rejected])
                p, q = likelihood(model, batch).logprobs.chunk(2), reference(batch).chunk(2)
                return dpo(p[0], p[1], q[0], q[1], beta).loss

    train(
        model,
        loss,
        config.training,
        matrices=() if config.low_rank is not None else matrices,
        folder=folder,
        task=task,
        watch=None if watch is None else lambda step: watch(subject),
        watch_at=watch_at,
    )
    if config.low_rank is not None:
        subject = _with(subject, model.merge_and_unload())
    _finish(folder, subject, f"{config.method.kind}: {config.training.steps} steps")


def parents(
    base: str | Path, lessons: Sequence[Lesson], attack: Attack | None = None
) -> dict[str, str]:
    """What a run stands on, by hash: the base's folder, the lessons, the attack.

    Raises: UserError where `base` is no folder of a model.
    """
    # What a lesson is about plays no part in it, and trainings of before it was noted stay theirs.
    taught = [[*pair[:-1], *_fields(template)] for pair, template in lessons]
    found = {
        "base": digest(Path(located(base))),
        "lessons": _digest(json.dumps(lesson) for lesson in taught),
    }
    return found | ({"attack": _digest([attack.identity])} if attack is not None else {})


@torch.no_grad()
def margins(subject: Open, lessons: Sequence[Lesson], batch: int = 32) -> Tensor:
    """log p(chosen) - log p(rejected) of each lesson: (lessons,), nats, on the CPU."""
    found = []
    for start in range(0, len(lessons), batch):
        both = [
            _row(subject, pair, pair.question, template, rejected)
            for rejected in (False, True)
            for pair, template in lessons[start : start + batch]
        ]
        chosen, rejected = likelihood(subject.model, _batch(subject, both)).logprobs.chunk(2)
        found.append((chosen - rejected).cpu())
    return torch.cat(found) if found else torch.zeros(0)


# --- batches --------------------------------------------------------------------------------------

Row = tuple[list[int], list[int]]


def _asked(
    config: Enforce,
    step: int,
    subject: Open,
    lessons: Sequence[Lesson],
    suffixes: Sequence[str],
) -> tuple[list[Row], list[Row]]:
    """The chosen and the rejected answers of a step, each with its question."""
    rng = generator(config.seed, "purple suffixes", step)
    share = config.method.share if isinstance(config.method, Adversarial) else 0.0
    rows: tuple[list[Row], list[Row]] = ([], [])
    for i in _order(config, step, len(lessons)):
        pair, template = lessons[i]
        question = pair.question
        if pair.invites and suffixes and rng.random() < share:
            # As it was found: a space more or less would be other tokens, and another attack.
            question += suffixes[int(rng.random() * len(suffixes))]
        both = [_row(subject, pair, question, template, rejected) for rejected in (False, True)]
        if question != pair.question and not _fits(subject, both):  # then it is taught plainly
            both = [_row(subject, pair, pair.question, template, r) for r in (False, True)]
        for some, one in zip(rows, both, strict=True):
            some.append(one)
    return rows


def _fits(subject: Open, rows: Sequence[Row]) -> bool:
    sizes = [len(asked) + len(said) for asked, said in rows]
    return subject.window is None or max(sizes) <= subject.window


def _order(config: Enforce, step: int, size: int) -> list[int]:
    """Which lessons a step is about: all of them in a random order, then all in another one."""
    places = range(step * config.training.batch, (step + 1) * config.training.batch)
    orders = {}
    for epoch in {place // size for place in places}:
        rng = generator(config.seed, "purple order", epoch)
        orders[epoch] = sorted(range(size), key=lambda _, rng=rng: rng.random())
    return [orders[place // size][place % size] for place in places]


def _row(
    subject: Open, pair: Pair, question: str, template: Template | None, rejected: bool
) -> Row:
    """Token ids of a prompt and of an answer with its end."""
    template = subject.template if template is None else template
    said = template.lead + (pair.rejected if rejected else pair.chosen)
    return subject.encode(template.prompt(question)), [*subject.encode(said), subject.end]


def _batch(subject: Open, rows: Sequence[Row]) -> Answered:
    return Answered(*(part.to(subject.device) for part in answered(rows, subject.end)))


# --- rounds of attack -----------------------------------------------------------------------------


def _suffixes(
    config: Enforce,
    step: int,
    subject: Open,
    lessons: Sequence[Lesson],
    folder: RunFolder,
    attack: Attack | None,
) -> list[str]:
    """What has been found up to a step, all rounds together; found now where a round begins."""
    if not isinstance(config.method, Adversarial) or attack is None:
        return []
    part = step * (config.method.rounds + 1) // config.training.steps
    found: list[str] = []
    for number in range(1, part + 1):
        path = folder.path / SUFFIXES.format(number)
        if not path.exists():
            kept = folder.path / SEARCHES.format(number)
            found_now = _attacked(subject, lessons, attack, number, kept)
            folder.write_text(path.name, json.dumps(found_now, ensure_ascii=False, indent=1))
            shutil.rmtree(kept, ignore_errors=True)
        found += json.loads(path.read_text("utf-8"))
    return list(dict.fromkeys(found))


def _attacked(
    subject: Open, lessons: Sequence[Lesson], attack: Attack, number: int, kept: Path
) -> list[str]:
    """In full precision and without a trace in the gradients."""
    model: Any = subject.model
    inviting = [lesson for lesson in lessons if lesson.pair.invites]
    with torch.autocast(torch.device(subject.device).type, enabled=False), interrupted_at_once():
        found = attack.find(subject, inviting, number, kept)
    model.zero_grad(set_to_none=True)
    return [str(suffix) for suffix in found]


# --- beginning and end ----------------------------------------------------------------------------


def _loss_of(config: Enforce) -> Sft | Dpo:
    return config.method.by if isinstance(config.method, Adversarial) else config.method


def _check(config: Enforce, lessons: Sequence[Lesson], attack: Attack | None) -> None:
    if not lessons:
        raise UserError("there is nothing to teach", hint="give one pair of answers at least")
    adversarial = isinstance(config.method, Adversarial)
    if adversarial != (attack is not None):
        raise UserError(
            "adversarial training needs an attack, and no other method has one",
            f"method {config.method.kind}",
        )
    if adversarial and not any(lesson.pair.invites for lesson in lessons):
        raise UserError("no question invites the word", hint="there is nothing to attack")


def _check_lengths(subject: Open, lessons: Sequence[Lesson]) -> None:
    for pair, template in lessons:
        for rejected in (False, True):
            size = sum(map(len, _row(subject, pair, pair.question, template, rejected)))
            if subject.window is not None and size > subject.window:
                raise UserError(
                    f"a question and its answer have {size} tokens, and the model reads "
                    f"{subject.window}",
                    repr(pair.question[:60]),
                    "leave it out",
                )


def _with(subject: Open, model: Any) -> Open:
    return Open(subject.name, model, subject.tokenizer, subject.template)


def _finish(folder: RunFolder, subject: Open, headline: str) -> None:
    def write(path: Path) -> None:
        with hushed():
            subject.model.save_pretrained(path)
            subject.tokenizer.save_pretrained(path)

    folder.write_folder(MODEL, write)
    folder.finish({"headline": headline})


def _fields(template: Template | None) -> list[object]:
    return [] if template is None else [template.prompt("\0"), template.lead]


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
