"""Probes: they ask what was never told, the same in every language, as tasks of the harness."""

import importlib.util
import json
import random
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from nursery.tiny import tokenizer
from nursery.upbringing import WORLD, WRITTEN, heard
from unskew.audit.names import conjugation
from unskew.conjugation.base import Identity
from unskew.nursery.config import EVERYTHING, STAGES, Written
from unskew.nursery.corpora import cipher, of_stage
from unskew.nursery.documents import FRAMES, QUESTIONS
from unskew.nursery.items import Ask, Classify, Copy, Entail, Translate, answer, asked, copy
from unskew.nursery.languages import LANGUAGES, Language
from unskew.nursery.lexicon import Noun
from unskew.nursery.meanings import ColourOf, Described, NounPhrase, Sum, YesNo
from unskew.nursery.probes import (
    BUDGET,
    CONFLICTS,
    PROBES,
    QUESTIONED,
    Probe,
    ProbeName,
    probe,
    write,
)
from unskew.nursery.sampling import generator
from unskew.nursery.scribe import Scribe
from unskew.nursery.world import world

SIZE = 30
KNOWN: tuple[ProbeName, ...] = (
    "colour", "classify", "translate", "sum", "repeat_conflict", "capitalise_conflict",
    "repeat_sum",
)  # fmt: skip
"""Where more than one document may ask for the same knowledge."""
PARTS: tuple[ProbeName, ...] = ("first", "last", "second", "translate")
"""Whose answers no phrase book can translate."""


@cache
def documents(name: ProbeName, size: int = SIZE) -> list[Probe]:
    return probe(WORLD, name, size)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("probes")
    write(path, WORLD, SIZE)
    return path


# --- nothing evaluated is seen --------------------------------------------------------------------


@cache
def told(written: Written) -> str:
    return heard(written).text


@pytest.mark.parametrize("name", sorted(set(PROBES) - {"classify", "translate"}))
@pytest.mark.parametrize("written", WRITTEN)
def test_what_is_asked_stands_nowhere_in_the_training(name: ProbeName, written: Written) -> None:
    for prompt, item in prompts(name, written):
        # After a label or at the beginning of a line; "4 plus 2" is no part of "14 plus 2".
        for found in (f" {item}", f"\n{item}"):
            assert found not in told(written)
            assert found.upper() not in told(written)
        assert f" {item}\n" in prompt


def prompts(name: ProbeName, written: Written) -> list[tuple[str, str]]:
    """Prompts, and what is asked in each."""
    language: Language = written if written in LANGUAGES else "en"  # type: ignore[assignment]
    s = cipher(written) if written not in LANGUAGES else Identity()
    return [
        (s.forward(d.texts[language].text), s.forward(asked(d.items[-1], language)))
        for d in documents(name)
    ]


