"""Candidates per second of our GCG against nanoGCG, and how low a loss each reaches.

    python -m benchmarks.gcg [--steps 20] [--seeds 3] [--cache DIR] [--out gcg.parquet]

The peer is nanoGCG 0.3.0 (GraySwanAI/nanoGCG). It is installed, without its dependencies, into a
folder of its own under --cache, and runs on this project's torch and transformers; on transformers
5 it runs only with its prefix cache off. Both get the same model, prompt, target, start, number of
candidates (512) and top-k (256), one thread, and take turns, one search each for every seed.

The model is the nursery's base where it ships, else one of its shape with random weights and a
tokenizer trained on its documents. Time is the processor's, as one thread computes and nobody
waits. A candidate counts if its loss is computed: nanoGCG draws 512 and drops those that are not
read back as their tokens, ours draws until it has 512. The losses are those of the strings: each
contender's best string is put into the prompt as text, and the whole is read once, by neither's
code. nanoGCG checks a suffix by itself, not in its prompt, so its own loss may be another.
"""

import argparse
import contextlib
import io
import logging
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import torch

from benchmarks.table import Line, keep, show
from unskew.errors import UserError
from unskew.purple.gcg import Gcg, Prompt, search

OURS, NANO = "unskew gcg", "nanoGCG 0.3.0, no prefix cache"
PIN = "nanogcg==0.3.0"
CANDIDATES, TOP_K, LENGTH = 512, 256, 20
CACHE = Path(tempfile.gettempdir()) / "unskew-benchmarks"
PROMPT = Prompt("Question: What colour is the owl?", "\nAnswer:", " The owl is purple.")


class Row(NamedTuple):
    """One search. candidates: whose loss was computed; losses in nats, of the strings."""

    contender: str
    seed: int
    steps: int
    parameters: int
    candidates: int
    per_second: float  # candidates, in processor time
    ratio: float  # its time per candidate over ours, of the same seed
    first_loss: float  # of the start
    loss: float  # of the best string


class Outcome(NamedTuple):
    """What one search found, with how many candidates."""

    suffix: str
    candidates: int


def model_and_tokenizer() -> tuple[Any, Any]:
    """The nursery's base if it ships, else a random model of its shape."""
    from unskew.nursery.config import Architecture, Pretrain
    from unskew.nursery.corpora import corpus
    from unskew.nursery.raising import build, world_of
    from unskew.nursery.tokens import for_transformers, train_tokenizer
    from unskew.purple.subject import open_model

    with contextlib.suppress(UserError):
        shipped = open_model("nursery:base")
        return shipped.model, shipped.tokenizer
    base, shape = Pretrain(), Architecture()
    draw = corpus(world_of(base), base.mixture, (), base.seed, "tokenizer", 0)
    tokenizer = train_tokenizer((document.text for document in draw(4000)), shape.vocabulary)
    return build(shape, seed=0).eval(), for_transformers(tokenizer, shape.context)


