"""The command `sweep`: a preset and axes -> cells -> tables. Thin, as those of `cli`."""

from __future__ import annotations

import os
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from unskew.cli_options import Runs, Whole, check_preset_first
from unskew.errors import UserError

if TYPE_CHECKING:
    from unskew.nursery.config import Family
    from unskew.regression.config import Experiment
    from unskew.runs.axes import Grid
    from unskew.runs.folder import RunFolder
    from unskew.runs.progress import Progress
    from unskew.runs.store import Store
    from unskew.runs.sweep import Plan, Runner

OK, FAILED = 0, 1
USAGE = (
    "Usage: unskew sweep PRESET [key=values ...] [--jobs N] [--stack N] [--dry-run] [--runs DIR]"
)
EXAMPLES = """
Values: alpha=0.2,0.5,0.8 is a list, seed=0..4 a range with both ends. Every
combination is a cell. A value that is itself a list takes two pairs of
brackets: evaluation.gammas=[[1, 2]]. RAY_ADDRESS=host:port runs the cells on
that Ray cluster.

Examples:
  unskew sweep demo alpha=0.2,0.5,0.8 evaluation.seed=0..4
  unskew sweep demo finetuning.optimiser.lr=1e-4,3e-4,1e-3 --jobs 4
  unskew sweep base model.width=32 model.layers=2 seed=0..15 --stack 16
  unskew sweep nursery-tiny base.seed=0..2 --dry-run
"""


def sweep(
    preset: Annotated[
        str, Parameter(help="a preset's name (as `demo`), or the path of a YAML file")
    ],
    /,
    *axes: Annotated[str, Parameter(help="settings and the values they take, as key=values")],
    jobs: Annotated[
        Whole, Parameter(help="cells at the same time, each a process; 1 by default")
    ] = None,
    stack: Annotated[
        Whole,
        Parameter(help="models of one shape trained as one; small ones by 8 if not given; 1: none"),
    ] = None,
    dry_run: Annotated[
        bool, Parameter(negative="", help="print what would be run; run nothing")
    ] = False,
    runs: Runs = Path("runs"),
    threads: Annotated[Whole, Parameter(help="CPU threads of each cell")] = None,
    gpus: Annotated[
        float, Parameter(help="share of a GPU that a cell with device=cuda takes, side by side")
    ] = 1.0,
) -> int:
    """Run a preset with every combination of settings; gather the results into tables."""
    from unskew.runs import cluster
    from unskew.runs.axes import grid
    from unskew.runs.config import kind, presets

    check_preset_first("sweep", [preset, *axes])
    known = [name for name in presets() if not name.startswith("purple")]
    if kind(preset, known).startswith("purple"):
        hint = "its cells are kept, too: `unskew purple --help`"
        raise UserError("a grid of attacks and defences is no part of a sweep", preset, hint)
    address = _address()
    if jobs is not None and jobs < 1:
        raise UserError("at least one cell must run", f"--jobs {jobs}")
    if not gpus > 0 or (gpus > 1 and not gpus.is_integer()):
        raise UserError("a share of a GPU, or whole ones", f"--gpus {gpus:g}", "as in: --gpus 0.25")
    if address is not None:
        cluster.check(address, os.environ)
    _check_stack(stack, jobs, address)
    beside = address is not None or (jobs or 1) > 1
    if threads is None and beside and not any(axis.startswith("threads=") for axis in axes):
        threads = 1
    fixed = [] if threads is None else [f"threads={threads}"]
    cells = grid(preset, axes, _schema(), fixed)
    _check_cells(cells, beside)

    from unskew.runs.identity import run_id
    from unskew.runs.progress import Progress
    from unskew.runs.store import Store, shorten
    from unskew.runs.sweep import Sweep, in_process, plan, recorded, run, stacked, summary
    from unskew.training.machine import check

    root = runs.resolve()
    store, config = Store(root), Sweep.of(cells)
    path = root / run_id(config)
    planned = plan(cells, path, store, identify)
    if store.find(path.name) is not None:  # its tables have every cell, should a run be gone
        planned = planned._replace(outcomes=recorded(path))
    print("\n".join(_planned(planned, jobs or 1, address)), flush=True)
    if dry_run:
        print(f"sweep:  {path.name}")
        return OK
    _ready(cells)
    if address is None:  # what other machines have is not known here
        for device in dict.fromkeys(_device(cell.config) for cell in planned.to_do):
            check(device)
    with store.open(config) as folder:
        if folder.finished:
            outcomes = recorded(path)
        else:
            with Progress() as progress, ExitStack() as ray:
                runner: Runner
                if not beside or not planned.to_do:
                    runner = in_process(execute, root, progress.say)
                    if stack != 1 and not _families(cells):
                        from unskew.regression.stacking import train_ahead

                        train = partial(train_ahead, store=store, progress=progress, most=stack)
                        runner = stacked(train, execute, root, progress.say)
                else:
                    if address is not None:
                        ray.enter_context(cluster.connected(address))
                    else:
                        on_gpu = any(_device(cell.config) != "cpu" for cell in cells.cells)
                        cores = max(_threads(cell.config) for cell in planned.to_do)
                        ray.enter_context(cluster.embedded(jobs or 1, cores, on_gpu))
                    grows = address is not None
                    runner = cluster.runner(execute, path, progress.say, jobs, gpus, grows)
                outcomes = run(planned, folder, store, runner, progress)
        tables = folder.tables()
    print(summary(outcomes))
    for cell in cells.cells:
        if (outcome := outcomes[cell.number]).state in ("failed", "diverged"):
            print(f"  {outcome.state}: cell {cell.number}{cell.told}: {outcome.message}")
    print(f"sweep:  {shorten(path)}")
    print(f"tables: {', '.join(f'{shorten(path)}/tables/{name}.parquet' for name in tables)}")
    if any(outcome.state == "failed" for outcome in outcomes.values()):
        print("the same command tries the failed cells again")
        return FAILED
    return OK


