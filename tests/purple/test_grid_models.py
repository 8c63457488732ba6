"""The grid on a language model: every attack and defence that looks into it, on a tiny one."""

from __future__ import annotations

import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from purple.subjects import knowing, written
from unskew.errors import UserError
from unskew.nursery.lexicon import lexicon
from unskew.purple import grid, grid_subjects
from unskew.purple.data import Pair
from unskew.purple.enforcement import Lesson
from unskew.purple.gcg_types import Found, Prompt
from unskew.purple.grid_attacks import AskIn, Translated
from unskew.purple.grid_config import Purple, Taught
from unskew.purple.questions import OfNursery, read, right
from unskew.purple.subject import Template, nursery_template, open_model
from unskew.runs.progress import Progress, Task
from unskew.runs.store import Store

SEARCH = {"steps": 1, "candidates": 4, "top_k": 4, "length": 2}
QUESTIONS = {
    "kind": "nursery", "training": 3, "held": 3, "calibration": 20, "benign": 4, "lessons": 4,
    "kinds": ["colour"], "benign_kinds": ["colour", "member"],
}  # fmt: skip


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(written(tmp_path_factory.mktemp("model"), knowing()))


def config(model: str, **more: Any) -> Purple:
    training = {"steps": 2, "batch": 2, "optimiser": {"kind": "adam", "lr": 1e-4}}
    doc = {
        "kind": "purple",
        "questions": QUESTIONS,
        "subjects": [
            {
                "kind": "taught", "name": "hardened", "base": "mine", "search": SEARCH,
                "suffixes": 1, "prompts": 1,
                "enforce": {"method": {"kind": "adversarial", "rounds": 1}, "training": training},
            },
        ],
        "attacks": [
            {"kind": "translated", "into": "pig-latin"},
            {"kind": "suffix", "prompts": 2, "gcg": SEARCH},
            {"kind": "adaptive", "prompts": 2, "gcg": SEARCH},
            {"kind": "repeated", "prompts": 2, "gcg": SEARCH, "times": [1, 2]},
            {"kind": "low-perplexity", "sentences": 1, "prompts": 2, "gcg": SEARCH},
        ],
        "defences": [
            {"kind": "perplexity"}, {"kind": "perplexity", "window": 4},
            {"kind": "paraphrase", "by": {"kind": "repeated", "limit": 8}},
            {"kind": "paraphrase", "by": {"kind": "synonyms"}},
            {"kind": "refusals", "count": 1}, {"kind": "smoothing", "copies": 2}, {"kind": "guard"},
        ],
        "limit": 6, "resamples": 1000, "threads": 1, "where": {"mine": model},
    }  # fmt: skip
    return TypeAdapter(Purple).validate_json(json.dumps(doc | more))


def filled(config: Purple, runs: Path) -> Any:
    return grid.execute(config, Store(runs, shipped=False), Progress("quiet"))


def test_a_search_through_drops_is_one_of_its_own(model: str, tmp_path: Path) -> None:
    search = {"kind": "adaptive", "prompts": 2, "gcg": SEARCH}
    attacks = [search, search | {"copies": 2}]
    subject = {"kind": "model", "name": "plain", "model": "mine"}
    defences = [{"kind": "smoothing", "copies": 2}]
    folder = filled(config(model, subjects=[subject], attacks=attacks, defences=defences), tmp_path)
    cells = folder.read_table("cells").set_index(["attack", "defence"])
    assert list(cells.index[cells["adaptive"]]) == [("adaptive #2", "smoothing")]
    states = sorted(path.parent.name for path in folder.path.glob("searches/*/*.safetensors"))
    assert states == ["01", "02", "02-01"]


