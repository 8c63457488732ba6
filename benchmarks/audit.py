"""Samples per second of an audit's four arms, against one prompt at a time.

The peer is the loop of the paper's own repository (kothasuhas/understanding-forgetting,
icl_vs_if/generate.py): for every prompt one call of `generate` with ten new tokens, no batching,
decoded and compared by its beginning. Ours is the whole audit as `unskew audit` runs it: the
harness, the transform and its inverse, records. Same model, same prompts (base, tuned, and both
under pig latin, on the in-context tasks in English), same budget of tokens, one run, turns taken.

The answers are compared first: what ours says must be what the loop says, up to the stop.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from benchmarks.table import Line, keep
from unskew.audit.engine import hushed

OURS, LOOP = "unskew audit", "one prompt at a time"
BUDGET = 10  # new tokens, as in the peer's loop
TASK = "unskew_icl_repeat_arithmetic_en"


class Row(NamedTuple):
    """One contender."""

    contender: str
    samples: int
    threads: int
    per_second: float
    ratio: float  # its seconds per sample over ours
    same: float  # share of its answers that equal ours


def models(folder: Path, layers: int, width: int, seed: int = 0) -> tuple[Path, Path]:
    """Two folders with random Llama-style models of one shape, and a byte-level BPE tokenizer
    trained on the task's own prompts, so that a prompt has as many tokens as in practice."""
    from tokenizers import Tokenizer, decoders, pre_tokenizers
    from tokenizers.models import BPE
    from tokenizers.trainers import BpeTrainer
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    from unskew.audit.names import conjugation
    from unskew.audit.tasks import icl

    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = BpeTrainer(
        vocab_size=2000,
        special_tokens=["<|end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = [row["text"] for row in icl.rows("repeat", "arithmetic", "en")]
    under = [conjugation("pig-latin").forward(text) for text in texts]
    tokenizer.train_from_iterator([*texts, *under], trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|end|>", bos_token="<|end|>", pad_token="<|end|>"
    )
    folders = folder / "base", folder / "tuned"
    for i, path in enumerate(folders):
        config = LlamaConfig(
            vocab_size=tokenizer.get_vocab_size(), max_position_embeddings=1024,
            hidden_size=width, intermediate_size=2 * width, num_hidden_layers=layers,
            num_attention_heads=max(width // 32, 1), bos_token_id=0, eos_token_id=0,
            pad_token_id=0, initializer_range=0.1,
        )  # fmt: skip
        with torch.random.fork_rng(), hushed():
            torch.manual_seed(seed + i)
            LlamaForCausalLM(config).save_pretrained(path)
        fast.save_pretrained(path)
    return folders


def ours(folders: Sequence[Path], limit: int | None, batch: int) -> tuple[float, Any]:
    """Seconds of the audit without the loading of models, and its records."""
    from unskew.audit import engine, loading, records
    from unskew.audit.asking import Asker
    from unskew.audit.names import conjugation
    from unskew.conjugation.base import Identity

    tasks = loading.load([TASK])
    for loaded in tasks:  # the peer's budget, so that both generate as much
        task: Any = loaded.task
        task.set_config("generation_kwargs", {"until": ["\n"], "max_gen_toks": BUDGET})
    opened = [engine.hugging_face(str(path), record={}, batch=batch) for path in folders]
    begun = time.perf_counter()
    found = []
    for arm, model in zip(("base", "tuned"), opened, strict=True):
        asker = Asker(model)
        for s in (Identity(), conjugation("pig-latin")):
            lm = engine.Conjugated(asker, s)
            lm.under._budgets = lambda asked, prompts, sent: list(asked)  # not grown: as the peer
            samples = engine.evaluate(lm, tasks, limit=limit)
            source = records.Source(TASK, arm, s.name, "plain", "icl", "cluster", False)
            found += records.rows(source, samples[TASK], lm.traces)
    table = records.table(found)
    return time.perf_counter() - begun, table


def loop(folders: Sequence[Path], table: Any) -> tuple[float, list[str]]:
    """Seconds of the peer's loop over the prompts that the audit sent, and its answers."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    seconds, answers = 0.0, []
    for arm, path in zip(("base", "tuned"), folders, strict=True):
        with hushed():
            model: Any = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)
        tokenizer: Any = AutoTokenizer.from_pretrained(path)
        prompts = table[table["arm"] == arm]["prompt"]
        begun = time.perf_counter()
        for prompt in prompts:
            encoded = tokenizer([prompt], return_tensors="pt", add_special_tokens=False)
            with torch.no_grad():
                out = model.generate(
                    encoded["input_ids"],
                    attention_mask=encoded["attention_mask"],
                    do_sample=False,
                    max_new_tokens=BUDGET,
                )
            text = tokenizer.batch_decode(out, skip_special_tokens=True)[0]
            answers.append(text[len(prompt) :])
        seconds += time.perf_counter() - begun
    return seconds, answers


def compare(
    layers: int = 4, width: int = 128, limit: int | None = 100, batch: int = 64, turns: int = 2
) -> list[Row]:
    """Both contenders, `turns` times in turn; the fastest turn of each counts."""
    with tempfile.TemporaryDirectory() as kept:
        folders = models(Path(kept), layers, width)
        fastest = {OURS: float("inf"), LOOP: float("inf")}
        same = 0.0
        table: Any = None
        for _ in range(turns):
            took, table = ours(folders, limit, batch)
            fastest[OURS] = min(fastest[OURS], took)
            took, answers = loop(folders, table)
            fastest[LOOP] = min(fastest[LOOP], took)
            raws = list(table["raw"])
            same = sum(
                raw == answer.split("\n")[0] for raw, answer in zip(raws, answers, strict=True)
            ) / len(raws)
    n, threads = len(table), torch.get_num_threads()
    return [
        Row(name, n, threads, n / fastest[name], fastest[name] / fastest[OURS], same)
        for name in (OURS, LOOP)
    ]


def lines(rows: Sequence[Row]) -> list[Line]:
    """The table in words."""
    return [
        Line(
            "audit of language models",
            row.contender,
            f"{row.per_second:.3g} samples/s",
            f"{row.ratio:.1f}",
            f"{row.samples} samples, {row.threads} threads, {100 * row.same:.0f}% same answers",
        )
        for row in rows
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table; with --out write it as Parquet."""
    from benchmarks.table import show

    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--threads", type=int, nargs="+", default=[torch.get_num_threads()])
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--limit", type=int, default=100, help="documents")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--out", type=Path, help="Parquet file to write")
    options = parser.parse_args(arguments)

    rows: list[Row] = []
    for threads in options.threads:
        torch.set_num_threads(threads)
        rows += compare(options.layers, options.width, options.limit, options.batch, options.turns)
    print(show(lines(rows)))
    if options.out:
        keep(rows, options.out)


if __name__ == "__main__":
    main()
