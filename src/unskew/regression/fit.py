"""Train the laboratory's models: from a `Pretrain` or `Finetune` config to weights in a run folder.

The training loss is the squared error of the label at every exemplar count, averaged over counts
and prompts; batches are pure functions of (seed, stream, step).
"""

import hashlib
from collections.abc import Callable, Collection, Mapping

import torch
from torch import Tensor

from unskew.regression.config import Pretrain
from unskew.regression.prompts import PromptStream
from unskew.regression.transformer import Transformer
from unskew.runs.folder import RunFolder
from unskew.runs.progress import Task
from unskew.training import train

MODEL = "model"  # the tensor file that holds a finished run's weights


def build(config: Pretrain) -> Transformer:
    """The untrained model of `config`, a pure function of its seed."""
    digest = hashlib.sha256(f"weights/{config.seed}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:4], "big"))
    model = Transformer(config.model, config.d, config.exemplars)
    return model.initialise(generator).to(config.device)


def load(config: Pretrain, folder: RunFolder) -> Transformer:
    """The trained model of a finished run of `config` (or of a `Finetune` on top of it)."""
    model = build(config)
    model.load_state_dict(folder.read_tensors(MODEL)[0])
    return model.eval()


def stream(config: Pretrain, name: str, seed: int) -> PromptStream:
    """Prompts of `config`'s world and prior."""
    return PromptStream(
        prior=config.prior,
        dim=config.d,
        exemplars=config.exemplars,
        sigma=config.sigma,
        seed=seed,
        stream=name,
        generator=config.generator,
    )


def squared_error(
    model: Transformer, prompts: PromptStream, batch: int, offsets: int | None, device: str
) -> Callable[[int], Tensor]:
    """The training loss of `model` as a function of the step.

    Args:
        offsets: draw each step's first position from 0..offsets (random-offset positions), or None.
    """

    def loss(step: int) -> Tensor:
        x, y, *_ = prompts.batch(step, batch, device=device)
        return (model(x, y, first_position(prompts, step, offsets)) - y).square().mean()

    return loss


def first_position(prompts: PromptStream, step: int, offsets: int | None) -> int:
    """The first position of a step's prompts, from 0..offsets: a function of stream and step."""
    if not offsets:
        return 0
    word = hashlib.sha256(f"offset/{prompts.seed}/{prompts.stream}/{step}".encode())
    return int.from_bytes(word.digest()[:8], "big") % (offsets + 1)


def spare_positions(model: Transformer) -> int | None:
    """How far random-offset training may move a prompt; None for other kinds of positions."""
    if model.config.positions != "learned-random-offset":
        return None
    return model.capacity - model.trained_length


def pretrain(
    config: Pretrain,
    folder: RunFolder,
    task: Task | None = None,
    watch: Callable[[Transformer], Mapping[str, object]] | None = None,
    watch_at: Collection[int] = (),
) -> Transformer:
    """Train `config`'s model into `folder` (continuing a checkpoint) and finish the run.

    Args:
        watch, watch_at: what of the model to log, and after which steps (0: before training).
    """
    model = build(config)
    prompts = stream(config, "train", config.seed)
    spare = spare_positions(model)
    loss = squared_error(model, prompts, config.training.batch, spare, config.device)
    train(
        model,
        loss,
        config.training,
        matrices=model.matrices(),
        folder=folder,
        task=task,
        watch=None if watch is None else lambda step: watch(model),
        watch_at=watch_at,
    )
    folder.write_tensors(MODEL, model.state_dict(), {"run": folder.id})
    folder.finish({"headline": f"trained for {config.training.steps} steps"})
    return model
