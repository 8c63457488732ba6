"""Many small models at once: models per minute in a stack against one after another, in one run.

    python -m benchmarks.stacked [--sizes demo small tiny] [--models 2 4 8 16] [--out FILE]
                                 [--device cuda] [--threads 2] [--steps 3000]

Both ways train the laboratory's default network by its own loop (Muon, data, loss, clipping, guard;
no run folder): M models that differ in seed, prior and learning rate. They take turns, a block of
steps each. `speedup` is the time one after another over that of the stack, within a turn: median
over turns, with the range. `apart` is the largest difference of a loss between the two ways, over
all steps of all models of the first turn, as a share of the loss; above `APART` the run fails.

`models per minute` are trainings of `--steps` steps. GFLOP/s are those of the matrix products of
forward and backward pass (torch's own counter) and say how much a stack can win: where one model
alone is near the rate of a large product, which is timed in every turn, there is nothing to win.
`--time cpu` counts the process' own CPU time: on a busy machine, with one thread, ratios of that
can still be read.
"""

import argparse
import math
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from benchmarks.table import Line, keep, show
from benchmarks.training import Size as Shape
from benchmarks.training import flops, own_network
from unskew.regression import fit
from unskew.regression.config import Pretrain
from unskew.regression.priors import Mixture
from unskew.regression.stacking import stacked_loss
from unskew.regression.transformer import Transformer
from unskew.training import Adam, Muon, Training, train
from unskew.training.stacked import Member, train_stacked

STACK, ALONE = "in a stack", "one after another"
APART = 1e-2  # of a loss: what rounding may grow to over a block's steps
SIZES = {
    "demo": Shape(layers=4, heads=2, width=64, dim=3, exemplars=12, batch=128, block=6),
    "small": Shape(layers=2, heads=2, width=32, dim=3, exemplars=12, batch=32, block=30),
    "tiny": Shape(layers=2, heads=1, width=16, dim=2, exemplars=8, batch=16, block=50),
}
MODELS = (2, 4, 8, 16)


class Row(NamedTuple):
    """One way to train `models` models of a size; see the module's words."""

    size: str
    models: int
    contender: str
    device: str
    threads: int
    turns: int
    models_per_minute: float
    speedup: float
    speedup_low: float
    speedup_high: float
    apart: float
    gflops: float
    matmul_gflops: float


def configs(size: Shape, models: int, block: int, device: str) -> list[Pretrain]:
    """Models that differ in all that those of a stack may differ in."""
    return [
        Pretrain(
            d=size.dim,
            exemplars=size.exemplars,
            prior=Mixture(alpha=(seed % 5) / 4),
            model=own_network(size.layers, size.heads, size.width),
            training=Training(
                steps=block,
                batch=size.batch,
                optimiser=Muon(lr=0.01 / (1 + seed % 3), other=Adam(lr=2e-3, beta2=0.99)),
            ),
            seed=seed,
            device=device,
            generator="philox-numpy" if device == "cpu" else "philox-cuda",
        )
        for seed in range(models)
    ]


def alone(of: Sequence[Pretrain]) -> Tensor:
    """Train one after another: the losses (M, steps)."""
    losses = []
    for config in of:
        model, prompts = fit.build(config), fit.stream(config, "train", config.seed)
        inner = fit.squared_error(model, prompts, config.training.batch, None, config.device)
        seen: list[Tensor] = []
        train(model, _noted(inner, seen), config.training, matrices=model.matrices())
        losses.append(torch.stack(seen))
    return torch.stack(losses).cpu()


def together(of: Sequence[Pretrain]) -> Tensor:
    """Train in a stack: the losses (M, steps)."""
    models = [fit.build(config) for config in of]
    prompts = [fit.stream(config, "train", config.seed) for config in of]
    inner = stacked_loss(prompts, of[0].training.batch, None, of[0].device)
    seen: list[Tensor] = []
    members = [Member(m, config.training) for m, config in zip(models, of, strict=True)]
    ends = train_stacked(members, _noted(inner, seen), matrices=_matrices)
    assert not any(ends), ends
    return torch.stack(seen, dim=1).cpu()


def _matrices(stack: nn.Module) -> list[nn.Parameter]:
    assert isinstance(stack, Transformer)
    return stack.matrices()


def _noted(loss: Callable[..., Tensor], seen: list[Tensor]) -> Callable[..., Tensor]:
    def noting(*arguments: object) -> Tensor:
        value = loss(*arguments)
        seen.append(value.detach())
        return value

    return noting


