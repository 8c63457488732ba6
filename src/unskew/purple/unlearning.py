"""Unlearning: five published methods, each a loss on documents to forget and documents to keep.

    ga        - CE(forget)                                    arXiv:2210.01504, in TOFU 2401.06121
    graddiff  - CE(forget) + r CE(keep)                       arXiv:2203.12817, in TOFU 2401.06121
    npo       - 2/b E log sigma(-b log(p/p0)) + r CE(keep)    arXiv:2404.05868, b = 0.1
    simnpo    - w 2/b E log sigma(-b/n log p - g) + r CE(keep)          arXiv:2410.07163
    rmu       |h - c u|^2 on forget + a |h - h0|^2 on keep    arXiv:2403.03218 (WMDP)

p is the model's probability of an answer, p0 the original's, n its tokens, h the hidden state of
one layer, u a random unit vector. They are here to be examined, not to be recommended.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from unskew.errors import UserError
from unskew.probes.documents import Document
from unskew.probes.models import Model, Rows, copied, rows
from unskew.probes.relearning import draw, hidden_matrices
from unskew.runs.config import Frozen
from unskew.training import Adam, Training, train
from unskew.training.config import completed

if TYPE_CHECKING:
    from unskew.runs.folder import RunFolder
    from unskew.runs.progress import Task

__all__ = [
    "METHODS", "NPO", "RMU", "GradientAscent", "GradientDifference", "Method", "Said", "SimNPO",
    "Unlearning", "gradient_ascent", "npo", "said", "simnpo", "squared_distance", "unlearn",
    "write",
]  # fmt: skip


class GradientAscent(Frozen):
    """The cross-entropy of what is to be forgotten, upwards. It has no end of its own."""

    kind: Literal["ga"] = "ga"


class GradientDifference(Frozen):
    """Upwards on forget, downwards on keep."""

    kind: Literal["graddiff"] = "graddiff"
    retain: float = Field(default=1.0, ge=0, description="weight of the documents to keep")


class NPO(Frozen):
    """Negative preference optimisation; with beta to 0 it is gradient ascent. The paper's beta."""

    kind: Literal["npo"] = "npo"
    beta: float = Field(default=0.1, gt=0)
    retain: float = Field(default=1.0, ge=0)


class SimNPO(Frozen):
    """NPO without a reference, per token. Defaults as its authors' code for TOFU forget05."""

    kind: Literal["simnpo"] = "simnpo"
    beta: float = Field(default=2.5, gt=0)
    gamma: float = Field(default=0.0, ge=0)
    forget: float = Field(default=0.1375, gt=0, description="weight of the documents to forget")
    retain: float = Field(default=1.0, ge=0)


class RMU(Frozen):
    """Representation misdirection. The coefficient and alpha are the paper's for Zephyr 7B, whose
    hidden states are longer than a small model's; layer, from 0: None is the last of the lowest
    quarter, as there (7 of 32). Only the last matrices of the MLPs of this layer and the two below
    it change."""

    kind: Literal["rmu"] = "rmu"
    coefficient: float = Field(default=6.5, gt=0)
    alpha: float = Field(default=1200.0, ge=0)
    layer: int | None = Field(default=None, ge=0)


Method = Annotated[
    GradientAscent | GradientDifference | NPO | SimNPO | RMU, Field(discriminator="kind")
]
METHODS: dict[str, Method] = {
    "ga": GradientAscent(), "graddiff": GradientDifference(), "npo": NPO(), "simnpo": SimNPO(),
    "rmu": RMU(),
}  # fmt: skip


TOFU = Training(
    steps=62, batch=32, warmup=12, decay=0.8, optimiser=Adam(lr=1e-5, weight_decay=0.01)
)
"""AdamW, 1e-5, decay 0.01, 32 at once, warm-up and linear fall (arXiv:2401.06121); 62 steps are its
5 epochs of 400 documents."""
WMDP = Training(
    steps=150, batch=4, decay=0.0, clip=None, optimiser=Adam(lr=5e-5, weight_decay=0.01)
)
"""AdamW, 5e-5, 150 batches of 4, as the authors of arXiv:2403.03218 made their Zephyr 7B."""


