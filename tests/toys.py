"""A small configuration with everything the real ones have: unions, groups, lists, null."""

from typing import Annotated, Literal

from pydantic import Field

from unskew.runs.config import Frozen


class Wide(Frozen):
    kind: Literal["wide"] = "wide"
    tau: float = 1.0


class Narrow(Frozen):
    kind: Literal["narrow"] = "narrow"
    n: int = Field(default=64, gt=0)
    tau: float = 1.0


class Mixed(Frozen):
    kind: Literal["mixed"] = "mixed"
    alpha: float = Field(default=0.5, ge=0, le=1)
    narrow: Narrow = Narrow()
    wide: Wide = Wide()


Prior = Annotated[Wide | Narrow | Mixed, Field(discriminator="kind")]


class Toy(Frozen):
    kind: Literal["toy"] = "toy"
    prior: Prior = Mixed(alpha=0.25)
    optimiser: Literal["adam", "muon"] = "muon"
    steps: int = 10
    clip: float | None = 1.0
    gammas: tuple[float, ...] = (1.0, 2.0)
    label: str = "plain"
    device: str = Field(default="cpu", json_schema_extra={"execution": True})


class Other(Frozen):
    kind: Literal["other"] = "other"
    base: Toy = Toy()
    size: int = 3


AnyToy = Annotated[Toy | Other, Field(discriminator="kind")]