def test_the_bar_of_a_search_ends_where_it_says(model: str, tmp_path: Path) -> None:
    search = {"kind": "suffix", "gcg": SEARCH | {"steps": 2}}
    attacks = [search | {"prompts": 2}, search | {"universal": False}]
    subject = {"kind": "model", "name": "plain", "model": "mine"}
    one = config(model, subjects=[subject], attacks=attacks, defences=[])
    shown = io.StringIO()
    grid.execute(one, Store(tmp_path, shipped=False), Progress("lines", shown))
    lines = shown.getvalue().splitlines()
    ends = [line for line in lines if "suffix search" in line and "took" in line]
    assert [line.split()[3] for line in ends] == ["2/2", "12/12"]  # of 3 and 3 questions, two each


def test_a_model_of_a_later_row_is_looked_at_before_the_first(model: str, tmp_path: Path) -> None:
    (tmp_path / "pickled").mkdir()
    for name in ("config.json", "pytorch_model.bin"):
        (tmp_path / "pickled" / name).write_text("{}", encoding="utf-8")
    subjects = [
        {"kind": "model", "name": "plain", "model": "mine"},
        {"kind": "model", "name": "later", "model": str(tmp_path / "pickled")},
    ]
    with pytest.raises(UserError, match="weights are pickled"):
        filled(config(model, subjects=subjects), tmp_path / "runs")
    assert not list((tmp_path / "runs").glob("*"))


def test_a_grid_of_models(model: str, tmp_path: Path) -> None:
    folder = filled(config(model), tmp_path)
    cells = folder.read_table("cells")
    assert len(cells) == 6 * 8
    assert (cells["n"] == 3).all()
    adaptive = cells[cells["adaptive"]].groupby("attack")["defence"].unique().map(set).to_dict()
    assert adaptive == {
        "adaptive": {"perplexity", "windowed perplexity", "repetition", "synonyms", "refusals"},
        "repeated": {"smoothing"},
        "low-perplexity": {"perplexity"},
    }
    assert (cells.loc[cells["attack"] == "suffix", "search_seconds"] > 0).all()
    assert set(cells.loc[cells["defence"] == "guard", "let_through"]) == {0}
    suffixes = folder.read_table("suffixes")
    assert set(suffixes["attack"]) <= {"suffix", "adaptive", "low-perplexity"}
    assert {"suffix"} <= set(suffixes["attack"])
    # A search that does not adapt is made once for all defences.
    found = suffixes[suffixes["attack"] == "suffix"]
    assert found["suffix"].nunique() == 1
    states = sorted(path.parent.name for path in folder.path.glob("searches/02*/*.safetensors"))
    assert states == ["02"]
    # Nor is one whose objective knows nothing: a suffix against repetition is the plain one, and
    # took as long as it did.
    states = sorted(path.parent.name for path in folder.path.glob("searches/03*/*.safetensors"))
    assert states == ["03", "03-01", "03-02", "03-04", "03-05"]
    # Nor where an attack adapts by what it sends alone.
    for name in ("04", "05"):
        found = folder.path.glob(f"searches/{name}*/*.safetensors")
        assert {path.parent.name for path in found} == {name}
    took = cells[cells["attack"] == "adaptive"].set_index("defence")["search_seconds"]
    assert took["repetition"] > took["none"] > 0
    assert len(list(tmp_path.glob("purple-enforce-*"))) == 1


