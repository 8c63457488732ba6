"""Lines of JSON: objects with their places; of kept answers what was torn off is cut away."""

from pathlib import Path

import pytest

from unskew.errors import AbsentError, UserError
from unskew.runs.lines import kept, objects


def test_what_a_kill_tore_off_is_cut_away(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    assert kept(path) == {}
    path.write_text('["a", 1, 2]\n["b", 3, 4]\n["c", 5')
    assert kept(path) == {"a": [1, 2], "b": [3, 4]}
    assert path.read_text() == '["a", 1, 2]\n["b", 3, 4]\n'


@pytest.mark.parametrize("line", ["no json", "3", "[]", '["b"]'])
def test_a_whole_line_that_is_no_answer_is_named(line: str, tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    path.write_text(f'["a", 1]\n{line}\n')
    with pytest.raises(UserError, match="line 2 is no answer"):
        kept(path, width=1)


def test_objects_come_with_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    # A mark of UTF-8, an empty line, and what ends a line elsewhere but not in JSON.
    path.write_text('\ufeff{"a": 1}\n\n{"a": "x\u2028y\x85z"}\n', "utf-8")
    assert [(line.number, line.row) for line in objects(path, "")] == [
        (1, {"a": 1}),
        (3, {"a": "x\u2028y\x85z"}),
    ]
    assert objects(path, "")[1].where == f"{path}, line 3"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "line 1: not JSON"),
        (b"[1]", "line 1: not an object"),
        (b"\xe9", "not a text in UTF-8"),
    ],
)
def test_what_is_no_object_is_named(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        objects(path, "a form")
    assert caught.value.hint == "a form"
    with pytest.raises(AbsentError, match="there is no such file"):
        objects(tmp_path / "absent.jsonl", "a form")
    with pytest.raises(UserError, match="cannot be read"):
        objects(tmp_path, "a form")
