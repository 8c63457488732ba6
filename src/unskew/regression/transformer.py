"""The regression transformer: a causal decoder that reads a prompt and predicts every label.

One pass over a prompt x_0, y_0, ..., x_K (y_K is never read) gives the prediction of y_k from x_k
and the first k pairs, for every k = 0..K at once:

    tokens (layout)  ->  linear in  ->  [attention, MLP] x layers  ->  norm  ->  linear out

Two layouts. `interleaved` is the paper's: x_0, y_0, x_1, y_1, ..., each right-padded to width d,
predictions read at the x tokens. `paired` puts (x_k, x_{k-1}, y_{k-1}) into one token: half the
sequence, the same information, predictions read at every token.

Two blocks. `gpt2`: LayerNorm, biases, tanh-GELU, dropout 0, as in Hugging Face `GPT2Model` (with
its weights copied the outputs agree, see tests). `swiglu`: RMSNorm without gain, no biases, SwiGLU,
zero-initialised output projections, so that each block starts as the identity.

Deviation from GPT-2 in storage only: query, key and value matrices lie in one (3, width, width)
parameter and the two SwiGLU input matrices in one (2, hidden, width), so that an optimiser which
works on matrices (Muon) sees each matrix by itself.

The same forward pass serves M models of one shape whose parameters are stacked, (M, ...)
(`training.stacked.stack`): prompts and predictions then have M in front.
"""

import math
from typing import Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from unskew.runs.config import Frozen

Positions = Literal["learned", "learned-random-offset", "rotary"]


