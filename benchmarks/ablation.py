"""What each part of our recipe buys: the time to Bayes with one part changed at a time.

    python -m benchmarks.ablation [--seeds 0 1] [--parts optimiser block] [--out ablation.parquet]

World, target and clock are those of `benchmarks.time_to_bayes`: prompts of D_cont, d = 2, K = 6,
sigma = 0.5; processor seconds of one thread until the excess risk is at most 1.1 times ridge's at
every exemplar count. The recipe is the one there; each change below replaces one part and leaves
all others. A seed is that of weights and prompts; both sides of a ratio have the same one.

    optimiser        Adam in place of Muon, at three learning rates, 100 steps of warm-up
    learning rate    Muon's, halved and doubled
    other parameters the rate of what is no hidden matrix: the demo's, and twice ours
    schedule         no decay; over the last 60%, as the demo's; half and twice the length
    clipping         none
    average          none: the weights themselves are examined
    token layout     interleaved: x and y are tokens of their own, as in the paper
    block            GPT-2's: LayerNorm, biases, GELU, its own initialisation
    positions        rotary
    batch            a quarter, half, twice
    initialisation   residual outputs drawn as GPT-2's are, instead of zeros
    diversity        the first 300 steps see a pool of 64 or 1024 tasks only, as experiment 6 asks

A training that has taken `LIMIT` times the recipe's time is stopped there: its ratio is a bound.
"""

import argparse
import math
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import torch
from torch import Tensor

from benchmarks.table import Line, keep, show
from benchmarks.time_to_bayes import (
    DEFAULT,
    REST,
    Examination,
    Race,
    Setting,
    network,
    recipe,
    run,
    stream,
)
from unskew.regression import PromptStream
from unskew.regression.fit import squared_error
from unskew.regression.priors import Discrete
from unskew.regression.transformer import Transformer, TransformerConfig
from unskew.training import Adam, Muon, Training

LIMIT = 3.0
THE_RECIPE = "the recipe"


class Change(NamedTuple):
    """One training: our recipe where `part` is as `choice` says.

    average: the average of the weights is examined. drawn: residual outputs start as GPT-2's.
    pool: tasks that the first `narrow` steps see; None: all steps see D_cont.
    """

    part: str
    choice: str
    model: TransformerConfig
    training: Training
    drawn: bool = False
    pool: int | None = None
    narrow: int = 300
    average: bool = True


class Row(NamedTuple):
    """seconds, steps: to the target, or to where it was stopped (`reached` false). ratio: seconds
    over the recipe's of the same seed; a lower bound where not reached, NaN where the recipe did
    not reach the target itself."""

    part: str
    choice: str
    seed: int
    reached: bool
    stopped_by: str
    seconds: float
    steps: int
    ms_per_step: float
    worst: float
    ratio: float


