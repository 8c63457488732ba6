"""Hear second witnesses: change the weights, ask again, keep what was said.

    tuned                 rounded; relearnt; without an oracle also taught answers dealt anew
    base                  rounded: the control of rounding
    oracle                as it is; relearnt: the control of relearning

Only tasks whose verdict a witness could change are asked. A job is one model, changed in one way at
one seed, asked one task; it is kept as a whole when it is done, so that a run that dies repeats no
more than the job it was in. Models are open one at a time, and the weights of one lie twice in
memory (relearning: with gradients and Adam's state, five times).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from unskew.audit import records
from unskew.audit.asking import Asker
from unskew.audit.config import Probed
from unskew.audit.finding import Finding
from unskew.audit.testimony import Scores, Statement, Witness, concerns, silent, weigh
from unskew.audit.verdict import Verdict
from unskew.conjugation.base import Identity
from unskew.errors import UserError
from unskew.probes.bench import LEARNT
from unskew.runs.folder import RunFolder
from unskew.runs.progress import Progress
from unskew.statistics.intervals import Floats

if TYPE_CHECKING:
    import pandas as pd

    from unskew.audit.engine import Harnessed
    from unskew.audit.lessons import Lessons
    from unskew.audit.loading import Loaded

Role = Literal["tuned", "base", "oracle", "novel"]

NO_CONTROL = "it needs an oracle: this task chooses among answers that it is given"
ONE_FACT = "all answers are the same, so there is no other task to compare with"
UNTAUGHT = "{} did not learn even what it was shown: raise probes.lr or probes.epochs"
CUT = "too many answers were cut off"


class Job(NamedTuple):
    """witness: None: the model as it is. role `novel`: the tuned model, taught dealt answers."""

    role: Role
    task: str
    witness: Witness | None
    seed: int


class Heard(NamedTuple):
    """statements: of each task heard, all rows. rows: of the samples. witnesses: per task."""

    statements: Mapping[str, Sequence[Statement]]
    rows: list[dict[str, Any]]
    witnesses: int

    def pooled(self) -> dict[str, list[Statement]]:
        """One statement of each witness."""
        return {t: [one for one in found if one.seed is None]
                for t, found in self.statements.items()}  # fmt: skip


class Bench:
    """The witnesses of one audit.

    Args:
        open: opens a model by its role.
        tasks: all of the audit.
        table: its records.
    """

    def __init__(
        self,
        config: Probed,
        folder: RunFolder,
        open: Callable[[str], Any],
        tasks: Sequence[Loaded],
        table: pd.DataFrame,
        progress: Progress,
    ) -> None:
        from unskew.audit import engine

        self.config, self.folder, self.open = config, folder, open
        self.tasks, self.table, self.progress = tasks, table, progress
        how = config.probes
        self.witnesses = [
            *(Witness("round", bits) for bits in sorted(how.bits, reverse=True)),
            *(Witness("relearn", count) for count in how.examples),
        ]
        self.evaluate = partial(
            engine.evaluate, limit=config.limit, chat=config.template != "none",
            system=config.system, shots=config.shots, seed=config.seed,
        )  # fmt: skip

    def hear(self, verdicts: Mapping[str, Verdict], findings: Mapping[str, Finding]) -> Heard:
        """What the witnesses say of the tasks that they could change.

        Raises: UserError for a model that cannot be opened or is none of transformers.
        """
        rules = self.config.rules
        open_ = [
            task for task in self.tasks
            if concerns(verdicts[task.name], findings[task.name], rules)
        ]  # fmt: skip
        if not open_:
            return Heard({}, [], self.config.probes.count)
        lessons: dict[str, Lessons] = {}
        jobs: list[Job] = []
        kept: dict[Job, dict[str, Any]] = {}
        places = {task.name: i for i, task in enumerate(self.tasks)}
        roles = ["tuned", *(["base"] if self.config.probes.bits else []),
                 *(["oracle"] if self.config.oracle else [])]  # fmt: skip
        with self.progress.task("second witnesses") as bar:
            for opened in roles:
                model = None
                if opened == "tuned":
                    model = self.open(opened)
                    lessons = {task.name: self._lessons(task, model) for task in open_}
                    jobs = [job for task in open_ for job in self._jobs(task, lessons[task.name])]
                    bar.total = len(jobs)
                    bar.resume(0)
                for job in jobs:
                    if opened != ("tuned" if job.role == "novel" else job.role):
                        continue
                    name = f"witnesses/{job.role}-{places[job.task]:03}-{_short(job)}.json"
                    if not (self.folder.path / name).exists():
                        model = model or self.open(opened)
                        task = self.tasks[places[job.task]]
                        done = self._done(job, task, model, lessons[job.task])
                        self.folder.write_text(name, json.dumps(done) + "\n")
                    # Read back even when just written: what is continued is what is not.
                    kept[job] = json.loads((self.folder.path / name).read_text("utf-8"))
                    bar.advance(1)
        found = {
            task.name: [
                said
                for witness in self.witnesses
                for said in self._testimony(task, witness, lessons[task.name], kept)
            ]
            for task in open_
        }
        rows = [row for done in kept.values() for row in done["rows"]]
        return Heard(needs(found), rows, self.config.probes.count)

    # Jobs ----------------------------------------------------------------------------------------

    def _lessons(self, task: Loaded, model: Harnessed) -> Lessons:
        from unskew.audit import engine, lessons

        plain = self._plain(task.name, "base")
        how = self.config.probes
        return lessons.prepare(
            task,
            engine.Conjugated(Asker(model), Identity(), only=()),
            self.evaluate,
            str(plain["metric"].iloc[0]),
            dict(zip((int(i) for i in plain.index), plain["cluster"], strict=True)),
            how.taught,
            max(how.examples, default=1),
        )

    def _jobs(self, task: Loaded, lessons: Lessons) -> Iterable[Job]:
        control: Role = "oracle" if self.config.oracle is not None else "novel"
        first = self.config.probes.seeds[0]
        some = [w for w in self.witnesses if self._why_not(task, w, lessons) is None]
        for witness in some:
            if witness.kind == "round":
                yield from (Job(role, task.name, witness, first) for role in ("tuned", "base"))
            else:
                for seed in self.config.probes.seeds:
                    yield from (Job(r, task.name, witness, seed) for r in ("tuned", control))
        if control == "oracle" and any(w.kind == "relearn" for w in some):
            yield Job("oracle", task.name, None, first)

    def _why_not(self, task: Loaded, witness: Witness, lessons: Lessons) -> str | None:
        """Why a witness cannot speak, whatever anybody scores."""
        if witness.kind == "round":
            return None
        if lessons.why is not None:
            return lessons.why
        if len(lessons.taught) < witness.amount:
            return f"there are {len(lessons.taught)} examples to teach"
        novel = self.config.oracle is None  # which is only asked what has an answer
        asked = sorted(lessons.wanted) if novel else sorted(lessons.asked)
        left = self._plain(task.name, "base").loc[asked, "cluster"].nunique()
        if left < self.config.rules.clusters:
            return f"{left} sources are left to ask, fewer than {self.config.rules.clusters}"
        if novel:
            inner: Any = task.task
            if inner.OUTPUT_TYPE != "generate_until":
                return NO_CONTROL
            try:
                lessons.dealt(self.config.probes.seeds[0])
            except UserError:
                return ONE_FACT
        return None

    def _done(self, job: Job, task: Loaded, model: Harnessed, lessons: Lessons) -> dict[str, Any]:
        """The rows of a job, what it learnt, and why there are none where a training diverged."""
        from unskew.audit import changed

        learnt, asked = None, lessons.asked
        match job.witness:
            case None:
                new = model
            case Witness("round", bits):
                new, asked = changed.rounded(model, bits), None
            case Witness(_, count):
                taught = lessons.dealt(job.seed)[0] if job.role == "novel" else lessons
                some = taught.some(count, job.seed)
                try:
                    new, learnt = changed.relearnt(model, some, self.config.probes, job.seed)
                except UserError as error:
                    return {"rows": [], "learnt": None, "note": error.what}
        return {"rows": self._ask(job, task, new, asked), "learnt": learnt, "note": None}

    def _ask(
        self, job: Job, task: Loaded, model: Harnessed, asked: frozenset[int] | None
    ) -> list[dict[str, Any]]:
        from unskew.audit import engine

        lm = engine.Conjugated(Asker(model), Identity(), only=asked)
        samples = self.evaluate(lm, [task])[task.name]
        named = self.config.metrics.get(task.name) or self._plain(task.name, "base")["metric"]
        main = named if isinstance(named, str) else str(named.iloc[0])
        source = records.Source(
            task.name, job.role, _short(job), "witness", main, task.cluster, task.choices
        )
        found = records.rows(source, samples, lm.traces)
        return [row for row in found if asked is None or row["doc_id"] in asked]

    # What was said -------------------------------------------------------------------------------

    def _testimony(
        self, task: Loaded, witness: Witness, lessons: Lessons, kept: Mapping[Job, dict[str, Any]]
    ) -> list[Statement]:
        against = "oracle" if self.config.oracle is not None else "novel"
        if witness.kind == "round":
            against = "base"
        if (why := self._why_not(task, witness, lessons)) is not None:
            return [silent(witness, against, why)]
        rules, seeds = self.config.rules, self.config.probes.seeds
        if witness.kind == "round":
            seeds = seeds[:1]
        role: Role = against  # type: ignore[assignment]
        pairs = {
            seed: (kept[Job("tuned", task.name, witness, seed)],
                   kept[Job(role, task.name, witness, seed)])
            for seed in seeds
        }  # fmt: skip
        both = [done for pair in pairs.values() for done in pair]
        told: dict[str, Any] = {}
        if witness.kind == "relearn":
            names = ("learnt", "control_learnt")
            shares = [[pair[i]["learnt"] for pair in pairs.values()] for i in (0, 1)]
            told = {n: None if None in s else float(np.mean(s))
                    for n, s in zip(names, shares, strict=True)}  # fmt: skip
        if (note := next((done["note"] for done in both if done["note"]), None)) is not None:
            return [silent(witness, against, note, 1.0, **told)]
        for who, place in (("the tuned model", 0), ("the control", 1)):
            shares = [pair[place]["learnt"] for pair in pairs.values()]
            if any(share is not None and share < LEARNT for share in shares):
                return [silent(witness, against, UNTAUGHT.format(who), 1.0, **told)]
        if max(_cut(done["rows"], task.beginning) for done in both) > rules.truncation:
            return [silent(witness, against, CUT, 1.0, **told)]
        scores = {
            seed: self._scores(task.name, witness, role, lessons, seed, *pair, kept)
            for seed, pair in pairs.items()
        }
        plain = self._plain(task.name, "base")
        asked = sorted(lessons.asked) if witness.kind == "relearn" else list(plain.index)
        cluster = plain.loc[asked, "cluster"].to_numpy(dtype=str)
        found = weigh(
            witness, against, scores, cluster, task.chance or 0.0, rules, self.config.probes.count
        )
        return [found[0]._replace(**told), *found[1:]]

    def _scores(
        self,
        task: str,
        witness: Witness,
        role: Role,
        lessons: Lessons,
        seed: int,
        tuned: Mapping[str, Any],
        control: Mapping[str, Any],
        kept: Mapping[Job, dict[str, Any]],
    ) -> Scores:
        plain = {arm: self._plain(task, arm) for arm in ("base", "tuned")}
        asked = sorted(lessons.asked) if witness.kind == "relearn" else list(plain["base"].index)
        base, before = (_floats(plain[arm].loc[asked, "score"]) for arm in ("base", "tuned"))
        after = _scored(tuned["rows"], asked)
        match role:
            case "base":
                rounded = _scored(control["rows"], asked)
                return Scores(base, before, after, base, rounded, able=rounded)
            case "oracle":
                oracle = kept[Job("oracle", task, None, self.config.probes.seeds[0])]["rows"]
                unlearnt, relearnt = _scored(oracle, asked), _scored(control["rows"], asked)
                return Scores(base, before, after, unlearnt, relearnt, able=base)
            case _:
                dealt = lessons.dealt(seed)[1]
                own = {number: document.answer for number, document in lessons.wanted.items()}
                texts = plain["tuned"]["answer"].to_list()
                said = dict(zip(plain["tuned"].index.to_list(), map(str, texts), strict=True))
                novel = {row["doc_id"]: row["answer"] for row in control["rows"]}
                taught = {row["doc_id"]: row["answer"] for row in tuned["rows"]}
                unlearnt, learnt = (_same(one, dealt, asked) for one in (said, novel))
                ends = _same(taught, own, asked), learnt
                return Scores(base, before, after, unlearnt, learnt, base, ends)

    def _plain(self, task: str, arm: str) -> pd.DataFrame:
        """The plain rows of an arm by document, in order."""
        table = self.table
        mine = (table["task"] == task) & (table["arm"] == arm) & (table["role"] == records.PLAIN)
        return table[mine].set_index("doc_id").sort_index()


def needs(found: Mapping[str, Sequence[Statement]]) -> dict[str, list[Statement]]:
    """By task, with each relearning the fewest examples, of the numbers that were tried, at which
    the control gets as far (None: at none of them), and the most that were tried."""
    told: dict[str, list[Statement]] = {}
    for task, said in found.items():
        reached = [(t.witness.amount, t.control) for t in said
                   if t.witness.kind == "relearn" and t.seed is None
                   and t.control is not None]  # fmt: skip
        told[task] = [
            t if t.witness.kind == "round" or t.after is None
            else t._replace(
                needs=min((n for n, score in reached if score >= t.after), default=None),
                most=max(n for n, _ in reached),
            )
            for t in said
        ]  # fmt: skip
    return told


def _short(job: Job) -> str:
    if job.witness is None:
        return "plain"
    seed = "" if job.witness.kind == "round" else f"-seed-{job.seed}"
    return f"{job.witness.kind}-{job.witness.amount}{seed}"


def _cut(rows: Sequence[Mapping[str, Any]], beginning: bool) -> float:
    harmful = ("prompt", "both") if beginning else ("prompt", "answer", "both")
    return sum(row["truncated"] in harmful for row in rows) / len(rows)


def _scored(rows: Sequence[Mapping[str, Any]], asked: Sequence[int]) -> Floats:
    found = {row["doc_id"]: row["score"] for row in rows}
    return np.array([np.nan if found[i] is None else found[i] for i in asked], dtype=np.float64)


def _floats(column: pd.Series) -> Floats:
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def _same(texts: Mapping[int, str], wanted: Mapping[int, str], asked: Sequence[int]) -> Floats:
    """Whether each answer begins with what is wanted; NaN where nothing is known to be right."""

    def right(number: int) -> float:
        if number not in wanted:
            return float("nan")
        begun = re.escape(wanted[number].strip())
        return float(re.match(rf"{begun}(?!\w)", texts[number].strip()) is not None)

    return np.array([right(number) for number in asked])
