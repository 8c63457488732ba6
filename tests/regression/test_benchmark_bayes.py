"""The benchmark of the Bayes predictors, at a toy size: contenders agree, rows are complete."""

from pathlib import Path

import pandas as pd
import pytest
import torch

ROOT = Path(__file__).parents[2]


def test_benchmark_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks import bayes

    out = tmp_path / "bayes.parquet"
    threads = str(torch.get_num_threads())  # set for the whole process: leave it as it is
    size = [
        "--batch",
        "4",
        "--exemplars",
        "3",
        "--dim",
        "2",
        "--n",
        "3",
        "--repeats",
        "1",
        "--threads",
        threads,
    ]
    bayes.main([*size, "--out", str(out)])
    table = pd.read_parquet(out).set_index("contender")
    assert list(table.index) == [bayes.OURS, bayes.SOLVE, bayes.SKLEARN, bayes.BOTH]
    assert table.loc[bayes.OURS, "ratio"] == 1
    assert (table["milliseconds"] > 0).all()
    assert (table["difference"] < 1e-9).all()
    printed = capsys.readouterr().out
    assert all(str(contender) in printed for contender in table.index)
