"""What relearning is taught, and what is left to be asked: no source is in both.

A task with a training or validation split of its own is taught from that. Of any other, a part of
the sources is taught and the rest asked, dealt by a fixed seed. An example is a prompt as the audit
sends it, with the answer that the task calls right; where the task's own judge does not agree, it
is left out.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from unskew.errors import UserError
from unskew.probes.documents import Document, dealt_anew, parts

if TYPE_CHECKING:
    from unskew.audit.engine import Conjugated
    from unskew.audit.loading import Loaded

SEED = 0
SPARE = 4
"""Of a training split, so many times as many documents are read as examples are wanted."""

NO_ANSWERS = "the task names no answers that its own judge calls right"
ONE_ANSWER = "all documents have the same right answer"

Evaluate = Callable[..., dict[str, list[dict[str, Any]]]]
"""`engine.evaluate`, told how this audit asks."""


class Lessons(NamedTuple):
    """taught: examples. asked: numbers of the documents to be asked. wanted: their right answers,
    where they have one. own: taught from the task's own training side. why: why nothing can be
    taught, None where something can."""

    taught: list[Document]
    asked: frozenset[int]
    wanted: Mapping[int, Document]
    own: bool
    why: str | None = None

    def some(self, count: int, seed: int) -> list[Document]:
        """`count` examples, drawn by the seed; more hold fewer."""
        order = np.random.default_rng([seed, len(self.taught)]).permutation(len(self.taught))
        return [self.taught[i] for i in order[:count]]

    def dealt(self, seed: int) -> tuple[Lessons, dict[int, str]]:
        """The same questions with answers dealt anew, which nobody knows; and those of the asked.

        Raises: UserError where all answers are the same.
        """
        numbers = list(self.wanted)
        new = dealt_anew([*self.taught, *self.wanted.values()], seed)
        asked = dict(zip(numbers, (d.answer for d in new[len(self.taught) :]), strict=True))
        return self._replace(taught=new[: len(self.taught)]), asked


def prepare(
    task: Loaded,
    lm: Conjugated,
    evaluate: Evaluate,
    metric: str,
    clusters: Mapping[int, str],
    share: float,
    most: int,
) -> Lessons:
    """The lessons of one task.

    Args:
        lm: renders prompts; it is asked nothing.
        metric: what the verdict is about.
        clusters: document -> source, of all documents of the audit.
        share: of the sources that may be taught, without a training side.
        most: how many examples are wanted at most.
    """
    asked = _examples(task, lm, evaluate(lm, [task])[task.name], metric, clusters)
    side = training_side(task)
    if side is None:
        documents = [Document("", "", cluster) for cluster in dict.fromkeys(clusters.values())]
        try:
            dealt = {document.cluster for document in parts(documents, share, SEED).taught}
        except UserError as error:
            return Lessons([], frozenset(clusters), asked, False, error.what)
        left = frozenset(number for number, cluster in clusters.items() if cluster not in dealt)
        taught = [d for number, d in asked.items() if number not in left]
        wanted = {number: d for number, d in asked.items() if number in left}
        return _sound(Lessons(taught, left, wanted, False))
    count = len(_docs(side))
    rng = np.random.default_rng(SEED)
    some = sorted(rng.permutation(count)[: SPARE * most].tolist())
    found = evaluate(lm, [side], documents=some)[task.name]
    sources = {int(sample["doc_id"]): _cluster(side, sample) for sample in found}
    names = {
        number: f"taught {number}" if source is None else str(source)
        for number, source in sources.items()
    }
    taught = _examples(side, lm, found, metric, names)
    known = {_said(task, doc) for doc in _docs(task)}
    there = set(clusters.values())
    fresh = [
        taught[number]
        for number, doc in ((int(s["doc_id"]), s["doc"]) for s in found)
        if number in taught and names[number] not in there and _said(side, doc) not in known
    ]
    return _sound(Lessons(fresh, frozenset(clusters), asked, True))


def training_side(task: Loaded) -> Loaded | None:
    """The task on its own training split, else on its validation split; None without another split
    than the one that is asked."""
    config, inner = getattr(task.task, "config", None), copy.copy(task.task)
    asked = getattr(config, "test_split", None) or getattr(config, "validation_split", None)
    splits = [getattr(config, f"{name}_split", None) for name in ("training", "validation")]
    there = getattr(task.task, "dataset", None) or ()
    split = next((s for s in splits if s and s != asked and s in there), None)
    if split is None:
        return None
    new: Any = inner
    new._config = copy.copy(new._config)
    new._config.test_split, new._instances = split, None
    return task._replace(task=inner)


def _sound(lessons: Lessons) -> Lessons:
    if not lessons.taught:
        return lessons._replace(why=NO_ANSWERS)
    if len({document.answer for document in lessons.taught}) < 2:
        return lessons._replace(why=ONE_ANSWER)
    return lessons


def _examples(
    task: Loaded,
    lm: Conjugated,
    samples: Sequence[Mapping[str, Any]],
    metric: str,
    clusters: Mapping[int, str],
) -> dict[int, Document]:
    """Document -> its example; those that have no right answer, or are too long, are left out."""
    found: dict[int, Document] = {}
    model: Any = lm.under.model.model
    for sample in samples:
        number = int(sample["doc_id"])
        example = None if number in found else _right(task, sample, metric)
        if example is None:
            continue
        prompt = model.render(lm.prompt(example[0]))
        whole = model.length(prompt + example[1])
        if model.window is None or whole is None or whole < model.window:
            found[number] = Document(prompt, example[1], clusters[number])
    return found


def _right(task: Loaded, sample: Mapping[str, Any], metric: str) -> tuple[str, str] | None:
    """The context and the answer that is right."""
    inner: Any = task.task
    target, arguments = sample["target"], sample["arguments"]
    match inner.OUTPUT_TYPE:
        case "multiple_choice":
            labels = [str(argument[1]).strip() for argument in arguments]
            at = labels.index(str(target).strip()) if str(target).strip() in labels else target
            if not isinstance(at, int) or not 0 <= at < len(arguments):
                return None
            return str(arguments[at][0]), str(arguments[at][1])
        case "loglikelihood":
            return str(arguments[0][0]), str(arguments[0][1])
        case _:
            first = target[0] if isinstance(target, list) and target else target
            if not isinstance(first, str) or not first.strip():
                return None
            judged = inner.process_results(sample["doc"], [first]).get(metric)
            return (str(arguments[0][0]), first) if judged == 1 else None


def _docs(task: Loaded) -> Any:
    inner: Any = task.task
    return inner.eval_docs


def _cluster(task: Loaded, sample: Mapping[str, Any]) -> Any:
    return sample["doc"].get(task.cluster) if task.cluster else None


def _said(task: Loaded, doc: Any) -> str:
    """What a document asks and expects, to tell whether another is the same."""
    inner: Any = task.task
    choices = inner.doc_to_choice(doc) if task.choices else None
    return repr((inner.doc_to_text(doc), inner.doc_to_target(doc), choices))
