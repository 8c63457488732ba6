"""How long a cell may take: what finished runs that are like it took.

Alike means: of the same kind, and different in the keys that are swept only. A run says when its
session began (environment.json) and when it finished (manifest.json); one that took several
sessions does not say how long the earlier ones were, and is left out. One whose model was trained
in a stack with others took its share. What a run trained before it began, its parents, is not in.
"""

import json
import statistics
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from unskew.runs.axes import Grid
from unskew.runs.identity import canonical, kind_of, semantic


def finished(root: Path, grid: Grid) -> list[float]:
    """Seconds of each finished run under `root` that is like the cells."""
    keys = [axis.key.split(".") for axis in grid.axes]
    alike = {_without(semantic(cell.config), keys) for cell in grid.cells}
    models = {kind_of(cell.config): type(cell.config) for cell in grid.cells}
    found = []
    for kind, model in sorted(models.items()):
        for path in sorted(Path(root).glob(f"{kind}-*/manifest.json")):
            took = _seconds(path.parent)
            if took is not None and _read(path.parent, model, keys) in alike:
                found.append(took)
    return found


def median(seconds: Sequence[float]) -> float | None:
    """The median, or None of nothing."""
    return statistics.median(seconds) if seconds else None


def _read(path: Path, model: type[BaseModel], keys: list[list[str]]) -> str | None:
    """The settings of a run without those that are swept; None where it is of other times."""
    try:
        text = json.dumps(json.loads((path / "config.json").read_text("utf-8"))["config"])
        return _without(semantic(model.model_validate_json(text)), keys)
    except (OSError, ValueError, KeyError, TypeError, ValidationError):
        return None


def _without(doc: Any, keys: list[list[str]]) -> str:
    for *path, last in keys:
        node = doc
        for key in path:
            node = node.get(key) if isinstance(node, dict) else None
        if isinstance(node, dict):
            node.pop(last, None)
    return canonical(doc)


def _seconds(path: Path) -> float | None:
    """What the run took; None where it took several sessions or does not say."""
    try:
        environment = json.loads((path / "environment.json").read_text("utf-8"))
        manifest = json.loads((path / "manifest.json").read_text("utf-8"))
        if environment["earlier"]:
            return None
        begun, ended = (
            datetime.fromisoformat(t) for t in (environment["time"], manifest["finished"])
        )
        return (ended - begun).total_seconds() / manifest["extra"].get("together", 1)
    except (OSError, ValueError, KeyError, TypeError):
        return None