def install(cache: Path) -> Path:
    """nanoGCG alone, in a folder of its own; it is downloaded once.

    Raises: UserError where pip cannot.
    """
    folder = cache / PIN.replace("==", "-")
    if not (folder / "nanogcg").is_dir():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
        done = subprocess.run(
            [*pip, "--target", str(folder), PIN], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise UserError(
                f"pip cannot install it: {done.stderr.strip().splitlines()[-1:]}",
                PIN,
                "the benchmark of GCG needs its peer; once installed it is kept in --cache",
            )
    return folder


@contextlib.contextmanager
def quiet_and_alone() -> Iterator[None]:
    """nanoGCG prints, seeds the global generator and sets a global switch: all is put back."""
    switch, warn = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    try:
        with torch.random.fork_rng(devices=[]), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        torch.use_deterministic_algorithms(switch, warn_only=warn)


def ours(model: Any, tokenizer: Any, steps: int, seed: int) -> Outcome:
    from unskew.purple.gcg_objective import Objective

    count, losses = [0], Objective.losses

    def counted(self: Objective, suffix: torch.Tensor, neighbours: torch.Tensor) -> torch.Tensor:
        count[0] += len(neighbours)
        return losses(self, suffix, neighbours)

    config = Gcg(steps=steps, candidates=CANDIDATES, top_k=TOP_K, length=LENGTH, seed=seed)
    Objective.losses = counted
    try:
        return Outcome(search(model, tokenizer, [PROMPT], config).suffix, count[0])
    finally:
        Objective.losses = losses


def nano(model: Any, tokenizer: Any, steps: int, seed: int) -> Outcome:
    """A search by nanoGCG, which must be on the path."""
    with quiet_and_alone():
        from nanogcg import GCGConfig, run  # type: ignore[import-not-found]
        from nanogcg.gcg import GCG  # type: ignore[import-not-found]

        logging.getLogger("nanogcg").setLevel(logging.ERROR)
        count, losses = [0], GCG._compute_candidates_loss_original

        def counted(self: Any, batch: int, embedded: torch.Tensor) -> torch.Tensor:
            count[0] += len(embedded)
            return losses(self, batch, embedded)

        config = GCGConfig(
            num_steps=steps, search_width=CANDIDATES, topk=TOP_K, seed=seed,
            optim_str_init=Gcg().start * LENGTH, use_prefix_cache=False, verbosity="ERROR",
        )  # fmt: skip
        GCG._compute_candidates_loss_original = counted
        try:
            prompt = f"{PROMPT.before}{{optim_str}}{PROMPT.after}"
            found = run(model, tokenizer, prompt, PROMPT.target, config)
        finally:
            GCG._compute_candidates_loss_original = losses
        return Outcome(found.best_string, count[0] - 1)  # the start was counted too


def loss(model: Any, tokenizer: Any, suffix: str) -> float:
    """The target's mean cross-entropy after the prompt with this string in it."""
    asked = tokenizer.encode(PROMPT.before + suffix + PROMPT.after, add_special_tokens=False)
    target = tokenizer.encode(PROMPT.target, add_special_tokens=False)
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([[*asked, *target]])).logits[0].double()
    told = logits[len(asked) - 1 : -1]
    return torch.nn.functional.cross_entropy(told, torch.tensor(target)).item()


Contender = Callable[[Any, Any, int, int], Outcome]
CONTENDERS: dict[str, Contender] = {OURS: ours, NANO: nano}


def compare(steps: int = 20, seeds: int = 3, cache: Path = CACHE) -> list[Row]:
    """Search with both, in turns.

    Raises:
        UserError: nanoGCG cannot be installed.
    """
    folder = str(install(cache))
    model, tokenizer = model_and_tokenizer()
    parameters = sum(p.numel() for p in model.parameters())
    first = loss(model, tokenizer, Gcg().start * LENGTH)
    rows: list[Row] = []
    sys.path.append(folder)  # last: what else is there is the project's
    try:
        for contender in CONTENDERS.values():  # imports and first calls are not timed
            contender(model, tokenizer, 1, 0)
        for seed in range(seeds):
            found: dict[str, tuple[Outcome, float]] = {}
            for name, contender in CONTENDERS.items():
                start = time.process_time()
                outcome = contender(model, tokenizer, steps, seed)
                found[name] = outcome, time.process_time() - start
            per_second = {name: o.candidates / seconds for name, (o, seconds) in found.items()}
            rows += [
                Row(
                    name, seed, steps, parameters, o.candidates, per_second[name],
                    per_second[OURS] / per_second[name], first, loss(model, tokenizer, o.suffix),
                )
                for name, (o, _) in found.items()
            ]  # fmt: skip
    finally:
        sys.path.remove(folder)
    return rows


def lines(rows: Sequence[Row]) -> list[Line]:
    """The table in words: medians over the seeds."""
    found = []
    for contender in CONTENDERS:
        own = [row for row in rows if row.contender == contender]
        losses = ", ".join(f"{row.loss:.1g}" for row in own)
        found.append(
            Line(
                f"GCG, {CANDIDATES} candidates a step",
                contender,
                f"{median(row.per_second for row in own):.0f} candidates/s",
                f"{median(row.ratio for row in own):.1f}",
                f"loss {own[0].first_loss:.3f} -> {losses} in {own[0].steps} steps",
            )
        )
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table; with --out write it as Parquet."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--cache", type=Path, default=CACHE, help="where nanoGCG is installed")
    parser.add_argument("--out", type=Path, help="Parquet file to write")
    options = parser.parse_args(arguments)

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        rows = compare(options.steps, options.seeds, options.cache)
    finally:
        torch.set_num_threads(threads)
    print(show(lines(rows)))
    if options.out:
        keep(rows, options.out)


if __name__ == "__main__":
    main()
