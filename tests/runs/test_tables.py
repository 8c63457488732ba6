"""Tidy tables: all columns, typed, null where nothing is known."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from toys import Toy
from unskew.runs.folder import RunFolder
from unskew.runs.tables import COLUMNS, tidy

ROW = {"experiment": "e", "arm": "base", "metric": "m"}


def test_columns_types_and_nulls() -> None:
    table = tidy(
        [
            ROW | {"k": np.int64(3), "estimate": np.float32(0.5), "span": "0..K"},
            ROW | {"k": float("nan"), "estimate": None, "n": 8.0, "alpha": pd.NA},
        ]
    )
    assert list(table.columns) == list(COLUMNS)
    assert {name: str(dtype) for name, dtype in table.dtypes.items()} == COLUMNS
    assert table["k"].tolist() == [3, pd.NA]
    assert table["n"].tolist() == [pd.NA, 8]
    assert table["estimate"].tolist()[0] == 0.5
    for name in ("k", "estimate", "alpha", "span"):
        assert table[name].isna().tolist()[1]
    assert (table["span"] == "0..K").tolist() == [True, False]


def test_an_empty_table_has_the_columns() -> None:
    table = tidy([])
    assert len(table) == 0
    assert {name: str(dtype) for name, dtype in table.dtypes.items()} == COLUMNS


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (ROW | {"gama": 2.0}, "unknown columns \\['gama'\\]"),
        ({"experiment": "e", "arm": "base"}, "'metric'"),
        (ROW | {"arm": None}, "'arm'"),
        (ROW | {"k": 1.5}, "column k"),
        (ROW | {"k": "one"}, "column k"),
        (ROW | {"estimate": "x"}, "column estimate"),
        (ROW | {"low": float("inf")}, "column low: an infinity"),
        (ROW | {"note": 3}, "column note: 3 is not a string"),
    ],
)
def test_what_does_not_fit_is_refused(row: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        tidy([row])


def test_parquet_keeps_types_and_nulls(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    table = tidy([ROW | {"k": 3, "estimate": 0.1 + 0.2}, ROW | {"seed": 1}])
    with RunFolder.open(tmp_path, Toy()) as folder:
        path = folder.write_table("t", table)
        pd.testing.assert_frame_equal(folder.read_table("t"), table)
    raw = pq.read_table(path)
    assert raw["k"].to_pylist() == [3, None]
    assert raw["estimate"].to_pylist() == [0.1 + 0.2, None]
    assert raw["span"].to_pylist() == [None, None]
