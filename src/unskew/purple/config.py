"""How a model is taught not to say it: what `enforcement.py` trains by."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from unskew.runs.config import Frozen
from unskew.training.config import Adam, Training
from unskew.training.machine import Machine

__all__ = ["Adversarial", "Dpo", "Enforce", "LowRank", "Method", "Sft"]


class Sft(Frozen):
    """Supervised fine-tuning on the chosen answers."""

    kind: Literal["sft"] = "sft"


class Dpo(Frozen):
    """Direct preference optimisation (Rafailov et al. 2023), the sigmoid loss.

    Attributes:
        beta: the larger, the closer the model is kept to the one that it starts from.
    """

    kind: Literal["dpo"] = "dpo"
    beta: float = Field(default=0.3, gt=0)


class Adversarial(Frozen):
    """Training against suffixes: the steps are parted evenly into a first part without any, and one
    after each round of attack on the model as it is then. What was found in one round stays in use.

    Attributes:
        by: the loss.
        rounds: of attack.
        share: of the questions that invite the word, how many get one of the suffixes.
    """

    kind: Literal["adversarial"] = "adversarial"
    by: Annotated[Sft | Dpo, Field(discriminator="kind")] = Dpo()
    rounds: int = Field(default=2, ge=1)
    share: float = Field(default=0.5, gt=0, le=1)


Method = Annotated[Sft | Dpo | Adversarial, Field(discriminator="kind")]


class LowRank(Frozen):
    """A low-rank change of all linear layers (LoRA), written into the weights at the end."""

    rank: int = Field(default=4, ge=1)
    alpha: float = Field(default=32.0, gt=0, description="the change is scaled by alpha / rank")


class Enforce(Machine):
    """One model taught not to say it.

    Attributes:
        seed: of the order of the questions, of which get which suffix, and of a low-rank start.
        low_rank: None: all weights are trained.
        training: its batch counts pairs.
    """

    kind: Literal["purple-enforce"] = "purple-enforce"
    seed: int = 0
    method: Method = Dpo()
    low_rank: LowRank | None = None
    training: Training = Training(
        steps=300, batch=8, optimiser=Adam(lr=3e-4), decay=0.5, precision="float32"
    )

    @model_validator(mode="after")
    def _rounds_fit(self) -> Enforce:
        if isinstance(self.method, Adversarial) and self.training.steps <= self.method.rounds:
            raise ValueError(
                f"{self.training.steps} steps cannot be parted by {self.method.rounds} rounds"
            )
        return self
