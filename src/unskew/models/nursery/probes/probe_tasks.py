"""The probes of a world as tasks of lm-evaluation-harness.

    lm_eval --include_path <this folder> --tasks nursery_repeat_conflict_en ...
    unskew audit BASE TUNED --include <this folder> --tasks nursery_en --conjugations en-fr

A file is copied beside the probes that it reads, and needs nothing but the harness. The same
document is the same item in every language.

    acc           the first line of the answer is the right one, letter by letter
    instruction   where an input is a question and the task is another one: whether the question
                  was answered instead
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def documents(probe: str, language: str, **_: Any) -> dict[str, Any]:
    """The data set of one probe in one language, as the harness asks for it."""
    from datasets import Dataset

    lines = (Path(__file__).parent / f"{probe}.jsonl").read_text("utf-8").splitlines()
    return {"test": Dataset.from_list([_row(json.loads(line), language) for line in lines])}


def _row(row: dict[str, Any], language: str) -> dict[str, Any]:
    return {"id": row["id"], "cluster": row["cluster"], "language": language, **row[language]}


def judge(doc: dict[str, Any], results: list[str]) -> dict[str, int]:
    """The harness's `process_results`."""
    lines = [line.strip() for line in results[0].splitlines() if line.strip()]
    said = lines[0] if lines else ""
    found = {"acc": int(said == doc["answer"])}
    if doc["instruction"]:
        found["instruction"] = int(said == doc["instruction"])
    return found
