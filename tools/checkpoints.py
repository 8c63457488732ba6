"""Remake the runs that come with the package: `make checkpoints` (hours on 2 cores).

Trains the demo's base models and its comparisons (the fine-tunings beside the main one) from
nothing, under `runs/`, then copies the finished folders to src/unskew/models/: the base models
whole, of the comparisons the tables only. A run that is already finished under `runs/` is kept.
"""

import argparse
import shutil
from pathlib import Path

from pydantic import TypeAdapter

from unskew.errors import UserError
from unskew.regression.config import Experiment, Study
from unskew.regression.study import execute, needs
from unskew.runs.config import load
from unskew.runs.folder import RunFolder
from unskew.runs.progress import Progress
from unskew.runs.store import Store, shipped_root


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("changes", nargs="*", help="settings of the demo to change, as key=value")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    arguments = parser.parse_args()
    study = load("demo", arguments.changes, TypeAdapter(Experiment))
    if not isinstance(study, Study):
        raise UserError("the demo is no study")
    store = Store(arguments.runs, shipped=False)
    with Progress() as progress:
        done = [execute(config, store, progress) for config in needs(study).values()]
        done.append(execute(study.comparisons(), store, progress))
    for folder in done:
        ship(folder)


def ship(folder: RunFolder) -> None:
    """Copy a finished run, replacing an older copy only when the new one is whole."""
    target = shipped_root() / folder.id
    copy = target.with_name(f".tmp-{folder.id}")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder.path, copy, ignore=shutil.ignore_patterns(".lock"))
    shutil.rmtree(target, ignore_errors=True)
    copy.rename(target)
    RunFolder.read(target)  # verifies every hash
    print(f"shipped {target.name}")


if __name__ == "__main__":
    main()
