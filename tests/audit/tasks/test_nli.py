"""NLI: the triples are parallel and leak no label, the tasks ask what the paper asked."""

import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import datasets
import pytest

from parallel import breaches, words
from unskew.audit.tasks import nli
from unskew.errors import UserError

LANGUAGES = list(nli.FRAMES)
PARTS = ("premise", *nli.LABELS)
FOLDER = Path(nli.__file__).parent

# Bounds on what hypotheses alone may tell; chance is 1/3. They came before the items.
GUESSED = 0.45
FREQUENT, ONE_LABEL = 6, 2 / 3


@pytest.fixture(scope="module")
def tasks() -> Callable[[str], Any]:
    from lm_eval.tasks import TaskManager

    manager = TaskManager(include_defaults=False, include_path=str(FOLDER))
    return lambda name: manager.load([name])["tasks"][name]


# The data ------------------------------------------------------------------------------------


def test_labels_are_balanced_and_premises_serve_three_times() -> None:
    for language in LANGUAGES:
        triples = nli.triples(language)
        assert len(triples) >= 120
        assert Counter(t.label for t in triples) == dict.fromkeys(nli.LABELS, len(triples) // 3)
        assert set(Counter(t.premise for t in triples).values()) == {3}
        assert [t[:3] for t in triples] == [t[:3] for t in nli.triples("en")]
        assert len({t.id for t in triples}) == len(triples)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_comes_twice(language: str) -> None:
    texts = [row[language][part] for row in nli.rows() for part in PARTS]
    assert len({text.casefold() for text in texts}) == len(texts)


@pytest.mark.parametrize("row", nli.rows(), ids=lambda row: row["id"])
def test_texts_are_parallel(row: dict[str, Any]) -> None:
    for part in PARTS:
        texts = {language: row[language][part] for language in LANGUAGES}
        assert not breaches(texts, (0.6, 1.7))
        named = [
            {name for name in row["names"] if re.search(rf"\b{name}\b", text)}
            for text in texts.values()
        ]
        assert named == [named[0]] * len(LANGUAGES)
    # All names are declared: capitals within a French or Spanish sentence begin nothing else.
    for language in ("fr", "es"):
        text = " ".join(row[language].values())
        inner = set(re.findall(r"(?<=[a-zé,] )[A-ZÉ]\w+", text))
        assert inner <= {*row["names"], "Rome", "Roma"}


# Which of a block's three statements is the true, the false and the open one of each premise.
TURNS = {"a": (0, 1, 2), "b": (1, 2, 0), "c": (2, 0, 1)}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_block_says_each_thing_under_each_label(language: str) -> None:
    """The design itself: two premises' versions of one statement are more alike than others."""
    ids = [row["id"] for row in nli.rows()]
    assert ids == [f"{block:02d}{letter}" for block in range(1, 15) for letter in "abc"]
    said = {
        (row["block"], row["id"][-1], number): row[language][label]
        for row in nli.rows()
        for number, label in zip(TURNS[row["id"][-1]], nli.LABELS, strict=True)
    }
    for (block, letter, number), text in said.items():
        for other in set(TURNS) - {letter}:
            likeness = [
                SequenceMatcher(None, text, said[block, other, n]).ratio() for n in range(3)
            ]
            assert likeness.index(max(likeness)) == number, text


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_word_tells_the_label(language: str) -> None:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for triple in nli.triples(language):
        for word in set(words(triple.hypothesis)):
            counts[word][triple.label] += 1
    frequent = {word: c for word, c in counts.items() if c.total() >= FREQUENT}
    assert len(frequent) >= 15
    for word, c in frequent.items():
        assert max(c.values()) / c.total() <= ONE_LABEL, word
    negations = {"never", "nobody", "jamais", "personne", "n'", "nunca", "nadie", "nie", "niemand"}
    assert negations & set(counts)
    for word in negations & set(counts):
        assert len(counts[word]) == 3, f"{word} is under {counts[word]}"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("held_out", ["block", "premise_id"])
def test_hypotheses_alone_do_not_tell_the_label(language: str, held_out: str) -> None:
    triples = nli.triples(language)
    bags = [Counter(words(t.hypothesis)) for t in triples]
    sizes = [Counter([str(len(words(t.hypothesis)))]) for t in triples]
    labels = [t.label for t in triples]
    groups = [getattr(t, held_out) for t in triples]
    for features in (bags, sizes):
        assert guessed(features, labels, groups) < GUESSED
    if held_out == "block":
        # The guesser is no straw man: with a mark of the label it finds it.
        marked = [bag + Counter([f"mark {label}"]) for bag, label in zip(bags, labels, strict=True)]
        assert guessed(marked, labels, groups) > 0.9


def guessed(
    features: Sequence[Counter[str]], labels: Sequence[str], groups: Sequence[str]
) -> float:
    """Accuracy of multinomial naive Bayes (add-one), each group guessed from all the others.

    Ties count with their probability, so that no order of labels helps.
    """
    right = 0.0
    vocabulary = len(set().union(*features))
    for group in set(groups):
        bags: dict[str, Counter[str]] = defaultdict(Counter)
        for feature, label, other in zip(features, labels, groups, strict=True):
            if other != group:
                bags[label] += feature
        for feature, label, own in zip(features, labels, groups, strict=True):
            if own != group:
                continue
            scores = {
                name: sum(
                    n * math.log((bag[word] + 1) / (bag.total() + vocabulary))
                    for word, n in feature.items()
                )
                for name, bag in bags.items()
            }
            best = max(scores.values())
            first = [name for name, score in scores.items() if score > best - 1e-9]
            right += (label in first) / len(first)
    return right / len(labels)


# Prompts and phrases -------------------------------------------------------------------------

PROMPTS = {
    "en": "Anna is sitting inside the house beside a shelf of books, and nobody is with her.\n"
    "Question: Anna is alone. True, False or Neither?\nAnswer:",
    "fr": "Anna est assise à l'intérieur de la maison, à côté d'une étagère de livres, et personne"
    " n'est avec elle.\nQuestion: Anna est seule. Vrai, Faux ou Ni?\nRéponse:",
    "es": "Anna está sentada dentro de la casa, junto a un estante de libros, y no hay nadie con"
    " ella.\nPregunta: Anna está sola. Verdadero, Falso o Ni?\nRespuesta:",
    "de": "Anna sitzt im Haus neben einem Regal mit Büchern, und niemand ist bei ihr.\n"
    "Frage: Anna ist allein. Wahr, Falsch oder Weder?\nAntwort:",
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_tasks_load_and_ask(language: str, tasks: Callable[[str], Any]) -> None:
    task = tasks(f"unskew_nli_{language}")
    documents = list(task.eval_docs)
    assert len(documents) == 126
    assert task.fewshot_context(documents[0], 0) == PROMPTS[language]
    assert task.doc_to_target(documents[0]) == nli.FRAMES[language].words[0]
    assert [d["id"] for d in documents] == [t.id for t in nli.triples("en")]
    assert len({d["cluster"] for d in documents}) == 42
    declared = task.get_config("metadata")["unskew"]
    assert declared["language"] == language
    assert declared["chance"] == pytest.approx(1 / 3)
    assert declared["main"] in task.aggregation()
    assert declared["cluster"] in documents[0]
    assert {d["language"] for d in documents} == {language}


@pytest.mark.parametrize("language", LANGUAGES)
def test_choice_tasks_score_the_label_words(language: str, tasks: Callable[[str], Any]) -> None:
    task = tasks(f"unskew_nli_choice_{language}")
    document = task.eval_docs[1]
    requests = task.construct_requests(document, task.fewshot_context(document, 0))
    prompt = task.doc_to_text(document)
    words = nli.FRAMES[language].words
    assert [r.args for r in requests] == [(prompt, f" {word}") for word in words]
    scored = task.process_results(document, [(-3.0, False), (-1.0, True), (-2.0, False)])
    assert scored == {"acc": 1.0}  # the second triple is the false one


def test_generation_asks_for_ten_tokens_and_nothing_stops_it(tasks: Callable[[str], Any]) -> None:
    task = tasks("unskew_nli_en")
    document = task.eval_docs[0]
    request = task.construct_requests(document, task.fewshot_context(document, 0))
    assert request.args[1]["until"] == []
    assert request.args[1]["max_gen_toks"] == 10


@pytest.mark.parametrize("source", LANGUAGES)
@pytest.mark.parametrize("target", LANGUAGES)
def test_phrases_make_up_whole_prompts(source: str, target: str) -> None:
    pairs = nli.phrases(source, target)
    assert len({a for a, _ in pairs}) == len(pairs)
    if source != target:
        assert len({b for _, b in pairs}) == len(pairs)
    book = sorted(pairs, key=lambda pair: -len(pair[0]))
    for here, there in zip(nli.triples(source), nli.triples(target), strict=True):
        text = nli.prompt(here.premise, here.hypothesis, source)
        for i, (phrase, _) in enumerate(book):
            text = text.replace(phrase, f"<{i}>")
        assert not re.search(r"[^\W\d]", text), text
        for i, (_, phrase) in enumerate(book):
            text = text.replace(f"<{i}>", phrase)
        assert text == nli.prompt(there.premise, there.hypothesis, target)


def test_phrases_of_other_languages_are_none() -> None:
    assert nli.phrases("en", "hu") == nli.phrases("nl", "fr") == []
    with pytest.raises(UserError, match="no NLI in the language 'hu'"):
        nli.triples("hu")


# The judge -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "language", "label"),
    [
        (" True", "en", "true"),
        ("\n\nFALSE.", "en", "false"),
        ('"Neither" is right', "en", "neither"),
        ("**True**, as nobody is with her", "en", "true"),
        ("Neither true nor false", "en", "neither"),
        ("True, because she is not outside, which is false", "en", "true"),
        ("Truely", "en", None),
        ("It is True", "en", None),
        ("True, False or Neither?", "en", None),
        ("true or false", "en", None),
        ("Neither, True", "en", None),
        ("", "en", None),
        ("Vrai", "en", None),
        ("Ni l'un ni l'autre", "fr", "neither"),
        ("Ni vrai ni faux", "fr", "neither"),
        ("Nice", "fr", None),
        ("Vrai ou Faux", "fr", None),
        ("« Faux »", "fr", "false"),
        ("Verdadero.", "es", "true"),
        ("Falso o Ni?", "es", None),
        ("Weder noch", "de", "neither"),
        ("„Wahr“", "de", "true"),
        ("Falsch oder Weder", "de", None),
        ("Falsche Antwort", "de", None),
    ],
)
def test_labels_are_read_at_the_start(answer: str, language: str, label: str | None) -> None:
    assert nli.read_label(answer, language) == label


def test_metrics_and_the_looser_judge_of_the_paper() -> None:
    document = {"language": "fr", "label": "neither", "target": "Ni"}
    assert nli.judge(document, [" Ni"]) == {"acc": 1, "labelled": 1, "paper": 1}
    assert nli.judge(document, ["Nice"]) == {"acc": 0, "labelled": 0, "paper": 1}
    assert nli.judge(document, ["\n\nNi"]) == {"acc": 1, "labelled": 1, "paper": 0}
    assert nli.judge(document, [" Vrai"]) == {"acc": 0, "labelled": 1, "paper": 0}
    assert nli.judge(document, [""]) == {"acc": 0, "labelled": 0, "paper": 0}


def test_one_word_for_all_is_at_chance() -> None:
    for language in LANGUAGES:
        for word in nli.FRAMES[language].words:
            documents = nli.documents(language)["test"].to_list()
            right = [nli.judge(document, [word])["acc"] for document in documents]
            assert sum(right) / len(right) == pytest.approx(1 / 3)


# XNLI ----------------------------------------------------------------------------------------


def test_xnli_is_read_with_the_same_prompts(
    monkeypatch: pytest.MonkeyPatch, tasks: Callable[[str], Any]
) -> None:
    rows = [
        {"premise": "Il pleut.", "hypothesis": "Il fait humide.", "label": 0},
        {"premise": "Il pleut.", "hypothesis": "Il est tard.", "label": 1},
        {"premise": "Il neige.", "hypothesis": "Il fait beau.", "label": 2},
    ]
    asked = []

    def load(path: str, name: str, split: str) -> datasets.Dataset:
        asked.append((path, name, split))
        return datasets.Dataset.from_list(rows)

    monkeypatch.setattr(datasets, "load_dataset", load)
    task = tasks("unskew_xnli_fr")
    documents = list(task.eval_docs)
    assert asked == [("facebook/xnli", "fr", "validation")]
    assert [d["target"] for d in documents] == ["Vrai", "Ni", "Faux"]
    assert [d["cluster"] for d in documents] == ["p0", "p0", "p2"]
    prompt = "Il pleut.\nQuestion: Il est tard. Vrai, Faux ou Ni?\nRéponse:"
    assert task.fewshot_context(documents[1], 0) == prompt


def test_xnli_without_the_hub_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*args: Any, **kwargs: Any) -> None:
        raise ConnectionError("no network")

    monkeypatch.setattr(datasets, "load_dataset", load)
    with pytest.raises(UserError, match="use unskew_nli_de, which needs no network"):
        nli.xnli_documents("de")


def test_rows_are_plain_json() -> None:
    path = FOLDER / "data" / "nli.jsonl"
    for line in path.read_text("utf-8").splitlines():
        assert set(json.loads(line)) == {"id", "block", "names", *LANGUAGES}
