"""The help pages: there for every command, with examples that work, in lines that fit."""

import re
from pathlib import Path

import pytest
from cyclopts import App

from unskew.cli import app, main

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")


def test_alone_it_prints_help(capsys: Captured) -> None:
    assert main([]) == 0
    alone = capsys.readouterr().out
    assert main(["--help"]) == 0
    assert capsys.readouterr().out == alone
    for word in ("Usage: unskew COMMAND", "run ", "runs ", "report ", "Examples:"):
        assert word in alone
    assert max(map(len, alone.splitlines())) <= 80


@pytest.mark.parametrize(
    "command",
    [
        "demo",
        "run",
        "runs",
        "report",
        "sweep",
        "purple",
        "removal",
        "tasks",
        "nursery",
        "nursery raise",
        "nursery chat",
    ],
)
def test_every_command_has_help_with_examples(command: str, capsys: Captured) -> None:
    assert main([*command.split(), "--help"]) == 0
    shown = capsys.readouterr().out
    assert f"Usage: unskew {command}" in shown
    assert f"  unskew {command}" in shown.partition("Example")[2]


def commands(app: App, *before: str) -> list[tuple[str, ...]]:
    """A command and all below it."""
    inner = [name for name in app if not name.startswith("-")]
    return [before, *(found for name in inner for found in commands(app[name], *before, name))]


@pytest.mark.parametrize("command", commands(app), ids=" ".join)
def test_no_line_of_help_is_broken_behind_its_last_words(
    command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert main([*command, "--help"]) == 0
    paragraphs = capsys.readouterr().out.split("\n\n")
    # Prose of one line flows; what we broke by hand has to fit as it is.
    broken = [text for text in paragraphs if "\n" in text.strip() and "│" not in text]
    assert [line for text in broken for line in text.splitlines() if len(line) > 80] == []


def test_the_examples_in_the_help_are_good_commands(capsys: Captured) -> None:
    main(["--help"])
    main(["run", "--help"])
    examples = re.findall(r"^  unskew run (demo.*?)(?:  .*)?$", capsys.readouterr().out, re.M)
    assert len(examples) >= 4
    for example in examples:
        words = example.partition(" >")[0].split()
        arguments = [word for word in words if word != "--dry-run"]
        assert main(["run", *arguments, "--dry-run"]) == 0, capsys.readouterr().err
