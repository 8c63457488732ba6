"""Ridge at every prefix of a batch of prompts: ours against the two usual ways, in one run.

    python -m benchmarks.bayes [--threads 1] [--repeats 10] [--out bayes.parquet]

All three get the same float64 inputs and must return the same predictions. The peers:

    torch.linalg.solve   normal equations, one batched solve over all prompts for each prefix
    scikit-learn Ridge   one fit for each prompt and prefix; timed on a few prompts, scaled up

The peers give predictions only; ours adds the log evidence of every prefix. The contenders take
turns, so that whatever else the machine does meets all of them, and the fastest turn of each
counts. `ridge + discrete` (both predictors, with evidences) has no peer here and is listed for
scale. One row for each contender; `ratio` is its time over that of ours.
"""

import argparse
import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from sklearn.linear_model import Ridge
from torch import Tensor

from benchmarks.table import keep
from unskew.regression import Discrete, PromptStream, predictors, ridge

OURS, SOLVE, SKLEARN, BOTH = (
    "unskew ridge",
    "torch.linalg.solve",
    "scikit-learn Ridge",
    "unskew ridge + discrete",
)


class Row(NamedTuple):
    """One contender. milliseconds for the whole batch, all prefixes; difference = largest absolute
    difference of its predictions from ours."""

    contender: str
    threads: int
    milliseconds: float
    ratio: float
    difference: float
    measured_prompts: int


def per_prefix_solve(x: Tensor, y: Tensor, sigma: float, tau: float) -> Tensor:
    """(X'X + lambda I)^-1 X'y for each prefix, all prompts in one batched solve: (B, P)."""
    penalty = (sigma / tau) ** 2 * torch.eye(x.shape[2], dtype=x.dtype)
    prediction = torch.zeros_like(y)
    for k in range(1, x.shape[1]):
        seen, labels = x[:, :k], y[:, :k, None]
        w = torch.linalg.solve(seen.mT @ seen + penalty, seen.mT @ labels)
        prediction[:, k] = (x[:, k] * w[..., 0]).sum(-1)
    return prediction


def per_prefix_sklearn(x: np.ndarray, y: np.ndarray, sigma: float, tau: float) -> np.ndarray:
    """One `Ridge` for each prompt and prefix: (B, P)."""
    prediction = np.zeros_like(y)
    for b in range(len(x)):
        for k in range(1, x.shape[1]):
            model = Ridge(alpha=(sigma / tau) ** 2, fit_intercept=False).fit(x[b, :k], y[b, :k])
            prediction[b, k] = model.predict(x[b, k : k + 1])[0]
    return prediction


def fastest(contenders: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Seconds of each contender's fastest turn, after one untimed turn of each."""
    best = dict.fromkeys(contenders, math.inf)
    for turn in range(repeats + 1):
        for name, run in contenders.items():
            start = time.perf_counter()
            run()
            if turn:
                best[name] = min(best[name], time.perf_counter() - start)
    return best


def compare(
    batch: int = 1024,
    exemplars: int = 40,
    dim: int = 10,
    n: int = 64,
    repeats: int = 10,
    sklearn_prompts: int = 8,
) -> list[Row]:
    """Time all contenders at torch's current thread count. sigma = tau = 1.

    Raises:
        AssertionError: a contender's predictions differ from ours by more than 1e-9.
    """
    sigma = tau = 1.0
    prior = Discrete(n=n)
    stream = PromptStream(prior, dim, exemplars, sigma, seed=0, stream="benchmark")
    x, y, _, _ = stream.batch(0, batch, dtype=torch.float64)
    tasks = prior.tasks(dim)
    subset = np.random.default_rng(0).choice(batch, min(sklearn_prompts, batch), replace=False)
    some_x, some_y = x[subset].numpy(), y[subset].numpy()

    ours = ridge(x, y, sigma, tau).prediction
    differences = {
        OURS: 0.0,
        SOLVE: float((per_prefix_solve(x, y, sigma, tau) - ours).abs().max()),
        SKLEARN: float(
            np.abs(per_prefix_sklearn(some_x, some_y, sigma, tau) - ours[subset].numpy()).max()
        ),
        BOTH: 0.0,
    }
    for name, difference in differences.items():
        assert difference < 1e-9, f"{name} differs from ours by {difference}"

    seconds = fastest(
        {
            OURS: lambda: ridge(x, y, sigma, tau),
            SOLVE: lambda: per_prefix_solve(x, y, sigma, tau),
            BOTH: lambda: predictors(x, y, tasks, sigma, tau),
        },
        repeats,
    )
    # Far slower than the others, so a few turns settle it.
    some = fastest({SKLEARN: lambda: per_prefix_sklearn(some_x, some_y, sigma, tau)}, 2)
    seconds[SKLEARN] = some[SKLEARN] * batch / len(subset)
    return [
        Row(
            name,
            torch.get_num_threads(),
            1e3 * seconds[name],
            seconds[name] / seconds[OURS],
            differences[name],
            len(subset) if name == SKLEARN else batch,
        )
        for name in (OURS, SOLVE, SKLEARN, BOTH)
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table; with --out write it as Parquet."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--threads", type=int, nargs="+", default=[1], help="one run for each")
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--exemplars", type=int, default=40)
    parser.add_argument("--dim", type=int, default=10)
    parser.add_argument("--n", type=int, default=64)
    parser.add_argument("--out", type=Path, help="Parquet file to write")
    options = parser.parse_args(arguments)

    rows: list[Row] = []
    for threads in options.threads:
        torch.set_num_threads(threads)
        rows += compare(
            options.batch, options.exemplars, options.dim, options.n, repeats=options.repeats
        )
    print(f"batch {options.batch}, k = {options.exemplars}, d = {options.dim}, n = {options.n}")
    print(
        f"{'contender':<26}{'threads':>8}{'ms':>12}{'ratio':>10}{'difference':>12}  prompts timed"
    )
    for row in rows:
        print(
            f"{row.contender:<26}{row.threads:>12}{row.milliseconds:>12.1f}{row.ratio:>12.1f}"
            f"{row.difference:>12.1e}{row.measured_prompts:>12}"
        )
    if options.out:
        keep(rows, options.out)


if __name__ == "__main__":
    main()
