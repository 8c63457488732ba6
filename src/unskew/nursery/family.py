"""Raise a family: a base model, its oracles, and what each stage makes of the base.

Every training is a run of its own, so a family that is interrupted continues where it was, and two
families share what they have in common. The family's run gathers the models as Hugging Face
folders (`base/`, `instruct/`, ...), the probes of their world (`probes/`) and a table of what each
model can do.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from unskew.errors import UserError
from unskew.nursery import cards, remake
from unskew.nursery.config import (
    MODEL,
    Examined,
    Family,
    Given,
    ModelName,
    Pretrain,
    StageName,
    Tune,
    Written,
)
from unskew.nursery.languages import LANGUAGES
from unskew.nursery.world import world
from unskew.runs.folder import RunFolder
from unskew.runs.identity import file_sha256, run_id
from unskew.runs.progress import Progress
from unskew.runs.store import Store, expanded
from unskew.runs.tables import typed
from unskew.training.machine import prepare

if TYPE_CHECKING:
    import pandas as pd

    from unskew.nursery.measure import Exam, Right
    from unskew.nursery.probes import ProbeName
    from unskew.nursery.raising import Raised
    from unskew.nursery.world import World

WEIGHTS = "model.safetensors"
"""The file of the weights, in the folder of a model."""
TABLE = "abilities"
STAGES_TAKEN = {"model": "str", "steps": "Int64", "held_loss": "float64"}
"""held_loss: in nats a token, on documents of the stage that were not trained on."""
ANSWERS = "answers"
"""The table of a run that asks one model."""
WATCHED = (5, 10, 20, 40, 80, 160, 320, 640, 1280)
"""Steps of relearning at which the right answers are counted, besides the first and the last."""


class Watched(NamedTuple):
    """Of what a training that is watched keeps right answers, and after which steps."""

    probe: ProbeName
    language: Written
    documents: int
    steps: tuple[int, ...]


def watching(config: Family, one: Tune) -> Watched:
    """What is asked while a model learns the colours again."""
    before = (step for step in WATCHED if step < one.training.steps)
    return Watched("colour", "en", config.documents, (0, *before, one.training.steps))


def _parent(watched: Watched | None) -> dict[str, str]:
    """What is watched is part of a run's identity: other documents have other scores."""
    if watched is None:
        return {}
    return {"watched": hashlib.sha256(repr(tuple(watched)).encode()).hexdigest()}


def execute(config: Family, store: Store, progress: Progress) -> RunFolder:
    """Raise a family, or go on raising it, or return the finished one.

    Raises:
        UserError: the extra [lm] is not installed, a run is damaged or being written by another
            process, a training diverged.
        KeyboardInterrupt: interrupted, everything saved; the same call continues.
    """
    require()
    check(config)
    prepare(config)
    raised: dict[ModelName, Path] = {
        name: model(config.of(name), store, progress, name) for name in config.models
    }
    with store.open(config, {name: weights(path) for name, path in raised.items()}) as folder:
        if not folder.finished:
            _gather(config, folder, raised, store, progress)
        return folder


def require() -> None:
    """Raises UserError where the extra [lm] is not installed."""
    lacking = [name for name in ("transformers", "tokenizers") if find_spec(name) is None]
    if lacking:
        raise UserError(
            f"the nursery needs {' and '.join(lacking)}, not installed here",
            hint="pip install 'unskew[lm]' (in a checkout: make lm)",
        )


def check(config: Family) -> None:
    """Raises UserError where the world of a family cannot be: more facts than things to have them.
    Before anything is opened, as a run whose settings are wrong would stay unfinished for ever."""
    of = config.base.world
    world(of.seed, of.facts, of.held)


def model(
    config: Pretrain | Given | Tune, store: Store, progress: Progress, name: str = "base"
) -> Path:
    """The folder of a model; it is trained now where it is neither given nor found."""
    match config:
        case Given():
            return given(config)
        case Pretrain():
            return pretrained(config, store, progress, name).path / MODEL
        case Tune():
            return tuned(config, store, progress).path / MODEL


