"""The command `unskew paper`: the claims of the paper and the thesis, and what makes them. Thin."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from unskew import streams
from unskew.cli_options import Runs, Threads, check_runs
from unskew.errors import UserError

Scale = Literal["demo", "small", "paper"]

paper = App(
    name="paper",
    sort_key=8,
    help="""The claims of the paper (arXiv 2309.10105) and the thesis: reproduced, not reproduced,
inconclusive, or not run.""",
    help_format="plaintext",
    help_epilogue="""
A claim is read from the runs folder; in a checkout, where that has no run of
it, from the reference results. Without --scale: the largest that has been run.

Examples:
  unskew paper
  unskew paper --scale small --runs /data/runs
  unskew paper make --scale demo --dry-run
  unskew paper make conjugate dpo-falls --scale demo
  unskew paper lm --pair llama2-codellama --device cuda
""",
)


@paper.default
def claims(
    *,
    scale: Annotated[Scale | None, Parameter(help="demo, small or paper")] = None,
    results: Annotated[
        Path | None, Parameter(help="reference results; by default those of the checkout")
    ] = None,
    runs: Runs = Path("runs"),
) -> int:
    """What the tables say of every claim, with its figure, its interval and where it was read."""
    from unskew.paper.documents import answers
    from unskew.paper.shelf import Shelf, reference
    from unskew.paper.show import terminal
    from unskew.runs.store import shorten

    check_runs(runs)
    if results is not None and not results.is_dir():
        raise UserError("there is no such folder of results", str(results))
    found = reference() if results is None else results
    print(terminal(answers(Shelf(runs, found), scale), streams.columns()))
    where = f"read from: {shorten(runs)}" + ("" if runs.is_dir() else " (not there)")
    print(f"{where}, {shorten(found)}" if found else f"{where}; no reference results here")
    return 0


@paper.command(
    usage="Usage: unskew paper make [CLAIM ...] --scale S [--dry-run]",
    help_epilogue="""
Every part is a run: what is finished is not run again, and the same command
continues what was interrupted. Reference results are not looked at.

Examples:
  unskew paper make --scale demo
  unskew paper make icl-lost refusal-lost --scale small --dry-run
""",
)
def make(
    *ids: Annotated[str, Parameter(help="claims, as `unskew paper` names them; none: all")],
    scale: Annotated[Scale, Parameter(help="demo, small or paper")],
    dry_run: Annotated[
        bool, Parameter(negative="", help="say what would run, and how long; run nothing")
    ] = False,
    runs: Runs = Path("runs"),
    device: Annotated[
        str | None, Parameter(help="of the audits of real models: cpu, cuda, cuda:1")
    ] = None,
    threads: Threads = None,
) -> int:
    """Make the tables of claims, one run after another; then say what they say."""
    from unskew.paper.claims import answer
    from unskew.paper.documents import chosen
    from unskew.paper.making import make as made
    from unskew.paper.making import plan
    from unskew.paper.parts import Means
    from unskew.paper.shelf import Shelf
    from unskew.paper.show import terminal
    from unskew.runs.store import shorten

    check_runs(runs)
    wanted = chosen(ids)
    nothing = [claim for claim in wanted if scale not in claim.sources]
    names = ", ".join(claim.id for claim in nothing)
    if len(nothing) == len(wanted):
        scales = "; ".join(f"{c.id}: {', '.join(c.sources) or 'at none'}" for c in nothing)
        raise UserError(f"nothing makes this at the scale {scale}", names, f"scales: {scales}")
    steps = plan(wanted, scale, Shelf(runs))
    for step in steps:
        print(f"{step.state:8}  {step.part.name}: {step.part.takes}")
        for command in step.part.commands:
            print(f"          {command}")
    if nothing:
        print(f"nothing makes at this scale: {names}", file=sys.stderr)
    if dry_run:
        return 0
    page = made(steps, scale, Means(runs, threads, device))
    answers = [answer(claim, Shelf(runs), scale) for claim in wanted]
    print(terminal(answers, streams.columns()))
    if page is not None:
        print(f"page: {shorten(page)}")
    return 0
