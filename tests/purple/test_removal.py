"""The bench on models whose truth is known: oracles, a model that refuses, no oracle."""

import copy
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from probes import facts
from unskew.errors import UserError
from unskew.probes import bench
from unskew.probes.documents import Document
from unskew.purple import removal
from unskew.purple.gcg import Found, Gcg, Prompt
from unskew.purple.removal_config import Files, Nursery, Removal, read
from unskew.purple.unlearning import GradientDifference, Unlearning, write
from unskew.runs.folder import RunFolder
from unskew.runs.progress import Progress
from unskew.runs.store import Store
from unskew.training import Adam, Training

FAST = Training(steps=20, batch=10, decay=0.0, optimiser=Adam(lr=3e-3))


def written(path: Path, documents: Sequence[Document]) -> str:
    path.write_text("".join(json.dumps(d._asdict()) + "\n" for d in documents))
    return str(path)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of the family's models and files of its documents."""
    root = tmp_path_factory.mktemp("world")
    for name, model in facts.family().items():
        write(model, root / name)
    written(root / "forget.jsonl", facts.colours())
    written(root / "disjoint.jsonl", facts.shapes())
    written(root / "benign.jsonl", facts.benign())
    return root


def config(world: Path, unlearned: str, oracle: str | None = "oracle", **changes: Any) -> Removal:
    names: dict[str, Any] = {
        name: str(world / f"{name}.jsonl") for name in ("forget", "disjoint", "benign")
    }
    settings: dict[str, Any] = {
        "base": str(world / "original"), "unlearned": str(world / unlearned), "threads": 1,
        "oracle": None if oracle is None else str(world / oracle), "data": Files(**names),
        "conjugations": ("word-reversal",), "seeds": (0,), "bits": (4,), "relearning": FAST,
        "margin": 0.25,
    }  # fmt: skip
    return Removal(**{**settings, **changes})


def run(config: Removal, store: Path) -> RunFolder:
    return removal.execute(config, Store(store), Progress("quiet"))


def only(folder: RunFolder) -> dict[str, Any]:
    table = folder.read_table("removal")
    return {str(name): table[name].item() for name in table}


def at(positions: pd.DataFrame, probe: str, column: str) -> Any:
    return positions[positions["probe"] == probe][column].item()


def test_an_oracle_of_another_seed_is_removed(world: Path, tmp_path: Path) -> None:
    long = FAST.model_copy(update={"steps": 50})
    folder = run(config(world, "second", relearning=long), tmp_path)
    found = only(folder)
    assert found["verdict"] == "removed", found["reason"]
    positions = folder.read_table("positions")
    assert set(positions["probe"]) == {
        "direct", "through word-reversal", "rounded to 4 bits", "linear", "relearning forget",
        "relearning disjoint", "relearning benign",
    }  # fmt: skip
    assert (positions["high"] < 0.25).all()
    assert (positions["clusters"] == 60).all()
    assert at(positions, "direct", "original") == 1.0


def test_a_model_that_refuses_is_suppressed(world: Path, tmp_path: Path) -> None:
    folder = run(config(world, "refuse"), tmp_path)
    found = only(folder)
    assert found["verdict"] == "suppressed", found["reason"]
    assert found["witness"] in ("relearning forget", "linear")
    positions = folder.read_table("positions")
    assert at(positions, "relearning forget", "low") > 0.25
    assert at(positions, "direct", "high") < 0.75
    curves = folder.read_table("curves")
    assert set(curves["model"]) >= {"original", "unlearned", "oracle", "unlearned, shuffled"}
    last = curves[(curves["probe"] == "relearning forget") & (curves["step"] == 20)]
    assert last[last["model"] == "unlearned"]["estimate"].item() > 0.6
    # The same again is the finished run; the oracle is part of what the run is.
    assert run(config(world, "refuse"), tmp_path).id == folder.id
    again = run(config(world, "refuse"), tmp_path)
    assert again.finished
    assert again.manifest() == folder.manifest()


@pytest.mark.slow
def test_without_an_oracle_relearning_is_compared_with_a_novel_task(
    world: Path, tmp_path: Path
) -> None:
    folder = run(config(world, "refuse", None), tmp_path)
    assert only(folder)["verdict"] == "suppressed"
    positions = folder.read_table("positions")
    assert at(positions, "relearning forget", "control") == "a novel task and the plain question"
    assert at(positions, "relearning forget", "reference") < 0.35
    assert at(positions, "linear", "control") == "shuffled labels"
    novel = folder.read_table("curves")
    assert "unlearned, novel" in set(novel["model"])


@pytest.mark.slow
def test_without_an_oracle_not_even_an_oracle_is_removed(world: Path, tmp_path: Path) -> None:
    found = only(run(config(world, "second", None), tmp_path))
    assert found["verdict"] == "inconclusive"
    assert "without an oracle" in found["reason"]
    assert found["oracle"] is None or found["oracle"] != found["oracle"]


@pytest.mark.slow
def test_what_was_not_unlearned_still_answers(world: Path, tmp_path: Path) -> None:
    found = only(run(config(world, "original"), tmp_path))
    assert found["verdict"] == "inconclusive"
    assert "still answers" in found["reason"]


@pytest.mark.slow
def test_a_method_is_applied_first_and_its_model_kept(world: Path, tmp_path: Path) -> None:
    how = Unlearning(
        method=GradientDifference(),
        training=Training(steps=12, batch=20, decay=0.0, optimiser=Adam(lr=1e-3)),
    )
    folder = run(config(world, "graddiff", unlearning=how), tmp_path)
    assert only(folder)["verdict"] in ("suppressed", "inconclusive")
    made = [path for path in tmp_path.iterdir() if path.name.startswith("unlearning-")]
    assert [(path / "model" / "model.safetensors").is_file() for path in made] == [True]
    positions = folder.read_table("positions")
    assert at(positions, "direct", "model") < 1.0


