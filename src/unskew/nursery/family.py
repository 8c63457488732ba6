"""Raise a family: a base model, its oracles, and what each stage makes of the base.

Every training is a run of its own, so a family that is interrupted continues where it was, and two
families share what they have in common. The family's run gathers the models as Hugging Face
folders (`base/`, `instruct/`, ...), the probes of their world (`probes/`) and a table of what each
model can do.
"""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from typing import TYPE_CHECKING

from unskew.errors import UserError
from unskew.nursery.config import Family, ModelName, Pretrain, Tune
from unskew.runs.folder import RunFolder
from unskew.runs.identity import run_id
from unskew.runs.progress import Progress
from unskew.runs.store import Store
from unskew.training.machine import prepare

if TYPE_CHECKING:
    import pandas as pd

WEIGHTS = "model/model.safetensors"
TABLE = "abilities"


def execute(config: Family, store: Store, progress: Progress) -> RunFolder:
    """Raise a family, or go on raising it, or return the finished one.

    Raises:
        UserError: the extra [lm] is not installed, a run is damaged or being written by another
            process, a training diverged.
        KeyboardInterrupt: interrupted, everything saved; the same call continues.
    """
    require()
    prepare(config)
    raised: dict[ModelName, RunFolder] = {
        name: raise_one(config, name, store, progress) for name in config.models
    }
    parents = {name: run.sha256(WEIGHTS) for name, run in raised.items()}
    with store.open(config, parents) as folder:
        if not folder.finished:
            _gather(config, folder, raised, progress)
        return folder


def require() -> None:
    """Raises UserError where the extra [lm] is not installed."""
    lacking = [name for name in ("transformers", "tokenizers") if find_spec(name) is None]
    if lacking:
        raise UserError(
            f"the nursery needs {' and '.join(lacking)}, not installed here",
            hint="pip install 'unskew[lm]' (in a checkout: make lm)",
        )


def raise_one(config: Family, name: ModelName, store: Store, progress: Progress) -> RunFolder:
    """The finished run of one model of the family, trained now if it is not found."""
    match name:
        case "base" | "oracle" | "oracle-en":
            return pretrained(config.pretraining(name), store, progress, name)
        case _:
            return tuned(config.tuning(name), store, progress)


def pretrained(config: Pretrain, store: Store, progress: Progress, name: str = "base") -> RunFolder:
    """The finished run of a pretraining."""
    from unskew.nursery import raising
    from unskew.nursery.cards import card

    trunk, parents = None, {}
    if config.trunk is not None:
        run = pretrained(config.trunk, store, progress, "trunk")
        trunk, parents = run.path / raising.MODEL, {"trunk": run.sha256(WEIGHTS)}
    with store.open(config, parents) as folder:
        if not folder.finished:
            text = card(config, raising.world_of(config), folder.id)
            with progress.task(f"raising {name}", config.training.steps) as task:
                raising.pretrain(config, folder, text, trunk, task)
        return folder


def tuned(config: Tune, store: Store, progress: Progress) -> RunFolder:
    """The finished run of a stage."""
    from unskew.nursery import raising
    from unskew.nursery.cards import card

    base = pretrained(config.base, store, progress)
    with store.open(config, {"base": base.sha256(WEIGHTS)}) as folder:
        if not folder.finished:
            text = card(config, raising.world_of(config.base), folder.id)
            with progress.task(f"stage {config.stage}", config.training.steps) as task:
                raising.tune(config, base.path / raising.MODEL, folder, text, task)
        return folder


def missing(config: Family, store: Store) -> list[str]:
    """What of a family would have to be trained first: a line each. Stages of a base that is not
    there have no id yet."""
    found = []
    for name in config.models:
        if name in ("base", "oracle", "oracle-en"):
            one = config.pretraining(name)
            known = [one.trunk, one] if one.trunk else [one]
            found += [
                f"{name if part is one else 'trunk'}: {part.training.steps} steps"
                for part in known
                if part.trunk is not None or store.find(run_id(part)) is None
            ]
        else:
            found.append(f"{name}: {config.stages[name].training.steps} steps")
    return list(dict.fromkeys(found))


def _gather(
    config: Family, folder: RunFolder, raised: dict[ModelName, RunFolder], progress: Progress
) -> None:
    from unskew.nursery import measure, probes, raising

    for name, run in raised.items():
        source = run.path / raising.MODEL
        folder.write_folder(
            name, lambda path, source=source: shutil.copytree(source, path, dirs_exist_ok=True)
        )
    world = raising.world_of(config.base)
    folder.write_folder("probes", lambda path: probes.write(path, world, config.documents))
    models = {name: raising.load(folder.path / name, config.device) for name in raised}
    languages = tuple(config.base.mixture.languages)
    progress.say("asking each model what it can do ...")
    table = measure.abilities(models, world, probes.PROBES, languages, config.documents)
    folder.write_table(TABLE, table)
    folder.finish({"headline": headline(table)})


def headline(table: pd.DataFrame) -> str:
    """A family in a sentence."""
    names = list(dict.fromkeys(table["model"]))
    english = table[(table["language"] == "en") & (table["probe"] == "repeat_conflict")]
    said = ", ".join(
        f"{row.model} {100 * float(row.estimate):.0f}%"  # type: ignore[arg-type]
        for row in english.itertuples()
    )
    return f"{len(names)} models; repeats a question in English: {said}"
