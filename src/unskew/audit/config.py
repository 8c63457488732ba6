"""What an audit is: two models, tasks, conjugations, the rules of its verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, field_validator

from unskew.audit.models import Local, Scripted, Server, reference
from unskew.audit.rules import Rules
from unskew.errors import UserError
from unskew.runs import config as runs_config
from unskew.runs.config import Frozen
from unskew.runs.identity import EXECUTION
from unskew.runs.mistakes import nearest

CONTROLS = ("paraphrase", "wrapper", "unknown-cipher")
"""Always run: the same question in other words, with neutral text before it, in a cipher that no
model knows. None of them should bring an ability back."""


class Given(Frozen):
    """A model that exists already, as in a notebook; `record` says what decides its answers."""

    kind: Literal["given"] = "given"
    record: dict[str, Any]


AnyModel = Annotated[Local | Server | Scripted | Given, Field(discriminator="kind")]


class Audit(Frozen):
    """An audit of a base model and what fine-tuning made of it.

    Attributes:
        tasks: names of tasks, tags or groups: ours, those in `include`, the harness's catalogue.
        conjugations: what is tried to bring an ability back; names as `unskew conjugate --list`.
        controls: transforms that should bring nothing back.
        include: further folders of task YAML files, with the phrases that translate them in a
            phrases.jsonl, where there is one.
        metrics: task -> the metric its verdict is about, where the task's own choice is not wanted.
        metadata: handed to the tasks (as `file` of unskew_refusal_file).
        limit: documents per task; None: all.
        shots: exemplars per prompt, where the task does not fix them.
        template: "none", "model" or the path of a Jinja file; one for both arms.
        system: a system message before each prompt.
        seed: of the exemplars' draw.
    """

    kind: Literal["audit"] = "audit"
    base: AnyModel
    tuned: AnyModel
    tasks: Annotated[tuple[str, ...], Field(min_length=1)]
    conjugations: tuple[str, ...] = ("pig-latin", "leetspeak")
    controls: tuple[str, ...] = CONTROLS
    include: tuple[str, ...] = ()
    metrics: dict[str, str] = Field(default_factory=dict)
    metadata: dict[str, Any] = Field(default_factory=dict)
    limit: Annotated[int, Field(gt=0)] | None = None
    shots: Annotated[int, Field(ge=0)] | None = None
    template: str = "none"
    system: str | None = None
    seed: int = 1234
    rules: Rules = Rules()
    trust_code: bool = False
    batch: Annotated[int, Field(gt=0, json_schema_extra=EXECUTION)] = 32
    device: Annotated[str, Field(json_schema_extra=EXECUTION)] = "cpu"
    threads: Annotated[int | None, Field(gt=0, json_schema_extra=EXECUTION)] = None

    @field_validator("base", "tuned", mode="before")
    @classmethod
    def _by_name(cls, value: Any) -> Any:
        return reference(value).model_dump(mode="json") if isinstance(value, str) else value


class AuditLogs(Frozen):
    """An audit from samples that lm-evaluation-harness has logged; see logs.py."""

    kind: Literal["audit-logs"] = "audit-logs"
    metrics: dict[str, str] = Field(default_factory=dict)
    conjugated: bool = False
    rules: Rules = Rules()


def load(given: dict[str, Any], changes: Sequence[str], source: str = "this audit") -> Audit:
    """The configuration of what was given, with `key=value` changes.

    Raises: UserError that names the path of each mistake.
    """
    # Named models become groups first, so that a change may reach into them: base.dtype=bfloat16.
    models = {
        arm: reference(given[arm]).model_dump(mode="json")
        for arm in ("base", "tuned")
        if isinstance(given.get(arm), str)
    }
    return runs_config.resolve(given | models, changes, TypeAdapter(Audit), source)


def pairs() -> list[tuple[str, str]]:
    """The pairs of models of the paper: name, and what they are."""
    found = []
    for entry in sorted(_pairs_folder().iterdir(), key=lambda e: e.name):
        if entry.name.endswith(".yaml"):
            about = entry.read_text(encoding="utf-8").partition("\n")[0].removeprefix("#").strip()
            found.append((entry.name.removesuffix(".yaml"), about))
    return found


def preset(pair: str, changes: Sequence[str]) -> Audit:
    """The audit of a pair of the paper. Raises UserError for an unknown one."""
    names = [name for name, _ in pairs()]
    if pair not in names:
        raise UserError(
            f"there is no pair {pair!r}{nearest(pair, names)}", hint=f"pairs: {', '.join(names)}"
        )
    return load(runs_config.read(_pairs_folder() / f"{pair}.yaml", pair), changes, pair)


def _pairs_folder() -> Any:
    return resources.files("unskew.audit") / "pairs"
