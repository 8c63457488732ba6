"""Reasoning: does a premise make a hypothesis true, false, or neither?

The prompt is the one of Kotha, Springer and Raghunathan (ICLR 2024), in English, French, Spanish
and German:

    Anna is sitting inside the house beside a shelf of books, and nobody is with her.
    Question: Anna is alone. True, False or Neither?
    Answer:

Three families of tasks:
    unskew_nli_{en,fr,es,de}          126 triples written for this project; the answer is generated
    unskew_nli_choice_{en,fr,es,de}   the same, the three label words scored as continuations
    unskew_xnli_{en,fr,es,de}         2,490 of `facebook/xnli`, where the Hugging Face hub is there

The triples, in `data/nli.jsonl`, are parallel in the four languages and not reviewed by native
speakers. They come in 14 blocks of three premises (01a, 01b, 01c). Each premise has a true, a
false and an open hypothesis, made of the same three statements in rotation: what 01a makes true,
01b leaves open and 01c makes false. So no word of a hypothesis tells its label, negations
included, and who reads only hypotheses is right a third of the time. No world knowledge is needed.
Premises help a shallow reader more: true hypotheses share more words with them than open ones do,
and a rule on that share alone, fitted on the other blocks, is right for 55 to 64 in 100.

Chance is 1/3, for labels generated as for labels chosen: each is right for a third of the items,
so whoever answers one label always, or at random, gets a third. Who names no label at all gets 0;
a bar at 1/3 asks for more than the format.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from unskew.errors import UserError

if TYPE_CHECKING:
    from datasets import Dataset

Label = Literal["true", "false", "neither"]
LABELS: tuple[Label, ...] = ("true", "false", "neither")  # in the order of the prompt
XNLI: tuple[Label, ...] = ("true", "neither", "false")  # in the order of XNLI's numbers


class Frame(NamedTuple):
    """What stands around premise and hypothesis, and the label words, in the order of LABELS."""

    question: str
    options: str
    answer: str
    words: tuple[str, str, str]


FRAMES = {
    "en": Frame("Question:", "True, False or Neither?", "Answer:", ("True", "False", "Neither")),
    "fr": Frame("Question:", "Vrai, Faux ou Ni?", "Réponse:", ("Vrai", "Faux", "Ni")),
    "es": Frame("Pregunta:", "Verdadero, Falso o Ni?", "Respuesta:", ("Verdadero", "Falso", "Ni")),
    "de": Frame("Frage:", "Wahr, Falsch oder Weder?", "Antwort:", ("Wahr", "Falsch", "Weder")),
}


class Triple(NamedTuple):
    """One item. id: "01a-true"; premise_id: "01a"; block: "01"; the same in every language."""

    id: str
    premise_id: str
    block: str
    premise: str
    hypothesis: str
    label: Label


@cache
def rows() -> tuple[Mapping[str, Any], ...]:
    """The premises as they are in the file: id, block, names, and a text each per language."""
    path = Path(__file__).parent / "data" / "nli.jsonl"
    return tuple(json.loads(line) for line in path.read_text("utf-8").splitlines())


def triples(language: str) -> list[Triple]:
    """Our own triples in one language, in one order for all languages."""
    _check(language)
    return [
        Triple(
            f"{row['id']}-{label}", row["id"], row["block"], texts["premise"], texts[label], label
        )
        for row in rows()
        for texts in [row[language]]
        for label in LABELS
    ]


def prompt(premise: str, hypothesis: str, language: str) -> str:
    """The text that a model is asked to go on from; a space and the label word follow."""
    frame = FRAMES[language]
    return f"{premise}\n{frame.question} {hypothesis} {frame.options}\n{frame.answer}"


def phrases(source: str, target: str) -> list[tuple[str, str]]:
    """Every phrase of the prompts and of the expected answers, for a phrase book, each once.

    Empty where one of the two languages is not among ours.
    """
    if source not in FRAMES or target not in FRAMES:
        return []
    a, b = FRAMES[source], FRAMES[target]
    pairs = [(a.question, b.question), (a.options, b.options), (a.answer, b.answer)]
    pairs += zip(a.words, b.words, strict=True)
    for row in rows():
        pairs += [(row[source][part], row[target][part]) for part in ("premise", *LABELS)]
    return list(dict.fromkeys(pairs))


def read_label(answer: str, language: str) -> Label | None:
    """The label that an answer begins with, or None.

    The first word must be a label word, in any case; white space, quotes and emphasis before it
    do not count. A list of the options ("True, False or Neither") is an echo and names no label.
    """
    words: dict[str, Label] = {
        word.casefold(): label for word, label in zip(FRAMES[language].words, LABELS, strict=True)
    }
    any_word = "|".join(words)
    text = answer.casefold()
    found = re.match(rf"[\s\"'«»“”„‚‘’*_(\[]*({any_word})(?![^\W_])", text)
    if found is None:
        return None
    rest = text[found.end() :]
    if re.match(rf"[\"'*_]*\s*(?:[,/|]|or\b|ou\b|o\b|oder\b)\s*[\"'*_]*(?:{any_word})\b", rest):
        return None
    return words[found[1]]


# What the YAML files name --------------------------------------------------------------------


def documents(language: str, **_: Any) -> dict[str, Dataset]:
    """Our triples as the harness reads them: the split `test`.

    Fields: id, cluster (the premise), language, premise, hypothesis, label, text (the prompt),
    target (the label word), choices (the three label words), gold (the right one's index).
    """
    from datasets import Dataset

    return {
        "test": Dataset.from_list(
            [
                {"id": t.id, "cluster": t.premise_id, "block": t.block}
                | _document(t.premise, t.hypothesis, t.label, language)
                for t in triples(language)
            ]
        )
    }


def xnli_documents(language: str, **_: Any) -> dict[str, Dataset]:
    """The validation split of `facebook/xnli` with the same fields; the cluster is the premise.

    Raises UserError where neither the hub nor a cached copy can be reached.
    """
    import datasets

    _check(language)
    try:
        found = datasets.load_dataset("facebook/xnli", language, split="validation")
    except (OSError, ValueError) as error:  # ConnectionError is an OSError
        raise UserError(
            "facebook/xnli cannot be loaded, neither from the hub nor from its local cache",
            f"unskew_xnli_{language}",
            f"connect once to fetch it, or use unskew_nli_{language}, which needs no network",
        ) from error
    first: dict[str, int] = {}
    documents = []
    row: Any
    for i, row in enumerate(found):
        cluster = f"p{first.setdefault(row['premise'], i)}"
        document = _document(row["premise"], row["hypothesis"], XNLI[row["label"]], language)
        documents.append({"id": str(i), "cluster": cluster} | document)
    return {"test": datasets.Dataset.from_list(documents)}


def judge(document: Mapping[str, Any], results: Sequence[str]) -> dict[str, float]:
    """Metrics of one generated answer, each 0 or 1.

    acc: `read_label` finds the right label. labelled: it finds any. paper: the looser judge of
    the paper's code, whether the text begins with the right word, as it is or after one character.
    """
    answer, word = results[0], document["target"]
    label = read_label(answer, document["language"])
    return {
        "acc": float(label == document["label"]),
        "labelled": float(label is not None),
        "paper": float(answer.startswith(word) or answer[1:].startswith(word)),
    }


def _document(premise: str, hypothesis: str, label: Label, language: str) -> dict[str, Any]:
    words, gold = FRAMES[language].words, LABELS.index(label)
    return {
        "language": language,
        "premise": premise,
        "hypothesis": hypothesis,
        "label": label,
        "text": prompt(premise, hypothesis, language),
        "target": words[gold],
        "choices": list(words),
        "gold": gold,
    }


def _check(language: str) -> None:
    if language not in FRAMES:
        raise UserError(
            f"no NLI in the language {language!r}", hint=f"there is {', '.join(FRAMES)}"
        )
