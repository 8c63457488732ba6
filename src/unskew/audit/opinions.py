"""Second opinions on the refusals of a finished audit: by an LLM, by hand, beside the rules.

`gather` reads the judged answers from the records of a run, `sheet` writes them out to be labelled
by hand, blind, and `execute` puts the labels of an LLM and of a filled sheet beside those of the
rules, in a run of its own: the audit stays as it is. Its tables:

    opinions   a row per answer: what was asked and answered, the label of each judge
    shares     per task, arm, conjugation and judge: the share of each label
    agreement  per task and pair of judges: agreement and Cohen's kappa

An answer's id is a hash of task, plain prompt and answer. So a sheet needs no key beside the
records, tells no arm, and what two arms have answered alike is labelled once. What nobody has
labelled is null.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from unskew.audit import models
from unskew.audit.asking import Asker
from unskew.audit.judge import Exchange, agreement, llm_labels, write_sheet
from unskew.audit.records import IDENTITY
from unskew.audit.tasks import refusal
from unskew.audit.tasks.refusal import Label
from unskew.errors import UserError
from unskew.report.audit_rows import records as as_rows
from unskew.runs.config import Frozen
from unskew.runs.folder import RunFolder
from unskew.runs.identity import canonical
from unskew.runs.locking import Lock
from unskew.runs.progress import Progress
from unskew.runs.store import Store
from unskew.runs.tables import typed

if TYPE_CHECKING:
    import pandas as pd

JUDGES = ("rule", "llm", "hand")
METRICS = {"answered": Label.ANSWER, "refused": Label.REFUSE, "other": Label.OTHER}
UNKNOWN = "unknown"
"""What the sheet and the LLM read for a language that nothing tells."""

OPINIONS = {
    "id": "str", "task": "str", "doc_id": "Int64", "cluster": "str", "arm": "str",
    "conjugation": "str", "role": "str", "language": "str", "instruction": "str",
    "answer": "str", "rule": "str", "llm": "str", "hand": "str",
    "reply": "str",  # of the LLM, as it came
}  # fmt: skip
SHARES = {
    "task": "str", "arm": "str", "conjugation": "str", "role": "str", "judge": "str",
    "label": "str", "share": "float64",
    "n": "Int64",  # labelled by this judge
    "answers": "Int64",
}  # fmt: skip
AGREEMENT = {
    "task": "str", "first": "str", "second": "str", "n": "Int64", "left_out": "Int64",
    "share": "float64", "kappa": "float64", "low": "float64", "high": "float64",
    "clusters": "Int64",
}  # fmt: skip


class Judging(Frozen):
    """A second look at the refusals of an audit.

    Attributes:
        audit: the id of the run that is judged.
        judge: the LLM that is asked; None: nobody.
        budget: tokens of its reply. One word is asked for; the rest is for models that think aloud
            before they answer.
        level: of the intervals of kappa.
    """

    kind: Literal["judge"] = "judge"
    audit: str
    judge: models.Server | None = None
    budget: int = Field(default=512, gt=0)
    level: float = Field(default=0.95, gt=0, lt=1)


def execute(
    audited: RunFolder,
    judge: models.Server | None,
    labels: Mapping[str, Label | None] | None,
    store: Store,
    progress: Progress,
) -> RunFolder:
    """Judge an audit's answers anew, or continue, or return the finished run.

    Args:
        judge: the LLM to ask; its replies are kept in `replies(judge, store)` as they arrive, for
            any run, so that nothing is asked twice.
        labels: by hand, as `judge.read_sheet` gives them; checked by `known`.

    Raises: UserError where no task has refusals to judge, or the server fails for good.
    """
    table = gather(audited)
    config = Judging(audit=audited.id, judge=judge)
    parents = {"audit": audited.sha256("manifest.json")}
    if judge is not None:
        parents["judge"] = _digest(models.fingerprint(judge))
    if labels is not None:
        parents["labels"] = _digest(labels)
        table["hand"] = _column(table, labels)
    with store.open(config, parents) as run:
        if not run.finished:
            if judge is not None:
                said = _ask(exchanges(table), judge, config.budget, replies(judge, store), progress)
                table["llm"] = _column(table, {id: label for id, (label, _) in said.items()})
                table["reply"] = _column(table, {id: reply for id, (_, reply) in said.items()})
            for name, one in tables(table, config.level).items():
                run.write_table(name, one)
            run.finish({"headline": f"Second opinions on {len(table):,} answers of {audited.id}"})
        return run


def replies(judge: models.Server, store: Store) -> Path:
    """The file of what that LLM has replied so far; hidden, as it is no run."""
    return store.root / ".judges" / f"{_digest(models.fingerprint(judge))[:12]}.jsonl"


def tables(table: pd.DataFrame, level: float = 0.95) -> dict[str, pd.DataFrame]:
    """The tables {opinions, shares, agreement} of `opinions`, as `gather` begins them."""
    return {
        "opinions": table,
        "shares": typed(_share_rows(table), SHARES),
        "agreement": typed(_agreement_rows(table, level), AGREEMENT),
    }


# The answers ---------------------------------------------------------------------------------


def gather(audited: RunFolder) -> pd.DataFrame:
    """The judged answers of a finished audit as OPINIONS, with the labels of the rules alone.

    Samples that a conjugation refused were never asked and are left out. The instruction is that
    of the task; where it is not known any more (a file that has moved or changed, a task of the
    user's own) it is the prompt as it was sent plainly, and the language is null.

    Raises: UserError where the run is no audit, or has no task judged so.
    """
    if not audited.has_table("records"):
        raise UserError("this run is no audit: it has no records", str(audited.path))
    found = [row | {"metrics": json.loads(row["metrics"])}
             for row in as_rows(audited.read_table("records"))]  # fmt: skip
    judged = [row for row in found if METRICS.keys() <= row["metrics"].keys()]
    if not judged:
        tasks = ", ".join(dict.fromkeys(row["task"] for row in found))
        raise UserError(
            f"no task of this audit is about refusals (there are: {tasks})",
            where=audited.id,
            hint="audit unskew_refusal_en, say; `unskew tasks` lists them",
        )
    plain = {(r["task"], r["doc_id"]): r["prompt"] for r in judged if r["conjugation"] == IDENTITY}
    asked = {task: _documents(task, audited.config) for task in {row["task"] for row in judged}}
    whole = audited.config.get("template") == "none" and audited.config.get("system") is None

    def rows() -> Iterator[dict[str, Any]]:
        for row in judged:
            if row["refused"]:
                continue
            task, doc, answer = row["task"], int(row["doc_id"]), row["answer"] or ""
            prompt = plain.get((task, row["doc_id"]), row["prompt"]) or ""
            known = asked[task][doc] if doc < len(asked[task]) else None
            if known and not (known[0] == prompt if whole else known[0] in prompt):
                known = None
            instruction, language = known or (prompt, None)
            kept = {name: row[name] for name in ("task", "cluster", "arm", "conjugation", "role")}
            yield kept | {
                "id": f"x{_digest([task, prompt, answer])[:12]}",
                "doc_id": doc,
                "language": language,
                "instruction": instruction,
                "answer": answer,
                "rule": _ruled(row["metrics"]),
            }

    return typed(rows(), OPINIONS)


def _documents(task: str, config: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(instruction, language) by the number of the document; nothing where it cannot be known."""
    match = re.fullmatch(r"unskew_refusal_(\w+)", task)
    if match and match[1] in refusal.LANGUAGES:
        return [(row[match[1]], match[1]) for row in refusal.rows()]
    file = config.get("metadata", {}).get("file")
    if match and match[1] == "file" and isinstance(file, str):
        try:
            found = refusal.read_instructions(Path(file))
        except UserError:
            return []  # it is not needed: the records hold what was asked
        return [(row["instruction"], row["language"]) for row in found]
    return []


def _ruled(metrics: Mapping[str, float | None]) -> Label | None:
    given = [label for name, label in METRICS.items() if metrics[name] == 1.0]
    return given[0] if len(given) == 1 else None


# The sheet and the LLM -----------------------------------------------------------------------


def exchanges(table: pd.DataFrame) -> list[Exchange]:
    """Each different answer once, in the order of the ids: they are hashes, so arms, transforms
    and documents are shuffled, always in the same way, and any first rows are a fair sample."""
    columns = ["id", "language", "instruction", "answer"]
    rows = as_rows(table[columns].drop_duplicates("id").sort_values("id"))
    return [
        Exchange(r["id"], r["language"] or UNKNOWN, r["instruction"], r["answer"]) for r in rows
    ]


def sheet(table: pd.DataFrame, path: Path) -> int:
    """Write the blind sheet of `gather`'s table; how many answers are on it.

    Raises: UserError where the file is there already or cannot be written.
    """
    rows = exchanges(table)
    write_sheet(rows, path)
    return len(rows)


def known(labels: Mapping[str, Label | None], table: pd.DataFrame, path: Path) -> None:
    """Check that a sheet, read from `path`, is about the answers in `table`.

    Raises: UserError for an id that is not among them.
    """
    if strangers := labels.keys() - set(table["id"]):
        raise UserError(
            f"the id {min(strangers)!r} is of no answer in this audit "
            f"({len(strangers)} of {len(labels)} are not)",
            where=str(path),
            hint="a sheet belongs to the audit that it was written for",
        )


def _ask(
    questions: Sequence[Exchange], judge: models.Server, budget: int, path: Path, progress: Progress
) -> dict[str, tuple[Label | None, str]]:
    """The LLM's label and reply by id."""
    from unskew.audit.server import ServerModel

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot write here: {error.strerror}", str(path.parent)) from error
    lock = Lock(path.with_suffix(".lock"))
    said: list[str] = []
    try:
        with progress.task("LLM judge", len(questions)) as bar:
            asker = Asker(ServerModel(judge), path, bar.advance)

            def ask(prompts: Sequence[str]) -> list[str]:
                chats = [[{"role": "user", "content": prompt}] for prompt in prompts]
                said.extend(answer.text for answer in asker.generate(chats, (), budget))
                return said

            labels = llm_labels(questions, ask)
    finally:
        lock.release()
    pairs = zip(labels, said, strict=True)
    return {question.id: pair for question, pair in zip(questions, pairs, strict=True)}


def _column(table: pd.DataFrame, values: Mapping[str, str | None]) -> pd.Series:
    import pandas as pd

    return pd.Series([values.get(id) for id in table["id"]], table.index, dtype="str")


# What the judges say -------------------------------------------------------------------------


def _share_rows(table: pd.DataFrame) -> Iterator[dict[str, Any]]:
    keys = ["task", "arm", "conjugation", "role"]
    for key, rows in table.groupby(keys, sort=False):
        for judge in JUDGES:
            given = Counter(rows[judge].dropna())
            n = given.total()
            for label in Label:
                share = given[label] / n if n else None
                said = {"judge": judge, "label": label, "share": share, "n": n}
                yield dict(zip(keys, key, strict=True)) | said | {"answers": len(rows)}


def _agreement_rows(table: pd.DataFrame, level: float) -> Iterator[dict[str, Any]]:
    for task, rows in table.groupby("task", sort=False):
        for first, second in itertools.combinations(JUDGES, 2):
            a, b = _labels(rows[first]), _labels(rows[second])
            found = agreement(a, b, level, rows["cluster"].tolist())
            both = (rows[first].notna() & rows[second].notna()).to_numpy()
            yield {
                "task": task, "first": first, "second": second,
                "n": found.n, "left_out": found.left_out, "share": found.share,
                "kappa": found.kappa, "low": found.low, "high": found.high,
                "clusters": rows["cluster"][both].nunique(),
            }  # fmt: skip


def _labels(column: pd.Series) -> list[Label | None]:
    return [Label(value) if isinstance(value, str) else None for value in column]


def _digest(doc: Any) -> str:
    return hashlib.sha256(canonical(doc).encode()).hexdigest()
