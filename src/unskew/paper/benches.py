"""The removal bench on the nursery's models: what was made to lose an ability, and, as what must be
called removed, an oracle of another seed than the one that positions are counted from.

A run of the bench is known by its settings and by whose model it looks at: of the user's runs by
the family that the model lies in, of the reference results by the folder's name.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from unskew.paper import families
from unskew.paper.definition import REMOVED
from unskew.paper.families import SEED, SHIP
from unskew.paper.shelf import Entry, Place, Shelf, same

if TYPE_CHECKING:
    from unskew.nursery.config import Family

__all__ = ["SECOND", "benches", "examine", "examine_second", "second"]

SECOND = "second-oracle"
"""The reference results of the bench on a second oracle."""
ORACLES = (0, 1)
"""The seeds of the oracles: where positions are counted from, and what is examined. One world."""
OF_ORACLES = ("models=[oracle]", "base.training.steps=2000", "base.training.precision=float32")
"""Half the steps of the 25-minute recipe, in float32 for processors without bfloat16 units."""
BASE, PROBES = "nursery:base", "nursery:probes"


def benches(shelf: Shelf) -> dict[str, list[Place]]:
    """The bench's runs on the models of the family's first seed, by stage."""
    found: dict[str, list[Place]] = {stage: [] for stage in REMOVED}
    for entry in shelf.shelves[0]:
        if (stage := _removed(entry, shelf)) in found:
            found[stage].append(entry.place())
    for entry in shelf.shelves[1]:
        if entry.path.name in found and _is_bench(entry.config):
            found[entry.path.name].append(entry.place())
    return found


def second(shelf: Shelf) -> dict[str, list[Place]]:
    """The bench's runs on a second oracle of the world of the base that ships."""
    own, given = shelf.shelves
    raised = {
        seed: {entry.path.name for entry in own if same(entry.config, _oracle(seed))}
        for seed in ORACLES
    }

    def asked(entry: Entry) -> bool:
        first, other = (Path(entry.config[name]) for name in ("oracle", "unlearned"))
        return (
            entry.config["base"] == BASE
            and first.parent.name in raised[ORACLES[0]]
            and other.parent.name in raised[ORACLES[1]]
        )

    mine = [entry for entry in own if _is_bench(entry.config) and asked(entry)]
    kept = [entry for entry in given if entry.path.name == SECOND and _is_bench(entry.config)]
    return {"": [entry.place() for entry in (*mine, *kept)]}


def examine(runs: Path, threads: int | None) -> list[Path]:
    """Run the bench on each of REMOVED, once the family is there; the folders of its runs."""
    family = families.raise_one(SHIP, SEED, runs, threads).path
    for stage in REMOVED:
        _bench(family / "base", family / stage, family / "oracle", family / "probes", runs, threads)
    found = benches(Shelf(runs))
    return [place.path for places in found.values() for place in places[:1]]


def examine_second(runs: Path, threads: int | None) -> list[Path]:
    """Raise both oracles and run the bench on the second; the folder of its run."""
    first, other = (
        families.finished(_oracle(seed, threads), runs).path / "oracle" for seed in ORACLES
    )
    _bench(BASE, other, first, PROBES, runs, threads)
    return [place.path for place in second(Shelf(runs))[""][:1]]


def _bench(
    base: Path | str, model: Path, oracle: Path, probes: Path | str, runs: Path, threads: int | None
) -> None:
    from unskew.cli_removal import removal

    removal(
        str(base), str(model), oracle=str(oracle), probes=str(probes), runs=runs, threads=threads
    )


def _oracle(seed: int, threads: int | None = None) -> Family:
    return families.settings("nursery", *OF_ORACLES, f"base.seed={seed}", threads=threads)


def _removed(entry: Entry, shelf: Shelf) -> str:
    """The stage whose model a run of the bench looks at; "" for any other model."""
    family = families.by_seed(shelf, SHIP).get(SEED)
    if family is None or not _is_bench(entry.config):
        return ""
    path = Path(entry.config["unlearned"])
    return path.name if path.parent.name == family.path.name else ""


def _is_bench(config: dict[str, Any]) -> bool:
    """Whether it is the bench as it is run on the nursery's models, with an oracle, on whatever
    models: another margin would be another claim."""
    if config.get("kind") != "removal" or config.get("oracle") is None:
        return False
    from pydantic import TypeAdapter

    from unskew.cli_removal import OF_NURSERY
    from unskew.purple.removal_config import Removal
    from unskew.runs.config import resolve

    names = {name: config.get(name) for name in ("base", "unlearned", "oracle")}
    data = config.get("data")
    folder = data.get("folder") if isinstance(data, dict) else None
    if not all(isinstance(name, str) for name in (*names.values(), folder)):
        return False
    doc: dict[str, Any] = {"kind": "removal", **names, "where": {}}
    doc["data"] = {"kind": "nursery", "folder": folder}
    doc["conjugations"] = list(OF_NURSERY["conjugations"])
    slower = [f"relearning.optimiser.lr={OF_NURSERY['lr']}"]
    return same(config, resolve(doc, slower, TypeAdapter(Removal), "removal"))