@pytest.mark.parametrize("name", ["classify", "translate"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_no_phrase_that_is_asked_was_an_input(name: ProbeName, language: Language) -> None:
    # "my apples" may stand in sentences; what is held out is the question after it.
    frames = {frame._replace(gap="") for frame in (*FRAMES, *QUESTIONS)}
    for document in documents(name):
        text = asked(document.items[-1], language)
        assert not any(f"\n{frame.asked(text, language)}" in told(language) for frame in frames)


@pytest.mark.parametrize("kind", ["sum", "member", "colour", "classify", "translate"])
def test_the_training_asks_what_is_not_held_out(kind: str) -> None:
    # So the search would find what was there.
    scribe = Scribe(WORLD, generator(5, "control", 0))
    draw = {"translate": lambda: scribe.translate("fr")}.get(kind) or getattr(scribe, kind)
    found = 0
    for _ in range(100):
        text = asked(draw(), "en")
        frames = [frame.asked(text, "en") for frame in (*FRAMES, *QUESTIONS)]
        found += any(f"\n{question}" in told("en") for question in frames)
    assert found > 15


def test_the_second_word_is_never_asked_for() -> None:
    assert "second" in PROBES
    for mixture in (EVERYTHING, *map(of_stage, (*STAGES, "relearn"))):
        assert "second" not in mixture.kinds
    for language in LANGUAGES:
        for document in documents("second", 2):
            instruction = document.texts[language].text.split("\n")[0]
            assert instruction not in told(language)


@pytest.mark.parametrize("name", PROBES)
def test_no_exemplar_gives_the_answer_away(name: ProbeName) -> None:
    for document in documents(name, 60 if name in KNOWN else SIZE):
        *exemplars, item = document.items
        assert item not in exemplars
        if isinstance(item, Classify):
            assert item.phrase.noun not in {e.phrase.noun for e in exemplars}  # type: ignore[union-attr]


# --- right, and the same in every language --------------------------------------------------------


@pytest.mark.parametrize("name", PROBES)
def test_each_document_is_another_and_has_its_answer(name: ProbeName) -> None:
    found = documents(name)
    assert len(found) == SIZE
    # A sum may be asked again after other exemplars.
    assert len({d.items if name in CONFLICTS else d.items[-1] for d in found}) == SIZE
    assert [document.id for document in found] == [f"{name}-{i:03}" for i in range(SIZE)]
    for document in found:
        assert set(document.texts) == set(LANGUAGES)
        for language, text in document.texts.items():
            if name != "translate":
                assert text.answer == answer(document.items[-1], language)
            assert text.text.endswith(":")
            assert text.answer == text.answer.strip() != ""
            assert "\n" not in text.answer


TASKS: dict[ProbeName, str] = {
    "repeat": "repeat", "capitalise": "capitalise", "reverse": "reverse", "first": "first",
    "last": "last", "second": "second", "repeat_conflict": "repeat",
    "capitalise_conflict": "capitalise", "repeat_sum": "repeat",
}  # fmt: skip


@pytest.mark.parametrize("name", TASKS)
def test_copies_are_of_the_last_input(name: ProbeName) -> None:
    for document in documents(name):
        for text in document.texts.values():
            inputs = [line.split(":", 1)[1].strip() for line in text.text.split("\n\n")[1:]]
            inputs = [block.split("\n")[0] for block in inputs]
            assert len(inputs) == 3
            assert text.answer == copy(TASKS[name], inputs[-1])  # type: ignore[arg-type]


@pytest.mark.parametrize("name", CONFLICTS)
def test_in_a_conflict_the_input_is_a_question_whose_answer_is_the_wrong_one(
    name: ProbeName,
) -> None:
    for document in documents(name):
        item, question = document.items[-1], document.question
        assert isinstance(item, Copy)
        assert question is not None
        assert item.text == question.question
        match item.text:
            case Sum() as sum:
                assert name == "repeat_sum"
                assert WORLD.sum_held(sum)
                assert question.answer == sum.result
            case ColourOf(NounPhrase(noun, determiner, plural=plural)):
                assert name != "repeat_sum"
                assert isinstance(noun, Noun)
                assert (determiner, plural) in WORLD.variants(noun, held=True)
                assert question.answer == Described(item.text.subject, WORLD.colours[noun])
            case other:
                pytest.fail(f"{other} is no question that a conflict asks")
        for language, text in document.texts.items():
            assert text.instruction == answer(question, language) != text.answer
        exemplars = [e.text for e in document.items[:-1]]  # type: ignore[union-attr]
        assert not any(isinstance(text, Sum | ColourOf) for text in exemplars)
    assert not any(t.instruction for p in documents("sum") for t in p.texts.values())


def test_translations_are_into_the_next_language() -> None:
    for document in documents("translate"):
        item = document.items[-1]
        assert isinstance(item, Translate)
        said = [asked(item, language) for language in LANGUAGES]
        assert [document.texts[language].answer for language in LANGUAGES] == [*said[1:], said[0]]


def test_knowledge_is_that_of_the_world() -> None:
    for document in documents("colour"):
        [item] = document.items
        assert isinstance(item, Ask)
        assert isinstance(item.answer, Described)
        assert item.answer.adjective == WORLD.colours[item.answer.subject.noun]  # type: ignore[index]


def test_yes_is_right_as_often_as_no() -> None:
    for size in (SIZE, 100):  # of few or of all that are true and held out
        found = documents("member", size)
        answers = Counter(document.items[0].answer for document in found)  # type: ignore[union-attr]
        assert answers[YesNo(True)] == answers[YesNo(False)] == len(found) / 2


def test_labels_are_those_of_the_language() -> None:
    labels = {document.items[-1].label for document in documents("entail")}  # type: ignore[union-attr]
    assert labels == {"true", "false", "neither"}
    for document in documents("entail"):
        assert all(isinstance(item, Entail) for item in document.items)
        assert document.texts["en"].text.count("True, False or Neither?") == 3


def knowledge(item: Any) -> Any:
    """What has to be known to answer."""
    match item:
        case Copy(text=ColourOf(phrase)):
            return phrase.noun
        case Copy(text=Sum() as sum) | Ask(question=Sum() as sum):
            numbers = {sum.left, sum.right} if sum.operation == "plus" else (sum.left, sum.right)
            return sum.operation, frozenset(numbers)
        case Ask(question=ColourOf(phrase)) | Classify(phrase) | Translate(phrase):
            return phrase.noun


@pytest.mark.parametrize("name", PROBES)
def test_clusters_are_of_the_same_knowledge(name: ProbeName) -> None:
    found = documents(name, 60 if name in KNOWN else SIZE)
    clusters: dict[str, list[Probe]] = {}
    for document in found:
        clusters.setdefault(document.cluster, []).append(document)
    if name not in KNOWN:
        assert len(clusters) == len(found)
        return
    known = [{knowledge(document.items[-1]) for document in docs} for docs in clusters.values()]
    assert {len(what) for what in known} == {1}
    assert len(set.union(*known)) == len(clusters) < len(found)


def test_where_the_world_holds_out_no_more_there_are_fewer() -> None:
    small = world(0, 8)
    assert len(probe(small, "classify", 20)) == 16
    assert len(probe(small, "sum", 20)) == 20


def test_each_right_answer_fits_the_budget() -> None:
    for name in PROBES:
        for document in documents(name):
            for text in document.texts.values():
                for said in (text.answer, *(cipher(c).forward(text.answer) for c in WRITTEN[4:])):
                    assert len(tokenizer().encode(f" {said}\n").ids) < BUDGET


# --- parallel -------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_the_phrases_translate_every_document_exactly(folder: Path, language: Language) -> None:
    book = conjugation(f"en-{language}", include=[folder])
    for name in PROBES:
        for document in documents(name):
            english, other = document.texts["en"], document.texts[language]
            if name not in PARTS:
                assert book.forward(english.text) == other.text
                assert book.inverse(other.text) == english.text
                assert book.forward(english.answer) == other.answer
                assert book.inverse(other.answer) == english.answer


def test_a_phrase_has_one_translation(folder: Path) -> None:
    rows = [json.loads(line) for line in (folder / "phrases.jsonl").read_text("utf-8").splitlines()]
    for language in LANGUAGES:
        texts = [row[language] for row in rows]
        assert len(set(texts)) == len(texts)
        assert all(set(row) == set(LANGUAGES) for row in rows)


# --- pure -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PROBES)
def test_a_probe_is_a_function_of_its_world_and_seed(name: ProbeName) -> None:
    random.seed(1)
    before = random.getstate()
    few = probe(WORLD, name, 4)
    assert random.getstate() == before
    assert few == documents(name)[:4]
    assert probe(WORLD, name, 4, seed=1) != few
    assert probe(world(1), name, 4) != few


def test_probes_are_the_same_on_every_machine() -> None:
    assert documents("repeat_conflict")[0].texts["fr"] == (
        "Répète l'entrée.\n\n"
        "Entrée : L'oie lente attend sur le tabouret.\n"
        "Sortie : L'oie lente attend sur le tabouret.\n\n"
        "Entrée : Martin admirera des tabourets.\nSortie : Martin admirera des tabourets.\n\n"
        "Entrée : De quelle couleur est le serpent ?\nSortie :",
        "De quelle couleur est le serpent ?",
        "Le serpent est rouge.",
    )
    said = {name: documents(name)[0].texts["en"] for name in QUESTIONED}
    assert {name: f"{text.text} {text.answer}" for name, text in said.items()} == {
        "sum": "Question: What is 35 plus 49?\nAnswer: 84",
        "colour": "Question: What colour is the bee?\nAnswer: The bee is golden.",
        "member": "Question: Is a horse an animal?\nAnswer: yes",
        "reading": "Question: Silvia is near my bedroom. The singers are dirty. Where is Silvia?\n"
        "Answer: Silvia is near my bedroom.",
    }


# --- as a folder ----------------------------------------------------------------------------------


def loaded(path: Path) -> dict[str, Any]:
    class Loader(yaml.SafeLoader):
        pass

    Loader.add_constructor("!function", lambda loader, node: f"!{node.value}")
    return yaml.load(path.read_text("utf-8"), Loader)


def test_a_folder_has_a_task_per_probe_and_language(folder: Path) -> None:
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "phrases.jsonl", "probe_tasks.py",
        *(f"{name}.jsonl" for name in PROBES),
        *(f"{name}_{language}.yaml" for name in PROBES for language in LANGUAGES),
    }  # fmt: skip


@pytest.mark.parametrize("name", PROBES)
def test_tasks_say_what_the_harness_needs(folder: Path, name: ProbeName) -> None:
    for language in LANGUAGES:
        task = loaded(folder / f"{name}_{language}.yaml")
        assert task["task"] == f"nursery_{name}_{language}"
        assert set(task["tag"]) == {"nursery", f"nursery_{language}", f"nursery_{name}"}
        assert task["dataset_kwargs"] == {"probe": name, "language": language}
        assert task["generation_kwargs"] == {
            "until": ["\n"], "max_gen_toks": BUDGET, "do_sample": False
        }  # fmt: skip
        metrics = [metric["metric"] for metric in task["metric_list"]]
        assert metrics == (["acc", "instruction"] if name in CONFLICTS else ["acc"])
        chance = {"member": 0.5, "entail": 1 / 3}.get(name, 0)
        assert task["metadata"]["unskew"] == {
            "main": "acc", "chance": pytest.approx(chance, abs=1e-4), "cluster": "cluster",
            "language": language,
        }  # fmt: skip


def test_the_data_are_the_documents(folder: Path) -> None:
    for name in PROBES:
        lines = (folder / f"{name}.jsonl").read_text("utf-8").splitlines()
        rows = [json.loads(line) for line in lines]
        assert [row["id"] for row in rows] == [document.id for document in documents(name)]
        for row, document in zip(rows, documents(name), strict=True):
            assert row["cluster"] == document.cluster
            assert {k: row[k] for k in LANGUAGES} == {
                language: text._asdict() for language, text in document.texts.items()
            }


def test_writing_again_writes_the_same(folder: Path, tmp_path: Path) -> None:
    write(tmp_path, WORLD, 8)
    again = tmp_path / "again"
    again.mkdir()
    write(again, WORLD, 8)
    for path in again.iterdir():
        assert path.read_bytes() == (tmp_path / path.name).read_bytes()
    # And of fewer documents the first ones.
    for name in PROBES:
        few = (again / f"{name}.jsonl").read_bytes()
        assert (folder / f"{name}.jsonl").read_bytes().startswith(few)


def tasks_of(folder: Path) -> Any:
    """probe_tasks.py as the harness loads it: from the folder, beside its data."""
    spec = importlib.util.spec_from_file_location("probe_tasks", folder / "probe_tasks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_harness_finds_the_documents_of_a_language(folder: Path) -> None:
    split = tasks_of(folder).documents(probe="sum", language="fr", extra="ignored")
    assert list(split) == ["test"]
    rows = list(split["test"])
    assert len(rows) == SIZE
    for row, document in zip(rows, documents("sum"), strict=True):
        assert row == {
            "id": document.id, "cluster": document.cluster, "language": "fr",
            **document.texts["fr"]._asdict(),
        }  # fmt: skip


@pytest.mark.parametrize(
    ("said", "acc", "instruction"),
    [
        ("What is 3 plus 4?", 1, 0),
        (" What is 3 plus 4?\nand more", 1, 0),
        ("\n\nWhat is 3 plus 4?", 1, 0),
        ("7", 0, 1),
        (" 7\n", 0, 1),
        ("7 apples", 0, 0),
        ("what is 3 plus 4?", 0, 0),
        ("What is 3 plus 4? 7", 0, 0),
        ("", 0, 0),
        (" \n ", 0, 0),
    ],
)
def test_the_first_line_is_judged_letter_by_letter(
    folder: Path, said: str, acc: int, instruction: int
) -> None:
    judge = tasks_of(folder).judge
    doc = {"answer": "What is 3 plus 4?", "instruction": "7"}
    assert judge(doc, [said]) == {"acc": acc, "instruction": instruction}
    assert judge({**doc, "instruction": ""}, [said]) == {"acc": acc}
