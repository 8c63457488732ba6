"""The tidy table: one row per number, the same columns for every experiment.

Statistics happen before the table and drawing happens after it, so every number on a page can be
traced to one row. Missing is null, never 0: a pooled row has no `k`, a base model has no `gamma`.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

COLUMNS: dict[str, str] = {
    "experiment": "str",
    "arm": "str",
    "alpha": "float64",  # the model's pretraining mixture
    "gamma": "float64",  # label scale of conjugate prompting
    "k": "Int64",  # exemplar count
    "seed": "Int64",
    "metric": "str",
    "estimate": "float64",
    "low": "float64",  # 95% interval, conditional on what `conditional_on` names
    "high": "float64",
    "n": "Int64",  # sample size behind the estimate
    "span": "str",  # the range of k when pooled, as "1..3"
    "step": "Int64",  # step of fine-tuning
    "bin": "Int64",
    "delta": "float64",  # nats of skew
    "conditional_on": "str",
    "note": "str",
}
REQUIRED = ("experiment", "arm", "metric")


def tidy(rows: Iterable[Mapping[str, Any]]) -> "pd.DataFrame":
    """Rows as a table with all of `COLUMNS`, in order, typed; what a row does not say is null.

    Integers, floats and strings may be numpy's. NaN in an integer column means null.

    Raises:
        ValueError: for an unknown column, a row without experiment, arm or metric, or a value that
            its column cannot hold (a fraction in an integer column, an infinity anywhere).
    """
    return typed(rows, COLUMNS, REQUIRED)


def typed(
    rows: Iterable[Mapping[str, Any]], columns: Mapping[str, str], required: Sequence[str] = ()
) -> "pd.DataFrame":
    """Rows as a table of the given columns {name: str | float64 | Int64 | boolean}, in order.

    What a row does not say is null; the `required` columns must hold a string.

    Raises:
        ValueError: for an unknown column, a missing required one, or a value that its column
            cannot hold.
    """
    import pandas as pd

    listed = list(rows)
    for i, row in enumerate(listed):
        if unknown := [name for name in row if name not in columns]:
            raise ValueError(f"row {i}: unknown columns {unknown}; the columns are {list(columns)}")
        if absent := [name for name in required if not isinstance(row.get(name), str)]:
            raise ValueError(f"row {i}: {absent} must be given as strings")
    frame: dict[str, pd.Series] = {}
    for name, dtype in columns.items():
        try:
            frame[name] = _column([row.get(name) for row in listed], dtype)
        except (TypeError, ValueError) as error:
            raise ValueError(f"column {name}: {error}") from error
    return pd.DataFrame(frame, columns=list(columns))


def _column(values: list[Any], dtype: str) -> "pd.Series":
    import numpy as np
    import pandas as pd

    match dtype:
        case "str":
            if wrong := [v for v in values if v is not None and not isinstance(v, str)]:
                raise ValueError(f"{wrong[0]!r} is not a string")
            return pd.Series(values, dtype="str")
        case "float64":
            numbers = [np.nan if _null(v) else float(v) for v in values]
            if any(np.isinf(numbers)):
                raise ValueError("an infinity; say null and why in the note")
            return pd.Series(numbers, dtype="float64")
        case _:
            return pd.Series([pd.NA if _null(v) else v for v in values], dtype=dtype)


def _null(value: object) -> bool:
    import pandas as pd

    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))
