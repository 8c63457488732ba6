"""Training steps per second: ours against Garg et al.'s build of the same network, in one run.

    python -m benchmarks.training [--sizes paper demo] [--compile] [--out training.parquet]

The peer is `benchmarks.garg`, with Hugging Face's attention of today and with that of 2022. Both
start from the same weights and must give the same predictions. Ours is the project's own loop
(`unskew.training.train`: data, loss, guard, fused Adam at the same learning rate, no clipping).
`--compile` adds ours under torch.compile, compiling not counted; `own network` is the one that the
laboratory trains by default (paired tokens, SwiGLU, Muon): another network, listed for scale.
Each block of ours is a training of its own, which pays for setting the optimiser up anew.

The contenders take turns, a block of steps each (A B A B ...), so that whatever else the machine
does meets all of them. `ratio` is a contender's time over ours within a turn: median over turns,
with the range. A large matrix product is timed in every turn too; `matmul_share` is a contender's
FLOPs per second over that product's. FLOPs are those of the matrix products of forward and backward
pass (torch's own counter; attention counted in full squares, Muon's iteration not counted).

A second comparison, on the same weights and gradients: one step of our Muon against one of
`torch.optim.Muon`, which iterates in bfloat16 and ours in float32. A first step of both must agree
within `APART` of its length; a fifth of the budget is kept for it.
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
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.garg import LEARNING_RATE, GargModel, GargTraining, copy_weights
from benchmarks.table import Line, keep, show
from unskew.regression import Continuous, PromptStream
from unskew.regression.fit import squared_error
from unskew.regression.transformer import Transformer, TransformerConfig
from unskew.training import Adam, Muon, Training, train
from unskew.training.optimisers import MuonMatrices

OURS = "unskew"
COMPILED = "unskew, compiled"
OWN = "unskew, own network"
GARG = "Garg et al."
GARG_2022 = "Garg et al., eager attention"
MUON, TORCH_MUON = "unskew Muon", "torch.optim.Muon"
SIGMA = 0.5
APART = 0.05


class Size(NamedTuple):
    """Network, prompts and how many steps make a turn's block."""

    layers: int
    heads: int
    width: int
    dim: int
    exemplars: int
    batch: int
    block: int


SIZES = {
    "paper": Size(layers=12, heads=8, width=256, dim=20, exemplars=40, batch=64, block=2),
    "demo": Size(layers=4, heads=2, width=64, dim=3, exemplars=12, batch=128, block=50),
}


class Contender(NamedTuple):
    """Something that trains: `run(steps)`, and the FLOPs of one step (NaN where not counted)."""

    run: Callable[[int], object]
    flops: float


class Row(NamedTuple):
    """One contender. `per_second`: training steps, or optimiser steps for the Muon comparison."""

    comparison: str
    size: str
    contender: str
    threads: int
    turns: int
    per_second: float
    ratio: float
    ratio_low: float
    ratio_high: float
    gflop_per_step: float
    matmul_gflops: float
    matmul_share: float


def flops(model: nn.Module, x: Tensor, y: Tensor) -> float:
    """Floating-point operations of the matrix products of one forward and backward pass."""
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        (model(x, y) - y).square().mean().backward()
    model.zero_grad(set_to_none=True)
    return counter.get_total_flops()


def own_network(layers: int, heads: int, width: int) -> TransformerConfig:
    """The kind of network that the laboratory trains by default."""
    return TransformerConfig(
        layers=layers, heads=heads, width=width, layout="paired", block="swiglu"
    )


def ours(size: Size, own: bool = False, compiled: bool = False) -> tuple[Transformer, Contender]:
    """Our model and loop; `own`: the laboratory's default network and optimiser instead."""
    if own:
        config = own_network(size.layers, size.heads, size.width)
        recipe = Training(batch=size.batch, optimiser=Muon(), decay=0.0)
    else:
        config = TransformerConfig(
            layers=size.layers,
            heads=size.heads,
            width=size.width,
            layout="interleaved",
            block="gpt2",
        )
        recipe = Training(
            batch=size.batch,
            optimiser=Adam(lr=LEARNING_RATE),
            decay=0.0,
            clip=None,
            compile=compiled,
        )
    model = Transformer(config, size.dim, size.exemplars)
    model.initialise(torch.Generator().manual_seed(0))
    prompts = PromptStream(Continuous(), size.dim, size.exemplars, SIGMA, 0, "benchmark")
    count = flops(model, *prompts.batch(0, size.batch)[:2])
    loss = squared_error(model, prompts, size.batch, None, "cpu")
    begun = 0

    def run(steps: int) -> None:
        nonlocal begun
        first, begun = begun, begun + steps
        train(
            model,
            lambda step: loss(first + step),
            recipe.model_copy(update={"steps": steps}),
            matrices=model.matrices(),
        )

    return model, Contender(run, count)


def garg(size: Size, attention: str, twin: Transformer) -> Contender:
    """The peer, started from the weights of `twin`.

    Raises: AssertionError where the two do not predict the same.
    """
    points = size.exemplars + 1
    shape = (size.dim, points, size.layers, size.heads, size.width)
    model = GargModel(*shape, attention=attention)
    copy_weights(twin, model)
    training = GargTraining(model, size.dim, points, SIGMA, size.batch)
    x, y = training.draw()
    with torch.no_grad():
        difference = (model(x[:4], y[:4]) - twin(x[:4], y[:4])).abs().max().item()
    assert difference < 1e-4, f"{GARG} ({attention}) differs from ours by {difference}"
    count = flops(model, x, y)

    def run(steps: int) -> None:
        for _ in range(steps):
            training.step()

    return Contender(run, count)


