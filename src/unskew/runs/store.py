"""Where finished runs are looked up: the working directory's `runs/`, then those we ship."""

import shlex
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel

import unskew
from unskew.errors import UserError
from unskew.runs.folder import RunFolder
from unskew.runs.identity import run_id
from unskew.runs.mistakes import nearest


class Store:
    """Run folders under `root`, and, when `shipped`, the finished runs that come with the package.

    Args:
        root: the folder that holds the run folders, usually `runs/`; made when first written.
        shipped: whether a run that comes with the package counts as already done.
    """

    def __init__(self, root: Path, shipped: bool = True) -> None:
        self.root = Path(root)
        self.shipped = shipped

    def find(self, run_id: str) -> RunFolder | None:
        """The finished run of that id, verified, or None.

        Raises:
            UserError: the run is there but damaged, or is another one under this name.
        """
        for root in [self.root, *([shipped_root()] if self.shipped else [])]:
            if (root / run_id / "manifest.json").exists():
                run = RunFolder.read(root / run_id)
                if run.id != run_id:  # renamed or copied: its hashes are right, its numbers not
                    hint = "give it its name back, or remove it"
                    raise UserError(f"this is the run {run.id}", str(run.path), hint)
                return run
        return None

    def open(self, config: BaseModel, parents: Mapping[str, str] | None = None) -> RunFolder:
        """The run of `config` on `parents`: the finished one if there is one (its `finished` is
        true), else its folder under `root`, locked for writing until closed.

        Raises:
            UserError: damaged, not writable, or another process is writing it.
        """
        done = self.find(run_id(config, parents))
        return done if done is not None else RunFolder.open(self.root, config, parents)


def named(name: str, runs: Path) -> RunFolder:
    """The finished run of that folder or id, under `runs` or shipped.

    Raises:
        UserError: there is none (with the nearest name), or it is unfinished or damaged.
    """
    for path in (Path(name), runs / name, shipped_root() / name):
        if path.is_dir():
            return RunFolder.read(path)
    if Path(name).is_file():
        raise UserError("this is a file, and no folder of a run", name, listing(runs))
    known = [path.name for path in runs.iterdir() if path.is_dir()] if runs.is_dir() else []
    raise UserError(f"there is no run {name!r} in {runs}{nearest(name, known)}", hint=listing(runs))


def listing(runs: Path) -> str:
    """The hint to look for a run among those in `runs`."""
    where = [] if runs == Path("runs") else ["--runs", str(runs)]
    return f"`{shlex.join(['unskew', 'runs', *where])}` lists the runs"


def shipped_root() -> Path:
    """The folder of the finished runs that come with the package."""
    return Path(unskew.__file__).parent / "models"


NURSERY = "nursery:"
"""What the names of models that ship begin with: `nursery:base`."""


def expanded(name: str) -> Path:
    """A path, `~` spelt out. `nursery:base` is in the folder of the models that ship."""
    if name.startswith(NURSERY):
        return shipped_root() / "nursery" / name.removeprefix(NURSERY)
    try:
        return Path(name).expanduser()
    except RuntimeError:  # ~nobody
        return Path(name)


def shorten(path: Path) -> str:
    """The path as short as it can be said from here."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
