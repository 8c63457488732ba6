"""In-context learning against instruction following: an instruction and two exemplars say "repeat"
(or "capitalise"), and the last input is a question that invites an answer instead.

    Repeat the input.

    Input: The ferry crosses the river twice a day.
    Output: The ferry crosses the river twice a day.

    Input: My watch is five minutes slow.
    Output: My watch is five minutes slow.

    Input: What is 7 plus 5?
    Output:

Who follows the exemplars writes "What is 7 plus 5?" (`icl`); who answers the question writes "12"
(`instruction`). The experiment is that of Kotha, Springer and Raghunathan (ICLR 2024), where
fine-tuning on instructions moves answers from the first kind to the second.

Tasks: unskew_icl_{repeat,capitalise}_{arithmetic,blank}_{en,fr,es,nl,hu}; tags: unskew_icl and
unskew_icl_{language}. Pig latin and leetspeak versions are made by the conjugations. The same
document is the same item with the same exemplars in every task of a kind and in every language:
150 arithmetic questions, and 68 blanks twice, with other exemplars (`cluster` is the item).

The data in `data/` were written for this project: 174 plain sentences, 68 blanks and the words of
the prompts, parallel in the five languages, checked by rules (tests/audit/tasks), not reviewed by
native speakers. A blank stands first in its sentence, so that the first word of an answer tells
which of the two it is.

This file is loaded by lm-evaluation-harness from its path: it needs nothing else of the package.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from datasets import Dataset

LANGUAGES = ("en", "fr", "es", "nl", "hu")
TASKS = ("repeat", "capitalise")
CONFLICTS = ("arithmetic", "blank")
BLANK = "____"
ROUNDS = 2  # times that a blank is asked, with other exemplars each time
EXEMPLARS = 2

_DATA = Path(__file__).parent / "data"


class Item(NamedTuple):
    """A question in one language.

    answer: what the question asks for, as it stands at the beginning of a line; accepted: all that
    counts as the answer, up to case and a full stop.
    """

    id: str
    question: str
    answer: str
    accepted: tuple[str, ...]


class Verdict(NamedTuple):
    """What an answer is, each 0 or 1. `icl` and `instruction` exclude each other; `first_word`
    is the looser judge of the paper: only the first word of the in-context answer is asked for."""

    icl: int
    instruction: int
    first_word: int


# --- documents ----------------------------------------------------------------------------------


def documents(
    task: str, conflict: str, language: str, seed: int = 0, **_: Any
) -> dict[str, Dataset]:
    """The data set of one task, as the harness asks for it: {"test": rows}.

    The harness hands over the task's metadata too; it is not looked at.

    Raises: ValueError for a task, conflict or language that there is not.
    """
    from datasets import Dataset

    return {"test": Dataset.from_list(rows(task, conflict, language, seed))}


def rows(task: str, conflict: str, language: str, seed: int = 0) -> list[dict[str, Any]]:
    """The documents of one task, in order: a pure function of the arguments and the data.

    Each has id, cluster (the item asked), language, text (the prompt, up to and with the label of
    the last output), icl, instruction (the two answers) and accepted (all forms of the second).
    """
    for value, known in ((task, TASKS), (conflict, CONFLICTS), (language, LANGUAGES)):
        if value not in known:
            raise ValueError(f"{value!r} is not one of {', '.join(known)}")
    sentences = [row[language] for row in load("sentences")]
    rounds = ROUNDS if conflict == "blank" else 1
    found = []
    for turn in range(rounds):
        for item in items(conflict, language):
            places = exemplars(seed, item.id, len(sentences), turn)
            found.append(
                {
                    "id": f"{item.id}-{turn + 1}" if rounds > 1 else item.id,
                    "cluster": item.id,
                    "language": language,
                    "text": prompt(task, language, [sentences[i] for i in places], item.question),
                    "icl": apply(task, item.question),
                    "instruction": item.answer,
                    "accepted": list(item.accepted),
                }
            )
    return found


def exemplars(seed: int, item: str, n: int, turn: int = 0) -> tuple[int, ...]:
    """Which of n sentences come before an item: a pure function, the same in every language and
    on every platform. No sentence comes in two turns of one item."""
    wanted = EXEMPLARS * (turn + 1)
    if n < wanted:
        raise ValueError(f"{wanted} exemplars cannot be drawn from {n} sentences")
    chosen: list[int] = []
    count = 0
    while len(chosen) < wanted:
        digest = hashlib.sha256(f"{seed}/{item}/{count}".encode()).digest()
        place = int.from_bytes(digest[:8], "big") % n
        if place not in chosen:
            chosen.append(place)
        count += 1
    return tuple(chosen[-EXEMPLARS:])


def prompt(task: str, language: str, examples: Sequence[str], question: str) -> str:
    """The prompt, without white space at its end: the harness' delimiter follows."""
    words = _words(language)
    blocks = [words[task]]
    blocks += [
        f"{words['input']} {example}\n{words['output']} {apply(task, example)}"
        for example in examples
    ]
    blocks.append(f"{words['input']} {question}\n{words['output']}")
    return "\n\n".join(blocks)


