"""How fine-tuning may be kept from taking what the base can do: experiment 8's ways that train.

Without torch; `finetune.py` says what each does to a step.
"""

from typing import Annotated, Literal

from pydantic import Field

from unskew.runs.config import Frozen

__all__ = ["PLAIN", "Anchor", "LowRank", "Plain", "Protection", "Replay"]


class Plain(Frozen):
    """Fine-tuning with no protection."""

    kind: Literal["plain"] = "plain"


class Replay(Frozen):
    """Each fine-tuning prompt comes from the pretraining prior with probability `share`."""

    kind: Literal["replay"] = "replay"
    share: float = Field(default=0.1, gt=0, lt=1)


class Anchor(Frozen):
    """Penalty `strength` / 2 times the squared distance of the weights from the base model's."""

    kind: Literal["anchor"] = "anchor"
    strength: float = Field(default=1.0, gt=0)


class LowRank(Frozen):
    """Only a rank-`rank` change of each hidden matrix is trained (LoRA, Hu et al. 2021)."""

    kind: Literal["low-rank"] = "low-rank"
    rank: int = Field(default=4, ge=1)


Protection = Annotated[Plain | Replay | Anchor | LowRank, Field(discriminator="kind")]
PLAIN = Plain()
