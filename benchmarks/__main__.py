"""All comparisons in one run and one table: `python -m benchmarks`, or `make bench`.

    python -m benchmarks [--budget 2400] [--out DIR] [--only guard gcg]

About 45 minutes on two idle cores: a minute each for the Bayes predictors and the audit, three for
GCG, seconds for the guard, then `--budget` seconds, of which three quarters go to the time to Bayes
and the rest to steps per second and to stacks of models, half each. One thread for the Bayes
predictors, the audit, GCG, the guard and the small networks of the time to Bayes, all cores for
steps per second and stacks. GCG's peer is downloaded.

Each part is printed and kept as it ends. One that fails (as GCG's where there is no network) is
named, and the others go on.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from benchmarks import audit, bayes, gcg, guard, stacked, time_to_bayes, training
from benchmarks.table import Line, keep, show
from unskew.errors import UserError
from unskew.training.machine import compiler


class Part(NamedTuple):
    """A comparison: what a row is, how rows are made, and the table in words. one: one thread."""

    row: type[Any]
    compare: Callable[[], Sequence[Any]]
    lines: Callable[[Any], list[Line]]
    one: bool = True


def parts(budget: float) -> dict[str, Part]:
    """The comparisons by name; `budget` seconds are for those that train."""
    return {
        "bayes": Part(bayes.Row, lambda: bayes.compare(), bayes_lines),
        "audit": Part(audit.Row, lambda: audit.compare(), audit.lines),
        "gcg": Part(gcg.Row, lambda: gcg.compare(), gcg.lines),
        "guard": Part(guard.Row, lambda: guard.compare(), guard.lines),
        "time_to_bayes": Part(
            time_to_bayes.Row,
            # Not seed 0, on which the recipe was found.
            lambda: time_to_bayes.compare(budget=0.75 * budget, seed=1),
            time_to_bayes.lines,
        ),
        "training": Part(training.Row, lambda: _steps(0.125 * budget), training.lines, one=False),
        "stacked": Part(
            stacked.Row,
            lambda: stacked.compare_all(budget=0.125 * budget),
            stacked.lines,
            one=False,
        ),
    }


def _steps(budget: float) -> list[training.Row]:
    try:
        compiled = bool(compiler())
    except UserError:  # the contender is left out
        compiled = False
    share = budget / len(training.SIZES)
    return [
        row
        for name, size in training.SIZES.items()
        for row in training.compare(name, size, compiled=compiled, budget=share)
    ]


def bayes_lines(rows: Sequence[bayes.Row]) -> list[Line]:
    """The table of `benchmarks.bayes` in words."""
    return [
        Line(
            "ridge at every prefix",
            row.contender,
            f"{row.milliseconds:.3g} ms",
            f"{row.ratio:.1f}",
            f"{row.threads} threads, largest difference {row.difference:.0e}",
        )
        for row in rows
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run everything; print the table, with --out write one Parquet file for each benchmark.

    Returns: 0, or 1 where a part has failed.
    """
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--budget", type=float, default=2400.0, help="seconds for the trainings")
    parser.add_argument("--out", type=Path, help="folder for the Parquet files")
    parser.add_argument("--only", nargs="+", choices=list(parts(0)), help="only these")
    options = parser.parse_args(arguments)

    cores, lines, failed = torch.get_num_threads(), [], []
    for name, part in parts(options.budget).items():
        if options.only and name not in options.only:
            continue
        try:
            torch.set_num_threads(1 if part.one else cores)
            rows = part.compare()
        except Exception as error:  # the others' minutes are not to be lost
            said = str(error).strip().partition("\n")[0]
            failed.append(f"{name}: not measured: {type(error).__name__}: {said}")
            print(failed[-1], file=sys.stderr, flush=True)
            continue
        finally:
            torch.set_num_threads(cores)
        if options.out:
            keep(rows, options.out / f"{name}.parquet")
        print(show(part.lines(rows)), flush=True)
        lines += part.lines(rows)
    print("\n" + "\n".join([show(lines), *failed] if lines else failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
