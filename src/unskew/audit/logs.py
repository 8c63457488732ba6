"""Samples that lm-evaluation-harness has logged already (`lm_eval --log_samples`), as records.

A folder holds `samples_<task>_<date>.jsonl`, anywhere below it; of several files for one task the
newest by name is read. From plain logs of two models an audit says retained or inconclusive; logs
of both under a conjugation add the rest.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unskew.audit import declared, records
from unskew.audit.declared import Declared
from unskew.errors import UserError
from unskew.runs.folder import RunFolder
from unskew.runs.store import Store

if TYPE_CHECKING:
    import pandas as pd

CONJUGATED = "the logs' conjugation"

NAME = re.compile(r"samples_(?P<task>.+)_(?P<date>\d{4}-\d{2}-\d{2}T.+)\.jsonl")
NEEDED = ("doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter", "metrics",
          "doc_hash", "target_hash")  # fmt: skip


def execute(
    plain: tuple[Path, Path],
    conjugated: tuple[Path, Path] | None,
    changes: Sequence[str],
    store: Store,
) -> RunFolder:
    """Audit logs of (base, tuned), and of both under a conjugation where there are any.

    Raises: UserError where logs are missing, damaged, not about the same samples, or not those of
        two models, and where conjugated ones are plain.
    """
    from pydantic import TypeAdapter

    from unskew.audit.config import AuditLogs, check_metrics
    from unskew.audit.run import finish
    from unskew.runs.config import resolve

    given = {"conjugated": conjugated is not None}
    config = resolve(given, changes, TypeAdapter(AuditLogs), "this audit")
    named = {"base": (plain[0], records.IDENTITY), "tuned": (plain[1], records.IDENTITY)}
    if conjugated is not None:
        named["base under s"] = (conjugated[0], CONJUGATED)
        named["tuned under s"] = (conjugated[1], CONJUGATED)
    parents = {role: _digest(folder) for role, (folder, _) in named.items()}
    for base, tuned in (plain, *([] if conjugated is None else [conjugated])):
        if base.samefile(tuned):
            hint = "give the logs of the model before fine-tuning, then those of the one after it"
            raise UserError("one folder is given as both models' logs", str(base), hint)
    found: list[dict[str, Any]] = []
    chances: dict[str, float] = {}
    told = _told([folder for folder, _ in named.values()])
    for role, (folder, conjugation) in named.items():
        rows, levels = read(folder, role.partition(" ")[0], conjugation, config.metrics, told)
        found += rows
        chances = levels | chances  # where no folder declares it, by the plain logs of the base
    _as_plain(found)
    table = records.table(found)
    check_metrics(config.metrics, list(dict.fromkeys(table["task"])))
    arms = table.groupby("task")[["arm", "conjugation"]].apply(lambda t: len(t.drop_duplicates()))
    if (lacking := arms[arms < len(named)]).size:
        raise UserError(
            "this task is not in all of the logs",
            where=str(lacking.index[0]),
            hint="run the same tasks on both models",
        )
    _check_conjugated(table)
    with store.open(config, parents) as run:
        if not run.finished:
            finish(run, table, config.rules, chances, apart=True)
        return run


def read(
    folder: Path,
    arm: str,
    conjugation: str = records.IDENTITY,
    metrics: Mapping[str, str] | None = None,
    told: Mapping[str, Declared] | None = None,
) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """The rows of one arm, and the chance level of each task.

    Args:
        told: what tasks say of themselves, where other folders say it, too.

    Raises: UserError where there are no logs, a line is not one of the harness's samples, or plain
    documents lack the field that is said to name their source.
    """
    files = _newest(folder)
    told = _told([folder]) if told is None else told
    role = records.PLAIN if conjugation == records.IDENTITY else records.CONJUGATION
    found: list[dict[str, Any]] = []
    chances: dict[str, float] = {}
    for task, path in files.items():
        samples = [_sample(line, path, i) for i, line in enumerate(_lines(path), start=1)]
        if not samples:
            raise UserError("this log holds no samples", str(path))
        said = told.get(task, Declared())
        options = [len(sample["arguments"]) for sample in samples]
        choices = max(options) > 1
        chance = said.chance
        if chance is None:
            chance = declared.guessing(options) if choices else 0.0
        chances[task] = chance
        main = (metrics or {}).get(task, said.main)
        if role == records.PLAIN:  # conjugated documents have the sources of the plain ones
            numbered = ((int(sample["doc_id"]), sample["doc"]) for sample in samples)
            declared.check_sources(said.cluster, numbered, f"{task}, {path}")
        source = records.Source(task, arm, conjugation, role, main, said.cluster, choices)
        found += records.rows(source, samples, {})
    return found, chances


def _check_conjugated(table: pd.DataFrame) -> None:
    """Raises UserError where conjugated logs ask all that the plain ones ask, word for word. Some
    documents may be left alone; and where all have one prompt, only the choices tell them apart."""
    for (task, arm), of_both in table.groupby(["task", "arm"], sort=False):  # type: ignore[misc]
        asked = {
            conjugation: dict(zip(rows["doc_id"], rows["prompt"], strict=True))
            for conjugation, rows in of_both.groupby("conjugation")
        }
        plain = asked[records.IDENTITY]
        if asked.get(CONJUGATED) == plain and len(set(plain.values())) > 1:
            raise UserError(
                "the conjugated logs have the prompts of the plain ones, all of them",
                where=f"{task}, {arm}",
                hint="give logs of the same documents in a conjugation, in French, say",
            )


def _as_plain(rows: Sequence[dict[str, Any]]) -> None:
    """Give each document the source that the plain logs of the base name, in all of the arms: what
    was translated may have other fields."""
    plain = {
        (row["task"], row["doc_id"]): row["cluster"]
        for row in rows
        if (row["arm"], row["role"]) == ("base", records.PLAIN)
    }
    for row in rows:
        row["cluster"] = plain.get((row["task"], row["doc_id"]), row["cluster"])


def _told(folders: Sequence[Path]) -> dict[str, Declared]:
    """What the tasks that were logged say of themselves, in any of the folders.

    Raises: UserError where it cannot be, or where two folders say different things.
    """
    found: dict[str, Declared] = {}
    by: dict[tuple[str, str], Path] = {}  # task and name -> who said it first
    for folder in folders:
        logged = _newest(folder)
        for task, raw in _declared(folder).items():
            if task not in logged:
                continue
            mine = declared.read({"unskew": raw}, f"{task}, {folder}")
            first = found.get(task, Declared())
            for name in ("main", "chance", "cluster"):
                one, other = getattr(first, name), getattr(mine, name)
                if other is None:
                    continue
                if one is not None and one != other:
                    raise UserError(
                        f"the logs say different things of it: {name} is {one!r} in "
                        f"{by[task, name]} and {other!r} in {folder}",
                        where=task,
                        hint="run both models, plain and conjugated, with the same version of it",
                    )
                first = first._replace(**{name: other})
                by.setdefault((task, name), folder)
            found[task] = first
    return found


def _declared(folder: Path) -> dict[str, dict[str, Any]]:
    """What tasks say of themselves (`metadata.unskew`), from the results beside the samples."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.rglob("results_*.json"), key=lambda p: p.name):
        try:
            configs = json.loads(path.read_text(encoding="utf-8-sig"))["configs"]
            for task, config in configs.items():
                found[task] = dict((config.get("metadata") or {}).get("unskew") or {})
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError("these are no results of lm-evaluation-harness", str(path)) from error
    return found