class TransformerConfig(Frozen):
    """Shape of the model. Defaults are the paper's (Garg et al. 2022, `standard`)."""

    layers: int = Field(default=12, ge=1)
    heads: int = Field(default=8, ge=1)
    width: int = Field(default=256, ge=2)
    layout: Literal["interleaved", "paired"] = "interleaved"
    block: Literal["gpt2", "swiglu"] = "gpt2"
    positions: Positions = "learned"
    capacity: int | None = Field(
        default=None, ge=1, description="positions the table holds; null: just the training length"
    )

    @model_validator(mode="after")
    def _check(self) -> "TransformerConfig":
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of heads {self.heads}")
        if self.positions == "rotary" and (self.width // self.heads) % 2:
            raise ValueError("rotary positions need an even width per head")
        return self

    def length(self, exemplars: int) -> int:
        """Tokens of a prompt of so many exemplars and the input that is asked."""
        points = exemplars + 1
        return 2 * points - 1 if self.layout == "interleaved" else points

    def check_room(self, exemplars: int) -> None:
        """Raises: ValueError where no model has these positions in training on such prompts."""
        trained = self.length(exemplars)
        capacity = trained if self.capacity is None else self.capacity
        if capacity < trained:
            raise ValueError(f"model.capacity {capacity} is below the training length {trained}")
        if self.positions == "learned-random-offset" and capacity == trained:
            raise ValueError(
                "learned-random-offset needs a model.capacity above the training length, which is "
                f"{trained}: else there are no offsets to draw"
            )


def tokens(x: Tensor, y: Tensor, layout: Literal["interleaved", "paired"]) -> Tensor:
    """Lay a prompt out as vectors: (..., P, d), (..., P) -> (..., L, D).

    interleaved: L = 2P - 1 (the last label is never shown), D = d, a label is (y, 0, ..., 0).
    paired: L = P, D = 2d + 1, token k is (x_k, x_{k-1}, y_{k-1}), zeros before the first pair.
    """
    match layout:
        case "interleaved":
            labels = functional.pad(y.unsqueeze(-1), (0, x.shape[-1] - 1))
            return torch.stack((x, labels), dim=-2).flatten(-3, -2)[..., :-1, :]
        case "paired":
            pairs = torch.cat((x, y.unsqueeze(-1)), dim=-1)[..., :-1, :]
            return torch.cat((x, functional.pad(pairs, (0, 0, 1, 0))), dim=-1)


def linear(h: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """(..., in) by (out, in) -> (..., out); of M models, (M, ..., in) by (M, out, in).

    Written out, as torch.func's vmap of the whole model costs 15 to 40 % more on a CPU: it has no
    rule for fused attention, and copies where a batched product would not.
    """
    if weight.ndim == 2:
        return functional.linear(h, weight, bias)
    flat = h.flatten(1, -2)
    if bias is None:
        mapped = torch.bmm(flat, weight.mT)
    else:
        mapped = torch.baddbmm(bias[:, None], flat, weight.mT)
    return mapped.unflatten(1, h.shape[1:-1])


class Matrices(nn.Module):
    """Several weight matrices applied to one input: (count, out, in), optionally with biases."""

    def __init__(self, count: int, rows: int, columns: int, bias: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(count, rows, columns))
        self.bias = nn.Parameter(torch.zeros(count, rows)) if bias else None

    def forward(self, h: Tensor) -> Tensor:
        bias = None if self.bias is None else self.bias.flatten(-2)
        return linear(h, self.weight.flatten(-3, -2), bias)


class Attention(nn.Module):
    """Causal multi-head self-attention, with rotary positions where asked for."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.rotary = config.positions == "rotary"
        bias = config.block == "gpt2"
        self.qkv = Matrices(3, config.width, config.width, bias)
        self.out = Matrices(1, config.width, config.width, bias)

    def forward(self, h: Tensor) -> Tensor:
        *_, length, width = h.shape
        q, k, v = self.qkv(h).unflatten(-1, (3, self.heads, width // self.heads)).unbind(-3)
        q, k, v = (t.transpose(-2, -3) for t in (q, k, v))  # (..., heads, L, width per head)
        if self.rotary:
            q, k = rotate(q), rotate(k)
        batch = q.shape[:-3]
        if len(batch) > 1:  # fused attention has one axis for prompts
            q, k, v = (t.flatten(0, -4) for t in (q, k, v))
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=length > 1)
        if len(batch) > 1:
            mixed = mixed.unflatten(0, batch)
        return self.out(mixed.transpose(-2, -3).flatten(-2))


def rotate(h: Tensor, base: float = 10_000.0) -> Tensor:
    """Rotary position embedding (Su et al. 2021) of (..., L, D): pairs (i, i + D/2) turn by angle
    position * base^(-2i/D)."""
    length, width = h.shape[-2:]
    rates = base ** (-torch.arange(0, width, 2, device=h.device, dtype=torch.float32) / width)
    angles = torch.arange(length, device=h.device, dtype=torch.float32)[:, None] * rates
    cos, sin = angles.cos().to(h.dtype), angles.sin().to(h.dtype)
    a, b = h.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)


class Block(nn.Module):
    """Pre-norm residual block: h + attention(norm(h)), then h + mlp(norm(h))."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.gpt2 = config.block == "gpt2"
        width = config.width
        self.attention = Attention(config)
        if self.gpt2:
            self.norm_attention, self.norm_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
            self.up = Matrices(1, 4 * width, width, bias=True)
            self.down = Matrices(1, width, 4 * width, bias=True)
        else:
            hidden = 16 * math.ceil(8 * width / 3 / 16)  # as many parameters as a 4x GELU MLP
            self.up = Matrices(2, hidden, width, bias=False)
            self.down = Matrices(1, width, hidden, bias=False)

    def forward(self, h: Tensor) -> Tensor:
        if self.gpt2:
            h = h + self.attention(layer_norm(h, self.norm_attention))
            up = self.up(layer_norm(h, self.norm_mlp))
            return h + self.down(functional.gelu(up, approximate="tanh"))
        h = h + self.attention(rms_norm(h))
        gate, value = self.up(rms_norm(h)).chunk(2, dim=-1)
        return h + self.down(functional.silu(gate) * value)


def rms_norm(h: Tensor) -> Tensor:
    """h divided by its root mean square over the last axis."""
    return functional.rms_norm(h, (h.shape[-1],))


def layer_norm(h: Tensor, norm: nn.LayerNorm) -> Tensor:
    """`norm(h)`; of M models, gains and biases are (M, width)."""
    if norm.weight.ndim == 1:
        return norm(h)
    of_each = (len(h), *[1] * (h.ndim - 2), -1)
    plain = functional.layer_norm(h, h.shape[-1:], eps=norm.eps)
    return plain * norm.weight.view(of_each) + norm.bias.view(of_each)


class Transformer(nn.Module):
    """See the module docstring. `model(x, y)`: (B, P, d), (B, P) -> (B, P)."""

    def __init__(self, config: TransformerConfig, dim: int, exemplars: int) -> None:
        super().__init__()
        self.config, self.dim = config, dim
        config.check_room(exemplars)
        self.trained_length = config.length(exemplars)
        self.capacity = config.capacity or self.trained_length
        inputs = dim if config.layout == "interleaved" else 2 * dim + 1
        self.read_in = nn.Linear(inputs, config.width)
        self.positions = (
            nn.Parameter(torch.empty(self.capacity, config.width))
            if config.positions != "rotary"
            else None
        )
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width) if config.block == "gpt2" else None
        self.read_out = nn.Linear(config.width, 1)

    @torch.no_grad()
    def initialise(self, generator: torch.Generator) -> "Transformer":
        """Draw all weights from `generator`: N(0, 0.02^2) as in GPT-2 (residual outputs scaled by
        1/sqrt(2 layers)) for `gpt2`; N(0, 1/fan-in) with zero residual outputs for `swiglu`."""
        gpt2 = self.config.block == "gpt2"
        for name, p in self.named_parameters():
            if name.endswith("bias"):
                p.zero_()
            elif "norm" in name:
                p.fill_(1.0)
            elif name == "positions":
                p.normal_(0.0, 0.02, generator=generator)
            elif ".out." in name or ".down." in name:
                scale = 0.02 / math.sqrt(2 * self.config.layers) if gpt2 else 0.0
                p.normal_(0.0, 1.0, generator=generator).mul_(scale)
            elif gpt2 and name.startswith("blocks"):
                p.normal_(0.0, 0.02, generator=generator)
            else:
                p.normal_(0.0, p.shape[-1] ** -0.5, generator=generator)
        return self

    def matrices(self) -> list[nn.Parameter]:
        """The hidden weight matrices (count, rows, columns), the ones Muon is meant for."""
        return [m.weight for m in self.modules() if isinstance(m, Matrices)]

    def forward(self, x: Tensor, y: Tensor, offset: Tensor | int = 0) -> Tensor:
        """Predict every label of a prompt.

        Args:
            x: inputs (..., P, d). y: labels (..., P); y_k is never used for predictions up to k.
            offset: first position (an int or a 0-dim tensor), for random-offset training; (M,) of M
                models.

        Returns: predictions (..., P), entry k uses x_k and the first k pairs.

        Raises: ValueError where learned positions do not reach the prompt's end.
        """
        read_in, read_out = self.read_in, self.read_out
        h = linear(tokens(x, y, self.config.layout), read_in.weight, read_in.bias)
        if self.positions is not None:
            length = h.shape[-2]
            if length > self.capacity:
                raise ValueError(
                    f"{length} tokens, but the model has {self.capacity} learned positions"
                )
            places = torch.arange(length, device=h.device)
            if self.positions.ndim == 2:
                h = h + self.positions[places + offset]
            else:
                models = torch.arange(len(h), device=h.device)[:, None]
                firsts = torch.as_tensor(offset, device=h.device).expand(len(h))[:, None]
                h = h + self.positions[models, places + firsts][:, None]
        for block in self.blocks:
            h = block(h)
        if self.config.layout == "interleaved":
            h = h[..., ::2, :]
        h = rms_norm(h) if self.norm is None else layer_norm(h, self.norm)
        return linear(h, read_out.weight, read_out.bias).squeeze(-1)