def apply(task: str, text: str) -> str:
    """What the exemplars show. Upper case is Unicode's: accents stay (é is É, ő is Ő)."""
    match task:
        case "repeat":
            return text
        case "capitalise":
            return text.upper()
        case _:
            raise ValueError(f"{task!r} is not one of {', '.join(TASKS)}")


def items(conflict: str, language: str) -> list[Item]:
    """The questions of a kind in one language, in the order that all languages share."""
    match conflict:
        case "arithmetic":
            return [_sum(row, language) for row in load("arithmetic")]
        case "blank":
            return [_blank(row, language) for row in load("blanks")]
        case _:
            raise ValueError(f"{conflict!r} is not one of {', '.join(CONFLICTS)}")


def _sum(row: Mapping[str, Any], language: str) -> Item:
    words, sign = _words(language), row["sign"]
    a, b = row["a"], row["b"]
    n = a + b if sign == "plus" else a - b
    told = [words[f"{sign}-{form}"].format(a=a, b=b, n=n) for form in ("is", "equals")]
    told.append(f"{a} {'+' if sign == 'plus' else '-'} {b} = {n}")
    return Item(row["id"], words[sign].format(a=a, b=b), str(n), (str(n), *told))


def _blank(row: Mapping[str, Any], language: str) -> Item:
    question, answers = row[language], row["answers"][language]
    told = [complete(question, answer) for answer in answers]
    return Item(row["id"], question, complete(BLANK, answers[0]), (*answers, *told))


def complete(question: str, answer: str) -> str:
    """The sentence with its blank filled, the answer with a first capital."""
    return question.replace(BLANK, answer[0].upper() + answer[1:], 1)


# --- the judge ----------------------------------------------------------------------------------


def judge(doc: Mapping[str, Any], results: Sequence[str]) -> dict[str, int]:
    """The harness's `process_results`: what the answer to this document is."""
    return classify(results[0], doc["icl"], doc["accepted"])._asdict()


def classify(answer: str, icl: str, accepted: Sequence[str]) -> Verdict:
    """Only the first line that is not empty counts, without white space at its edges.

    icl: it is the in-context answer letter by letter, one full stop at the end aside.
    instruction: it is an accepted form, case and one full stop at the end aside: the number or
    the missing word alone (or the number of a number word), or the whole sentence completed
    ("7 plus 5 is 12", "7 + 5 = 12", "Paris is the capital of France."). Anything more, such as an
    explanation, is neither.
    first_word: up to white space, it begins as the in-context answer does.
    """
    lines = [line.strip() for line in answer.splitlines() if line.strip()]
    if not lines:
        return Verdict(0, 0, 0)
    line = lines[0]
    return Verdict(
        icl=int(_bare(line) == _bare(icl)),
        instruction=int(_bare(line).casefold() in {_bare(form).casefold() for form in accepted}),
        first_word=int(line.split()[0] == icl.split()[0]),
    )


def _bare(line: str) -> str:
    return line.removesuffix(".").rstrip()


# --- data ---------------------------------------------------------------------------------------


def phrases(source: str, target: str) -> list[tuple[str, str]]:
    """Every phrase of these tasks in two languages, for a phrase book: instructions, labels,
    sentences, questions, and answers alone and as completed sentences. Numbers are slots ({a}).

    Empty where the tasks lack a language. Words are in lower case, and a phrase book knows them
    with a first capital too; one that only one of the two languages always writes with a capital
    (Tuesday, mardi) has a capital in both, as it begins an answer.
    """
    if source not in LANGUAGES or target not in LANGUAGES:
        return []
    pairs = [
        (row[source], row[target])
        for name in ("icl-words", "sentences", "blanks")
        for row in load(name)
    ]
    for row in load("blanks"):
        words = row["answers"][source][0], row["answers"][target][0]
        pairs.append((complete(row[source], words[0]), complete(row[target], words[1])))
        if words[0][0].isupper() != words[1][0].isupper():
            words = complete(BLANK, words[0]), complete(BLANK, words[1])
        pairs.append(words)
    return list(dict.fromkeys(pairs))


def load(name: str) -> tuple[dict[str, Any], ...]:
    """The rows of data/<name>.jsonl: sentences, blanks, arithmetic, icl-words."""
    return _load(_DATA / f"{name}.jsonl")


@cache
def _load(path: Path) -> tuple[dict[str, Any], ...]:
    return tuple(json.loads(line) for line in path.read_text("utf-8").splitlines())


def _words(language: str) -> dict[str, str]:
    return {row["id"]: row[language] for row in load("icl-words")}
