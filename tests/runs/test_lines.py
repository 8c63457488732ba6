"""Answers kept as lines: what was whole is read, what was torn off is cut away."""

from pathlib import Path

import pytest

from unskew.errors import UserError
from unskew.runs.lines import kept


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
