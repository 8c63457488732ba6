"""Families of the nursery over seeds: their runs and audits found, gathered, made.

A family is a run; each pair of it is audited in a run of its own. What is claimed of families is
read from these, by `nursery.claims`, or from the reference results, where that was done before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from unskew.paper.shelf import Entry, Place, Shelf, same

if TYPE_CHECKING:
    import pandas as pd
    from pydantic import BaseModel

    from unskew.audit import AuditResult
    from unskew.audit.config import Audit
    from unskew.nursery.claims import Audited
    from unskew.nursery.config import Family
    from unskew.runs.folder import RunFolder

__all__ = [
    "FRESH", "SEED", "SHIP", "Line", "audited", "by_seed", "families", "finished", "raise_all",
    "raise_one", "raised", "settings",
]  # fmt: skip

CONJUGATIONS = ("en-fr", "en-es", "en-qon")
SEED = 0
"""The seed of the pair that ships, whose models the removal bench looks at."""


class Line(NamedTuple):
    """Families that claims are about. models: of each seed; (): all that there are."""

    preset: str
    seeds: tuple[int, ...]
    models: tuple[str, ...] = ()


SHIP = Line("nursery-ship", (0, 1, 2))
FRESH = Line("nursery", (3, 4, 5), ("base", "instruct"))
"""The 25-minute recipe in worlds that nothing was chosen in: the stages' doses are of seed 0."""


@cache
def settings(preset: str, *changes: str, threads: int | None = None) -> Family:
    """The configuration of a family."""
    from pydantic import TypeAdapter

    from unskew.nursery.config import Family
    from unskew.runs.config import load

    more = [] if threads is None else [f"threads={threads}"]
    return load(preset, [*changes, *more], TypeAdapter(Family))


def _config(line: Line, seed: int, models: tuple[str, ...], threads: int | None = None) -> Family:
    changes = (f"base.seed={seed}", f"base.world.seed={seed}", f"models=[{', '.join(models)}]")
    return settings(line.preset, *changes, threads=threads)


def _models(line: Line) -> tuple[str, ...]:
    from unskew.nursery.config import STAGES

    return line.models or ("base", "oracle", "oracle-en", *STAGES)


def families(shelf: Shelf, line: Line = SHIP) -> dict[str, list[Place]]:
    """The tables over seeds: gathered from the runs of the user, then those of the results."""
    own = by_seed(shelf, line)
    found = [_gathered(own, shelf.shelves[0])] if own else []
    for entry in shelf.shelves[1]:
        about = {k: v for k, v in entry.doc.items() if k not in ("seeds", "runs")}
        if "seeds" in entry.doc and _is_family(about, line):
            found.append(Place(entry.path, entry.doc))
    return {"": found}


def by_seed(shelf: Shelf, line: Line) -> dict[int, Entry]:
    """The user's families by seed; of several, the one with most models."""

    def find(shelf: Shelf) -> dict[int, Entry]:
        found: dict[int, Entry] = {}
        for entry in shelf.shelves[0]:
            if entry.config.get("kind") != "nursery" or not _is_family(entry.config, line):
                continue
            seed = int(entry.config["base"]["seed"])
            if seed not in found or _count(entry) > _count(found[seed]):
                found[seed] = entry
        return dict(sorted(found.items()))

    return shelf.once(f"families of {line.preset}", find)


def _count(entry: Entry) -> int:
    return len(entry.config["models"])


def _is_family(config: dict[str, Any], line: Line) -> bool:
    """Whether it is one that claims are about, with whatever models."""
    base, models = config.get("base"), config.get("models")
    seed = base.get("seed") if isinstance(base, dict) else None
    if seed not in line.seeds or not isinstance(models, list):
        return False
    wanted = _models(line)
    return same(config | {"models": list(wanted)}, _config(line, seed, wanted))


