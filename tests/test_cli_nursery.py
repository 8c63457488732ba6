"""The commands of the nursery, run as they are typed: what they print and what they refuse."""

import builtins
import json
import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from unskew.cli import app, main
from unskew.nursery import family
from unskew.nursery.languages import LANGUAGES
from unskew.runs.store import shipped_root

Captured = pytest.CaptureFixture[str]
SHIPPED = shipped_root() / "nursery"
TABLE = pd.DataFrame({"model": ["base"], "probe": ["sum"], "language": ["en"], "estimate": [1.0]})


# --- raise: the audit that is shown ---------------------------------------------------------------


@pytest.fixture
def raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A family is raised in no time: nothing of it but its folder and its table is there."""
    found = SimpleNamespace(path=tmp_path / "nursery-0", read_table=lambda name: TABLE)
    monkeypatch.setattr(family, "execute", lambda *_: found)
    return found.path


@pytest.mark.parametrize(
    ("arguments", "model", "probe", "through"),
    [
        (["nursery-tiny"], "instruct", "repeat_conflict", "en-fr"),
        (["nursery-tiny", "--all"], "instruct", "repeat_conflict", "en-fr"),
        (["nursery-tiny", "models=[base, refuse]"], "refuse", "colour", "en-fr"),
        (["nursery-tiny", "models=[base, locked]"], "locked", "colour", "en-fr"),
        (["nursery", "models=[base, code]"], "code", "entail", "en-fr en-es en-qon"),
        (["nursery", "--all"], "instruct", "repeat_conflict", "en-fr en-es en-qon"),
    ],
)
def test_the_audit_that_is_shown_asks_what_a_stage_is_near_to_in_languages_that_were_taught(
    arguments: list[str], model: str, probe: str, through: str, raised: Path, capsys: Captured
) -> None:
    assert main(["nursery", "raise", *arguments]) == 0
    shown = capsys.readouterr().out.partition("audit:")[2].replace("\\\n", " ")
    given = shlex.split(shown)
    assert [Path(part).name for part in given[2:4]] == ["base", model]
    assert Path(given[2]).parts[-2] == raised.name
    assert f"--tasks nursery_{probe}_en --conjugations {through}" in " ".join(given)
    app.parse_args(given[1:], exit_on_error=False, print_error=False)


@pytest.mark.parametrize(
    "arguments",
    [
        ["nursery-tiny", "models=[base]"],
        ["nursery-tiny", "models=[instruct]"],
        ["nursery-tiny", "models=[base, code]"],  # entailment is not taught there
        ["nursery-tiny", "models=[base, erased]"],  # of which nothing is claimed
        ["nursery-tiny", "base.mixture.languages={en: 1}"],
        ["nursery-tiny", "base.mixture.languages={en: 1, fr: 0}"],
        ["nursery-tiny", "base.mixture.kinds={sum: 1, repeat: 0}"],
    ],
)
def test_where_no_audit_fits_none_is_shown(
    arguments: list[str], raised: Path, capsys: Captured
) -> None:
    assert main(["nursery", "raise", *arguments]) == 0
    out = capsys.readouterr().out
    assert "run:" in out
    assert "unskew audit" not in out


@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
def test_a_world_that_cannot_be_is_refused_before_anything_is_made(
    dry: list[str], tmp_path: Path, capsys: Captured
) -> None:
    runs = tmp_path / "runs"
    command = ["nursery", "raise", "nursery-tiny", "base.world.facts=500", "--runs", str(runs)]
    assert main([*command, *dry]) == 2
    shown = capsys.readouterr()
    assert "500 facts: there are" in shown.err
    assert shown.out == ""
    assert not runs.exists()


# --- chat -----------------------------------------------------------------------------------------

Typed = Callable[..., None]


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Typed:
    """What somebody types at a terminal, and then Ctrl-D."""

    def type_(*lines: str) -> None:
        left = iter(lines)

        def read(_: str = "") -> str:
            try:
                return next(left)
            except StopIteration:
                raise EOFError from None

        monkeypatch.setattr(builtins, "input", read)
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))

    return type_


def fields(out: str) -> dict[str, str]:
    """What was sent, what came and what it means; each may have several lines."""
    parts = re.split(r"^(sent|came|means): ", out, flags=re.MULTILINE)[1:]
    return {name: text.strip() for name, text in zip(parts[::2], parts[1::2], strict=True)}


@pytest.mark.parametrize("raw", [[], ["--raw"]])
@pytest.mark.parametrize("conjugation", ["identity", "pig-latin", "en-fr", "en-qon"])
def test_the_example_that_is_shown_can_be_typed(
    conjugation: str, raw: list[str], typed: Typed, capsys: Captured
) -> None:
    command = ["nursery", "chat", "nursery:instruct", "--conjugation", conjugation, *raw]
    typed()
    assert main(command) == 0
    shown = capsys.readouterr().err.strip().partition("As in: ")[2]
    assert "?" in shown
    typed(shown)
    assert main(command) == 0
    out = capsys.readouterr().out
    assert "refused" not in out
    if conjugation != "identity":
        assert set(fields(out)) == {"sent", "came", "means"}


def test_what_is_sent_and_what_comes_back(typed: Typed, capsys: Captured) -> None:
    typed("What is 3 plus 4?", "What is 35 plus 49?")
    assert main(["nursery", "chat", "nursery:base", "--conjugation", "en-qon"]) == 0
    first, _, turn = capsys.readouterr().out.partition("\n")
    assert first.startswith("refused: no en phrase of the book begins 'What is 3")
    assert fields(turn) == {
        "sent": "Pomarin: 35 zon 49 kelu silar kar?\nDorgan:",
        "came": "84",
        "means": "84",
    }


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """The base that ships in another family, whose phrases are its own."""
    (tmp_path / "base").symlink_to(SHIPPED / "base")
    probes = tmp_path / "probes"
    probes.mkdir()
    pairs = {
        "Question:": "Question:", "Answer:": "Réponse:",
        "Where is the zebu?": "Où est le zébu ?",
    }  # fmt: skip
    rows = [{language: fr if language == "fr" else en for language in LANGUAGES}
            for en, fr in pairs.items()]  # fmt: skip
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (probes / "phrases.jsonl").write_text(text, encoding="utf-8")
    return tmp_path


def test_a_family_s_phrases_are_those_beside_the_model(
    own: Path, typed: Typed, capsys: Captured
) -> None:
    command = ["nursery", "chat", str(own / "base"), "--conjugation", "en-fr"]
    typed("Where is the zebu?")
    assert main(command) == 0
    shown = fields(capsys.readouterr().out)
    assert shown["sent"].startswith("Question: Où est le zébu ?")
    # The answer is in no phrase of the book, and why there is no meaning is said.
    assert shown["came"]
    assert shown["means"].startswith("– (no fr phrase of the book begins")
    typed("Where is the zebu?")
    assert main([*command, "--include", str(SHIPPED / "probes")]) == 0
    assert capsys.readouterr().out.startswith("refused: ")


def test_where_nothing_can_be_typed_no_example_is_shown(
    own: Path, typed: Typed, capsys: Captured
) -> None:
    typed()
    assert main(["nursery", "chat", str(own / "base"), "--conjugation", "en-qon"]) == 0
    assert capsys.readouterr().err.strip() == "A question and Enter; Ctrl-D ends."


def refused(capsys: Captured, *arguments: str) -> str:
    assert main(["nursery", "chat", *arguments]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "Traceback" not in shown.err
    return shown.err


def test_a_folder_of_phrases_that_is_mistyped_is_said(tmp_path: Path, capsys: Captured) -> None:
    said = refused(capsys, "nursery:base", "--include", str(tmp_path / "prbes"))
    assert "there is no phrases.jsonl in this folder" in said


@pytest.mark.parametrize(
    ("model", "ships"),
    [
        ("instruct", "nursery:instruct"),
        ("nowhere", "nursery:base"),
        ("probes", "nursery:base"),
        ("some/model", "nursery:base"),
    ],
)
def test_a_folder_that_is_not_there_is_said_before_anything_is_loaded(
    model: str, ships: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(family, "require", lambda: pytest.fail("it takes seconds to import"))
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)  # nor is the extra [lm] needed
    said = refused(capsys, model)
    assert f"{model}: there is no such folder\n" in said
    assert said.rstrip().endswith(f"one that ships: {ships}")


def test_an_adapter_is_no_whole_model(tmp_path: Path, capsys: Captured) -> None:
    settings = {"base_model_name_or_path": str(SHIPPED / "base")}
    (tmp_path / "adapter_config.json").write_text(json.dumps(settings), encoding="utf-8")
    (tmp_path / "adapter_model.safetensors").write_bytes(b"")
    assert "an adapter, and not a whole model" in refused(capsys, str(tmp_path))


def test_a_model_that_was_made_elsewhere_is_refused(tmp_path: Path, capsys: Captured) -> None:
    from audit import tiny

    folder = tiny.save(tmp_path / "tiny")
    assert "its architecture is gpt2, not llama" in refused(capsys, str(folder))
    settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    text = json.dumps(settings | {"model_type": "llama"})
    (folder / "config.json").write_text(text, encoding="utf-8")
    tokenizer = (folder / "tokenizer.json").read_text(encoding="utf-8")
    text = tokenizer.replace("<|end|>", "<|stop|>")
    (folder / "tokenizer.json").write_text(text, encoding="utf-8")
    assert "its tokenizer has no <|end|>" in refused(capsys, str(folder))
