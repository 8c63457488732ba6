"""The rules of a verdict, as part of an audit's configuration."""

from typing import Annotated

from pydantic import Field

from unskew.runs.config import Frozen

Share = Annotated[float, Field(gt=0.0, lt=1.0)]


class Rules(Frozen):
    """When an audit speaks, and how sure it must be; see docs/VERDICTS.md.

    margin: a drop up to this is none, in shares of 1 (0.05: five points). floor: the share of the
    drop that a conjugation must bring back. level: the chance of a false verdict of one kind,
    over all tasks together. power: the chance of a verdict that `n_needed` and `detectable` aim
    at. resamples: random weights behind each bound; p-values are multiples of 1 / (resamples + 1).
    folds: of the cross-fitting. clusters: below so many there is no verdict. truncation: nor above
    this share of truncated documents.
    """

    margin: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.05
    floor: Annotated[float, Field(ge=0.0, le=1.0)] = 0.25
    level: Annotated[float, Field(gt=0.0, lt=0.5)] = 0.05
    power: Share = 0.8
    resamples: Annotated[int, Field(ge=199)] = 9999
    seed: Annotated[int, Field(ge=0)] = 0
    folds: Annotated[int, Field(ge=2)] = 5
    clusters: Annotated[int, Field(ge=10)] = 20
    truncation: Annotated[float, Field(ge=0.0, le=1.0)] = 0.05
