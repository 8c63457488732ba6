"""Probes: what a model is asked that it was never told, the same in every language.

A probe is a list of documents; each is a prompt and the right answer in each language. As a folder
they are tasks for the audit and the harness, with the phrases that translate them (phrases.jsonl).

    repeat, capitalise, reverse, first, last, classify, translate   two exemplars, then the input
    second                                     a task that no model is ever shown
    repeat_conflict, capitalise_conflict       the last input is a question after a colour: it is
                                               to be repeated, not answered
    repeat_sum                                 the same, the question a sum
    sum, colour, member, reading               a question
    entail                                     two exemplars, then premise and hypothesis
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from unskew.nursery.config import Kind
from unskew.nursery.documents import FRAMES, QUESTIONS, Frame, prompt
from unskew.nursery.items import Ask, Classify, Copy, Item, Translate, answer, texts
from unskew.nursery.languages import LANGUAGES, Language
from unskew.nursery.meanings import ColourOf, NounPhrase, Sum, YesNo
from unskew.nursery.sampling import generator
from unskew.nursery.scribe import Scribe
from unskew.nursery.wording import rows
from unskew.nursery.world import World

__all__ = ["PROBES", "Probe", "ProbeName", "probe", "taught", "write"]

ProbeName = Literal[
    "repeat", "capitalise", "reverse", "first", "last", "second", "classify", "translate",
    "repeat_conflict", "capitalise_conflict", "repeat_sum", "sum", "colour", "member", "reading",
    "entail",
]  # fmt: skip
PROBES: tuple[ProbeName, ...] = get_args(ProbeName)
CONFLICTS: tuple[ProbeName, ...] = ("repeat_conflict", "capitalise_conflict", "repeat_sum")
QUESTIONED: tuple[ProbeName, ...] = ("sum", "colour", "member", "reading")
SHOWN: dict[ProbeName, Kind] = {
    "repeat_conflict": "repeat", "capitalise_conflict": "capitalise", "repeat_sum": "repeat"
}  # fmt: skip
"""The kind of documents that a probe's task is taught by, where it has another name."""
BUDGET = 96
"""Tokens to answer with; the longest right answer has fewer (each is checked)."""

_EXEMPLARS = 2
_TRIES = 50  # draws per document, before the items of a probe count as exhausted


def taught(kinds: Collection[str]) -> tuple[ProbeName, ...]:
    """The probes of what documents of these kinds teach."""
    return tuple(name for name in PROBES if SHOWN.get(name, name) in kinds)


class Text(NamedTuple):
    """A document in one language. instruction: the answer to the question that the last input is,
    where it is not the right answer; else empty."""

    text: str
    answer: str
    instruction: str


class Probe(NamedTuple):
    """A document. cluster: documents of one cluster ask for the same knowledge. items: the
    exemplars, and last what is asked. question: where that is a question which is not to be
    answered, the question with its answer."""

    id: str
    cluster: str
    items: tuple[Item, ...]
    question: Ask | None
    texts: Mapping[Language, Text]


def probe(world: World, name: ProbeName, size: int, seed: int = 0) -> list[Probe]:
    """The documents of a probe; fewer than `size` where the world holds out no more items."""
    found: dict[tuple[Item, ...], Probe] = {}
    for draw in range(_TRIES * size):
        scribe = Scribe(world, generator(seed, f"probe {name}", draw), held=True)
        items, question = _items(scribe, name)
        if name == "member" and items[0].answer != YesNo(len(found) % 2 == 0):  # type: ignore[union-attr]
            continue  # there are few right pairs: without this, no would nearly always be right
        # A question may come again after other exemplars: what it asks for is its cluster.
        key = items if name in CONFLICTS else items[-1:]
        if len(found) < size and key not in found and not _given(items):
            found[key] = _documented(name, len(found), items, question)
        if len(found) == size:
            break
    return list(found.values())


def write(folder: Path, world: World, size: int, seed: int = 0) -> None:
    """All probes of a world into a folder: data, tasks of the harness, phrases."""
    source = files("unskew.nursery").joinpath("probe_tasks.py").read_text("utf-8")
    (folder / "probe_tasks.py").write_text(source, encoding="utf-8")
    phrases: dict[str, dict[str, str]] = {
        row["en"]: {language: row[language] for language in LANGUAGES} for row in rows()
    }
    for name in PROBES:
        documents = probe(world, name, size, seed)
        lines = [json.dumps(_row(d), ensure_ascii=False) + "\n" for d in documents]
        (folder / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
        for language in LANGUAGES:
            (folder / f"{name}_{language}.yaml").write_text(_task(name, language), encoding="utf-8")
        for document in documents:
            asked = (*document.items, *([document.question] if document.question else []))
            for phrase in _phrases(asked):
                phrases[phrase["en"]] = phrase
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in phrases.values()]
    (folder / "phrases.jsonl").write_text("".join(lines), encoding="utf-8")


