"""Finished runs with scripted tables, as `unskew paper` finds them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel, TypeAdapter

from unskew.runs.config import load
from unskew.runs.folder import RunFolder


def study(*changes: str, preset: str = "demo") -> Any:
    from unskew.regression.config import Experiment

    return load(preset, changes, TypeAdapter(Experiment))


def grid(preset: str = "purple-demo", *changes: str) -> Any:
    from unskew.purple.grid_config import Purple

    return load(preset, changes, TypeAdapter(Purple))


def run(runs: Path, config: BaseModel, tables: Mapping[str, pd.DataFrame]) -> Path:
    """A finished run of these tables."""
    with RunFolder.open(runs, config) as folder:
        for name, table in tables.items():
            folder.write_table(name, table)
        folder.finish({"headline": "scripted"})
    return folder.path


def cells(**changed: dict[str, Any]) -> pd.DataFrame:
    """A grid in which every claim of the thesis holds. changed: of the rows with this attack."""
    from unskew.purple.cells import CELLS
    from unskew.runs.tables import typed

    rows = []
    subjects = {"dpo": "dpo", "adversarial": "adversarial"}
    defences = ("none", "perplexity", "windowed perplexity", "synonyms", "refusals", "guard")
    for subject, enforcement in subjects.items():
        for defence in defences:
            for attack in ("none", "adaptive"):
                hit = attack == "adaptive" and defence != "guard"
                rate = 0.1 if hit else 1.0
                row = {
                    "subject": subject, "enforcement": enforcement, "attack": attack,
                    "defence": defence, "input": defence not in ("none", "guard"),
                    "adaptive": attack == "adaptive", "dsr": rate, "low": max(rate - 0.02, 0.0),
                    "high": min(rate + 0.02, 1.0), "n": 300, "dsr_training": rate,
                    "taken": 0.9 if hit else 0.0, "taken_low": 0.85 if hit else -0.05,
                    "taken_high": 0.95 if hit else 0.05, "let_through": 0, "read_back": 3,
                    "answers": 400,
                }  # fmt: skip
                rows.append(row | changed.get(defence.replace(" ", "_"), {}) if hit else row)
    return typed(rows, CELLS)