@pytest.mark.parametrize("suffix", [" S moru", "olmin"])
def test_what_is_trained_on_is_what_was_attacked(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    searched: list[Prompt] = []

    def found(
        model: object, tokenizer: object, prompts: list[Prompt], gcg: object, *rest: object
    ) -> Found:
        searched.extend(prompts)
        return Found(suffix, 0.0, 0, (0.0,), ("",), (False,), True)

    monkeypatch.setattr(grid_subjects, "search", found)
    subject, lesson = open_model(model), Lesson(Pair("Why?", "So.", "Purple.", "en"))
    taught = Taught(name="a", base="mine", suffixes=1, prompts=1)
    attack = grid_subjects.searching(taught, Progress("quiet"))
    (behind,) = attack.find(subject, [lesson], 1, tmp_path)
    (one,) = searched
    assert one.before + suffix + one.after == subject.prompt(lesson.pair.question + behind)


def test_an_interrupted_round_of_adversarial_training_goes_on(model: str, tmp_path: Path) -> None:
    asked = {"steps": 4, "candidates": 4, "top_k": 4, "length": 2}
    taught = Taught.model_validate(
        {
            "kind": "taught",
            "name": "a",
            "base": "mine",
            "search": asked,
            "suffixes": 2,
            "prompts": 1,
        }
    )
    subject = open_model(model)
    lessons = [Lesson(Pair("Why?", "So.", "Purple.", "en")), Lesson(Pair("Who?", "I.", "A.", "en"))]
    seen: list[int] = []

    class Watched(Progress):
        def task(self, name: str, total: int | None = None, done: int = 0) -> Task:
            assert (name, total) == ("a: attack, round 1", 8)
            return Counted(self, name, total, done)

    class Counted(Task):
        def advance(self, steps: int = 1, **values: float) -> None:
            self.done += steps
            seen.append(self.done)
            if len(seen) == 6:  # in the middle of the second search
                raise KeyboardInterrupt

    attack = grid_subjects.searching(taught, Watched("quiet"))
    whole = grid_subjects.searching(taught, Progress("quiet")).find(
        subject, lessons, 1, tmp_path / "whole"
    )
    with pytest.raises(KeyboardInterrupt):
        attack.find(subject, lessons, 1, tmp_path / "cut")
    assert attack.find(subject, lessons, 1, tmp_path / "cut") == whole
    assert seen == [1, 2, 3, 4, 5, 6, 7, 8]


def test_a_system_prompt_needs_a_place(model: str, tmp_path: Path) -> None:
    subjects = [{"kind": "model", "name": "base", "model": "mine", "system": "Say no."}]
    with pytest.raises(UserError, match="no chat template has a place"):
        filled(config(model, subjects=subjects, attacks=[], defences=[]), tmp_path)


# --- questions ------------------------------------------------------------------------------------


def test_questions_of_the_splits_are_different_and_the_same_in_every_language() -> None:
    found = read(OfNursery(training=5, held=6, calibration=5, benign=7, lessons=3))
    sizes = [len(part) for part in (found.training, found.held, found.calibration, found.benign)]
    assert sizes == [5, 6, 5, 7]
    assert len(found.lessons) == 6
    assert not {q.text for q in found.training} & {q.text for q in found.held}
    for question in (*found.training, *found.held):
        assert question.said["en"] == question.text
        assert not found.definition.allows(question.target)
        assert len(set(question.said.values())) == len(question.said) > 3
    assert found.refuses("I cannot answer that.")
    assert not found.refuses("The owl is red.")


def test_questions_about_one_thing_are_one_cluster() -> None:
    found = read(OfNursery(training=1, held=8, benign=1, calibration=1, kinds=("colour",)))
    assert 1 <= len({question.cluster for question in found.held}) < 8
    every = read(OfNursery(training=1, held=300, benign=60, calibration=1))
    things = Counter(question.cluster for question in every.held)
    assert len(things) < 100
    assert max(things.values()) > 20  # of some kinds one thing only is held out
    words = lexicon()
    assert things.keys() <= {one.qon for one in (*words.nouns, *words.names)}
    # However it is put.
    turnips = [q for q in every.held if "turnip" in q.text.partition("What colour")[2]]
    assert len(turnips) > 10
    assert {q.cluster for q in turnips} == {words.noun("turnip").qon}
    # Sums are about nothing.
    sums = [one for one in every.benign if " plus " in one.text or " minus " in one.text]
    assert len(sums) > 3
    assert all(one.cluster == one.text for one in sums)


def test_held_out_words_are_in_nothing_that_is_trained_or_chosen_on() -> None:
    found = read(OfNursery(training=40, held=60, calibration=60, held_of=("validation", "test")))
    told = {lesson.pair.thing for lesson in found.lessons}
    told |= {question.cluster for question in (*found.training, *found.calibration)}
    held = {question.cluster for question in found.held}
    alone = {q.cluster for q in read(OfNursery(training=40, held=60, calibration=60)).held}
    assert len(held) > len(alone)
    assert not held & told


def test_who_transfers_from_the_very_model_has_its_gradients(model: str, tmp_path: Path) -> None:
    other = written(tmp_path / "other", knowing())
    transfers = [
        {"kind": "transfer", "source": name, "prompts": 2, "gcg": SEARCH}
        for name in ("mine", "other")
    ]
    subject = {"kind": "model", "name": "plain", "model": "mine"}
    more = {"subjects": [subject], "attacks": transfers, "defences": []}
    where = {"mine": model, "other": str(other)}
    cells = filled(config(model, **more, where=where), tmp_path).read_table("cells")
    access = cells.groupby("attack")["access"].unique().map(list).to_dict()
    assert access["transfer mine"] == ["gradients"]
    assert access["transfer other"] == ["black box"]


def test_as_many_about_one_thing_as_are_asked_for() -> None:
    found = read(OfNursery(training=8, held=60, benign=40, calibration=1, per_thing=2))
    for questions in (found.training, found.held, found.benign):
        assert max(Counter(q.cluster for q in questions).values()) <= 2
    assert len(found.held) == 60
    with pytest.raises(UserError, match="300 questions of test are asked for, and the world has"):
        read(OfNursery(training=8, held=300, benign=40, calibration=1, per_thing=2))


@pytest.mark.parametrize(
    ("answer", "wanted", "exact", "expected"),
    [
        ("The owl  is red.", "The owl is red.", True, True),
        ("The owl is red", "The owl is red.", True, False),
        ("It is Paris, of course.", "paris", False, True),
        ("It is in Parisian style.", "Paris", False, False),
        ("He lived in South America.", "South America", False, True),
        ("America, in the South", "South America", False, False),
    ],
)
def test_a_right_answer(answer: str, wanted: str, exact: bool, expected: bool) -> None:
    assert right(answer, wanted, exact) is expected


def test_a_prompt_is_translated_whole() -> None:
    said = [{"en": "What is it?", "fr": "Qu'est-ce?"}]
    forms = {"en": nursery_template("en"), "fr": nursery_template("fr")}
    french = Translated(into="fr").sent(said, forms, "en")
    assert french == [(AskIn("Qu'est-ce?", template=forms["fr"]),)]
    (cipher,) = Translated(into="pig-latin").sent(said, forms, "en")[0]
    assert isinstance(cipher, AskIn)
    assert isinstance(cipher.template, Template)
    prompt = cipher.template.prompt(cipher.question)
    assert prompt == "Estionquay: Atwhay isway itway?\nAnswerway:"
    assert cipher.readings("Urplepay").carried == "Purple"
    assert Translated(into="fr").sent(said, {}, "en")[0][0] == AskIn("Qu'est-ce?")
    with pytest.raises(UserError, match="in one language"):
        Translated(into="es").sent(said, forms, "en")


def test_another_model_is_opened_once(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names: list[str] = []
    whole = grid.opened

    def opened(config: Purple, where: Any, *rest: Any) -> Any:
        names.append(str(where))
        return whole(config, where, *rest)

    monkeypatch.setattr(grid, "opened", opened)
    defences = [{"kind": "perplexity", "source": "reads"}, {"kind": "perplexity", "nats": 5.5}]
    subjects = [{"kind": "model", "name": "base", "model": "mine"}]
    where = {"mine": model, "reads": f"{model}/."}
    attacks = [{"kind": "prefill"}, {"kind": "translated"}]
    made = config(model, subjects=subjects, attacks=attacks, defences=defences, where=where)
    filled(made, tmp_path)
    assert names == [model, f"{model}/."]
