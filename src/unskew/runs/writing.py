"""Files that are whole at every moment, and JSON that every reader takes.

What is written goes to a temporary name in the same folder, is synced and renamed, so that a
`kill -9` or a full disk leaves the old file or the new one, never half of one.
"""

import math
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

TEMPORARY = ".tmp-"
"""What a temporary name begins with: what is left of one may be removed."""


def replace(path: Path, write: Callable[[Path], object]) -> Path:
    """Write the file `path`, whole or not at all, in place of what was there; returns it.

    Args:
        write: writes the file that it is given.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f"{TEMPORARY}{path.name}"
    try:
        write(temporary)
        sync(temporary)
        os.replace(temporary, path)
        sync(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return path


def replace_folder(path: Path, fill: Callable[[Path], object]) -> Path:
    """Write the folder `path`, whole or not at all, in place of what was there; returns it.

    Args:
        fill: fills the empty folder that it is given.
    """
    temporary = path.parent / f"{TEMPORARY}{path.name}"
    try:
        temporary.mkdir(parents=True)
        fill(temporary)
        for file in temporary.rglob("*"):
            sync(file)
        if path.exists():
            shutil.rmtree(path)
        os.replace(temporary, path)
        sync(path.parent)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return path


def sync(path: Path) -> None:
    """Have the disk hold what a file or a folder has."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def finite(value: Any) -> Any:
    """The same data, NaN and infinity as None: JSON has no word for them."""
    match value:
        case float():
            return float(value) if math.isfinite(value) else None
        case Mapping():
            return {str(key): finite(item) for key, item in value.items()}
        case list() | tuple():
            return [finite(item) for item in value]
        case _:
            return value
