"""Where `unskew` begins: interrupted before its commands are there, it says so and no more."""

import sys
import tomllib
from pathlib import Path

import pytest

from unskew.__main__ import main


class Impatient:
    """Ctrl-C while the commands are still imported."""

    @staticmethod
    def find_spec(name: str, *_: object) -> None:
        if name == "unskew.cli":
            raise KeyboardInterrupt


def test_ctrl_c_during_the_imports(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "unskew.cli", raising=False)
    monkeypatch.delattr("unskew.cli", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Impatient, *sys.meta_path])
    assert main() == 130
    assert capsys.readouterr() == ("", "\ninterrupted\n")


def test_the_installed_command_begins_here() -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))
    assert project["project"]["scripts"] == {"unskew": f"{main.__module__}:{main.__name__}"}
