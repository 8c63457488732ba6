"""Raise a model: from a `Pretrain` or `Tune` to an ordinary Hugging Face folder in a run folder.

The loss is next-token cross-entropy, answers at full weight and all other tokens at a small one.
The model is `LlamaForCausalLM` of transformers, trained by the project's own loop; the folder
`model/` loads in plain transformers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from unskew.errors import UserError
from unskew.nursery.config import MODEL, Architecture, Pretrain, Rows, Tune
from unskew.nursery.corpora import corpus, of_stage
from unskew.nursery.languages import LANGUAGES
from unskew.nursery.tokens import END, batch, for_transformers, train_tokenizer
from unskew.nursery.world import World, world
from unskew.runs.folder import RunFolder
from unskew.runs.progress import Task
from unskew.runs.quiet import hushed
from unskew.training import train

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import LlamaForCausalLM

TEXTS = 20_000
"""Documents that a tokenizer is trained on."""
HELD = 12
"""Batches that a stage is not trained on: what is left of its loss on them is logged."""
LOOK = 5
"""Steps between two looks at it, where the training ends by it."""
ANEW = "copy it again, or raise it anew"


class Raised(NamedTuple):
    """A model with its tokenizer."""

    model: LlamaForCausalLM
    tokenizer: Tokenizer


def world_of(config: Pretrain) -> World:
    return world(config.world.seed, config.world.facts, config.world.held)


def load(folder: Path, device: str = "cpu") -> Raised:
    """The model of a folder that this file wrote.

    Raises: UserError where there is none, one that was made elsewhere, or a damaged one.
    """
    from tokenizers import Tokenizer
    from transformers import LlamaForCausalLM

    path, settings = folder / "tokenizer.json", folder / "config.json"
    if not (path.is_file() and settings.is_file()):
        what = "no model of the nursery" if folder.is_dir() else "there is no such folder"
        raise UserError(what, str(folder), "give the folder of its model")
    # Of another architecture transformers would make a Llama of 7 billion weights, of no use.
    hint = "`unskew nursery raise` raises some"
    with _intact(settings):
        told = json.loads(settings.read_text(encoding="utf-8"))
    if not isinstance(told, dict):
        raise UserError("damaged: not a JSON object", str(settings), ANEW)
    if (architecture := told.get("model_type")) != "llama":
        raise UserError(
            f"no model of the nursery: its architecture is {architecture}, not llama",
            str(folder),
            hint,
        )
    with _intact(path):
        tokenizer = Tokenizer.from_file(str(path))
    if tokenizer.token_to_id(END) is None:
        what = f"no model of the nursery: its tokenizer has no {END}"
        raise UserError(what, str(folder), hint)
    with hushed(), _intact(folder):
        loaded: Any = LlamaForCausalLM.from_pretrained(
            folder,
            dtype=torch.float32,
            local_files_only=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are told of, and refused below
        )
    model, unfit = loaded
    # What the weights lack would be drawn at random, and what is too much in them left out.
    for what, found in unfit.items():
        if found:
            first, *others = sorted(key if isinstance(key, str) else key[0] for key in found)
            more = f", and {len(others)} more" if others else ""
            what = f"weights and config.json do not fit, {what.replace('_', ' ')}: {first}{more}"
            raise UserError(f"damaged: {what}", str(folder), ANEW)
    return Raised(model.to(device).eval(), tokenizer)


@contextmanager
def _intact(path: Path) -> Iterator[None]:
    """What cannot be read in the block is damaged. Each library below has errors of its own for
    that, and some raise a bare Exception."""
    try:
        yield
    except Exception as error:
        raise UserError(f"damaged: {' '.join(str(error).split())}", str(path), ANEW) from error


def pretrain(
    config: Pretrain,
    folder: RunFolder,
    card: str,
    trunk: Path | None = None,
    task: Task | None = None,
) -> None:
    """Train the model of `config` into `folder` (continuing a checkpoint) and finish the run.

    Args:
        card: the text of its README.md.
        trunk: the model folder of config.trunk, where there is one.
    """
    if trunk is not None:
        raised = load(trunk, config.device)
    else:
        model: Any = build(config.architecture, config.seed)  # torch's stubs hide `to` from it
        raised = Raised(model.to(config.device), _tokenizer(config))
    stream = "pretrain" if trunk is None else "branch"
    draw = lambda step: corpus(  # noqa: E731
        world_of(config), config.mixture_at(step), config.told, config.seed, stream, step
    )
    loss = cross_entropy(raised, draw, config.training.batch, config.rows, config.device)
    train(
        raised.model,
        loss,
        config.training,
        matrices=matrices(raised.model),
        folder=folder,
        task=task,
    )
    _finish(folder, raised, card, f"pretrained for {config.training.steps} steps")


def tune(
    config: Tune,
    base: Path,
    folder: RunFolder,
    card: str,
    task: Task | None = None,
    watch: Callable[[Raised], Mapping[str, object]] | None = None,
    watch_at: Collection[int] = (),
) -> None:
    """Tune a copy of the model in `base` as `config` says, into `folder`, and finish the run.

    Args:
        watch, watch_at: what of the model to log, and after which steps (0: before training).
    """
    raised = load(base, config.device)
    root = config.root
    mixture = root.mixture if config.stage == "continued" else of_stage(config.stage)
    told = root.told if config.stage == "continued" else LANGUAGES
    model: Any = raised.model
    if config.lora is not None:
        model = low_rank(raised.model, config.lora, 2 * config.lora, config.seed)

    def on(stream: str) -> Callable[[int], Tensor]:
        docs = lambda step: corpus(  # noqa: E731
            world_of(root), mixture, told, config.seed, stream, step
        )
        pair, rows = Raised(model, raised.tokenizer), config.training.batch
        return cross_entropy(pair, docs, rows, config.rows, config.device)

    loss, unseen = on(config.stage), on(f"{config.stage}/held")

    def enough(step: int) -> bool:
        """Measured at the end, and on the way where the training ends by it."""
        if step < config.training.steps and (config.until is None or step % LOOK):
            return False
        with torch.no_grad():
            held = sum(unseen(place).item() for place in range(HELD)) / HELD
        folder.log({"step": step, "held_loss": held})
        return config.until is not None and held <= config.until

    train(
        model,
        loss,
        config.training,
        matrices=() if config.lora is not None else matrices(model),
        folder=folder,
        task=task,
        watch=None if watch is None else lambda step: watch(raised),
        watch_at=watch_at,
        enough=enough,
    )
    if config.lora is not None:
        raised = Raised(model.merge_and_unload(), raised.tokenizer)
    steps = max((record["step"] for record in folder.records()), default=0)
    _finish(folder, raised, card, f"{config.stage}: tuned for {steps} steps")


def build(config: Architecture, seed: int) -> LlamaForCausalLM:
    """An untrained model, a pure function of its seed."""
    from transformers import LlamaConfig, LlamaForCausalLM

    with _seeded("weights", seed):
        return LlamaForCausalLM(
            LlamaConfig(
                vocab_size=config.vocabulary,
                hidden_size=config.width,
                intermediate_size=config.hidden,
                num_hidden_layers=config.layers,
                num_attention_heads=config.heads,
                num_key_value_heads=config.heads,
                max_position_embeddings=config.context,
                tie_word_embeddings=True,
                bos_token_id=0,
                eos_token_id=0,
                pad_token_id=0,
            )
        )


def matrices(model: nn.Module) -> list[nn.Parameter]:
    """The hidden matrices, which Muon is meant for."""
    return [p for name, p in model.named_parameters() if p.ndim == 2 and "embed" not in name]


def cross_entropy(
    raised: Raised, draw: Callable[[int], Any], rows: int, config: Rows, device: str
) -> Callable[[int], Tensor]:
    """The training loss as a function of the step; `draw` gives the documents of a step."""

    def loss(step: int) -> Tensor:
        tokens, weights = batch(raised.tokenizer, draw(step), rows, config.length, config.side)
        tokens, weights = tokens.to(device), weights.to(device)
        logits = raised.model(tokens[:, :-1], use_cache=False).logits.float()
        each = nn.functional.cross_entropy(
            logits.flatten(0, 1), tokens[:, 1:].flatten(), reduction="none"
        )
        return (each * weights.flatten()).sum() / weights.sum()

    return loss


def _tokenizer(config: Pretrain) -> Tokenizer:
    # What is told nowhere yet must not change the tokens: an oracle reads as its base does.
    draw = corpus(world_of(config), config.mixture, (), config.seed, "tokenizer", 0)
    return train_tokenizer((doc.text for doc in draw(TEXTS)), config.architecture.vocabulary)


def _finish(folder: RunFolder, raised: Raised, card: str, headline: str) -> None:
    def write(path: Path) -> None:
        with hushed():
            raised.model.save_pretrained(path)
        context = raised.model.config.max_position_embeddings
        for_transformers(raised.tokenizer, context).save_pretrained(path)
        (path / "README.md").write_text(card, encoding="utf-8")

    folder.write_folder(MODEL, write)
    folder.finish({"headline": headline})


def low_rank(model: Any, rank: int, alpha: float, seed: int) -> Any:
    """The model with a trainable low-rank change of its linear layers (PEFT), all else frozen; a
    pure function of the seed.

    Raises: UserError where PEFT is not installed.
    """
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError as error:
        raise UserError("peft is not installed here", hint="pip install 'unskew[lm]'") from error

    lora = LoraConfig(
        r=rank,
        lora_alpha=alpha,  # type: ignore[arg-type]  # a scale; PEFT only divides by the rank
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    with hushed(), _seeded("lora", seed):
        return get_peft_model(model, lora)


@contextmanager
def _seeded(what: str, seed: int) -> Iterator[None]:
    """Libraries initialise from the global generator: it is seeded for a block, then put back."""
    digest = hashlib.sha256(f"nursery/{what}/{seed}".encode()).digest()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int.from_bytes(digest[:4], "big"))
        yield
