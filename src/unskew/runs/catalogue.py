"""What lies in a runs folder, without trusting any of it: finished, unfinished or damaged."""

import re
from pathlib import Path
from typing import Literal, NamedTuple

from unskew.errors import UserError
from unskew.runs.folder import RunFolder

NAME = re.compile(r"[a-z0-9-]+-[0-9a-f]{12}")


class Entry(NamedTuple):
    """One run folder, by the name that commands find it by. `when` is UTC: the end of a finished
    run, the start of another (or None); `headline` is the run's own sentence, or what is damaged.
    A run may have been renamed or copied: its own id then stands before its sentence."""

    id: str
    kind: str
    state: Literal["finished", "unfinished", "damaged"]
    when: str | None
    headline: str | None


def list_runs(root: Path) -> list[Entry]:
    """The runs under `root`, newest first; an absent `root` holds none."""
    root = Path(root)
    if not root.is_dir():
        return []
    entries = [_entry(path) for path in sorted(root.iterdir()) if _is_run(path)]
    return sorted(entries, key=lambda entry: entry.when or "", reverse=True)


def _is_run(path: Path) -> bool:
    # A run killed as it began is an empty folder of its name; a run may have been renamed.
    if path.name.startswith("."):
        return False
    written = any((path / name).is_file() for name in ("manifest.json", "config.json"))
    return written or (path.is_dir() and NAME.fullmatch(path.name) is not None)


def _entry(path: Path) -> Entry:
    kind = path.name.rpartition("-")[0] or path.name
    if not (path / "manifest.json").exists():
        return Entry(path.name, kind, "unfinished", _started(path), None)
    try:
        run = RunFolder.read(path)
        manifest = run.manifest()
    except UserError as error:
        return Entry(path.name, kind, "damaged", None, error.what)
    said = manifest["extra"].get("headline")
    own = [] if path.name == run.id else [run.id]
    headline = ": ".join([*own, *([said] if isinstance(said, str) else [])])
    kind = run.id.rpartition("-")[0]
    return Entry(path.name, kind, "finished", manifest["finished"], headline or None)


def _started(path: Path) -> str | None:
    import json

    try:
        time = json.loads((path / "environment.json").read_text(encoding="utf-8"))["time"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return time if isinstance(time, str) else None
