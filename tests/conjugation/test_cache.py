"""Nothing is asked twice: within a call, later, in another process, or after a kill."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unskew.conjugation.base import NotAdmissible
from unskew.conjugation.cache import Cache, Result, cache_folder
from unskew.errors import UserError

WHO = ("mt:a/b", "1")


class Shouter:
    """Translates by shouting, and remembers every text that it was asked."""

    def __init__(self, mark: str = "!") -> None:
        self.mark, self.asked = mark, []

    def __call__(self, texts: Sequence[str]) -> list[Result]:
        self.asked += texts
        return [
            NotAdmissible("shouter", "hoarse") if text == "no" else text.upper() + self.mark
            for text in texts
        ]


def test_each_text_once_and_in_order() -> None:
    cache, ask = Cache(), Shouter()
    assert cache.through(WHO, ("en", "fr"), ["b", "a", "b"], ask) == ["B!", "A!", "B!"]
    assert cache.through(WHO, ("en", "fr"), ["c", "a"], ask) == ["C!", "A!"]
    assert ask.asked == ["b", "a", "c"]
    assert cache.through(WHO, ("en", "fr"), [], ask) == []


def test_direction_name_and_version_are_kept_apart(tmp_path: Path) -> None:
    cache, ask = Cache(tmp_path), Shouter()
    for who, direction in (
        (WHO, ("en", "fr")),
        (WHO, ("fr", "en")),
        (WHO, ("en", "de")),
        (("mt:a/b", "2"), ("en", "fr")),
        (("mt:a-b", "1"), ("en", "fr")),
    ):
        cache.through(who, direction, ["a"], ask)
    assert ask.asked == ["a"] * 5
    assert len(list(tmp_path.iterdir())) == 3


def test_kept_on_disk_whatever_the_text(tmp_path: Path) -> None:
    texts = ["a\nb", "\u2028", "é\x00", "\ud800", '"', "", "ß"]
    first, again = Shouter(), Shouter("?")
    kept = Cache(tmp_path / "new" / "folder").through(WHO, ("en", "fr"), texts, first)
    assert Cache(tmp_path / "new" / "folder").through(WHO, ("en", "fr"), texts, again) == kept
    assert again.asked == []
    (file,) = (tmp_path / "new" / "folder").iterdir()
    assert file.name.startswith("mt-a-b-")
    assert [json.loads(line)["text"] for line in file.read_text().splitlines()] == texts


def test_refusals_are_remembered_but_not_written(tmp_path: Path) -> None:
    cache, ask, later = Cache(tmp_path), Shouter(), Shouter()
    for _ in range(2):
        refusal, kept = cache.through(WHO, ("en", "fr"), ["no", "yes"], ask)
        assert isinstance(refusal, NotAdmissible)
        assert kept == "YES!"
    assert ask.asked == ["no", "yes"]
    Cache(tmp_path).through(WHO, ("en", "fr"), ["no", "yes"], later)
    assert later.asked == ["no"]


def test_a_translator_that_dies_loses_one_chunk_only(tmp_path: Path) -> None:
    def dies(texts: Sequence[str]) -> list[Result]:
        if "c" in texts:
            raise ConnectionError
        return [text.upper() for text in texts]

    with pytest.raises(ConnectionError):
        Cache(tmp_path).through(WHO, ("en", "fr"), list("abcd"), dies, chunk=2)
    ask = Shouter()
    assert Cache(tmp_path).through(WHO, ("en", "fr"), list("abcd"), ask) == ["A", "B", "C!", "D!"]
    assert ask.asked == ["c", "d"]


def test_a_torn_last_line_is_asked_again(tmp_path: Path) -> None:
    Cache(tmp_path).through(WHO, ("en", "fr"), ["a", "b"], Shouter())
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    for torn in (whole[:-1], whole[:-7], whole + b'{"source"'):
        file.write_bytes(torn)
        cache = Cache(tmp_path)
        assert cache.through(WHO, ("en", "fr"), ["c", "b", "a"], Shouter()) == ["C!", "B!", "A!"]
        lines = [json.loads(line)["text"] for line in file.read_bytes().splitlines()]
        assert sorted(lines) == ["a", "b", "c"]
        file.write_bytes(whole)


DEEP = pytest.param("[" * 100_000, id="deep")


@pytest.mark.parametrize("bad", ["nonsense", "[1]", "{}", '{"source": "en"}', "\x00" * 9, "", DEEP])
def test_damaged_lines_are_named(tmp_path: Path, bad: str) -> None:
    Cache(tmp_path).through(WHO, ("en", "fr"), ["a"], Shouter())
    (file,) = tmp_path.iterdir()
    file.write_text(file.read_text() + bad + "\n")
    with pytest.raises(UserError, match="line 2 is no translation") as mistake:
        Cache(tmp_path).through(WHO, ("en", "fr"), ["a"], Shouter())
    assert mistake.value.where == str(file)


def test_two_caches_at_once_share_and_the_first_answer_stands(tmp_path: Path) -> None:
    one, other, third = Cache(tmp_path), Cache(tmp_path), Shouter("3")
    one.through(WHO, ("en", "fr"), ["a"], Shouter("1"))
    assert other.through(WHO, ("en", "fr"), ["a"], Shouter("2")) == ["A1"]
    other.through(WHO, ("en", "fr"), ["b"], Shouter("2"))
    assert one.through(WHO, ("en", "fr"), ["a", "b"], third) == ["A1", "B2"]
    assert third.asked == []

    def while_asking(texts: Sequence[str]) -> list[Result]:
        other.through(WHO, ("en", "fr"), ["c"], Shouter("2"))
        return [text.upper() + "1" for text in texts]

    assert one.through(WHO, ("en", "fr"), ["c"], while_asking) == ["C2"]
    (file,) = tmp_path.iterdir()
    assert len(file.read_text().splitlines()) == 3


def test_a_file_removed_meanwhile_begins_anew(tmp_path: Path) -> None:
    cache, ask = Cache(tmp_path), Shouter()
    cache.through(WHO, ("en", "fr"), ["a long text", "b"], ask)
    (file,) = tmp_path.iterdir()
    file.unlink()
    assert cache.through(WHO, ("en", "fr"), ["c", "b"], ask) == ["C!", "B!"]
    assert ask.asked == ["a long text", "b", "c"]
    assert Cache(tmp_path).through(WHO, ("en", "fr"), ["c"], Shouter("?")) == ["C!"]


@pytest.mark.parametrize("texts", [["c"], ["c, and longer", "d"]], ids=["shorter", "longer"])
def test_a_file_made_anew_meanwhile_is_read_from_its_beginning(
    texts: list[str], tmp_path: Path
) -> None:
    # A file system may give the new file the number of the old one, so its content tells.
    cache, ask = Cache(tmp_path), Shouter()
    cache.through(WHO, ("en", "fr"), ["a long text"], ask)
    (file,) = tmp_path.iterdir()
    file.unlink()
    Cache(tmp_path).through(WHO, ("en", "fr"), texts, Shouter("?"))
    found = cache.through(WHO, ("en", "fr"), [*texts, "a long text", "e"], ask)
    assert found == [*(text.upper() + "?" for text in texts), "A LONG TEXT!", "E!"]
    assert ask.asked == ["a long text", "e"]
    lines = [json.loads(line)["text"] for line in file.read_text().splitlines()]
    assert lines == [*texts, "e"]


def test_a_damaged_line_that_was_deleted_is_no_longer_in_the_way(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.through(WHO, ("en", "fr"), ["a"], Shouter())
    (file,) = tmp_path.iterdir()
    whole = file.read_text()
    file.write_text(whole + "nonsense\n")
    for _ in range(2):
        with pytest.raises(UserError, match="line 2 is no translation"):
            cache.through(WHO, ("en", "fr"), ["b"], Shouter())
    file.write_text(whole)
    assert cache.through(WHO, ("en", "fr"), ["b"], Shouter()) == ["B!"]


def test_threads_do_not_ask_twice(tmp_path: Path) -> None:
    cache, ask = Cache(tmp_path), Shouter()
    texts = [str(i) for i in range(50)]
    threads = [
        threading.Thread(target=cache.through, args=(WHO, ("en", "fr"), texts, ask, 5))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ask.asked) == sorted(texts)


WRITER = """
import sys
from pathlib import Path
from unskew.conjugation.cache import Cache
cache = Cache(Path(sys.argv[1]))
for i in range(300):
    texts = [f"{i} " + "x" * 2000, f"{sys.argv[2]} {i}"]
    cache.through(("mt:a/b", "1"), ("en", "fr"), texts, lambda t: [s + sys.argv[2] for s in t])