def _check_stack(stack: int | None, jobs: int | None, address: str | None) -> None:
    if stack is None or stack == 1:
        return
    if stack < 1:
        raise UserError("a stack has one model or more", f"--stack {stack}")
    if address is not None or (jobs or 1) > 1:
        other = f"--jobs {jobs}" if address is None else f"RAY_ADDRESS={address}"
        hint = "give one of them: --stack where models are very small, --jobs elsewhere"
        raise UserError("a stack is trained in this process alone", f"--stack with {other}", hint)


def _families(grid: Grid) -> bool:
    """Whether language models are raised; no two of them are trained as one."""
    from unskew.nursery.config import Family

    return any(isinstance(cell.config, Family) for cell in grid.cells)


def _check_cells(grid: Grid, beside: bool) -> None:
    """Raises UserError where a cell contradicts itself, or cannot run beside others."""
    from unskew.runs import cluster

    for cell in grid.cells:
        device, generator = _device(cell.config), getattr(cell.config, "generator", "")
        if generator == "philox-cuda" and not device.startswith("cuda"):
            raise UserError(
                "this generator makes its prompts on a GPU, and the device is none",
                f"cell {cell.number}: generator={generator} device={device}",
                "give device=cuda, or generator=philox-numpy",
            )
        if beside:
            cluster.resources(cell.config, 1.0)


def _address() -> str | None:
    """The cluster that the environment names; `local` is Ray's word for one of its own."""
    address = os.environ.get("RAY_ADDRESS", "").strip()
    return None if address in ("", "local") else address


def _schema() -> Any:
    from pydantic import Field, TypeAdapter

    from unskew.nursery.config import Family
    from unskew.regression.config import Experiment

    return TypeAdapter(Annotated[Experiment | Family, Field(discriminator="kind")])


def _planned(plan: Plan, jobs: int, address: str | None) -> list[str]:
    axes = " × ".join(f"{axis.key} ({len(axis.values)})" for axis in plan.grid.axes)
    total, left = len(plan.grid.cells), len(plan.to_do)
    lines = [f"cells:  {total}{f' = {axes}' if axes else ''}"]
    diverged = plan.count("diverged")
    known = f", {diverged} diverged" if diverged else ""
    lines.append(f"before: {plan.count('done')} done{known}; {left} to do")
    if left:
        lines.append(f"time:   {_time(plan, left, jobs, address)}")
    return lines


def _time(plan: Plan, left: int, jobs: int, address: str | None) -> str:
    if plan.seconds is None:
        return "unknown until the first cells end (no finished run is like these)"
    basis = f"{_duration(plan.seconds)} a cell, the median of {plan.basis} finished"
    if address is not None:
        return f"{basis}; how many run at once is the cluster's"
    rounds = -(-left // jobs)
    return f"about {_duration(rounds * plan.seconds)} ({basis}; parents to be trained not counted)"


def _duration(seconds: float) -> str:
    if seconds < 1:
        return "a second or less"
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _device(config: Any) -> str:
    return getattr(config, "device", "cpu")


def _threads(config: Any) -> int:
    return getattr(config, "threads", None) or 1


def _ready(grid: Grid) -> None:
    """Raises UserError where what every cell needs is not installed."""
    if _families(grid):
        from unskew.nursery import family

        family.require()


def execute(config: Experiment | Family, store: Store, progress: Progress) -> RunFolder:
    """What `unskew run` and `unskew nursery raise` call."""
    from unskew.nursery.config import Family

    match config:
        case Family():
            from unskew.nursery import family

            return family.execute(config, store, progress)
        case _:
            from unskew.regression import study

            return study.execute(config, store, progress)


def identify(config: Experiment | Family, store: Store) -> str | None:
    """The run's id, or None where a model that it starts from is still to be trained."""
    from unskew.nursery.config import Family

    match config:
        case Family():
            from unskew.nursery import family

            return family.identify(config, store)
        case _:
            from unskew.regression import study

            return study.identify(config, store)[0]
