"""All comparisons in one run and one table: `python -m benchmarks`, or `make bench`.

    python -m benchmarks [--budget 2400] [--out DIR]

About 45 minutes on two idle cores: a minute each for the Bayes predictors and the audit, three for
GCG, seconds for the guard, then `--budget` seconds, of which three quarters go to the time to Bayes
and the rest to steps per second and to stacks of models, half each. One thread for the Bayes
predictors, the audit, GCG, the guard and the small networks of the time to Bayes, all cores for
steps per second and stacks. GCG's peer is downloaded.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from shutil import which

import torch

from benchmarks import audit, bayes, gcg, guard, stacked, time_to_bayes, training
from benchmarks.table import Line, keep, show


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


def main(arguments: Sequence[str] | None = None) -> None:
    """Run everything; print the table, with --out write one Parquet file for each benchmark."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--budget", type=float, default=2400.0, help="seconds for the trainings")
    parser.add_argument("--out", type=Path, help="folder for the Parquet files")
    options = parser.parse_args(arguments)

    cores = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        predictors = bayes.compare()
        audits = audit.compare()
        searches = gcg.compare()
        guards = guard.compare()
        races = time_to_bayes.compare(budget=0.75 * options.budget)
        torch.set_num_threads(cores)
        # torch.compile needs a C++ compiler; without one the contender is left out.
        compiled = which("c++") is not None
        steps = [
            row
            for name, size in training.SIZES.items()
            for row in training.compare(
                name, size, compiled=compiled, budget=0.125 * options.budget / len(training.SIZES)
            )
        ]
        stacks = stacked.compare_all(budget=0.125 * options.budget)
    finally:
        torch.set_num_threads(cores)
    lines = [*bayes_lines(predictors), *audit.lines(audits), *gcg.lines(searches)]
    lines += [*guard.lines(guards), *time_to_bayes.lines(races), *training.lines(steps)]
    lines += stacked.lines(stacks)
    print(show(lines))
    if options.out:
        keep(predictors, options.out / "bayes.parquet")
        keep(audits, options.out / "audit.parquet")
        keep(searches, options.out / "gcg.parquet")
        keep(guards, options.out / "guard.parquet")
        keep(races, options.out / "time_to_bayes.parquet")
        keep(steps, options.out / "training.parquet")
        keep(stacks, options.out / "stacked.parquet")


if __name__ == "__main__":
    main()