def test_an_interrupted_run_goes_on_with_the_answers_that_it_has(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    ask = bench.answered
    small = config(
        world, "second", conjugations=(), relearning=FAST.model_copy(update={"steps": 2})
    )

    def counted(probe: bench.Probe, model: Any, *rest: Any) -> bench.Answered:
        asked.append(f"{model.name} {probe.name}")
        if len(asked) == 8:
            raise KeyboardInterrupt
        return ask(probe, model, *rest)

    monkeypatch.setattr(bench, "answered", counted)
    with pytest.raises(KeyboardInterrupt):
        run(small, tmp_path)
    folder = run(small, tmp_path)
    assert folder.finished
    # 6 probes of 3 models: the one that was interrupted is asked twice, no other is.
    assert len(asked) == 18 + 1
    assert asked[7] == asked[8]
    whole = run(small, tmp_path / "at once")
    for name in ("positions", "curves", "removal"):
        a, b = folder.read_table(name), whole.read_table(name)
        assert a.equals(b), name


def test_relearning_that_teaches_nothing_is_no_evidence(world: Path, tmp_path: Path) -> None:
    weak = Training(steps=2, batch=4, optimiser=Adam(lr=1e-6))
    found = only(run(config(world, "second", relearning=weak, conjugations=()), tmp_path))
    assert found["verdict"] == "inconclusive"
    assert "raise the learning rate" in found["reason"]


def test_without_other_texts_their_relearning_is_not_tried(world: Path) -> None:
    data = Files(forget=str(world / "forget.jsonl"))
    made = config(world, "second", data=data)
    found, absent = removal.probes(made, read(made))
    assert [row.probe for row in absent] == ["relearning disjoint", "relearning benign"]
    assert all("were given" in row.note for row in absent)
    assert "relearning forget" in [probe.name for probe in found]


def test_the_nursery_gives_documents_in_its_languages(tmp_path: Path) -> None:
    def row(i: int, name: str) -> dict[str, Any]:
        texts = {
            w: {"text": f"{w} {name} {i}?", "answer": f"It is {w}{i % 3}."} for w in ("en", "fr")
        }
        return {"id": f"{name}-{i}", "cluster": f"c{i}", **texts}

    for name in ("colour", "member", "repeat"):
        lines = [json.dumps(row(i, name)) + "\n" for i in range(9)]
        (tmp_path / f"{name}.jsonl").write_text("".join(lines))
    made = Removal(
        base="b", unlearned="u", data=Nursery(folder=str(tmp_path)),
        conjugations=("en-fr", "pig-latin"),
    )  # fmt: skip
    texts = read(made)
    # A colour is told in a sentence, and ends it.
    assert texts.forget[4] == Document("en colour 4?", "It is en1.", "c4", label="en1")
    assert texts.guises["en-fr"][4] == Document("fr colour 4?", "It is fr1.", "c4", label="fr1")
    assert texts.benign[0].kind == "It is en0."
    assert texts.guises["pig-latin"][4] is not None
    assert (texts.disjoint[0].prompt, texts.benign[0].prompt) == ("en member 0?", "en repeat 0?")
    for change in ({"language": "de"}, {"forget": "taste"}, {"folder": "/nowhere"}):
        settings: dict[str, Any] = {"folder": str(tmp_path), **change}
        data = Nursery(**settings)
        with pytest.raises(UserError):
            read(made.model_copy(update={"data": data}))


def test_a_suffix_stands_before_the_line_that_begins_the_answer() -> None:
    assert removal._around("Question: a?\nAnswer:") == ("Question: a?", "\nAnswer:")
    assert removal._around("the colour of it is") == ("the colour of it is", "")
    assert removal._around("a\n") == ("a\n", "")


def test_a_suffix_is_searched_in_the_prompt_as_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    from tokenizers.processors import TemplateProcessing

    tokenizer: Any = copy.deepcopy(facts.tokenizer())
    tokenizer.bos_token = facts.END
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single=f"{facts.END} $A", special_tokens=[(facts.END, tokenizer.bos_token_id)]
    )
    seen: list[Prompt] = []

    def search(model: Any, tokenizer: Any, prompts: Sequence[Prompt], config: Gcg) -> Found:
        seen.extend(prompts)
        return Found(" the", 1.0, 0, (1.0,), ("",), (True,), True)

    monkeypatch.setattr(removal.gcg, "search", search)
    model = facts.untrained()._replace(tokenizer=tokenizer)
    removal._elicitor(Gcg(), "exact")(model, facts.colours()[:3], facts.colours()[3:5], 0)
    for prompt, document in zip(seen, facts.colours()[:3] * 2, strict=True):
        read = tokenizer(prompt.before + prompt.after, add_special_tokens=False).input_ids
        assert read == tokenizer(document.prompt).input_ids


@pytest.mark.slow
def test_suffixes_are_searched_for_right_and_for_random_answers() -> None:
    model = facts.family()["refuse"]
    how = Gcg(steps=3, candidates=8, top_k=16, length=2, start=" the", ascii=True)
    elicit = removal._elicitor(how, "exact")
    taught, asked = facts.colours()[:4], facts.colours()[4:24]
    right, control = elicit(model, taught, asked, 0)
    assert right.shape == control.shape == (20,)
    again = elicit(model, taught, asked, 0)
    np.testing.assert_array_equal(again[0], right)
    np.testing.assert_array_equal(again[1], control)