class Unlearning(Frozen):
    """A method and how it is trained. training: as published where it is not given, for rmu WMDP's,
    else TOFU's."""

    method: Method = NPO()
    training: Training = TOFU
    seed: int = 0

    @model_validator(mode="before")
    @classmethod
    def _as_published(cls, given: Any) -> Any:
        if not isinstance(given, dict) or isinstance(given.get("training"), Training):
            return given
        method = given.get("method")
        kind = method.get("kind") if isinstance(method, dict) else getattr(method, "kind", None)
        published = WMDP if kind == "rmu" else TOFU
        told = given.get("training", {})
        if not isinstance(told, dict):
            return given
        return {**given, "training": completed(told, published)}


class Said(NamedTuple):
    """What a model makes of answers: nll (rows,) in nats, summed over an answer's tokens; tokens
    (rows,), how many these are."""

    nll: Tensor
    tokens: Tensor

    @property
    def mean(self) -> Tensor:
        """Cross-entropy per token of the batch."""
        return self.nll.sum() / self.tokens.sum()


# --- losses ---------------------------------------------------------------------------------------


def gradient_ascent(forget: Said) -> Tensor:
    """- CE(forget)."""
    return -forget.mean


def npo(forget: Said, reference: Tensor, beta: float) -> Tensor:
    """- 2/beta E log sigma(beta (nll - reference)); reference: (rows,) the original's nll.

    Equation 3 of arXiv:2404.05868.
    """
    return -2 / beta * nn.functional.logsigmoid(beta * (forget.nll - reference)).mean()


def simnpo(forget: Said, beta: float, gamma: float) -> Tensor:
    """- 2/beta E log sigma(beta nll / tokens - gamma). Equation 4 of arXiv:2410.07163."""
    each = beta * forget.nll / forget.tokens - gamma
    return -2 / beta * nn.functional.logsigmoid(each).mean()


