"""From records to the tables of an audit: arms, contrasts, transforms, verdicts.

Every number on the page and the terminal is a row of one of these; none is computed later.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from unskew.audit.contrasts import Arms, Contrast
from unskew.audit.finding import Finding, judge
from unskew.audit.records import CONTROL, IDENTITY, PLAIN, table
from unskew.audit.rules import Rules
from unskew.audit.testimony import adjusted, second
from unskew.audit.verdict import Verdict, settle
from unskew.conjugation.roundtrip import chrf_of
from unskew.report import audit_rows
from unskew.runs.tables import typed
from unskew.statistics.clustered import share_interval

if TYPE_CHECKING:
    import pandas as pd

    from unskew.audit.witnesses import Heard

    Hear = Callable[[Mapping[str, Verdict], Mapping[str, Finding]], Heard]

ARMS = {
    "task": "str", "arm": "str", "conjugation": "str", "role": "str", "metric": "str",
    "main": "boolean", "estimate": "float64", "low": "float64", "high": "float64",
    "n": "Int64", "clusters": "Int64",
}  # fmt: skip
CONTRASTS = {
    "task": "str", "conjugation": "str", "contrast": "str", "estimate": "float64",
    "low": "float64", "high": "float64", "null": "float64", "p": "float64", "p_below": "float64",
    "n": "Int64", "clusters": "Int64",
}  # fmt: skip
TRANSFORMS = {
    "task": "str", "conjugation": "str", "role": "str", "n": "Int64", "refused": "Int64",
    "inexact": "Int64", "chrf": "float64", "unanswerable": "Int64",
    "truncated_prompt": "Int64", "truncated_answer": "Int64",
}  # fmt: skip
COUNTED = tuple(TRANSFORMS)[4:]
VERDICTS = {
    "task": "str", "verdict": "str", "conjugation": "str", "words": "str", "reason": "str",
    "n": "Int64", "clusters": "Int64", "n_needed": "Int64", "p": "float64",
    "p_adjusted": "float64", "detectable": "float64", "margin": "float64", "floor": "float64",
    "level": "float64", "chance": "float64", "chosen": "str", "witness": "str", "control": "str",
    "witness_score": "float64",
}  # fmt: skip
WITNESSES = {
    "task": "str", "witness": "str", "seed": "Int64", "against": "str", "base": "float64",
    "tuned": "float64", "after": "float64", "before": "float64", "control": "float64",
    "estimate": "float64", "low": "float64", "p": "float64", "p_adjusted": "float64",
    "n": "Int64", "clusters": "Int64", "needs": "Int64", "most": "Int64", "learnt": "float64",
    "control_learnt": "float64", "note": "str",
}  # fmt: skip


def summarise(
    records: pd.DataFrame,
    rules: Rules,
    chances: Mapping[str, float],
    beginnings: Collection[str] = (),
    hear: Hear | None = None,
) -> dict[str, pd.DataFrame]:
    """The tables {arms, contrasts, transforms, verdicts} of paired records.

    Args:
        records: as `records.table` makes them, paired.
        chances: the score of guessing, by task.
        beginnings: tasks that judge the beginning of an answer only, so that one whose end is cut
            was judged whole.
        hear: hears second witnesses; there are then the tables {witnesses, witness_records}, too.

    Raises: UserError where a task has no scores to compare.
    """
    by_task = {str(name): task for name, task in records.groupby("task", sort=False)}
    findings = {
        name: judge(_arms(task, chances[name]), rules, _truncated(task, name in beginnings))
        for name, task in by_task.items()
    }
    verdicts = settle(findings, rules)
    heard = hear(verdicts, findings) if hear is not None else None
    if heard is not None:
        verdicts = second(verdicts, findings, heard.pooled(), rules, heard.witnesses)
    rows = {
        "arms": [row for task in by_task.values() for row in _arm_rows(task, rules)],
        "contrasts": [
            row
            for name, finding in findings.items()
            for row in (
                *_contrast_rows(name, finding),
                *_likeness_rows(by_task[name], _most_chosen(finding), rules),
            )
        ],
        "transforms": [row for task in by_task.values() for row in _transform_rows(task)],
        "verdicts": [
            _verdict_row(name, verdict, findings[name]) for name, verdict in verdicts.items()
        ],
    }
    columns = {
        "arms": ARMS, "contrasts": CONTRASTS, "transforms": TRANSFORMS, "verdicts": VERDICTS
    }  # fmt: skip
    found = {name: typed(rows[name], columns[name]) for name in rows}
    if heard is not None:
        found["witnesses"] = typed(_witness_rows(list(verdicts), heard), WITNESSES)
        found["witness_records"] = table(heard.rows)
    return found


def headline(tables: Mapping[str, pd.DataFrame]) -> str:
    """An audit in a sentence."""
    return audit_rows.headline(audit_rows.tasks(tables["verdicts"], tables["contrasts"]))


def _arms(task: pd.DataFrame, chance: float) -> Arms:
    """Scores of one task as arrays, documents in order."""
    scores = task.pivot(index="doc_id", columns=["conjugation", "arm"], values="score")
    scores = scores.sort_index().astype("float64")
    plain = task[(task["role"] == PLAIN) & (task["arm"] == "base")].set_index("doc_id")
    roles = dict(zip(task["conjugation"], task["role"], strict=True))
    pairs = {
        name: (scores[name, "base"].to_numpy(), scores[name, "tuned"].to_numpy())
        for name in roles
        if name != IDENTITY
    }
    return Arms(
        base=scores[IDENTITY, "base"].to_numpy(),
        tuned=scores[IDENTITY, "tuned"].to_numpy(),
        conjugated={name: pair for name, pair in pairs.items() if roles[name] != CONTROL},
        cluster=plain.loc[scores.index, "cluster"].to_numpy(dtype=str),
        chance=chance,
        controls={name: pair for name, pair in pairs.items() if roles[name] == CONTROL},
    )


def _truncated(task: pd.DataFrame, beginning: bool) -> float | None:
    """The share of documents truncated in any arm, where that can change what is judged; None
    where nothing says (logs of others)."""
    if not _traced(task):
        return None
    harmful = ["prompt", "both"] if beginning else ["prompt", "answer", "both"]
    rows = task[task["role"] != CONTROL]
    cut = rows["truncated"].isin(harmful).groupby(rows["doc_id"]).any()
    return float(cut.mean())


def _traced(task: pd.DataFrame) -> bool:
    """Whether anything is known of what became of its prompts and answers."""
    return bool(task["exact"].notna().any())


def _arm_rows(task: pd.DataFrame, rules: Rules) -> Iterator[dict[str, Any]]:
    """The mean of every metric of every arm, the main one first."""
    for (conjugation, arm), rows in task.groupby(["conjugation", "arm"], sort=False):
        main = str(rows["metric"].iloc[0])
        metrics = [json.loads(text) for text in rows["metrics"]]
        for name in dict.fromkeys([main, *(name for one in metrics for name in one)]):
            values = np.array([np.nan if one.get(name) is None else one[name] for one in metrics])
            known = values[~np.isnan(values)]
            if known.size and (known.min() < 0.0 or known.max() > 1.0):
                continue  # a length, say: not a share
            clusters = rows["cluster"].to_numpy(dtype=str)
            interval = share_interval(values, clusters, 0.95, rules.seed, rules.resamples)
            yield {
                "task": rows["task"].iloc[0], "arm": arm, "conjugation": conjugation,
                "role": rows["role"].iloc[0], "metric": name, "main": name == main,
                "estimate": interval.estimate, "low": interval.low, "high": interval.high,
                "n": interval.n, "clusters": len(set(clusters[~np.isnan(values)])),
            }  # fmt: skip


def _contrast_rows(name: str, finding: Finding) -> Iterator[dict[str, Any]]:
    for row in finding.contrasts:
        yield _contrast(name, row)


def _contrast(name: str, row: Contrast) -> dict[str, Any]:
    found = row._asdict()
    found["p"] = found.pop("p_above")
    return {"task": name, **{k: None if _nan(v) else v for k, v in found.items()}}


def _likeness_rows(
    task: pd.DataFrame, chosen: str | None, rules: Rules
) -> Iterator[dict[str, Any]]:
    """How often tuned + s answers as base does, and as base + s: whole answers, not scores."""
    answers = task.pivot(index="doc_id", columns=["conjugation", "arm"], values="answer")
    refused = task.pivot(index="doc_id", columns=["conjugation", "arm"], values="refused")
    cluster = task[(task["role"] == PLAIN) & (task["arm"] == "base")].set_index("doc_id")["cluster"]
    said = answers.map(lambda answer: str(answer).strip())
    for s in dict.fromkeys(task["conjugation"]):
        if s == IDENTITY:
            continue
        admitted = ~(refused[s, "tuned"].astype(bool) | refused[s, "base"].astype(bool))
        for contrast, other in (("as-base", IDENTITY), ("as-base-s", s)):
            same = (said[s, "tuned"] == said[other, "base"])[admitted].to_numpy(dtype=np.float64)
            names = cluster.loc[admitted.index[admitted]].to_numpy(dtype=str)
            share = share_interval(same, names, 1 - 2 * rules.level, rules.seed, rules.resamples)
            row = {
                "task": task["task"].iloc[0], "contrast": contrast, "n": share.n,
                "clusters": len(set(names)),
                **{k: None if _nan(v) else v for k, v in
                   (("estimate", share.estimate), ("low", share.low), ("high", share.high))},
            }  # fmt: skip
            yield {**row, "conjugation": s}
            if s == chosen:
                yield {**row, "conjugation": "chosen"}


def _transform_rows(task: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """What each transform did to the prompts and answers of a task, in counts. Logs of others hold
    no trace of it, and their counts are null: unknown, not 0."""
    traced = _traced(task)
    plain = task[(task["role"] == PLAIN) & (task["arm"] == "base")].set_index("doc_id")["prompt"]
    for name, rows in task.groupby("conjugation", sort=False):
        base, tuned = (rows[rows["arm"] == arm] for arm in ("base", "tuned"))
        about = {"task": task["task"].iloc[0], "conjugation": name, "role": rows["role"].iloc[0]}
        if not traced:
            yield about | {"n": len(base)} | dict.fromkeys(COUNTED)
            continue
        refused = base["refused"].fillna(False)
        inexact = ~refused & ~base["exact"].fillna(True)
        lost = tuned["why"].notna() & ~tuned["refused"].fillna(False)
        yield about | {
            "n": len(base), "refused": int(refused.sum()), "inexact": int(inexact.sum()),
            "chrf": _chrf(base[~refused], plain), "unanswerable": int(lost.sum()),
            "truncated_prompt": int(rows["truncated"].isin(["prompt", "both"]).sum()),
            "truncated_answer": int(rows["truncated"].isin(["answer", "both"]).sum()),
        }  # fmt: skip


def _chrf(admitted: pd.DataFrame, plain: pd.Series) -> float | None:
    """Corpus chrF of the prompts' round trips; None where none was admitted."""
    if admitted.empty:
        return None
    if admitted["returned"].isna().all():
        return 100.0
    original = plain.loc[admitted["doc_id"]].to_list()
    returned = [
        text if back is None or back != back else back
        for text, back in zip(original, admitted["returned"], strict=True)
    ]
    return chrf_of(returned, original)


def _verdict_row(name: str, verdict: Verdict, finding: Finding) -> dict[str, Any]:
    row = {"task": name, **verdict._asdict(), "chosen": json.dumps(list(finding.chosen))}
    return {key: None if _nan(value) else value for key, value in row.items()}


def _witness_rows(tasks: Sequence[str], heard: Heard) -> Iterator[dict[str, Any]]:
    holm = adjusted(tasks, heard.pooled(), heard.witnesses)
    for task, said in heard.statements.items():
        ps = iter(holm[task])
        for one in said:
            row = {**one._asdict(), "task": task, "witness": one.witness.name}
            row["p_adjusted"] = next(ps) if one.seed is None else None
            yield {key: None if _nan(value) else value for key, value in row.items()}


def _most_chosen(finding: Finding) -> str | None:
    """The conjugation of most folds; None where none could be tried."""
    return Counter(finding.chosen).most_common(1)[0][0] if finding.chosen else None


def _nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)
