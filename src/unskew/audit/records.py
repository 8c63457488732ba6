"""One row per sample, arm and conjugation: the table that every number of an audit comes from.

Arms are paired by document. `paired` refuses what cannot be compared: other documents, other
targets, other metrics. Refused samples have a null score, never 0.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unskew.audit.declared import source_of
from unskew.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

    from unskew.audit.conjugated import Trace
    from unskew.audit.engine import Key

PLAIN, CONJUGATION, CONTROL = "plain", "conjugation", "control"
IDENTITY = "identity"
CALIBRATED = "acc_calibrated"

COLUMNS: dict[str, str] = {
    "task": "str",
    "doc_id": "Int64",
    "doc_hash": "str",
    "target_hash": "str",
    "cluster": "str",
    "arm": "str",  # base, tuned
    "conjugation": "str",
    "role": "str",  # plain, conjugation, control
    "metric": "str",  # the task's main one
    "score": "float64",
    "metrics": "str",  # all of the sample's metrics, JSON
    "target": "str",
    "prompt": "str",  # as sent
    "raw": "str",  # as it came back
    "answer": "str",  # after the inverse
    "exact": "boolean",  # round trip of the prompt
    "returned": "str",  # the prompt after its round trip, where it is another text
    "refused": "boolean",
    "why": "str",
    "truncated": "str",  # prompt, answer, both
}


class Source(NamedTuple):
    """Which run of the harness samples come from."""

    task: str
    arm: str
    conjugation: str
    role: str
    main: str | None  # the main metric, where the task or the user names it
    cluster: str | None  # the document's field
    choices: bool


def rows(
    source: Source,
    samples: Sequence[Mapping[str, Any]],
    traces: Mapping[Key, Trace],
) -> list[dict[str, Any]]:
    """The rows of one task, arm and conjugation.

    Args:
        samples: the harness's, of one task.
        traces: what `engine.Conjugated` noted; empty for logs that were written elsewhere.

    Raises: UserError where the main metric is not a number per sample, naming those that are.
    """
    kept = _one_filter(samples, source)
    metric = _main(source, kept)
    traced = [_of(traces, source.task, int(sample["doc_id"])) for sample in kept]
    usable = np.array([not any(trace.refused for trace in mine) for mine in traced])
    calibrated = _calibrated(kept, usable) if source.choices else None
    found = []
    for i, (sample, mine) in enumerate(zip(kept, traced, strict=True)):
        metrics = {name: _number(sample.get(name)) for name in sample["metrics"]}
        if calibrated is not None:
            metrics[CALIBRATED] = calibrated[i]
        refused = next((t.refused for t in mine if t.refused), None)
        lost = next((t.unanswerable for t in mine if t.unanswerable), None)
        first = mine[0] if mine else None
        raw, answer = _answered(sample, mine, source.choices)
        found.append(
            {
                "task": source.task,
                "doc_id": int(sample["doc_id"]),
                "doc_hash": sample["doc_hash"],
                "target_hash": sample["target_hash"],
                "cluster": source_of(source.cluster, sample["doc"], int(sample["doc_id"])),
                "arm": source.arm,
                "conjugation": source.conjugation,
                "role": source.role,
                "metric": metric,
                "score": None if refused else metrics.get(metric),
                "metrics": json.dumps({k: None if refused else v for k, v in metrics.items()}),
                "target": str(sample["target"]),
                "prompt": first.prompt if first else _prompt_of(sample),
                "raw": raw,
                "answer": answer,
                "exact": first.exact if first else None,
                "returned": first.returned if first else None,
                "refused": bool(refused),
                "why": refused or lost,
                "truncated": _together({t.truncated for t in mine if t.truncated}),
            }
        )
    return found


def table(found: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Rows as the typed table; what a row does not say is null."""
    from unskew.runs.tables import typed

    texts = [name for name, kind in COLUMNS.items() if kind == "str"]
    return typed(({**row, **{k: _whole(row[k]) for k in texts}} for row in found), COLUMNS)