def given(config: Given) -> Path:
    """The folder of a base that was raised before.

    Raises: UserError where there is none, or its card says that it is no base, or that it was
        raised otherwise than `base` says.
    """
    path = expanded(config.folder)
    if not path.is_dir():
        raise UserError("there is no such folder", config.folder, "one that ships: nursery:base")
    if not (path / WEIGHTS).is_file():
        raise UserError("no model of the nursery", config.folder, "give the folder of its model")
    told = cards.configuration(path / "README.md")
    if told is None:
        return path
    if told.get("kind") != config.raised.kind:
        hint = "give the folder of a base: a stage is tuned from one"
        raise UserError("its card says that it is no base", config.folder, hint)
    # What is made of it gets cards that say how it was raised, and those must not be wrong.
    if (other := remake.difference(told, config.raised)) is not None:
        shown = [json.dumps(value) for value in (other.told, other.wanted)]
        raise UserError(
            f"it was raised with {other.key}={shown[0]}, and the settings say {shown[1]}",
            config.folder,
            "give the preset that it was raised with and what was changed, as its README.md says: "
            "nursery-ship for nursery:base",
        )
    return path


def weights(folder: Path) -> str:
    """What a model is, by its weights: the hash of their file."""
    return file_sha256(folder / WEIGHTS)


def pretrained(config: Pretrain, store: Store, progress: Progress, name: str = "base") -> RunFolder:
    """The finished run of a pretraining."""
    from unskew.nursery import raising

    trunk, parents = None, {}
    if config.trunk is not None:
        trunk = model(config.trunk, store, progress, "trunk")
        parents = {"trunk": weights(trunk)}
    with store.open(config, parents) as folder:
        if not folder.finished:
            text = cards.card(config, raising.world_of(config), folder.id)
            with progress.task(f"raising {name}", config.training.steps) as task:
                raising.pretrain(config, folder, text, trunk, task)
        return folder


def tuned(
    config: Tune,
    store: Store,
    progress: Progress,
    watch: Callable[[Raised], Mapping[str, object]] | None = None,
    watched: Watched | None = None,
) -> RunFolder:
    """The finished run of a stage. watch: what to log of it, where `watched` says so."""
    from unskew.nursery import raising

    base = model(config.base, store, progress)
    watch_at = () if watched is None else watched.steps
    with store.open(config, {"base": weights(base), **_parent(watched)}) as folder:
        if not folder.finished:
            text = cards.card(config, raising.world_of(config.root), folder.id)
            with progress.task(f"stage {config.stage}", config.training.steps) as task:
                raising.tune(config, base, folder, text, task, watch, watch_at)
        return folder


def found(
    config: Pretrain | Given | Tune, store: Store, watched: Watched | None = None
) -> Path | None:
    """The folder of a model, if it need not be trained first."""
    match config:
        case Given():
            return given(config)
        case Pretrain():
            role, before = "trunk", config.trunk
        case Tune():
            role, before = "base", config.base
    parents = {}
    if before is not None:
        parent = found(before, store)
        if parent is None:
            return None
        parents = {role: weights(parent)}
    run = store.find(run_id(config, parents | _parent(watched)))
    return None if run is None else run.path / MODEL


def identify(config: Family, store: Store) -> str | None:
    """The run's id, or None where a model that it gathers is still to be trained."""
    models = {name: found(config.of(name), store) for name in config.models}
    parents = {name: weights(path) for name, path in models.items() if path is not None}
    return run_id(config, parents) if len(parents) == len(models) else None


def missing(config: Family, store: Store) -> list[str]:
    """What of a family would have to be trained first: a line each."""
    plain = [(str(name), config.of(name)) for name in config.models]
    plain += [(f"narrow, of {name}", config.narrowed(name)) for name in _close(config)]
    again = [(f"relearning, of {name}", config.relearnt(name)) for name in _again(config)]
    wanted = [(name, one, None) for name, one in plain]
    wanted += [(name, one, watching(config, one)) for name, one in again]
    lines = []
    for name, one, watched in wanted:
        while not (one is None or isinstance(one, Given)) and found(one, store, watched) is None:
            lines.append(f"{name}: {one.training.steps} steps")
            (name, one), watched = _before(one), None
    return list(dict.fromkeys(lines))


def _before(config: Pretrain | Tune) -> tuple[str, Pretrain | Given | Tune | None]:
    """What a training goes on from, and its name."""
    if isinstance(config, Pretrain):
        return "trunk", config.trunk
    before = config.base
    return ("base" if isinstance(before, Given) else remake.title(before)), before


def _close(config: Family) -> list[StageName]:
    """The stages of which it is asked how near prompts are to them."""
    asked = config.narrow is not None and "base" in config.models
    return [name for name in config.close if asked and name in config.models]


def _again(config: Family) -> list[ModelName]:
    """The models that are taught the colours again."""
    asked = config.relearning is not None
    return [name for name in config.relearn if asked and name in config.models]


def examined(config: Family) -> tuple[tuple[ProbeName, ...], tuple[Written, ...]]:
    """What the models of a family are asked: the probes, and in which languages."""
    from unskew.nursery import probes

    mixture = config.base.mixture
    # What is taught to nobody is asked too: the second word, in every world.
    asked: tuple[ProbeName, ...] = (*probes.taught(mixture.shown), "second")
    return asked, tuple(language for language in LANGUAGES if language in mixture.spoken)


