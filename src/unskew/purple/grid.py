"""The grid: every subject under every attack behind every defence, as cells that can be resumed.

A grid of one subject is one run folder. Each cell is a file that is written when the cell is done;
below it, each answer of the subject and each step of a search is kept as it comes, so that an
interrupted run asks nothing twice and searches nothing twice. Tables, when all cells are there:
`cells`, `examples`, `suffixes` and `claims`. A grid of several subjects is the tables of its rows,
each of which is such a run: grids share them, and two processes fill two at a time. A subject that
is taught first is a run of its own.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from unskew.errors import UserError
from unskew.probes.models import check
from unskew.purple import cells
from unskew.purple.asking import Answers, Remembered
from unskew.purple.attacks import (
    Access,
    Adaptive,
    Aim,
    Ask,
    LowPerplexity,
    Scene,
    Suffix,
    Transfer,
    View,
)
from unskew.purple.cells import Benignly, Cell, Precision
from unskew.purple.defences import AnyDefence, Defended, Perplexity, Refusals, Setting
from unskew.purple.gcg import Step
from unskew.purple.grid_attacks import AnyGridAttack, Repeated, Translated, label
from unskew.purple.grid_claims import claims
from unskew.purple.grid_config import AnySubject, Model, Purple, Rules, Taught, labels
from unskew.purple.grid_subjects import opened, parents, source
from unskew.purple.questions import Material, read
from unskew.purple.subject import Open, Scripted, Subject, Template, located
from unskew.runs.folder import RunFolder
from unskew.runs.progress import Progress
from unskew.runs.store import Store
from unskew.runs.tables import typed
from unskew.training.machine import prepare

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T", bound=BaseModel)

__all__ = ["SUFFIXES", "execute", "headline"]

SUFFIXES = {"subject": "str", "attack": "str", "defence": "str", "suffix": "str"}
"""What one attempt appends to every question, where it is the same text."""
TABLES = {"cells": cells.CELLS, "examples": cells.EXAMPLES, "suffixes": SUFFIXES}
"""What a grid tells, but for its claims, which are of all its rows together."""


def execute(config: Purple, store: Store, progress: Progress) -> RunFolder:
    """Fill the grid, or go on filling it, or return the finished run.

    Raises:
        UserError: a model or a file is not there or damaged, an attack or a defence does not fit a
            subject, a run is damaged or being written by another process.
        KeyboardInterrupt: interrupted, all answers so far saved; the same call continues.
    """
    prepare(config)
    material = read(config.questions)
    _check(config, material)
    rows = [_filled(config.row(subject), material, store, progress) for subject in config.subjects]
    if len(rows) == 1:
        return rows[0]
    stands_on = {name: value for row in rows for name, value in row.parents.items()}
    with store.open(config, stands_on) as folder:
        if not folder.finished:
            _finish(folder, {name: _together(rows, name) for name in TABLES})
        return folder


def _check(config: Purple, material: Material) -> None:
    """Tell now what would go wrong after hours of searching."""
    for name in config.models():  # of every row, before the first is filled
        check(Path(located(config.folder(name))))
    black = next((one.name for one in config.subjects if isinstance(one, Rules)), None)
    for defence in config.defences:
        match defence:
            case Refusals():
                defence.check(len(material.training))
            case Perplexity():
                defence.check(len(material.calibration), black)
            case _:
                pass
    for attack in config.attacks:
        if black and isinstance(attack, Suffix | LowPerplexity | Adaptive | Repeated):
            raise UserError(
                "the attack needs gradients, and the subject is a black box",
                f"attack {label(attack)}, subject {black}",
                "find suffixes on another model: attack `transfer`",
            )


def _together(rows: Sequence[RunFolder], table: str) -> pd.DataFrame:
    import pandas as pd

    return pd.concat([row.read_table(table) for row in rows], ignore_index=True)


def _filled(config: Purple, material: Material, store: Store, progress: Progress) -> RunFolder:
    """The grid of one subject."""
    (subject,) = config.subjects
    where = source(config, subject, material, store, progress)
    with store.open(config, parents(config, material, where)) as folder:
        if not folder.finished:
            row = _Row(config, where, material, folder, progress)
            _finish(folder, _tables(row))
        return folder


def headline(table: pd.DataFrame) -> str:
    """How many of the claims hold."""
    counts = table["verdict"].value_counts()
    order = ("held", "did not hold", "inconclusive", "not run")
    said = [f"{counts[verdict]} {verdict}" for verdict in order if verdict in counts]
    return f"of {len(table)} claims: {', '.join(said)}"


# --- a subject's cells ----------------------------------------------------------------------------


@dataclass(eq=False)
class _Row:
    """All cells of one subject. Its model is opened when something must be asked of it."""

    config: Purple
    source: str | Path | None
    material: Material
    folder: RunFolder
    progress: Progress
    searched: dict[str, list[tuple[Ask, ...]]] = field(default_factory=dict)
    others: dict[str, Open] = field(default_factory=dict)
    behind: dict[int, _Behind] = field(default_factory=dict)

    @property
    def subject(self) -> AnySubject:
        return self.config.subjects[0]

    def benign(self, d: int) -> Benignly:
        """The benign held-out questions behind a defence."""
        name = f"benign/{d:02}.json"
        return self._kept(name, Benignly) or self._put(name, self._benign(d))

    def cell(self, a: int, d: int) -> Cell:
        name = f"cells/{a:02}-{d:02}.json"
        return self._kept(name, Cell) or self._put(name, self._cell(a, d))

    # What is asked -------------------------------------------------------------------------------

    @cached_property
    def asked(self) -> Remembered:
        answers = Answers(self.folder.path / "answers.jsonl")
        return Remembered(self._opened, answers)

    @cached_property
    def _opened(self) -> Subject:
        match self.subject:
            case Rules(name=name, rules=rules, otherwise=otherwise):
                return Scripted(
                    name, lambda text: next((r.says for r in rules if r.has in text), otherwise)
                )
            case Model(name=name, system=system):
                pass
            case Taught(name=name):
                system = ""
        assert self.source is not None
        return replace(opened(self.config, self.source, self.material, system), name=name)

    def _open(self, name: str) -> Open:
        """Another model, by the name that the configuration has for it; opened once."""
        if name not in self.others:
            self.others[name] = opened(self.config, self.config.folder(name), self.material)
        return self.others[name]

    @property
    def _of_nursery(self) -> bool:
        """Whether the subject is asked as the nursery's models are."""
        subject = self._opened
        return isinstance(subject, Open) and subject.template in self.material.templates.values()

    @cached_property
    def _setting(self) -> Setting:
        m, opened = self.material, self._opened
        inside = opened if isinstance(opened, Open) else None
        return Setting(
            benign=[one.text for one in m.calibration],
            inviting=[one.text for one in m.training],
            refusal=m.refusal,
            definition=m.definition,
            template=Template() if inside is None else inside.template,
            repeater=self.asked.asked_by(m.repeating) if self._of_nursery else None,
            scorer=inside,
            tokens=inside,
            open=self._open,
        )

    def _behind(self, d: int) -> _Behind:
        if d not in self.behind:
            self.behind[d] = _Behind(self.config.all_defences()[d], self.asked, self._setting)
        return self.behind[d]

    def _benign(self, d: int) -> Benignly:
        questions = [one.text for one in self.material.benign]
        replies = self._behind(d)(None).replies(questions, self.config.limit)
        wanted = [one.answer for one in self.material.benign]
        return Benignly(
            refused=tuple(r.refused or self.material.refuses(r.text) for r in replies),
            right=tuple(
                self.material.right(r.text, answer)
                for r, answer in zip(replies, wanted, strict=True)
            ),
        )

    def _cell(self, a: int, d: int) -> Cell:
        attack, behind = self.config.all_attacks()[a], self._behind(d)
        defended = behind(None)
        knows = attack.adapts(defended.view)
        key, plain = f"{a:02}" + (f"-{d:02}" if knows else ""), f"{a:02}"
        # Only `adaptive` has the defence in its objective; what is known of a paraphrase changes
        # what is sent, and no suffix.
        known = isinstance(attack, Adaptive) and attack.sees(defended.view)
        search = key if known and replace(known, paraphrased=False) != View() else plain
        asks, seconds = self._asks(key, search, attack, defended)
        if key != plain == search:
            seconds += self._noted(plain)["seconds"]
        before = self.asked.answers.spent
        questions = [*self.material.training, *self.material.held]
        cell = cells.attack(
            asks,
            len(self.material.training),
            [question.text for question in questions],
            behind,
            self.material.definition,
            self.config.limit,
            self.config.examples,
            access=self._access(attack),
            adaptive=knows,
            suffix=_suffix(asks, [question.text for question in questions]),
            seconds=0.0,
            search_seconds=seconds,
        )
        return cell.model_copy(update={"seconds": self.asked.answers.spent - before})

    def _access(self, attack: AnyGridAttack) -> str:
        """What an attack needs of this subject: gradients, too, where it transfers from itself."""
        if isinstance(attack, Transfer) and self.source is not None:
            theirs, ours = located(self.config.folder(attack.source)), located(self.source)
            if Path(theirs) == Path(ours):
                return Access.GRADIENTS.value
        return attack.access.value

    def _noted(self, key: str) -> dict[str, Any]:
        """How long a search took so far, and whether it is done."""
        kept = self.folder.path / f"searches/{key}.json"
        none = {"seconds": 0.0}
        return json.loads(kept.read_text("utf-8")) if kept.exists() else none

    def _asks(
        self, key: str, search: str, attack: AnyGridAttack, defended: Defended
    ) -> tuple[list[tuple[Ask, ...]], float]:
        """The attempts on all questions, and how long finding them took, in all sessions.

        search: whose states of searches are its own too.
        """
        earlier = self._noted(key)
        if key in self.searched:
            return self.searched[key], float(earlier["seconds"])
        begun, done = time.perf_counter(), False
        try:
            self.searched[key] = self._found(search, attack, defended)
            done = True
        finally:
            # Done once before, it is read from its file again, and takes no time to speak of.
            if not earlier.get("done"):
                seconds = earlier["seconds"] + time.perf_counter() - begun
                earlier = {"seconds": seconds, "done": done}
                self.folder.write_text(f"searches/{key}.json", json.dumps(earlier) + "\n")
        return self.searched[key], float(earlier["seconds"])

    def _found(
        self, search: str, attack: AnyGridAttack, defended: Defended
    ) -> list[tuple[Ask, ...]]:
        m = self.material
        questions = [*m.training, *m.held]
        if isinstance(attack, Translated):
            forms = m.templates if self._of_nursery else {}
            return attack.sent([q.said for q in questions], forms, m.language)
        steps = getattr(attack, "gcg", None)
        title = f"{self.subject.name}: {attack.kind} search"
        # A search for each held-out question, or one for all of them.
        count = 1 if getattr(attack, "universal", True) else len(questions)
        each = 0 if steps is None else steps.steps
        total = count * each
        bar = None if steps is None else self.progress.task(title, total)
        before = last = 0

        with nullcontext() if bar is None else bar as task:

            def watch(step: Step) -> None:
                nonlocal before, last
                if task is not None:
                    before += each if step.step <= last else 0  # the next search
                    last = step.step
                    # Steps of an earlier session come at once.
                    task.advance(max(before + step.step - task.done, 0), loss=step.best)

            scene = Scene(
                subject=self._opened,
                training=[Aim(q.text, q.target) for q in m.training],
                held=[Aim(q.text, q.target) for q in questions],
                definition=m.definition,
                view=defended.view,
                folder=self.folder.path / "searches" / search,
                watch=watch,
                open=self._open,
            )
            found = attack.asks(scene)
            if task is not None:
                task.advance(total - task.done)  # searches that an earlier session had finished
            return found

    # What is kept --------------------------------------------------------------------------------

    def _kept(self, name: str, kind: type[T]) -> T | None:
        path = self.folder.path / name
        if not path.exists():
            return None
        try:
            return kind.model_validate_json(path.read_text("utf-8"))
        except (ValidationError, UnicodeDecodeError) as error:
            hint = "remove the file: its cell is asked anew"
            raise UserError("damaged: no cell of a grid", str(path), hint) from error

    def _put(self, name: str, found: T) -> T:
        self.folder.write_text(name, found.model_dump_json() + "\n")
        return found


