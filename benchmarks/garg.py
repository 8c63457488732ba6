"""The peer: the regression transformer as Garg et al. (2022) build and train it.

After their published code: Hugging Face `GPT2Model` fed with `inputs_embeds` between two linear
layers, uncompiled, `torch.optim.Adam` at 1e-4 without schedule or clipping, every batch fresh from
`torch.randn`, the loss brought to the host each step. Two things differ from their file, and both
only help it: the unused table of 50257 token embeddings is left out, and labels get the noise that
the comparison is about.
"""

from typing import Any

import torch
from torch import Tensor, nn

from unskew.regression.transformer import Transformer

LEARNING_RATE = 1e-4
BATCH = 64


class GargModel(nn.Module):
    """`model(x, y)`: (B, P, d), (B, P) -> (B, P), from 2 P tokens x_0, y_0, ..., x_K, y_K.

    Args:
        attention: Hugging Face's implementation; "sdpa" is today's default, "eager" what there was
            in 2022.
    """

    def __init__(
        self, dim: int, points: int, layers: int, heads: int, width: int, attention: str = "sdpa"
    ) -> None:
        from transformers import GPT2Config, GPT2Model

        super().__init__()
        config = GPT2Config(
            vocab_size=1,
            bos_token_id=0,
            eos_token_id=0,
            n_positions=2 * points,
            n_embd=width,
            n_layer=layers,
            n_head=heads,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            use_cache=False,
            # every configuration there takes it through **kwargs, which the types do not show
            attn_implementation=attention,  # pyright: ignore[reportCallIssue]
        )
        self.read_in = nn.Linear(dim, width)
        self.backbone = GPT2Model(config)
        self.read_out = nn.Linear(width, 1)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        batch, points, dim = x.shape
        wide = torch.cat((y.view(batch, points, 1), torch.zeros(batch, points, dim - 1)), dim=2)
        embedded = self.read_in(torch.stack((x, wide), dim=2).view(batch, 2 * points, dim))
        hidden = self.backbone(inputs_embeds=embedded).last_hidden_state
        return self.read_out(hidden)[:, ::2, 0]


class GargTraining:
    """Their training step on D_cont with tau = 1; `step()` draws, trains and returns the loss."""

    def __init__(
        self,
        model: GargModel,
        dim: int,
        points: int,
        sigma: float,
        batch: int = BATCH,
        seed: int = 0,
    ) -> None:
        self.model, self.dim, self.points = model, dim, points
        self.sigma, self.batch = sigma, batch
        self.optimiser = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
        self.generator = torch.Generator().manual_seed(seed)

    def draw(self) -> tuple[Tensor, Tensor]:
        """A fresh batch: x (B, P, d), y (B, P)."""

        def randn(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=self.generator)

        x = randn(self.batch, self.points, self.dim)
        w = randn(self.batch, self.dim, 1)
        return x, (x @ w)[:, :, 0] + self.sigma * randn(self.batch, self.points)

    def step(self) -> float:
        x, y = self.draw()
        self.optimiser.zero_grad()
        loss = (y - self.model(x, y)).square().mean()
        loss.backward()
        self.optimiser.step()
        return loss.item()


@torch.no_grad()
def copy_weights(ours: Transformer, theirs: GargModel) -> None:
    """Give `theirs` the weights of an interleaved, GPT-2-style model of ours of the same size.

    Raises: ValueError for a model of ours of another kind.
    """
    if (ours.config.block, ours.config.layout) != ("gpt2", "interleaved"):
        raise ValueError("only the gpt2 block with interleaved tokens has a twin there")
    if ours.positions is None or ours.norm is None:
        raise ValueError("only learned positions and a final norm have a twin there")
    theirs.read_in.load_state_dict(ours.read_in.state_dict())
    theirs.read_out.load_state_dict(ours.read_out.state_dict())
    backbone = theirs.backbone
    backbone.wpe.weight[: ours.capacity] = ours.positions
    backbone.ln_f.load_state_dict(ours.norm.state_dict())
    twins: Any = zip(ours.blocks, backbone.h, strict=True)  # typed as bare modules on both sides
    for a, b in twins:
        b.ln_1.load_state_dict(a.norm_attention.state_dict())
        b.ln_2.load_state_dict(a.norm_mlp.state_dict())
        for mine, conv in (
            (a.attention.qkv, b.attn.c_attn),
            (a.attention.out, b.attn.c_proj),
            (a.up, b.mlp.c_fc),
            (a.down, b.mlp.c_proj),
        ):
            conv.weight.copy_(mine.weight.flatten(0, 1).T)  # their Conv1D keeps (in, out)
            conv.bias.copy_(mine.bias.flatten())