def squared_distance(states: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Mean squared difference over dimensions and the tokens of `mask`: states (rows, t, width),
    target broadcast to them, mask (rows, t). As the authors' code of arXiv:2403.03218, which takes
    the mean over dimensions where the paper writes a sum."""
    each = (states - target).square().mean(-1)
    return (each * mask).sum() / mask.sum()


def said(model: Model, batch: Rows) -> Said:
    """What `model` makes of the answers of a batch."""
    run: Any = model.model
    logits = run(batch.tokens, attention_mask=batch.mask, use_cache=False).logits.float()
    each = nn.functional.cross_entropy(
        logits[:, :-1].transpose(1, 2), batch.tokens[:, 1:], reduction="none"
    )
    told = batch.answer[:, 1:]
    return Said((each * told).sum(1), told.sum(1))


# --- training -------------------------------------------------------------------------------------


def unlearn(
    original: Model,
    forget: Sequence[Document],
    retain: Sequence[Document],
    config: Unlearning,
    folder: RunFolder | None = None,
    task: Task | None = None,
) -> Model:
    """A copy of `original` that was made to forget; a function of config, the seed in it and
    nothing else: no token is dropped at random.

    Args:
        retain: what is to be kept; only ga does without.
        folder: where to checkpoint and log, and where to continue from.

    Raises: UserError where there is nothing to keep, the training diverges, a document is too long
        or (rmu) the model has no such layer.
    """
    if not retain and not isinstance(config.method, GradientAscent):
        raise UserError(
            f"{config.method.kind} needs documents that are to be kept",
            hint="give --disjoint or --benign, or use ga",
        )
    new = copied(original)
    asked = _loss(new, original, forget, retain, config)

    def loss(step: int) -> Tensor:
        new.model.eval()  # the loop turns dropout on, which draws from the global state
        return asked(step)

    training = config.training
    if isinstance(config.method, ENDLESS):
        training = training.model_copy(update={"diverged_above": math.inf})
    train(new.model, loss, training, matrices=hidden_matrices(new), folder=folder, task=task)
    new.model.requires_grad_(True)
    return new


def write(model: Model, folder: Path) -> None:
    """Write a model as an ordinary Hugging Face folder."""
    from unskew.runs.quiet import hushed

    with hushed():
        model.model.save_pretrained(folder)
        model.tokenizer.save_pretrained(folder)


ENDLESS = (GradientAscent, GradientDifference)
"""Methods whose loss falls below 0, and may rise from there without having gone astray."""


def _loss(
    new: Model,
    original: Model,
    forget: Sequence[Document],
    retain: Sequence[Document],
    config: Unlearning,
) -> Callable[[int], Tensor]:
    size, seed, method = config.training.batch, config.seed, config.method

    def lost(step: int) -> Rows:
        return rows(new, draw(forget, size, seed, step), ended=True)

    def kept(step: int) -> Rows:
        return rows(new, draw(retain, size, seed + 1, step), ended=True)

    match method:
        case GradientAscent():
            return lambda step: gradient_ascent(said(new, lost(step)))
        case GradientDifference(retain=weight):
            return lambda step: (
                gradient_ascent(said(new, lost(step))) + weight * said(new, kept(step)).mean
            )
        case NPO(beta=beta, retain=weight):

            def negative(step: int) -> Tensor:
                batch = lost(step)
                with torch.no_grad():
                    before = said(original, batch).nll
                return npo(said(new, batch), before, beta) + weight * said(new, kept(step)).mean

            return negative
        case SimNPO(beta=beta, gamma=gamma, forget=share, retain=weight):
            return lambda step: (
                share * simnpo(said(new, lost(step)), beta, gamma)
                + weight * said(new, kept(step)).mean
            )
        case RMU():
            return _misdirected(new, original, method, lost, kept, seed)


def _misdirected(
    new: Model,
    original: Model,
    method: RMU,
    lost: Callable[[int], Rows],
    kept: Callable[[int], Rows],
    seed: int,
) -> Callable[[int], Tensor]:
    depth = int(new.model.config.num_hidden_layers)
    layer = max(depth // 4 - 1, 0) if method.layer is None else method.layer
    if layer >= depth:
        raise UserError(f"there is no layer {layer}: the model has {depth}", new.name)
    _leave_free(new, range(max(0, layer - 2), layer + 1))
    width = int(new.model.config.hidden_size)
    generator = torch.Generator().manual_seed(seed)
    u = torch.rand(width, generator=generator)  # from the cube [0, 1), as the authors draw it
    target = (method.coefficient * u / u.norm()).to(new.model.device)

    def states(model: Model, batch: Rows) -> Tensor:
        # Of the block itself: what a model gives out as its last hidden states has been normed.
        run: Any = model.model
        found: list[Any] = []
        keep = _block(model, layer).register_forward_hook(lambda *called: found.append(called[-1]))
        try:
            run(batch.tokens, attention_mask=batch.mask, use_cache=False)
        finally:
            keep.remove()
        state = found[0][0] if isinstance(found[0], tuple) else found[0]
        return state.float()

    def loss(step: int) -> Tensor:
        gone, there = lost(step), kept(step)
        with torch.no_grad():
            before = states(original, there)
        away = squared_distance(states(new, gone), target, gone.mask)
        return away + method.alpha * squared_distance(states(new, there), before, there.mask)

    return loss


MLP = re.compile(r"\.(\d+)\.mlp\.(?:down_proj|c_proj|dense_4h_to_h|fc2)\.weight$")
"""The last matrix of an MLP, as families of models call it, with its layer's number."""


def _block(model: Model, layer: int) -> nn.Module:
    """A layer as a whole. Raises UserError where it has no MLP that is known."""
    for name, _ in model.model.named_parameters():
        if (match := MLP.search(name)) and int(match[1]) == layer:
            return model.model.get_submodule(name[: match.end(1)])
    raise UserError(f"rmu finds no MLP that it knows in layer {layer}", model.name)


def _leave_free(model: Model, layers: range) -> None:
    """Freeze all but the last matrices of these layers' MLPs."""
    free = 0
    for name, parameter in model.model.named_parameters():
        match = MLP.search(name)
        parameter.requires_grad_(match is not None and int(match[1]) in layers)
        free += parameter.requires_grad
    if not free:
        raise UserError("rmu finds no MLP that it knows in this model", model.name)
