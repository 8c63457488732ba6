"""Prompts: x_0, y_0, ..., x_K, y_K with y_k = <w, x_k> + noise, as a pure function of
(seed, stream, step).

There is no loader state: a resumed run asks for step 1234 and gets the batch that the
uninterrupted one got. Training and evaluation differ in the name of their stream, which picks the
generator's key; steps pick disjoint counter ranges of it (`priors.philox`), so streams and steps
never overlap. Weights, inputs and noise have counter ranges of their own: two streams that differ
in the prior alone see the same x and the same noise, so arms can be compared prompt by prompt.

On a GPU "philox-cuda" makes the data there, from a 63-bit seed that hashes (seed, stream, step).
The two kinds of generator give different numbers, hence the kind is part of a run's identity.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from unskew.errors import UserError
from unskew.regression.priors import Prior, Rng, hashed_bits, normal, philox, sample

GeneratorKind = Literal["philox-numpy", "philox-cuda"]
_WEIGHTS, _INPUTS, _NOISE = range(3)


class Prompts(NamedTuple):
    """A batch: x (B, P, d), y (B, P), clean = <w, x> without noise (B, P), w (B, d)."""

    x: Tensor
    y: Tensor
    clean: Tensor
    w: Tensor


@dataclass(frozen=True)
class PromptStream:
    """An endless, random-access supply of prompts with P = exemplars + 1 points each.

    Args:
        prior: where each prompt's w comes from.
        dim: d, the dimension of x.
        exemplars: K, the largest number of exemplars before the query.
        sigma: standard deviation of the label noise.
        seed: of the run; with `stream` it picks the generator's key.
        stream: what the prompts are for, e.g. "pretrain" or "evaluate".
        generator: "philox-numpy" (any machine, same numbers everywhere) or "philox-cuda".
    """

    prior: Prior
    dim: int
    exemplars: int
    sigma: float
    seed: int
    stream: str
    generator: GeneratorKind = "philox-numpy"

    def __post_init__(self) -> None:
        if self.dim < 1 or self.exemplars < 0:
            raise UserError(f"dim {self.dim} must be >= 1 and exemplars {self.exemplars} >= 0")
        if not 0 <= self.sigma < float("inf"):
            raise UserError(f"sigma {self.sigma} must be finite and not negative")
        if self.generator not in ("philox-numpy", "philox-cuda"):
            raise UserError(
                f"unknown generator {self.generator!r}", hint="philox-numpy or philox-cuda"
            )

    def batch(
        self,
        step: int,
        size: int,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> Prompts:
        """Batch number `step` of `size` prompts: a pure function of the stream, step and size.

        Everything is drawn and computed in float64, then rounded to `dtype` once. x and the noise
        of a smaller batch are the first rows of a larger one's.

        Raises:
            UserError: step or size out of range, or "philox-cuda" asked for off a GPU.
        """
        if not 0 <= step < 2**63 or size < 0:
            raise UserError(f"step {step} and size {size} must not be negative")
        points = self.exemplars + 1
        w = sample(self.prior, self._rng(step, _WEIGHTS, device), size, self.dim).w
        x = normal(self._rng(step, _INPUTS, device), (size, points, self.dim))
        noise = normal(self._rng(step, _NOISE, device), (size, points))
        # A product and a sum rather than a matrix product: its rounding does not depend on how
        # many rows or threads there are.
        clean = (x * w[:, None]).sum(-1)
        y = clean + self.sigma * noise
        return Prompts(*(t.to(device=device, dtype=dtype) for t in (x, y, clean, w)))

    def _rng(self, step: int, part: int, device: torch.device | str) -> Rng:
        if self.generator == "philox-numpy":
            return philox("prompts", self.seed, self.stream, part=part, step=step)
        device = torch.device(device)
        if device.type != "cuda":
            raise UserError(
                "the generator philox-cuda makes its prompts on a GPU",
                where=f"device {device}",
                hint="use generator=philox-numpy, or a cuda device",
            )
        bits = hashed_bits("prompts", self.seed, self.stream, step, part)
        return torch.Generator(device=device).manual_seed(bits >> 193)
