"""The command `unskew purple`: attacks against defences of a perfectly defined behaviour. Thin."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from unskew.cli_options import Runs, Threads
from unskew.errors import UserError

USAGE = "Usage: unskew purple [PRESET] [key=value ...] [--dry-run]"
EXAMPLES = """
PRESET is demo (minutes, models that ship), small (hours; the claims are about
it), each (a suffix sought for each question: two hours), drops (a search
through what smoothing drops: 77 minutes), paper (three models of 7 billion
weights, on a GPU), or a YAML file.

Examples:
  unskew purple
  unskew purple demo --dry-run
  unskew purple small --subject dpo
  unskew purple each
  unskew purple my-grid.yaml --device cuda
"""
PREFIX = "purple-"


def purple(
    preset: Annotated[
        str, Parameter(help="demo, small, each, drops, paper, or the path of a YAML file")
    ] = "demo",
    /,
    *overrides: Annotated[str, Parameter(help="settings to change, as key=value")],
    dry_run: Annotated[
        bool, Parameter(negative="", help="print the settings; train and ask nothing")
    ] = False,
    runs: Runs = Path("runs"),
    subject: Annotated[
        str | None,
        Parameter(help="fill only this subject's row; the whole grid takes it up later"),
    ] = None,
    device: Annotated[str | None, Parameter(help="cpu, cuda, cuda:1")] = None,
    threads: Threads = None,
) -> int:
    """Attack and defend models that must not say purple; a page with every cell."""
    from pydantic import TypeAdapter

    from unskew.nursery.family import require
    from unskew.runs.config import kind, load, presets

    require()
    if "=" in preset:  # the preset was left out
        preset, overrides = "demo", (preset, *overrides)
    own = [name.removeprefix(PREFIX) for name in presets() if name.startswith(PREFIX)]
    if preset in own:
        preset = PREFIX + preset
    if kind(preset, own) != "purple":
        hint = f"presets: {', '.join(own)}; or the path of a YAML file"
        raise UserError("this is no grid of attacks and defences", preset, hint)
    from unskew.purple.grid_config import Purple

    changes = [
        *overrides,
        *([] if device is None else [f"device={device}"]),
        *([] if threads is None else [f"threads={threads}"]),
    ]
    config = load(preset, changes, TypeAdapter(Purple))
    if subject is not None:
        config = config.row(config.named(subject))
    if dry_run:
        import yaml

        print(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False), end="")
        return 0
    from unskew.audit.folders import model_folder
    from unskew.runs.store import NURSERY

    # Those that ship are found by their names: a configuration is to hold no path it need not hold.
    named = [name for name in config.models() if not name.startswith(NURSERY)]
    where = {name: str(model_folder(name)) for name in named} | config.where
    config = config.model_copy(update={"where": where})
    from unskew.purple import grid
    from unskew.report import page
    from unskew.report.purple import purple_table
    from unskew.runs.progress import Progress
    from unskew.runs.store import Store, shorten

    with Progress() as progress:
        folder = grid.execute(config, Store(runs), progress)
    print(purple_table(folder.read_table("cells"), folder.read_table("claims")))
    print(f"run:  {shorten(folder.path)}")
    drawn: Any = folder.path / "report.html"
    if not drawn.exists():
        page.write([folder], drawn)
    print(f"page: {shorten(drawn)}")
    return 0