"""


def test_processes_write_whole_lines_side_by_side(tmp_path: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), name]) for name in "pq"
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    (file,) = tmp_path.iterdir()
    texts = [json.loads(line)["text"] for line in file.read_text().splitlines()]
    assert len(texts) == len(set(texts)) == 900


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be used") as mistake:
        Cache(tmp_path / "file").through(WHO, ("en", "fr"), ["a"], Shouter())
    assert "UNSKEW_CACHE" in str(mistake.value)


def test_a_full_disk_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Cache(tmp_path).through(WHO, ("en", "fr"), ["a"], Shouter())
    (file,) = tmp_path.iterdir()
    before, write = file.read_bytes(), os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda descriptor, blob: write(descriptor, blob[:5]))
        with pytest.raises(UserError, match="no room left"):
            Cache(tmp_path).through(WHO, ("en", "fr"), ["b"], Shouter())
    assert file.read_bytes() == before


def test_too_few_results_are_a_defect_not_a_guess() -> None:
    with pytest.raises(ValueError, match="1 results for 2 texts"):
        Cache().through(WHO, ("en", "fr"), ["a", "b"], lambda texts: ["A"])


def test_where_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNSKEW_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path / "translations"
    monkeypatch.delenv("UNSKEW_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "unskew" / "translations"


@given(st.lists(st.lists(st.text("aß\n", max_size=2), max_size=5), max_size=5), st.integers(1, 4))
def test_it_answers_as_the_translator_would(calls: list[list[str]], chunk: int) -> None:
    cache, ask = Cache(), Shouter()
    for texts in calls:
        found = cache.through(WHO, ("en", "fr"), texts, ask, chunk)
        assert found == [text.upper() + "!" for text in texts]
    assert sorted(ask.asked) == sorted({text for texts in calls for text in texts})
