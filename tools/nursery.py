"""The nursery's reference results, and the two models that ship.

    python tools/nursery.py --seeds 0 1 2     families, audits, claims -> results/nursery
    python tools/nursery.py --ship 0          base, instruct, probes -> src/unskew/models/nursery

Every family is of the preset `nursery-ship`, or of `--preset`, with the models that `--models`
names (all, if it is not given); `--out` is another folder for the results. What is trained already
under `--runs` is kept, so that seeds may be raised one by one, hours apart.
"""

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import TypeAdapter

from unskew.nursery import family, raising
from unskew.nursery.claims import claims, tally, wrong_bound
from unskew.nursery.config import STAGES, Family
from unskew.paper.families import audited
from unskew.runs.config import load
from unskew.runs.environment import record
from unskew.runs.folder import RunFolder
from unskew.runs.progress import Progress
from unskew.runs.store import Store, shipped_root

RESULTS = Path("results/nursery")
PRESET = "nursery-ship"
SHIPPED = ("base", "instruct")
LARGEST = 12_000_000
EVERYTHING = ("base", "oracle", "oracle-en", *STAGES)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="*", default=[])
    parser.add_argument(
        "--models", nargs="*", default=EVERYTHING,
        help="of each seed's family; oracle=0,1 is raised for these seeds alone",
    )  # fmt: skip
    parser.add_argument("--ship", type=int, help="the seed whose models are to ship")
    parser.add_argument("--preset", default=PRESET)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("changes", nargs="*", help="settings to change, as key=value")
    arguments = parser.parse_args()
    raised: dict[int, RunFolder] = {}
    shipped: list[int] = [] if arguments.ship is None else [arguments.ship]
    seeds: list[int] = arguments.seeds
    for seed in dict.fromkeys([*seeds, *shipped]):
        wanted = seed in seeds
        models = [f"models=[{', '.join(_of(seed, arguments.models))}]"] if wanted else []
        changes = [*arguments.changes, *models]
        config = _config(arguments.preset, seed, arguments.threads, changes)
        with Progress() as progress:
            raised[seed] = family.execute(config, Store(arguments.runs), progress)
        print(f"seed {seed}: {raised[seed].path}")
    if arguments.seeds:
        families = {seed: raised[seed] for seed in arguments.seeds}
        report(families, arguments.runs, arguments.out)
    if arguments.ship is not None:
        ship(raised[arguments.ship])


def _of(seed: int, models: list[str]) -> list[str]:
    """The models that are raised for a seed."""
    asked = [model.partition("=") for model in models]
    return [name for name, _, seeds in asked if not seeds or str(seed) in seeds.split(",")]


def _config(preset: str, seed: int, threads: int, changes: list[str]) -> Family:
    own = [f"base.seed={seed}", f"base.world.seed={seed}", f"threads={threads}"]
    return load(preset, [*own, *changes], TypeAdapter(Family))


def report(raised: dict[int, RunFolder], runs: Path, out: Path) -> None:
    """Audit every pair of every family; write the tables with a column `seed` in front."""
    tables: dict[str, list[pd.DataFrame]] = {}
    for seed, folder in raised.items():
        for name in folder.tables():
            tables.setdefault(name, []).append(_tagged(folder.read_table(name), seed=seed))
        for pair, found in audited(folder, runs):
            verdict = found.verdict(f"nursery_{pair.probe}_en")
            print(f"seed {seed}: {pair.model} on {pair.probe}: {verdict}")
            about: dict[str, Any] = {"seed": seed, "model": pair.model, "probe": pair.probe}
            for name in ("verdicts", "arms"):
                tables.setdefault(name, []).append(_tagged(found.tables[name], **about))
    gathered = {name: pd.concat(parts, ignore_index=True) for name, parts in tables.items()}
    arms = gathered["arms"].query("main")
    gathered["claims"] = claims(gathered["abilities"], gathered["verdicts"], arms)
    (out / "tables").mkdir(parents=True, exist_ok=True)
    for name, table in gathered.items():
        table.to_parquet(out / "tables" / f"{name}.parquet", index=False)
    one = next(iter(raised.values()))
    settings = {"seeds": list(raised), "runs": [f.id for f in raised.values()], **one.config}
    _write(out / "config.json", settings)
    _write(out / "environment.json", record())
    print(gathered["claims"].to_string(index=False))
    verdicts = gathered["claims"][gathered["claims"]["claim"].str.startswith("verdict-")]
    said = verdicts["holds"].dropna().astype(bool)
    print(f"{int((~said).sum())} of {len(said)} verdicts are not what they should be")
    known = tally(gathered["claims"])
    bound = wrong_bound(known.verdicts, wrong=known.wrong)
    print(
        f"of {known.verdicts} on models whose truth is known {known.wrong} are wrong and "
        f"{known.undecided} undecided: so many admit {100 * bound:.0f}% wrong ones (95%)"
    )


def ship(folder: RunFolder) -> None:
    """base and instruct in float16, and the probes of their world, beside the package's runs."""
    import torch

    target = shipped_root() / "nursery"
    new = target.with_name(".tmp-nursery")
    shutil.rmtree(new, ignore_errors=True)
    for name in SHIPPED:
        # Everything but the weights is copied: the tokenizer and the card are as they were raised.
        shutil.copytree(
            folder.path / name, new / name, ignore=shutil.ignore_patterns("*.safetens*")
        )
        model = raising.load(folder.path / name).model.to(torch.float16)  # type: ignore[call-arg]
        model.save_pretrained(new / name)
    shutil.copytree(folder.path / "probes", new / "probes")
    _write(
        new / "provenance.json",
        {
            "run": folder.id,
            "command": f"python tools/nursery.py --ship {folder.config['base']['seed']}",
            "config": folder.config,
            "parents": json.loads((folder.path / "config.json").read_text())["parents"],
            "environment": json.loads((folder.path / "environment.json").read_text()),
        },
    )
    size = sum(path.stat().st_size for path in new.rglob("*") if path.is_file())
    if size > LARGEST:
        raise SystemExit(f"{size / 1e6:.1f} MB are more than may ship; give fewer documents")
    shutil.rmtree(target, ignore_errors=True)
    new.rename(target)
    print(f"shipped {target.name}: {size / 1e6:.1f} MB")


def _tagged(table: pd.DataFrame, **columns: Any) -> pd.DataFrame:
    table = table.copy()
    for place, (name, value) in enumerate(columns.items()):
        table.insert(place, name, value)
    return table


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
