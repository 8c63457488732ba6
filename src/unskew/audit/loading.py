"""Tasks as lm-evaluation-harness 0.4.13 loads them: ours, those of included folders, its own."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from unskew.audit import declared
from unskew.audit.catalogue import parsed
from unskew.audit.folders import expanded
from unskew.audit.names import PHRASES
from unskew.audit.tasks import TASKS
from unskew.errors import AbsentError, UserError
from unskew.runs.mistakes import nearest
from unskew.runs.quiet import hushed

if TYPE_CHECKING:
    from lm_eval.api.task import Task
    from lm_eval.tasks import TaskManager

OURS = "unskew_"
"""How the names of our own tasks begin."""


class Loaded(NamedTuple):
    """A task, and what the audit needs to know of it."""

    name: str
    task: Task
    main: str | None  # the main metric, where the task says it
    chance: float | None
    cluster: str | None  # the field of a document that names its source
    choices: bool
    beginning: bool = False  # only the beginning of an answer is judged: its end may be cut


def load(
    names: Sequence[str],
    include: Sequence[Path] = (),
    metadata: Mapping[str, Any] | None = None,
    known: TaskManager | None = None,
) -> list[Loaded]:
    """Tasks, tags and groups by name: ours and those in `include`, else the harness's catalogue.

    Args:
        known: the catalogue, where it has been read already.

    Raises: UserError for an unknown name, data that cannot be had (AbsentError), a task that the
    audit cannot judge (perplexities, images, code that is run), or that says of itself what cannot
    be (see declared.py).
    """
    manager = known or catalogue(names, include, metadata)
    found: dict[str, Task] = {}
    for name in names:
        try:
            with hushed():
                found |= manager.load([name])["tasks"]
        except UserError as error:
            if isinstance(error.__cause__, OSError):  # our own task's data, which a hub has
                raise AbsentError(error.what, error.where, error.hint) from error
            raise
        except Exception as error:  # whatever a task's YAML or a data set's loader raises
            raise _unloadable(name, error, include) from error
    return [_checked(name, task) for name, task in found.items()]


def catalogue(
    names: Sequence[str], include: Sequence[Path] = (), metadata: Mapping[str, Any] | None = None
) -> TaskManager:
    """The catalogue in which all of `names` stand. Reads no data.

    Raises: UserError for a name that no task has.
    """
    from lm_eval.tasks import TaskManager

    places: list[str | Path] = [TASKS, *include]
    with hushed():
        manager = TaskManager(
            include_defaults=False, include_path=places, metadata=dict(metadata or {})
        )
        foreign = [n for n in names if n not in manager.all_tasks and not n.startswith(OURS)]
        if any(not Path(name).is_file() for name in foreign):
            # The whole catalogue takes some seconds to read, so only where it is needed.
            manager = TaskManager(include_path=places, metadata=dict(metadata or {}))
    if unknown := [n for n in names if n not in manager.all_tasks and not Path(n).is_file()]:
        hint = "`unskew tasks` lists ours; any task of lm-evaluation-harness works by its name"
        if broken := [str(path) for path in _yaml_files(include) if _names(path) is None]:
            hint = f"left out, as not valid YAML: {', '.join(broken)}"
        what = f"there is no task {unknown[0]!r}{nearest(unknown[0], manager.all_tasks)}"
        raise UserError(what, hint=hint)
    return manager


def _unloadable(name: str, error: Exception, include: Sequence[Path]) -> UserError:
    said = str(error).strip().splitlines()
    why = said[0] if said else type(error).__name__
    kind = AbsentError if isinstance(error, OSError) else UserError  # data, or a mistake
    files = [str(path) for path in _yaml_files(include) if name in (_names(path) or ())]
    if files := files or ([name] if Path(name).is_file() else []):
        return kind(f"the task {name!r} cannot be loaded: {why}", ", ".join(files))
    hint = "our own tasks (`unskew tasks`) need no network"
    return AbsentError(f"its data cannot be loaded: {why}", name, hint)


def _names(path: Path) -> set[str] | None:
    """The names by which the tasks of a YAML file are asked for; None: it is not YAML."""
    import yaml

    try:
        task = parsed(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return None
    if not isinstance(task, dict):
        return set()
    found = [task.get("task"), task.get("group")]
    for many in (task.get("task"), task.get("tag")):
        found += many if isinstance(many, list) else [many]
    return {name for name in found if isinstance(name, str)}


def _checked(name: str, task: Any) -> Loaded:
    if task.OUTPUT_TYPE == "loglikelihood_rolling":
        raise UserError("a perplexity cannot be audited: it has no right answers", where=name)
    if getattr(task, "UNSAFE_CODE", False):
        raise UserError("this task runs code that a model wrote; it is not audited", where=name)
    if getattr(task, "MULTIMODAL", False):
        raise UserError("this task needs more than text", where=name)
    said = declared.read(task.get_config("metadata"), name)
    choices = task.OUTPUT_TYPE == "multiple_choice"
    chance = said.chance
    if chance is None and choices:
        chance = declared.guessing([len(task.doc_to_choice(doc)) for doc in task.eval_docs])
    declared.check_sources(said.cluster, enumerate(task.eval_docs), name)
    return Loaded(name, task, said.main, chance, said.cluster, choices, said.beginning)


def digest(tasks: Sequence[Loaded], limit: int | None) -> str:
    """SHA-256 of what the tasks ask and expect: an edited file is another audit."""
    found = hashlib.sha256()
    for loaded in tasks:
        task: Any = loaded.task
        kept = ("output_type", "generation_kwargs", "num_fewshot", "description", "metadata")
        found.update(repr((loaded.name, [task.get_config(name) for name in kept])).encode())
        for doc in itertools.islice(task.eval_docs, limit):
            asked = task.doc_to_text(doc), task.doc_to_target(doc)
            choices = task.doc_to_choice(doc) if loaded.choices else None
            document = json.dumps(doc, sort_keys=True, default=str)
            found.update(repr((document, *asked, choices)).encode("utf-8", "surrogatepass"))
    return found.hexdigest()


def judges_digest(include: Sequence[Path]) -> str:
    """Of the code and rules that judge answers, ours and those in included folders, and of the
    harness: what the same answers score."""
    digest = hashlib.sha256(version("lm_eval").encode())
    for folder in (TASKS, *include):
        for path in sorted(folder.rglob("*")):
            if path.suffix in (".yaml", ".py"):
                digest.update(json.dumps([path.name, path.read_bytes().hex()]).encode())
    return digest.hexdigest()


def included(places: Sequence[str]) -> list[Path]:
    """The folders that `--include` names.

    Raises: UserError for what is no folder, or a folder with no task and no phrases in it.
    """
    found = [expanded(place) for place in places]
    for folder in found:
        if not folder.exists():
            # Not AbsentError: a dry run cannot look for names of tasks in what is not there.
            hint = "give the folder that holds the tasks' YAML files"
            raise UserError("there is no such folder", str(folder), hint)
        if not folder.is_dir():
            hint = "give the folder that holds it"
            raise UserError("a file, not a folder", str(folder), hint)
        if not any(_yaml_files([folder])) and not (folder / PHRASES).is_file():
            what = f"no tasks are in this folder: neither YAML files nor {PHRASES}"
            raise UserError(what, str(folder))
    return found


def _yaml_files(include: Sequence[Path]) -> Iterator[Path]:
    for folder in include:
        yield from sorted(folder.rglob("*.yaml"))