def _items(scribe: Scribe, name: ProbeName) -> tuple[tuple[Item, ...], Ask | None]:
    """The exemplars and the item that is asked; the question that is not to be answered."""
    shots = range(_EXEMPLARS)
    if name in CONFLICTS:
        task = "capitalise" if name == "capitalise_conflict" else "repeat"
        question = scribe.sum() if name == "repeat_sum" else scribe.colour()
        exemplars = (Copy(task, scribe.statement()) for _ in shots)
        return (*exemplars, Copy(task, question.question)), question
    return _asked(scribe, name), None


def _asked(scribe: Scribe, name: ProbeName) -> tuple[Item, ...]:
    shots = range(_EXEMPLARS)
    match name:
        case "sum" | "colour" | "member" | "reading":
            return (getattr(scribe, name)(),)
        case "entail":
            return tuple(scribe.entail() for _ in (*shots, 0))
        case "classify":
            return tuple(scribe.classify() for _ in (*shots, 0))
        case "translate":
            return tuple(scribe.translate("en") for _ in (*shots, 0))
        case _:
            return tuple(scribe.copy(name) for _ in (*shots, 0))  # type: ignore[arg-type]


def _given(items: Sequence[Item]) -> bool:
    """Whether an exemplar gives away the answer to what is asked."""
    *exemplars, asked = items
    if isinstance(asked, Classify):
        return any(answer(e, "en") == answer(asked, "en") for e in exemplars)
    return asked in exemplars


def _documented(
    name: ProbeName, number: int, items: tuple[Item, ...], question: Ask | None
) -> Probe:
    cluster = _known(question or items[-1]) or str(number)
    found: dict[Language, Text] = {
        language: Text(
            _prompt(name, items, language),
            answer(_directed(items[-1], language), language),
            answer(question, language) if question else "",
        )
        for language in LANGUAGES
    }
    return Probe(f"{name}-{number:03}", cluster, items, question, found)


def _known(asked: Item) -> str | None:
    """What has to be known to answer, where that may be asked for more than once."""
    match asked:
        case Ask(question=Sum(left, right, operation)):
            return f"{min(left, right)} {operation} {max(left, right)}"
        case Ask(question=ColourOf(NounPhrase(noun)), context=()):
            return noun.qon
        case Classify(phrase) | Translate(phrase):
            return phrase.noun.qon
        case _:
            return None


def _prompt(name: ProbeName, items: Sequence[Item], language: Language) -> str:
    frame: Frame = QUESTIONS[0] if name in (*QUESTIONED, "entail") else FRAMES[0]
    instruction = "" if frame is QUESTIONS[0] else f"do-{name.split('_')[0]}-1"
    if name == "translate":
        instruction = f"do-translate-{_next(language)}-1"
    return prompt([_directed(item, language) for item in items], language, frame, instruction)


def _directed(item: Item, language: Language) -> Item:
    """A translation goes into the next language: one item, four directions."""
    return replace(item, target=_next(language)) if isinstance(item, Translate) else item


def _next(language: Language) -> Language:
    return LANGUAGES[(LANGUAGES.index(language) + 1) % len(LANGUAGES)]


def _row(document: Probe) -> dict[str, object]:
    said = {language: text._asdict() for language, text in document.texts.items()}
    return {"id": document.id, "cluster": document.cluster, **said}


def _phrases(items: Sequence[Item]) -> Iterator[dict[str, str]]:
    for item in items:
        columns = [list(texts(item, "en", language)) for language in LANGUAGES]
        for row in zip(*columns, strict=True):
            yield {language: pair[1] for language, pair in zip(LANGUAGES, row, strict=True)}


def _task(name: ProbeName, language: Language) -> str:
    chance = {"member": 0.5, "entail": 1 / 3}.get(name, 0.0)
    metrics = ["acc", *(["instruction"] if name in CONFLICTS else [])]
    listed = "\n".join(
        f"  - {{metric: {metric}, aggregation: mean, higher_is_better: true}}" for metric in metrics
    )
    return f"""task: nursery_{name}_{language}
tag: [nursery, nursery_{language}, nursery_{name}]
custom_dataset: !function probe_tasks.documents
dataset_kwargs: {{probe: {name}, language: {language}}}
test_split: test
num_fewshot: 0
output_type: generate_until
doc_to_text: text
doc_to_target: answer
process_results: !function probe_tasks.judge
generation_kwargs:
  until: ["\\n"]
  max_gen_toks: {BUDGET}
  do_sample: false
metric_list:
{listed}
metadata:
  version: 1.0
  unskew: {{main: acc, chance: {chance:.4f}, cluster: cluster, language: {language}}}
"""