def _gathered(families: Mapping[int, Entry], entries: Sequence[Entry]) -> Place:
    """The tables of families and of the audits of their pairs, as one place."""

    def joined(name: str, columns: Sequence[str]) -> pd.DataFrame:
        import pandas as pd

        found = []
        for seed, entry in families.items():
            place = entry.place()
            if name in ("verdicts", "arms"):
                for audited, audit in _audits(entry, entries):
                    table = audit.table(name, columns)
                    found.append(table.assign(seed=seed, model=audited.model, probe=audited.probe))
            elif place.has(name):
                found.append(place.table(name, columns).assign(seed=seed))
        if not found:
            return pd.DataFrame(columns=list(dict.fromkeys([*columns, "seed", "model", "probe"])))
        return pd.concat(found, ignore_index=True)

    def made() -> pd.DataFrame:
        from unskew.nursery.claims import claims

        abilities = joined("abilities", ("model", "probe", "language", "estimate"))
        arms = joined("arms", ("arm", "conjugation", "main", "estimate"))
        arms = arms[arms["main"].astype(bool)]
        return claims(abilities, joined("verdicts", ("verdict",)), arms)

    def slopes() -> pd.DataFrame:
        return joined("closeness-slope", ("model", "estimate", "low", "high", "n"))

    paths = [entry.path for entry in families.values()]
    tables = {"claims": made, "closeness-slope": slopes}
    return Place(paths[0].parent, {}, tables, tuple(path.name for path in paths))


def _audits(family: Entry, entries: Sequence[Entry]) -> Iterator[tuple[Any, Place]]:
    """The finished audits of a family's pairs."""
    from unskew.nursery.claims import AUDITS

    audits = [entry for entry in entries if entry.config.get("kind") == "audit"]
    for audited in AUDITS:
        wanted = _audit(family.path, audited)
        for entry in audits:
            if same(_short(entry.config), type(wanted).model_validate(_short(_plain(wanted)))):
                yield audited, entry.place()
                break


def _audit(family: Path, audited: Any) -> Audit:
    from unskew.audit.config import load

    # By kind, so that nothing is looked for on the disk: the tables are enough.
    return load(
        {
            "base": {"kind": "hf", "path": str(family / "base")},
            "tuned": {"kind": "hf", "path": str(family / audited.model)},
            "tasks": [f"nursery_{audited.probe}_en"],
            "conjugations": list(CONJUGATIONS),
            "include": [str(family / "probes")],
        },
        (),
    )


def _plain(config: BaseModel) -> dict[str, Any]:
    return config.model_dump(mode="json")


def _short(config: dict[str, Any]) -> dict[str, Any]:
    """An audit's configuration with its folders named by run and model: the runs may be looked at
    from another folder than they were made from."""

    def last(path: str) -> str:
        return "/".join(Path(path).parts[-2:])

    found = dict(config)
    for arm in ("base", "tuned"):
        model = config.get(arm)
        if isinstance(model, dict) and isinstance(model.get("path"), str):
            found[arm] = model | {"path": last(model["path"])}
    found["include"] = [last(path) for path in config.get("include", [])]
    return found


def raised(shelf: Shelf, line: Line = SHIP) -> list[bool]:
    """Of every seed: the family with all its models, and the audit of each pair."""
    from unskew.nursery.claims import AUDITS

    families, found = by_seed(shelf, line), []
    wanted = set(_models(line))
    pairs = sum(pair.model in wanted for pair in AUDITS)
    for seed in line.seeds:
        entry = families.get(seed)
        whole = entry is not None and wanted <= set(entry.config["models"])
        audits = 0 if entry is None else len(list(_audits(entry, shelf.shelves[0])))
        found += [whole, *(place < audits for place in range(pairs))]
    return found


def raise_all(runs: Path, threads: int | None, line: Line = SHIP) -> list[Path]:
    """Raise the family of every seed and audit its pairs; the folders of all runs."""
    made = []
    for seed in line.seeds:
        folder = raise_one(line, seed, runs, threads)
        made.append(folder.path)
        made += [found.folder.path for _, found in audited(folder, runs)]
    return made


def audited(family: RunFolder, runs: Path) -> Iterator[tuple[Audited, AuditResult]]:
    """Audit the pairs of a family that it has the models of, one after another."""
    from unskew.audit import audit
    from unskew.nursery.claims import AUDITS

    for pair in AUDITS:
        if pair.model not in family.config["models"]:
            continue
        wanted = _audit(family.path, pair)
        yield (
            pair,
            audit(
                family.path / "base",
                family.path / pair.model,
                tasks=wanted.tasks,
                conjugations=CONJUGATIONS,
                include=wanted.include,
                runs=runs,
            ),
        )


def raise_one(line: Line, seed: int, runs: Path, threads: int | None) -> RunFolder:
    """The finished family of a seed; it is raised now where there is none."""
    return finished(_config(line, seed, _models(line), threads), runs)


def finished(config: Family, runs: Path) -> RunFolder:
    """The finished family of a configuration; it is raised now where there is none."""
    from unskew.nursery import family
    from unskew.runs.progress import Progress
    from unskew.runs.store import Store

    with Progress() as progress:
        return family.execute(config, Store(runs), progress)
