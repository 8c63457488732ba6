"""What a training is: optimiser, length, schedule, precision. Everything here changes the weights
and so belongs to the identity of a run, except `compile`: it rounds differently, as another number
of threads does, and is recorded with the run but not part of what the run is."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from unskew.runs.config import Frozen


class Adam(Frozen):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019), for every parameter."""

    kind: Literal["adam"] = "adam"
    lr: float = Field(default=1e-3, gt=0)
    beta1: float = Field(default=0.9, ge=0, lt=1)
    beta2: float = Field(default=0.999, ge=0, lt=1)
    weight_decay: float = Field(default=0.0, ge=0)


class Muon(Frozen):
    """Muon (Jordan et al. 2024) for the hidden matrices, Adam for all other parameters."""

    kind: Literal["muon"] = "muon"
    lr: float = Field(default=0.01, gt=0, description="of the matrices")
    momentum: float = Field(default=0.95, ge=0, lt=1)
    weight_decay: float = Field(default=0.0, ge=0)
    iterations: int = Field(default=5, ge=1, le=20, description="Newton-Schulz iterations")
    other: Adam = Adam(lr=2e-3, beta2=0.99)


Optimiser = Annotated[Adam | Muon, Field(discriminator="kind")]


class Training(Frozen):
    """One training run of `steps` batches."""

    steps: int = Field(default=16_000, ge=0)
    batch: int = Field(default=128, ge=1)
    optimiser: Optimiser = Muon()
    warmup: int = Field(default=0, ge=0, description="steps of linear rise of the learning rate")
    decay: float = Field(
        default=0.6, ge=0, le=1, description="last share of steps, linear fall to 0"
    )
    clip: float | None = Field(
        default=1.0, gt=0, description="largest gradient norm; null: no clipping"
    )
    precision: Literal["float32", "bfloat16"] = "float32"
    compile: bool = Field(
        default=False,
        json_schema_extra={"execution": True},
        description="faster steps from torch.compile, which needs a C++ compiler on a CPU",
    )
    diverged_above: float = Field(
        default=10.0, gt=1, description="stop when the loss exceeds this many times its first value"
    )


def completed_by(default: Training) -> BeforeValidator:
    """For a field whose default is no plain `Training()`: a group that says a part is completed by
    that default, as one that is changed by its paths is, and not by the class's own. A group in it
    that says another kind takes that kind's defaults."""

    def complete(given: Any) -> Any:
        return completed(given, default) if isinstance(given, Mapping) else given

    return BeforeValidator(complete)


def completed(given: Mapping[str, Any], default: Training) -> dict[str, Any]:
    """What a group leaves out, from a default of the same kind."""
    return _filled(given, default.model_dump(mode="json"))


def _filled(given: Mapping[str, Any], default: Mapping[str, Any]) -> dict[str, Any]:
    if given.get("kind", default.get("kind")) != default.get("kind"):
        return dict(given)
    groups = {
        key: _filled(value, default[key])
        for key, value in given.items()
        if isinstance(value, Mapping) and isinstance(default.get(key), Mapping)
    }
    return {**default, **given, **groups}
