"""What became of prompts and answers, in counts: of rows that say it, and of logs that do not."""

from typing import Any

import pandas as pd

from unskew.audit import records
from unskew.audit.rules import Rules
from unskew.audit.summary import TRANSFORMS, summarise

COUNTS = [*TRANSFORMS][4:]


def transforms(**of_conjugated: Any) -> pd.DataFrame:
    """The table of one task under one conjugation. of_conjugated: of the base's second document."""
    rows = []
    for role, name in ((records.PLAIN, records.IDENTITY), (records.CONJUGATION, "s")):
        for arm in ("base", "tuned"):
            for doc in range(4):
                row: dict[str, Any] = {
                    "task": "t", "doc_id": doc, "doc_hash": "h", "target_hash": "h",
                    "cluster": str(doc), "arm": arm, "conjugation": name, "role": role,
                    "metric": "acc", "score": 1.0, "metrics": '{"acc": 1.0}', "target": "y",
                    "prompt": f"say {doc}", "raw": "y", "answer": "y", "exact": True,
                    "returned": None, "refused": False, "why": None, "truncated": None,
                }  # fmt: skip
                odd = (arm, name, doc) == ("base", "s", 1) or "exact" in of_conjugated
                rows.append(row | (of_conjugated if odd else {}))
    return summarise(records.table(rows), Rules(resamples=999), {"t": 0.0})["transforms"]


def test_what_was_traced_is_counted() -> None:
    found = transforms(refused=True, why="no such line").set_index("conjugation")
    assert list(found.loc["identity", COUNTS]) == [0, 0, 100.0, 0, 0, 0]
    assert list(found.loc["s", COUNTS]) == [1, 0, 100.0, 0, 0, 0]


def test_what_nothing_traced_is_unknown_and_not_zero() -> None:
    found = transforms(exact=None)
    assert list(found["n"]) == [4, 4]
    assert found[COUNTS].isna().all(axis=None)