def _newest(folder: Path) -> dict[str, Path]:
    hint = "give the --output_path of `lm_eval --log_samples`"
    if not folder.is_dir():
        file = "this is a file, and no folder of logs"
        what = file if folder.exists() else "there is no such folder of logs"
        raise UserError(what, str(folder), hint)
    files: dict[str, Path] = {}
    for path in sorted(folder.rglob("samples_*.jsonl"), key=lambda p: _dated(p.name)):
        if match := NAME.fullmatch(path.name):
            files[match["task"]] = path
    if not files:
        raise UserError("there are no samples_*.jsonl in it", str(folder), hint)
    return dict(sorted(files.items()))


def _digest(folder: Path) -> str:
    """Of the logs' content: where they lie decides nothing."""
    digest = hashlib.sha256(json.dumps(_declared(folder), sort_keys=True).encode())
    for task, path in _newest(folder).items():
        digest.update(task.encode() + path.read_bytes())
    return digest.hexdigest()


def _dated(name: str) -> str:
    match = NAME.fullmatch(name)
    return match["date"] if match else ""


def _lines(path: Path) -> list[str]:
    try:
        # Not splitlines: an answer may hold other ends of a line, which are not escaped.
        return [line for line in path.read_text("utf-8-sig").split("\n") if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"it cannot be read: {error}", str(path)) from None


def _sample(line: str, path: Path, number: int) -> dict[str, Any]:
    try:
        sample = json.loads(line)
        missing = [name for name in NEEDED if name not in sample]
    except (ValueError, TypeError):
        raise UserError(f"line {number} is not JSON", str(path)) from None
    if missing:
        hint = "logs of lm-evaluation-harness 0.4.9 or newer hold it"
        raise UserError(f"line {number} lacks {missing[0]!r}", str(path), hint)
    # In files the arguments are {"gen_args_0": {"arg_0": ..., "arg_1": ...}, ...}.
    arguments = sample["arguments"]
    if isinstance(arguments, dict):
        sample["arguments"] = [list(one.values()) for one in arguments.values()]
    return sample