@dataclass(frozen=True)
class _Behind:
    """A subject behind a defence, in a form of prompt. A threshold is found once for each."""

    defence: AnyDefence
    subject: Remembered
    setting: Setting
    known: dict[Template | None, Defended] = field(default_factory=dict)

    def __call__(self, form: Template | None) -> Defended:
        if form not in self.known:
            subject = self.subject.asked_by(form)
            self.known[form] = self.defence.around(subject, self.setting)
        return self.known[form]


def _suffix(asks: Sequence[tuple[Ask, ...]], questions: Sequence[str]) -> str | None:
    """What a single attempt adds to the end of every question, where it is the same."""
    tails = {
        some[0].question.removeprefix(question)
        if len(some) == 1 and some[0].question.startswith(question)
        else ""
        for some, question in zip(asks, questions, strict=True)
    }
    return (tails.pop() or None) if len(tails) == 1 else None


# --- tables ---------------------------------------------------------------------------------------


def _tables(one: _Row) -> dict[str, pd.DataFrame]:
    config, subject = one.config, one.subject
    attacks, defences = config.all_attacks(), config.all_defences()
    attack_names, defence_names = labels(attacks), labels(defences)
    how = Precision(config.level, config.resamples, config.seed)
    held = [question.cluster for question in one.material.held]
    benign = [asked.cluster for asked in one.material.benign]
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
    with one.progress.task(f"{subject.name}: cells", len(defences) * (len(attacks) + 1)) as task:
        undefended = one.benign(0)
        for d, defence in enumerate(defences):
            about = cells.benign_row(one.benign(d), undefended, benign, how)
            task.advance(1)
            plain = one.cell(0, d)
            for a in range(len(attacks)):
                cell = one.cell(a, d)
                names = {
                    "subject": subject.name, "attack": attack_names[a],
                    "defence": defence_names[d],
                }  # fmt: skip
                more = {"enforcement": subject.enforcement, "input": defence.input}
                found["cells"].append(names | more | about | cells.row(cell, plain, held, how))
                found["examples"] += [names | each.model_dump() for each in cell.examples]
                if cell.suffix is not None:
                    found["suffixes"].append(names | {"suffix": cell.suffix})
                task.advance(1)
    return {name: typed(found[name], columns) for name, columns in TABLES.items()}


def _finish(folder: RunFolder, tables: dict[str, pd.DataFrame]) -> None:
    what = claims(tables["cells"])
    for name, table in (tables | {"claims": what}).items():
        folder.write_table(name, table)
    folder.finish({"headline": headline(what)})
