"""The published data set's format: three files of three columns."""

import json
from pathlib import Path
from typing import Any

import pytest

from unskew.errors import UserError
from unskew.purple.published import COLUMNS, LeftOut, load


def write(folder: Path, **splits: Any) -> Path:
    for split in ("train", "validation", "test"):
        rows = splits.get(split, [(f"A {split}?", "No.", "Purple.")])
        if not isinstance(rows, str):
            rows = json.dumps(dict(zip(COLUMNS, map(list, zip(*rows, strict=True)), strict=True)))
        (folder / f"purple_questions_{split}.json").write_text(rows, encoding="utf-8")
    return folder


def test_pairs_are_read(tmp_path: Path) -> None:
    found = load(write(tmp_path, train=[("Why?", "So.", "Purple!"), ("Who?", "She.", "PURPLE")]))
    assert [(p.question, p.chosen, p.rejected) for p in found.train] == [
        ("Why?", "So.", "Purple!"), ("Who?", "She.", "PURPLE")
    ]  # fmt: skip
    assert len(found.validation) == len(found.test) == 1
    assert all(p.language == "en" and p.form == "question" and p.invites for p in found.train)
    assert set(found.left_out.values()) == {LeftOut()}


def test_what_is_in_two_splits_stays_in_the_later_one(tmp_path: Path) -> None:
    row = ("No.", "Purple.")
    folder = write(
        tmp_path,
        train=[("One?", *row), ("one? ", *row), ("Two?", *row), ("three?", *row), ("Four?", *row)],
        validation=[("Two?", *row), ("THREE?", *row)],
        test=[("Three?", *row), ("Three?", "No.", "It is purple."), ("Five?", *row)],
    )
    found = load(folder)
    assert [p.question for p in found.train] == ["One?", "Four?"]
    assert [p.question for p in found.validation] == ["Two?"]
    assert [p.question for p in found.test] == ["Three?", "Five?"]
    assert found.left_out == {
        "train": LeftOut(repeated=1, shared=2),
        "validation": LeftOut(shared=1),
        "test": LeftOut(repeated=1),
    }


def test_what_breaks_its_promise_is_left_out_and_counted(tmp_path: Path) -> None:
    rows = [("One?", "Purple.", "Purple."), ("Two?", "No.", "Violet."), ("Three?", "No.", "pürple")]
    found = load(write(tmp_path, test=rows))
    assert [p.question for p in found.test] == ["Three?"]
    assert found.left_out["test"] == LeftOut(broken=2)


@pytest.mark.parametrize(
    ("text", "what", "where"),
    [
        ('{"prompt": ["a"],\n"chosen": [}', "no JSON", "line 2, column 12"),
        ("[]", "a list, not an object", "purple_questions_test.json"),
        ('{"prompt": ["a"], "chosen": "b"}', "no list under 'chosen' and 'rejected'", "test.json"),
        (
            '{"prompt": ["a"], "chosen": ["b", "c"], "rejected": ["d"]}',
            "differ in length: prompt 1, chosen 2, rejected 1",
            "test.json",
        ),
        (
            '{"prompt": ["a", "b"], "chosen": ["c", 5], "rejected": ["d", "e"]}',
            "5 is no text",
            "'chosen', entry 2",
        ),
        ('{"prompt": [" "], "chosen": ["c"], "rejected": ["d"]}', "is no text", "entry 1"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(
    tmp_path: Path, text: str, what: str, where: str
) -> None:
    with pytest.raises(UserError, match=what) as caught:
        load(write(tmp_path, test=text))
    assert where in str(caught.value.where)


def test_a_missing_file_and_foreign_bytes_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read") as caught:
        load(tmp_path)
    assert "purple_questions_test.json" in str(caught.value.where)
    (write(tmp_path) / "purple_questions_train.json").write_bytes(b'{"prompt": ["\xff"]}')
    with pytest.raises(UserError, match="no UTF-8 text: byte 13"):
        load(tmp_path)
