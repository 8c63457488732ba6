"""What is written is whole at every moment."""

import math
from pathlib import Path

import pytest

from unskew.runs import writing


def test_a_file_is_replaced_or_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file.txt"
    assert writing.replace(path, lambda new: new.write_text("one")) == path
    assert path.read_text() == "one"

    def fail(new: Path) -> None:
        new.write_text("half")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        writing.replace(path, fail)
    assert path.read_text() == "one"
    assert [p.name for p in path.parent.iterdir()] == ["file.txt"]


def test_a_folder_is_replaced_or_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    writing.replace_folder(path, lambda new: (new / "a").write_text("one"))

    def fail(new: Path) -> None:
        (new / "b").write_text("half")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        writing.replace_folder(path, fail)
    assert [p.name for p in path.iterdir()] == ["a"]
    writing.replace_folder(path, lambda new: (new / "c").write_text("two"))
    assert [p.name for p in path.iterdir()] == ["c"]
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


def test_what_json_has_no_word_for_is_none() -> None:
    given = {1: [1.5, math.nan, (math.inf, "nan")], "b": None, "c": {"d": -math.inf}}
    assert writing.finite(given) == {"1": [1.5, None, [None, "nan"]], "b": None, "c": {"d": None}}