def _whole(text: str | None) -> str | None:
    """Half of a surrogate pair, as a server may send, is no text that a file can hold."""
    if text is None or text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def paired(records: pd.DataFrame, apart: bool = False) -> None:
    """Check that the arms of each task are about the same documents and targets.

    Args:
        apart: conjugated samples come from transformed documents, so that only within one
            conjugation texts are the same; documents are then matched by their number.

    Raises: UserError that names the task, the arms and the first document that differs.
    """
    for task, of_task in records.groupby("task", sort=False):
        if of_task["metric"].nunique() > 1:
            raise UserError(
                f"the arms were scored by different metrics: {sorted(of_task['metric'].unique())}",
                where=str(task),
            )
        seen: dict[str, tuple[str, dict[int, tuple[str, str]]]] = {}
        for (which, conjugation), arm in of_task.groupby(["arm", "conjugation"], sort=False):  # type: ignore[misc]
            name = f"{which} {conjugation}"
            twice = arm["doc_id"][arm["doc_id"].duplicated()]
            if twice.size:
                raise UserError(f"document {twice.iloc[0]} is there twice", f"{task}, {name}")
            hashes = zip(arm["doc_hash"], arm["target_hash"], strict=True)
            here = dict(zip((int(doc) for doc in arm["doc_id"]), hashes, strict=True))
            for other, there in seen.values():
                _same(here, there, f"{task}: {other} against {name}", documents_only=apart)
            if (mine := seen.setdefault(str(conjugation) if apart else "", (name, here)))[
                1
            ] is not here:
                _same(here, mine[1], f"{task}: {mine[0]} against {name}")


def _same(
    here: Mapping[int, tuple[str, str]],
    there: Mapping[int, tuple[str, str]],
    where: str,
    documents_only: bool = False,
) -> None:
    if missing := there.keys() ^ here.keys():
        raise UserError(
            f"document {min(missing)} is in one of them only "
            f"({len(there)} and {len(here)} documents)",
            where=where,
            hint="run both arms on the same documents: same task version, limit and data",
        )
    different = [doc for doc in sorted(there) if there[doc] != here[doc]]
    if different and not documents_only:
        doc = different[0]
        what = "text" if there[doc][0] != here[doc][0] else "target"
        raise UserError(
            f"document {doc} has another {what}: these are not the same samples",
            where=where,
            hint="run both arms with the same version of the task and of its data",
        )


def _of(traces: Mapping[Key, Trace], task: str, doc_id: int) -> list[Trace]:
    mine: list[Trace] = []
    while (trace := traces.get((task, doc_id, len(mine)))) is not None:
        mine.append(trace)
    return mine


def _one_filter(samples: Sequence[Mapping[str, Any]], source: Source) -> list[Mapping[str, Any]]:
    """A task may score through several filters; `metric,filter` names one, else the first."""
    filters = list(dict.fromkeys(str(sample["filter"]) for sample in samples))
    wanted = source.main.partition(",")[2] if source.main and "," in source.main else filters[0]
    if wanted not in filters:
        raise UserError(f"there is no filter {wanted!r} (there are: {', '.join(filters)})",
                        where=source.task)  # fmt: skip
    return [sample for sample in samples if sample["filter"] == wanted]