def muons(size: Size) -> dict[str, Contender]:
    """One optimiser step of the hidden matrices of the laboratory's network, the same gradients."""
    generator = torch.Generator().manual_seed(0)
    model = Transformer(
        own_network(size.layers, size.heads, size.width), size.dim, size.exemplars
    ).initialise(generator)
    stacks = model.matrices()
    for p in stacks:
        p.grad = torch.randn(p.shape, generator=generator)
    singles = []
    for p in stacks:
        assert p.grad is not None
        for matrix, grad in zip(p.detach(), p.grad, strict=True):
            single = nn.Parameter(matrix.clone())
            single.grad = grad.clone()
            singles.append(single)
    recipe = Muon()
    mine = MuonMatrices(stacks, recipe)
    theirs = torch.optim.Muon(
        singles, lr=recipe.lr, momentum=recipe.momentum, weight_decay=recipe.weight_decay
    )

    def repeat(optimiser: torch.optim.Optimizer) -> Contender:
        def run(steps: int) -> None:
            for _ in range(steps):
                optimiser.step()

        return Contender(run, math.nan)

    before = torch.cat([p.detach().flatten() for p in stacks])
    mine.step()
    theirs.step()
    own, others = (torch.cat([p.detach().flatten() for p in ps]) for ps in (stacks, singles))
    apart = float((own - others).norm() / (own - before).norm())
    assert apart < APART, f"a step of Muon differs from torch's by {apart:.1%} of its length"
    return {MUON: repeat(mine), TORCH_MUON: repeat(theirs)}


def matmul_rate(n: int) -> float:
    """FLOPs per second of an (n, n) float32 matrix product, the better of two."""
    a = torch.ones(n, n)
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        _ = a @ a
        seconds.append(time.perf_counter() - start)
    return 2 * n**3 / min(seconds)


def take_turns(
    comparison: str,
    size: str,
    contenders: dict[str, Contender],
    block: int,
    turns: int,
    deadline: float = math.inf,
    matmul: int = 2048,
) -> list[Row]:
    """Time all contenders; the first is ours, which the ratios refer to.

    Args:
        block: steps of each contender in one turn. turns: timed ones, after one that is not.
        deadline: no new turn after this time.monotonic(); at least one is timed.
        matmul: size of the matrix product that sets the scale.
    """
    names = list(contenders)
    seconds: list[list[float]] = []  # (turns, contenders)
    rates: list[float] = []
    for turn in range(turns + 1):
        if len(seconds) and time.monotonic() > deadline:
            break
        rate, took = matmul_rate(matmul), []
        for contender in contenders.values():
            start = time.perf_counter()
            contender.run(block)
            took.append(time.perf_counter() - start)
        if turn:
            seconds.append(took)
            rates.append(rate)
    rows = []
    for i, name in enumerate(names):
        ratios = [took[i] / took[0] for took in seconds]
        count = contenders[name].flops
        shares = [block * count / took[i] / rate for took, rate in zip(seconds, rates, strict=True)]
        rows.append(
            Row(
                comparison,
                size,
                name,
                torch.get_num_threads(),
                len(seconds),
                block / statistics.median(took[i] for took in seconds),
                statistics.median(ratios),
                min(ratios),
                max(ratios),
                count / 1e9,
                statistics.median(rates) / 1e9,
                statistics.median(shares),
            )
        )
    return rows


def compare(
    name: str,
    size: Size,
    turns: int = 7,
    compiled: bool = False,
    budget: float = math.inf,
    matmul: int = 2048,
) -> list[Row]:
    """Both comparisons at one size, within about `budget` seconds (one turn is always timed).

    Raises: AssertionError where the same network predicts differently in the two builds, or one
        step of Muon differs.
    """
    deadline = time.monotonic() + 0.8 * budget
    twin, mine = ours(size)
    contenders = {
        OURS: mine,
        GARG: garg(size, "sdpa", twin),
        GARG_2022: garg(size, "eager", twin),
    }
    if compiled:
        contenders[COMPILED] = ours(size, compiled=True)[1]
    contenders[OWN] = ours(size, own=True)[1]
    rows = take_turns("training step", name, contenders, size.block, turns, deadline, matmul)
    deadline = time.monotonic() + 0.2 * budget
    return rows + take_turns("Muon step", name, muons(size), size.block, turns, deadline, matmul)


def lines(rows: Sequence[Row]) -> list[Line]:
    """The table in words."""
    found = []
    for row in rows:
        remark = f"{row.threads} threads, {row.turns} turns"
        if math.isfinite(row.matmul_share):
            remark += (
                f"; {row.gflop_per_step:.3g} GFLOP a step, {row.matmul_share:.0%} of the"
                f" {row.matmul_gflops:.0f} GFLOP/s of a matrix product"
            )
        found.append(
            Line(
                f"{row.comparison}, {row.size}",
                row.contender,
                f"{row.per_second:.3g} /s",
                f"{row.ratio:.2f} ({row.ratio_low:.2f} to {row.ratio_high:.2f})",
                remark,
            )
        )
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table; with --out write it as Parquet."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sizes", nargs="+", choices=list(SIZES), default=list(SIZES))
    parser.add_argument("--threads", type=int, help="default: all cores")
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--dim", type=int, help="dimension of x, instead of the size's own")
    parser.add_argument("--compile", action="store_true", help="ours under torch.compile as well")
    parser.add_argument("--budget", type=float, default=600.0, help="seconds for each size")
    parser.add_argument("--out", type=Path, help="Parquet file to write")
    options = parser.parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    rows: list[Row] = []
    for name in options.sizes:
        size = SIZES[name]._replace(**({"dim": options.dim} if options.dim else {}))
        rows += compare(name, size, options.turns, options.compile, options.budget)
    print(show(lines(rows)))
    if options.out:
        keep(rows, options.out)


if __name__ == "__main__":
    main()