def changes(setting: Setting) -> list[Change]:
    """The recipe itself, then every change of it."""
    model = network(setting)
    base = recipe(setting)
    lr = Muon().lr

    def training(part: str, choice: str, **parts: Any) -> Change:
        return Change(part, choice, model, base.model_copy(update=parts))

    def shape(part: str, choice: str, **parts: Any) -> Change:
        return Change(part, choice, model.model_copy(update=parts), base)

    adam = [
        Change("optimiser", f"Adam, {rate:g}", model, recipe(setting, Adam(lr=rate), warmup=100))
        for rate in (1e-3, 2e-3, 4e-3)
    ]
    return [
        Change(THE_RECIPE, "", model, base),
        *adam,
        *(
            training("learning rate", f"{rate:g}", optimiser=Muon(lr=rate, other=REST))
            for rate in (lr / 2, 2 * lr)
        ),
        *(
            training(
                "other parameters",
                f"{rate:g}",
                optimiser=Muon(other=REST.model_copy(update={"lr": rate})),
            )
            for rate in (Muon().other.lr, 2 * REST.lr)
        ),
        training("schedule", "no decay", decay=0.0),
        training("schedule", "the last 60%", decay=0.6),
        training("schedule", f"{setting.steps // 2} steps", steps=setting.steps // 2),
        training("schedule", f"{2 * setting.steps} steps", steps=2 * setting.steps),
        training("clipping", "none", clip=None),
        Change("average", "none", model, base, average=False),
        shape("token layout", "interleaved", layout="interleaved"),
        shape("block", "GPT-2's", block="gpt2"),
        shape("positions", "rotary", positions="rotary"),
        *(
            training("batch", str(size), batch=size)
            for size in (setting.batch // 4, setting.batch // 2, 2 * setting.batch)
        ),
        Change("initialisation", "outputs drawn", model, base, drawn=True),
        Change("diversity", "64 tasks first", model, base, pool=64),
        Change("diversity", "1024 tasks first", model, base, pool=1024),
    ]


def once(
    change: Change, seed: int, setting: Setting, examination: Examination, limit: tuple[float, str]
) -> Row:
    """One training of one seed; the ratio is left open."""
    model = Transformer(change.model, setting.dim, setting.exemplars)
    generator = torch.Generator().manual_seed(seed)
    model.initialise(generator)
    if change.drawn:
        _draw_outputs(model, generator)
    race = Race(model, examination, setting, limit, math.inf, change.average)
    row = run(change.part, race, model, _loss(change, model, seed, setting), change.training)
    return Row(
        change.part, change.choice, seed, row.reached, row.stopped_by, row.seconds, row.steps,
        row.ms_per_step, row.worst, math.nan,
    )  # fmt: skip


@torch.no_grad()
def _draw_outputs(model: Transformer, generator: torch.Generator) -> None:
    scale = 0.02 / math.sqrt(2 * model.config.layers)
    for name, p in model.named_parameters():
        if ".out." in name or ".down." in name:
            p.normal_(0.0, scale, generator=generator)


def _loss(
    change: Change, model: Transformer, seed: int, setting: Setting
) -> Callable[[int], Tensor]:
    def on(prompts: PromptStream) -> Callable[[int], Tensor]:
        return squared_error(model, prompts, change.training.batch, None, "cpu")

    wide = on(stream(setting, "train", seed))
    if change.pool is None:
        return wide
    narrow = on(stream(setting, "train", seed, Discrete(n=change.pool, seed=seed)))
    return lambda step: narrow(step) if step < change.narrow else wide(step)


def compare(setting: Setting, seeds: Sequence[int], parts: Collection[str]) -> Iterator[Row]:
    """The recipe and every change of these parts, seed by seed, as they come."""
    examination = Examination(setting)
    for seed in seeds:
        first, *others = changes(setting)
        mine = once(first, seed, setting, examination, (math.inf, ""))
        known = mine.seconds if mine.reached else math.nan
        limit = (LIMIT * mine.seconds, f"{LIMIT:g} x the recipe")
        yield mine._replace(ratio=mine.seconds / known)
        for change in others:
            if change.part in parts:
                row = once(change, seed, setting, examination, limit)
                yield row._replace(ratio=row.seconds / known)


def lines(rows: Sequence[Row]) -> list[Line]:
    """A line for each change: the median over seeds, and every seed's ratio."""
    found = []
    for part, choice in dict.fromkeys((row.part, row.choice) for row in rows):
        of = [row for row in rows if (row.part, row.choice) == (part, choice)]
        bound = "" if all(row.reached for row in of) else "> "
        ratios = " ".join(f"{'' if r.reached else '> '}{r.ratio:.2f}" for r in of)
        remark = (
            f"{median(r.steps for r in of):.0f} steps of {median(r.ms_per_step for r in of):.0f} ms"
        )
        stopped = dict.fromkeys(row.stopped_by for row in of if not row.reached)
        if stopped:
            worst = max(row.worst for row in of if not row.reached)
            remark += f"; stopped by {', '.join(stopped)}, {worst:.2f} x ridge"
        found.append(
            Line(
                f"time to Bayes: {part}",
                choice,
                f"{bound}{median(row.seconds for row in of):.0f} s",
                ratios,
                remark,
            )
        )
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table; with --out write it as Parquet, row by row."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--steps", type=int, default=DEFAULT.steps, help="length of the schedule")
    parts = list(dict.fromkeys(change.part for change in changes(DEFAULT)[1:]))
    parser.add_argument("--parts", nargs="+", default=parts, choices=parts, help="only these")
    parser.add_argument("--out", type=Path, help="Parquet file to write")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    rows: list[Row] = []
    for row in compare(DEFAULT._replace(steps=options.steps), options.seeds, options.parts):
        rows.append(row)
        print(f"seed {row.seed}, {row.part} {row.choice}: {row.seconds:.0f} s", file=sys.stderr)
        if options.out:  # after each, as the whole takes an hour or two
            keep(rows, options.out)
    print(show(lines(rows)))


if __name__ == "__main__":
    main()