def _matmul_rate(n: int, device: str, clock: Callable[[], float]) -> float:
    """FLOPs per second of an (n, n) float32 matrix product, the better of two."""
    a = torch.ones(n, n, device=device)
    seconds = []
    for _ in range(2):
        begun = clock()
        (a @ a)[0, 0].item()
        seconds.append(clock() - begun)
    return 2 * n**3 / min(seconds)


def compare(
    name: str,
    size: Shape,
    models: int,
    *,
    turns: int = 5,
    steps: int = 3000,
    device: str = "cpu",
    clock: Callable[[], float] = time.perf_counter,
    deadline: float = math.inf,
    matmul: int = 2048,
) -> list[Row]:
    """Both ways for `models` models of a size.

    Args:
        steps: of a training, for models per minute. clock: seconds, of what is counted.
        deadline: no new turn after this time.monotonic(); at least one is timed.

    Raises: AssertionError where the losses of the two ways are not the same but for rounding.
    """
    of = configs(size, models, size.block, device)
    took: list[tuple[float, float]] = []
    rates: list[float] = []
    apart = 0.0
    for turn in range(turns + 1):
        if took and time.monotonic() > deadline:
            break
        rates.append(_matmul_rate(matmul, device, clock))
        begun = clock()
        stacked = together(of)
        between = clock()
        single = alone(of)
        ended = clock()
        if turn:
            took.append((between - begun, ended - between))
        else:  # not timed: the caches fill
            apart = ((stacked - single).abs() / single).max().item()
            assert apart < APART, f"losses of {name} differ by {apart:.1e} of themselves"
    model = fit.build(of[0])
    prompts = fit.stream(of[0], "train", 0).batch(0, size.batch, device=device)
    work = flops(model, prompts.x, prompts.y) * models * size.block
    rows = []
    for at, contender in enumerate((STACK, ALONE)):
        ratios = [seconds[1] / seconds[at] for seconds in took]
        middle = statistics.median(seconds[at] for seconds in took)
        rows.append(
            Row(
                name,
                models,
                contender,
                device,
                torch.get_num_threads(),
                len(took),
                60 * models * size.block / steps / middle,
                statistics.median(ratios),
                min(ratios),
                max(ratios),
                apart,
                work / middle / 1e9,
                statistics.median(rates) / 1e9,
            )
        )
    return rows


def compare_all(
    sizes: Sequence[str] = tuple(SIZES),
    models: Sequence[int] = MODELS,
    *,
    turns: int = 5,
    steps: int = 3000,
    device: str = "cpu",
    clock: Callable[[], float] = time.perf_counter,
    budget: float = math.inf,
) -> list[Row]:
    """Every size with every number of models, within about `budget` seconds."""
    begun, share = time.monotonic(), budget / (len(sizes) * len(models))
    rows: list[Row] = []
    for at, (name, count) in enumerate((s, m) for s in sizes for m in models):
        deadline = begun + (at + 1) * share
        rows += compare(
            name,
            SIZES[name],
            count,
            turns=turns,
            steps=steps,
            device=device,
            clock=clock,
            deadline=deadline,
        )
    return rows


def lines(rows: Sequence[Row]) -> list[Line]:
    """The table in words; `time / ours` is the stack's advantage."""
    found = []
    for row, other in zip(rows[::2], rows[1::2], strict=True):
        ratio = f"{row.speedup:.2f} ({row.speedup_low:.2f} to {row.speedup_high:.2f})"
        for one, said in ((row, "1"), (other, ratio)):
            found.append(
                Line(
                    f"{row.models} models, {row.size}",
                    one.contender,
                    f"{one.models_per_minute:.3g} models a minute",
                    said,
                    f"{one.device}, {one.threads} threads, {one.turns} turns; {one.gflops:.0f} of "
                    f"the {one.matmul_gflops:.0f} GFLOP/s of a matrix product; losses differ by "
                    f"{one.apart:.0e}",
                )
            )
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table; with --out write it as Parquet."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sizes", nargs="+", choices=list(SIZES), default=list(SIZES))
    parser.add_argument("--models", nargs="+", type=int, default=list(MODELS))
    parser.add_argument("--threads", type=int, help="default: all cores")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--steps", type=int, default=3000, help="of a training")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--time", choices=("wall", "cpu"), default="wall", help="what is counted")
    parser.add_argument("--budget", type=float, default=900.0, help="seconds for all of it")
    parser.add_argument("--out", type=Path, help="Parquet file to write")
    options = parser.parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    rows = compare_all(
        options.sizes,
        options.models,
        turns=options.turns,
        steps=options.steps,
        device=options.device,
        clock=time.process_time if options.time == "cpu" else time.perf_counter,
        budget=options.budget,
    )
    print(show(lines(rows)))
    if options.out:
        keep(rows, options.out)


if __name__ == "__main__":
    main()
