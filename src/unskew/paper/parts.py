"""What makes the tables at each scale: each part is one command, and knows its own runs.

demo    minutes on two cores, with models that ship
small   hours to nights on two cores: training seeds, a family per seed, the grid of the claims
paper   the models and sizes of the documents: a GPU
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from unskew.paper import benches, families
from unskew.paper.findings import Scale
from unskew.paper.shelf import Place, Shelf

if TYPE_CHECKING:
    import pandas as pd

    from unskew.audit.config import Audit
    from unskew.purple.grid_config import Purple

__all__ = ["Means", "Part", "PartName", "parts"]

PartName = str


class Means(NamedTuple):
    """With what a part is made. device: of the audits of real models."""

    runs: Path
    threads: int | None = None
    device: str | None = None


@dataclass(frozen=True)
class Part:
    """What one command makes.

    Attributes:
        commands: the lines to type. takes: how long, as far as that is known.
        places: where a shelf has its tables, by case (a pair, a model, "" for the only one), the
            user's own first.
        make: makes it, or goes on making it; returns the folders of its runs.
        have: which of its runs are finished, where `places` does not tell.
        lm: whether the extra [lm] is needed.
    """

    name: PartName
    scale: Scale
    commands: tuple[str, ...]
    takes: str
    places: Callable[[Shelf], dict[str, list[Place]]]
    make: Callable[[Means], list[Path]]
    have: Callable[[Shelf], list[bool]] | None = None
    lm: bool = True

    def done(self, shelf: Shelf) -> list[bool]:
        """Which of its runs are finished."""
        if self.have is not None:
            return self.have(shelf)
        return [bool(places) for places in self.places(shelf).values()]


@cache
def parts() -> Mapping[tuple[PartName, Scale], Part]:
    """Every part by name and scale."""
    listed = [
        _laboratory("laboratory", "demo", "demo", "2 minutes on 2 cores"),
        _laboratory("diversity", "demo", "diversity", "8 minutes on 2 cores"),
        Part("pair", "demo", ("unskew audit",), "3 minutes on 2 cores", _pair, _make_pair),
        _grid("demo", "5 minutes on 2 cores"),
        _laboratory("laboratory", "small", "demo-seeds", "about 2.5 hours on 1 core, estimated"),
        Part(
            "family", "small", ("unskew paper make icl-lost --scale small",),
            "3 to 4 hours per seed on 1 core with bfloat16, 3 seeds", families.families,
            lambda means: families.raise_all(means.runs, means.threads), families.raised,
        ),
        Part(
            "fresh", "small", ("unskew paper make icl-lost-fresh --scale small",),
            "45 minutes per seed on 1 core, 3 seeds",
            lambda shelf: families.families(shelf, families.FRESH),
            lambda means: families.raise_all(means.runs, means.threads, families.FRESH),
            lambda shelf: families.raised(shelf, families.FRESH),
        ),
        Part(
            "removal", "small", ("unskew paper make not-removed --scale small",),
            "6 minutes, after the family of one seed", benches.benches,
            lambda means: benches.examine(means.runs, means.threads),
        ),
        Part(
            "oracles", "small", ("unskew paper make second-oracle --scale small",),
            "about 2 hours on 1 core, estimated", benches.second,
            lambda means: benches.examine_second(means.runs, means.threads),
        ),
        _grid("small", "about an hour for each of 4 subjects on 1 core"),
        _grid("small", "two hours on 1 core", "each"),
        _grid("small", "77 minutes on 1 core", "drops"),
        _laboratory("laboratory", "paper", "paper", "a GPU; not known, nobody has run it"),
        _laboratory("seeds", "paper", "paper-seeds", "a GPU; not known, nobody has run it"),
        *(_pairs(name, pairs) for name, pairs in PAIRS.items()),
        _grid("paper", "a GPU; not known, nobody has run it"),
    ]  # fmt: skip
    return {(part.name, part.scale): part for part in listed}


# The laboratory -------------------------------------------------------------------------------


def _laboratory(name: PartName, scale: Scale, preset: str, takes: str) -> Part:
    @cache
    def config(*changes: str) -> Any:
        from pydantic import TypeAdapter

        from unskew.regression.config import Experiment
        from unskew.runs.config import load

        return load(preset, changes, TypeAdapter(Experiment))

    def make(means: Means) -> list[Path]:
        from unskew.regression import study
        from unskew.runs.progress import Progress
        from unskew.runs.store import Store

        threads = [] if means.threads is None else [f"threads={means.threads}"]
        with Progress() as progress:
            folder = study.execute(config(*threads), Store(means.runs), progress)
        return [folder.path]

    command = (f"unskew run {preset}",)
    return Part(
        name, scale, command, takes, lambda shelf: {"": shelf.places(config())}, make, lm=False
    )


# Pairs of models ------------------------------------------------------------------------------

PAIRS: dict[PartName, tuple[str, ...]] = {
    "pairs-icl": ("llama-vicuna", "opt-optiml", "llama2-chat"),
    "pairs-code": ("llama2-codellama",),
    "pairs-refusal": ("llama2-chat",),
}


def _pairs(name: PartName, pairs: Sequence[str]) -> Part:
    def places(shelf: Shelf) -> dict[str, list[Place]]:
        from unskew.audit.config import preset

        return {pair: shelf.places(preset(pair, [])) for pair in pairs}

    def make(means: Means) -> list[Path]:
        from unskew.audit.config import preset
        from unskew.cli_lm import paper_lm

        for pair in pairs:
            paper_lm(pair=pair, device=means.device, runs=means.runs)
        mine = Shelf(means.runs)
        return [place.path for pair in pairs for place in mine.places(preset(pair, []))[:1]]

    commands = tuple(f"unskew paper lm --pair {pair} --device cuda" for pair in pairs)
    return Part(name, "paper", commands, "a GPU; not known, nobody has run it", places, make)


def _shipped() -> Audit:
    from unskew.cli_lm import audit_of_the_pair

    return audit_of_the_pair(None)


def _pair(shelf: Shelf) -> dict[str, list[Place]]:
    return {"": [_with_claims(place) for place in shelf.places(_shipped())]}


def _make_pair(means: Means) -> list[Path]:
    from unskew.audit.run import execute
    from unskew.cli_lm import audit_of_the_pair
    from unskew.runs.progress import Progress
    from unskew.runs.store import Store

    with Progress() as progress:
        folder = execute(audit_of_the_pair(means.threads), Store(means.runs), progress)
    return [folder.path]


def _with_claims(place: Place) -> Place:
    """The audit of the pair that ships, read as a family of one seed: what is asked of a family's
    tables is asked of it."""

    def made() -> pd.DataFrame:
        from unskew.nursery.claims import claims

        columns = ("task", "arm", "conjugation", "main", "estimate")
        arms = place.table("arms", columns)
        arms = arms[arms["main"].astype(bool)]
        arms = arms.assign(seed=families.SEED, model="instruct", probe=_probe(arms["task"]))
        plain = arms[arms["conjugation"] == "identity"]
        names = {"base": "base", "tuned": "instruct"}
        abilities = plain.assign(model=plain["arm"].map(names), language="en")
        verdicts = place.table("verdicts", ("task", "verdict"))
        verdicts = verdicts.assign(
            seed=families.SEED, model="instruct", probe=_probe(verdicts["task"])
        )
        return claims(abilities, verdicts, arms)

    return Place(place.path, place.config, {"claims": made})


def _probe(tasks: pd.Series) -> pd.Series:
    return tasks.str.removeprefix("nursery_").str.removesuffix("_en")


# The thesis -----------------------------------------------------------------------------------


def _grid(scale: Scale, takes: str, name: PartName = "grid") -> Part:
    preset = scale if name == "grid" else name

    def config() -> Any:
        from pydantic import TypeAdapter

        from unskew.purple.grid_config import Purple
        from unskew.runs.config import load

        return load(f"purple-{preset}", [], TypeAdapter(Purple))

    def make(means: Means) -> list[Path]:
        from unskew.cli_purple import purple

        purple(preset, runs=means.runs, threads=means.threads)
        return [place.path for place in Shelf(means.runs).places(config())[:1]]

    def places(shelf: Shelf) -> dict[str, list[Place]]:
        whole = config()
        rows = [shelf.places(whole.row(subject))[:1] for subject in whole.subjects]
        joined = _joined([place for found in rows for place in found])
        return {"": [*shelf.places(whole), *joined]}

    command = (f"unskew purple {preset}",)
    return Part(name, scale, command, takes, places, make, lambda shelf: _whole(shelf, config()))


def _joined(rows: list[Place]) -> list[Place]:
    """The rows of a grid that are there, read as one grid."""
    if not rows:
        return []

    def cells() -> pd.DataFrame:
        import pandas as pd

        return pd.concat([row.table("cells", ("subject",)) for row in rows], ignore_index=True)

    paths = [row.path.resolve() for row in rows]
    above = Path(os.path.commonpath([path.parent for path in paths]))
    names = tuple(path.relative_to(above).as_posix() for path in paths)
    return [Place(above, rows[0].config, {"cells": cells}, names)]


def _whole(shelf: Shelf, config: Purple) -> list[bool]:
    """Of which subjects a grid has a row."""
    if shelf.places(config):
        return [True] * len(config.subjects)
    return [bool(shelf.places(config.row(subject))) for subject in config.subjects]
