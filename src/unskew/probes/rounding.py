"""Rounding: weights to a few bits, which undoes small changes and so may bring back what they hid.

Symmetric, per output channel, to the nearest: with b bits and a channel w,

    scale = max |w| / (2^(b-1) - 1),    w' = scale round(w / scale),    |w' - w| <= scale / 2.

4 bits bring back much of what unlearning had hidden in arXiv:2410.16454. The matrix of the output
is left as it is, as usual: it is often the embedding.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from unskew.probes.documents import Document
from unskew.probes.models import Model, Score, copied, scores
from unskew.statistics.intervals import Floats

__all__ = ["round_channels", "rounded", "rounding"]


def rounding(
    model: Model, documents: Sequence[Document], bits: int, how: Score = "exact"
) -> Floats:
    """How right the answers of the rounded model are, (n,) in [0, 1]."""
    return scores(rounded(model, bits), documents, how)


@torch.no_grad()
def rounded(model: Model, bits: int) -> Model:
    """A copy with every linear map but the output's rounded.

    Raises: ValueError for fewer than 2 bits, or a model without linear maps.
    """
    from transformers.pytorch_utils import Conv1D

    new = copied(model)
    output = new.model.get_output_embeddings()
    found = 0
    for module in new.model.modules():
        if module is output:
            continue
        if isinstance(module, nn.Linear):
            module.weight.copy_(round_channels(module.weight, bits))
            found += 1
        elif isinstance(module, Conv1D):  # GPT-2's, which keeps its matrix the other way round
            module.weight.copy_(round_channels(module.weight.mT, bits).mT)
            found += 1
    if not found:
        raise ValueError(f"{model.name} has no linear maps that could be rounded")
    return new


def round_channels(weight: Tensor, bits: int) -> Tensor:
    """(channels, inputs) rounded; see the file's docstring. A channel of zeros stays so."""
    if bits < 2:
        raise ValueError(f"a sign and a size need 2 bits or more, got {bits}")
    most = 2 ** (bits - 1) - 1
    scale = weight.abs().amax(dim=-1, keepdim=True) / most
    safe = torch.where(scale > 0, scale, torch.ones_like(scale))
    return (weight / safe).round().clamp(-most, most) * scale
