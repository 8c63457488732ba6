"""The benchmark of the guard, at a toy size: rows are complete, wrong contenders are refused."""

from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def guard(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks import guard

    return guard


def test_rows(guard: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "kept" / "guard.parquet"
    size = ["--characters", "300", "--turns", "1", "--chunks", "2", "64"]
    guard.main([*size, "--out", str(out)])
    table = pd.read_parquet(out)
    assert len(table) == 2 * 2 * len(guard.CONTENDERS)
    assert set(table["text"]) == {"English", "mixed"}
    assert set(table["chunk"]) == {2, 64}
    assert (table["megabytes_per_second"] > 0).all()
    assert (table.loc[table["contender"] == guard.OURS, "ratio"] == 1).all()
    again = table[table["contender"] == guard.AGAIN].set_index("chunk")["characters"]
    assert set(again[2]) == {200}
    assert set(again[64]) == {300}
    printed = capsys.readouterr().out
    assert all(contender in printed for contender in guard.CONTENDERS)


def test_texts_are_what_they_are_called(guard: ModuleType) -> None:
    english, mixed = (guard.TEXTS[name](5000) for name in ("English", "mixed"))
    assert (len(english), len(mixed)) == (5000, 5000)
    assert english.isascii()
    assert 0.02 < sum(not c.isascii() for c in mixed) / 5000 < 0.2
    assert guard.words(100, 0.1) == guard.words(100, 0.1)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [(lambda chunks: iter([]), "changes the text"), (iter, "lets the word pass")],
)
def test_a_wrong_contender_is_refused(
    guard: ModuleType, monkeypatch: pytest.MonkeyPatch, wrong, message: str
) -> None:
    monkeypatch.setitem(guard.CONTENDERS, guard.WINDOW, wrong)
    with pytest.raises(AssertionError, match=message):
        guard.compare(characters=50, turns=1, chunks=(5,))