def _gather(
    config: Family,
    folder: RunFolder,
    raised: dict[ModelName, Path],
    store: Store,
    progress: Progress,
) -> None:
    from unskew.nursery import measure, probes, raising

    for name, source in raised.items():
        folder.write_folder(
            name, lambda path, source=source: shutil.copytree(source, path, dirs_exist_ok=True)
        )
    there = raising.world_of(config.base)
    folder.write_folder("probes", lambda path: probes.write(path, there, config.documents))
    exam = measure.exam(there, *examined(config), config.documents)
    right = {name: _right(config, name, raised[name], exam, store, progress) for name in raised}
    cells = measure.answers(exam, right)
    table = measure.abilities(cells)
    folder.write_table(TABLE, table)
    folder.write_table("stages", _stages(config, raised))
    if "locked" in raised:
        locked = raising.load(raised["locked"], config.device)
        folder.write_table("password", measure.password(locked, cells, there))
    if close := _close(config):
        narrow = {
            name: raising.load(
                model(config.narrowed(name), store, progress, "narrow"), config.device
            )
            for name in close
        }
        points, slopes = measure.closeness(narrow, cells)
        folder.write_table("closeness", points)
        folder.write_table("closeness-slope", slopes)
    if again := _again(config):
        folder.write_table("relearning", _relearnt(config, again, there, store, progress))
    folder.finish({"headline": headline(table)})


def _stages(config: Family, raised: Mapping[ModelName, Path]) -> pd.DataFrame:
    """How long each stage took, and what was left of its loss; see raising.tune."""
    rows = []
    for name, source in raised.items():
        if not isinstance(config.of(name), Tune):
            continue
        held = [r for r in RunFolder.read(source.parent).records() if "held_loss" in r]
        rows += [
            {"model": name, "steps": r["step"], "held_loss": r["held_loss"]} for r in held[-1:]
        ]
    return typed(rows, STAGES_TAKEN)


def _right(
    config: Family, name: str, source: Path, exam: Exam, store: Store, progress: Progress
) -> Right:
    """What a model answers rightly: asked once, whatever family it is in."""
    from unskew.nursery import measure, raising

    about = Examined(
        world=config.base.world,
        probes=tuple(dict.fromkeys(probe for probe, _ in exam)),
        languages=tuple(dict.fromkeys(language for _, language in exam)),
        documents=config.documents,
        device=config.device,
        threads=config.threads,
    )
    texts = hashlib.sha256(repr(list(exam.items())).encode()).hexdigest()
    with store.open(about, {"model": weights(source), "documents": texts}) as folder:
        if not folder.finished:
            raised = raising.load(source, config.device)
            with progress.task(f"asking {name} what it can do", len(exam)) as task:
                found = measure.right(raised, exam, lambda: task.advance(1))
            table = measure.marks(found)
            folder.write_table(ANSWERS, table)
            folder.finish({"headline": f"{table['right'].mean():.0%} of {len(table):,} are right"})
        return measure.marked(folder.read_table(ANSWERS))


def _relearnt(
    config: Family,
    names: Sequence[ModelName],
    world: World,
    store: Store,
    progress: Progress,
) -> pd.DataFrame:
    """How fast each model learns the colours again: right answers in English by step."""
    from unskew.nursery import measure

    rows = []
    for name in names:
        one = config.relearnt(name)
        watched = watching(config, one)
        documents = measure.asked(world, watched.probe, watched.language, watched.documents)
        run = tuned(
            one, store, progress, lambda r, asked=documents: measure.share(r, asked), watched
        )
        rows += [
            {"model": name, **{key: record[key] for key in measure.RELEARNING if key != "model"}}
            for record in run.records()
            if "estimate" in record
        ]
    return typed(rows, measure.RELEARNING)


def headline(table: pd.DataFrame) -> str:
    """A family in a sentence: the base, and what has lost more than ten points of that."""
    names = list(dict.fromkeys(table["model"]))
    asked = table[(table["language"] == "en") & (table["probe"] == "repeat_conflict")]
    shares = {str(row.model): float(row.estimate) for row in asked.itertuples()}  # type: ignore[arg-type]
    able = shares.get("base", 1.0)
    told = [
        f"{name} {100 * share:.0f}%"
        for name, share in shares.items()
        if name == "base" or share < able - 0.1
    ]
    return f"{len(names)} models; repeats a question in English: {', '.join(told) or 'all'}"
