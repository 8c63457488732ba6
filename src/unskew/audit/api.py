"""`audit(base, tuned, tasks=...)`: the twin of the command for Python and notebooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unskew.audit.config import Probes
from unskew.audit.models import Local, Model, Scripted, Server
from unskew.audit.rules import Rules
from unskew.conjugation.base import Conjugation
from unskew.errors import UserError
from unskew.runs.folder import RunFolder
from unskew.runs.mistakes import nearest

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_TASKS = ("unskew_icl_en", "unskew_nli_en")
DEFAULT_CONJUGATIONS = ("pig-latin", "leetspeak", "en-fr", "en-es")

AnyModel = str | Path | Local | Server | Scripted | Model


@dataclass(frozen=True)
class AuditResult:
    """A finished audit. In a notebook it shows its verdicts; `report` writes the page.

    Attributes:
        folder: the run folder, with every table and the configuration.
    """

    folder: RunFolder

    @cached_property
    def tables(self) -> dict[str, pd.DataFrame]:
        """All tables by name: verdicts, arms, contrasts, transforms, records."""
        return {name: self.folder.read_table(name) for name in self.folder.tables()}

    @property
    def verdicts(self) -> pd.DataFrame:
        """One row per task."""
        return self.tables["verdicts"]

    @property
    def records(self) -> pd.DataFrame:
        """One row per sample, arm and conjugation."""
        return self.tables["records"]

    def verdict(self, task: str) -> str:
        """The verdict of a task. Raises UserError where it was not audited."""
        found = {str(name): str(said) for name, said in self.verdicts[["task", "verdict"]].values}
        if task not in found:
            raise UserError(
                f"the task {task!r} was not audited{nearest(task, found)}",
                hint=f"tasks: {', '.join(found)}",
            )
        return found[task]

    def report(self, out: Path | str = "report.html") -> Path:
        """Write the page and return its path."""
        from unskew.report import page

        return page.write([self.folder], Path(out))

    def _repr_html_(self) -> str:
        from unskew.report.audit import audit_html

        return audit_html(self.tables)

    def __str__(self) -> str:
        from rich.console import Console

        from unskew.report.terminal import verdict_table

        tables = self.tables
        console = Console(width=80, no_color=True)
        with console.capture() as text:
            console.print(
                verdict_table(tables["verdicts"], tables["arms"], tables["contrasts"], 80)
            )
        return text.get()


def audit(
    base: AnyModel,
    tuned: AnyModel,
    *,
    tasks: Sequence[str] = DEFAULT_TASKS,
    conjugations: Sequence[str | Conjugation] = DEFAULT_CONJUGATIONS,
    limit: int | None = None,
    template: str = "none",
    system: str | None = None,
    shots: int | None = None,
    include: Sequence[str | Path] = (),
    metrics: Mapping[str, str] | None = None,
    metadata: Mapping[str, Any] | None = None,
    rules: Rules | Mapping[str, Any] | None = None,
    probes: Sequence[str] | Probes = (),
    oracle: str | Path | Local | None = None,
    batch: int = 32,
    device: str = "cpu",
    runs: str | Path = "runs",
    quiet: bool = False,
) -> AuditResult:
    """Audit what fine-tuning made of a model; the same call returns a finished audit at once.

    Args:
        base, tuned: references as on the command line, their configurations, or models that exist
            already (the protocol `Model`; `engine.given(lm)` makes one of any LM of the harness).
        tasks: by name.
        conjugations: by name, or objects of your own; one whose texts change needs a new version.
        limit: documents per task.
        template: "none", "model" or the path of a Jinja file; one for both arms.
        rules: margin, floor, level and the like of the verdicts, {"margin": 0.03} or `Rules`.
        probes: second witnesses, "relearn" and "round", or their settings; for open weights.
        oracle: a model that was never taught the ability: the control of relearning.
        batch, device: how models are run; they decide no number.
        runs: the folder that holds the runs.
        quiet: show no progress.

    Raises: UserError for mistakes: a model or task that is not there, arms that do not compare.
    """
    from unskew.audit.config import check, load
    from unskew.audit.run import Pair, execute, referenced
    from unskew.runs.progress import Progress
    from unskew.runs.store import Store

    given = {"base": base, "tuned": tuned}
    there = {
        arm: model
        for arm, model in given.items()
        if not isinstance(model, str | Path | Local | Server | Scripted)
    }
    for arm, model in there.items():
        if not hasattr(model, "generate") or not hasattr(model, "record"):
            raise UserError(
                f"a {type(model).__name__} is no model that the audit can ask",
                where=arm,
                hint="give a folder, an id, or engine.given(HFLM(pretrained=model, ...))",
            )
    listed = [conjugations] if isinstance(conjugations, str | Conjugation) else list(conjugations)
    own = {s.name: s for s in listed if isinstance(s, Conjugation)}
    config = load(
        {
            "base": _plain(base),
            "tuned": _plain(tuned),
            "tasks": [tasks] if isinstance(tasks, str) else list(tasks),
            "conjugations": [s.name if isinstance(s, Conjugation) else s for s in listed],
            "limit": limit,
            "template": template,
            "system": system,
            "shots": shots,
            "include": [str(path) for path in include],
            "metrics": dict(metrics or {}),
            "metadata": dict(metadata or {}),
            "rules": _ruled(rules),
            "batch": batch,
            "device": device,
            **_witnesses(probes, oracle),
        },
        (),
    )
    check(config)
    pair = None
    if there:
        if template != "none" and len(there) < 2:
            raise UserError("one chat template for both needs two models of one kind", "template")
        named = None if len(there) == 2 else referenced(config, tuple(set(given) - set(there)))
        pair = Pair(
            {
                **(named.records if named is not None else {}),
                **{arm: model.record for arm, model in there.items()},
            },
            lambda arm: there[arm] if arm in there else named.opened(arm),  # type: ignore[union-attr]
        )
    with Progress("quiet" if quiet else "auto") as progress:
        return AuditResult(execute(config, Store(Path(runs)), progress, pair, own))


def _ruled(rules: Rules | Mapping[str, Any] | None) -> dict[str, Any]:
    """As a configuration is given them; they are validated with all of it."""
    match rules:
        case None:
            return {}
        case Rules():
            return rules.model_dump(mode="json")
        case Mapping():
            return dict(rules)
        case _:
            hint = 'give {"margin": 0.03}, or Rules(margin=0.03)'
            raise UserError(f"a {type(rules).__name__} holds no rules", "rules", hint)


def _witnesses(probes: Sequence[str] | Probes, oracle: str | Path | Local | None) -> dict[str, Any]:
    from unskew.audit.config import probed

    if not isinstance(probes, Probes):
        return probed([probes] if isinstance(probes, str) else probes, oracle and _plain(oracle))
    return {"probes": probes.model_dump(mode="json"), "oracle": oracle and _plain(oracle)}


def _plain(model: AnyModel) -> Any:
    match model:
        case str() | Path():
            return str(model)
        case Local() | Server() | Scripted():
            return model.model_dump(mode="json")
        case _:
            return {"kind": "given", "record": dict(model.record)}
