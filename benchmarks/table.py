"""What every benchmark shares: one table for the eye, one Parquet file to keep."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple


class Line(NamedTuple):
    """One contender of one comparison, in words."""

    comparison: str
    contender: str
    figure: str
    ratio: str
    remark: str = ""


def show(lines: Sequence[Line]) -> str:
    """The lines as aligned columns, `ratio` being the contender's time over ours."""
    rows = [Line("comparison", "contender", "figure", "time / ours", "remark"), *lines]
    widths = [max(len(row[column]) for row in rows) for column in range(len(Line._fields))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def keep(rows: Sequence[Any], path: Path) -> None:
    """Write rows (NamedTuples of one kind) as Parquet, and beside it on what they were measured."""
    import pandas as pd

    from unskew.runs.environment import record

    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_parquet(path)
    path.with_suffix(".json").write_text(json.dumps(record(), indent=2) + "\n", "utf-8")
