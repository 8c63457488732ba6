"""Reading tables in tests: rows as plain dictionaries, null as None."""

from typing import Any

import pandas as pd


def rows(table: pd.DataFrame, **wanted: Any) -> list[dict[str, Any]]:
    """The rows that have the wanted values, in order."""
    found = [
        {str(name): None if pd.isna(value) else value for name, value in record.items()}
        for record in table.to_dict("records")
    ]
    return [row for row in found if all(row[name] == value for name, value in wanted.items())]


def only(table: pd.DataFrame, **wanted: Any) -> dict[str, Any]:
    """The one row that has the wanted values."""
    (row,) = rows(table, **wanted)
    return row