def _main(source: Source, samples: Sequence[Mapping[str, Any]]) -> str:
    """The metric that verdicts are about: named by the user or the task, else the first number.

    Choices among the same labels are calibrated (see `_calibrated`); others are by accuracy.
    """
    numbers = [
        name
        for name in samples[0]["metrics"]
        if all(_number(sample.get(name)) is not None for sample in samples)
    ]
    if source.choices:
        numbers = [*numbers, *([CALIBRATED] if _labels(samples) else [])]
    asked = source.main.partition(",")[0] if source.main else None
    if asked is not None:
        if asked not in numbers:
            raise UserError(
                f"{asked!r} is no metric with a number for every sample "
                f"(there are: {', '.join(numbers) or 'none'})",
                where=source.task,
            )
        return asked
    if not numbers:
        raise UserError(
            "it has no metric with a number for every sample, so it cannot be paired",
            where=source.task,
        )
    preferred = (CALIBRATED, "acc", "exact_match")
    main = next((name for name in preferred if name in numbers), numbers[0])
    outside = [v for s in samples if (v := _number(s.get(main))) is not None and not 0 <= v <= 1]
    if outside:
        raise UserError(
            f"its metric {main!r} is not between 0 and 1 (it is {outside[0]:g} once)",
            where=source.task,
            hint="name another one: --metric TASK=NAME",
        )
    return main


def _labels(samples: Sequence[Mapping[str, Any]]) -> bool:
    """Whether all documents choose among the same labels."""
    return len({tuple(argument[1] for argument in s["arguments"]) for s in samples}) == 1


def _calibrated(
    samples: Sequence[Mapping[str, Any]], usable: NDArray[np.bool_]
) -> list[float | None] | None:
    """Accuracy after the label's own prior is taken out: log P(y | x) - log mean_x P(y | x).

    A transform changes how long and how likely each label is by itself, so labels are compared
    by what the document adds (batch calibration: Zhou et al. 2023, arXiv 2309.17249). Only for
    labels shared by all documents; null otherwise. A document whose choices were refused is null.
    """
    if not _labels(samples):
        return None
    if not usable.any():
        return [None for _ in samples]
    logprobs = np.array([[float(response[0]) for response in s["filtered_resps"]] for s in samples])
    known = logprobs[usable]
    # A label that no document makes possible has no prior to take out, and is never the one chosen.
    some = np.isfinite(known.max(axis=0))
    top = known[:, some].max(axis=0)
    prior = top + np.log(np.exp(known[:, some] - top).mean(axis=0))
    added = np.full_like(logprobs, -np.inf)
    added[:, some] = logprobs[:, some] - prior
    chosen = np.argmax(added, axis=1)
    labels = [argument[1].strip() for argument in samples[0]["arguments"]]
    found: list[float | None] = []
    for i, sample in enumerate(samples):
        target = sample["target"]
        gold = target if isinstance(target, int) else _index(labels, str(target))
        found.append(float(chosen[i] == gold) if usable[i] and gold is not None else None)
    return found


def _index(labels: Sequence[str], target: str) -> int | None:
    if target.strip() in labels:
        return labels.index(target.strip())
    return int(target) if target.isdigit() and int(target) < len(labels) else None


def _answered(sample: Mapping[str, Any], mine: Sequence[Trace], choices: bool) -> tuple[str, str]:
    """What came back, and what it means: of choices, the label that the model prefers."""
    if choices:
        scores = [float(response[0]) for response in sample["filtered_resps"]]
        best = int(np.argmax(scores))
        plain = str(sample["arguments"][best][1])
        return (mine[best].raw if best < len(mine) else plain), plain
    if mine:
        return mine[0].raw, mine[0].answer
    response = sample["resps"][0]
    text = response[0] if isinstance(response, list | tuple) else response
    return str(text), str(text)


def _prompt_of(sample: Mapping[str, Any]) -> str:
    return str(sample["arguments"][0][0])


def _together(truncated: set[str]) -> str | None:
    """What was truncated in any request of a document."""
    if len(truncated) > 1:
        return "both"
    return next(iter(truncated), None)


def _number(value: Any) -> float | None:
    """A metric's value as a number; None where it is something else or not finite."""
    if isinstance(value, bool | np.bool_):
        return float(value)
    if isinstance(value, int | float | np.integer | np.floating):
        return float(value) if math.isfinite(float(value)) else None
    return None
