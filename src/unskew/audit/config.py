"""What an audit is: two models, tasks, conjugations, the rules of its verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from math import ceil
from typing import Annotated, Any, Literal, Self

from pydantic import Field, TypeAdapter, field_validator, model_validator

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


WITNESSES = ("relearn", "round")
"""Second witnesses, by name."""

FOLDS = 10
"""Folds at most: each may choose a conjugation of its own, and each that is chosen doubles the
means that a recovery is the smallest of."""


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
    device: Annotated[
        str, Field(pattern="^(cpu|mps|cuda(:[0-9]+)?)$", json_schema_extra=EXECUTION)
    ] = "cpu"
    threads: Annotated[int | None, Field(gt=0, json_schema_extra=EXECUTION)] = None

    @field_validator("base", "tuned", mode="before")
    @classmethod
    def _by_name(cls, value: Any) -> Any:
        return _named(value)

    @model_validator(mode="after")
    def _told(self) -> Self:
        _reached(self.rules, self.witnesses)
        return self

    @property
    def witnesses(self) -> int:
        """How many second witnesses there are for each task."""
        return 0


class Probes(Frozen):
    """Second witnesses: what is done to the weights, and how; see docs/VERDICTS.md.

    Attributes:
        bits: weights are rounded to so many. examples: a copy is fine-tuned on so many.
        seeds: of the examples' draw and of the batches; a witness must say the same at each.
        taught: share of the sources that may be taught, where a task has no training side.
        epochs: how often each example is shown. batch: how many at once.
        lr: of Adam; None: 2e-5 for 7 billion weights and, as the best one falls with the width of
            a model (arXiv:2203.03466), in proportion to 1 / sqrt(weights).
    """

    bits: tuple[int, ...] = (8, 4)
    examples: tuple[int, ...] = (4, 16, 64)
    seeds: tuple[int, ...] = (0, 1, 2)
    taught: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.5
    epochs: Annotated[int, Field(gt=0)] = 20
    batch: Annotated[int, Field(gt=0)] = 8
    lr: Annotated[float, Field(gt=0.0)] | None = None

    @model_validator(mode="after")
    def _sound(self) -> Probes:
        if not self.bits and not self.examples:
            raise ValueError("bits or examples must be given: there is no witness without")
        if any(bits < 2 for bits in self.bits) or len(set(self.bits)) < len(self.bits):
            raise ValueError("bits: each once; a sign and a size need 2 or more")
        if min(self.examples, default=1) < 1 or sorted(set(self.examples)) != [*self.examples]:
            raise ValueError("examples must rise, from 1 or more")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ValueError("seeds must be given, each once")
        return self

    @property
    def count(self) -> int:
        """How many witnesses there are for each task."""
        return len(self.bits) + len(self.examples)


class Probed(Audit):
    """An audit with second witnesses, which look into the weights.

    Attributes:
        oracle: a model that was never taught the ability: the control of relearning.
    """

    probes: Probes
    oracle: AnyModel | None = None

    @field_validator("oracle", mode="before")
    @classmethod
    def _oracle_by_name(cls, value: Any) -> Any:
        return _named(value)

    @property
    def witnesses(self) -> int:
        return self.probes.count

    @property
    def opened(self) -> dict[str, AnyModel]:
        """The models whose weights are changed, by their roles."""
        found: dict[str, AnyModel] = {"tuned": self.tuned}
        if self.probes.bits:
            found["base"] = self.base
        if self.oracle is not None:
            found["oracle"] = self.oracle
        return found


def probed(names: Sequence[str], oracle: Any = None) -> dict[str, Any]:
    """The settings of witnesses by name (`relearn`, `round`); nothing where none is named.

    Raises: UserError for an unknown name, or an oracle that no witness asks.
    """
    for name in names:
        if name not in WITNESSES:
            raise UserError(
                f"there is no probe {name!r}{nearest(name, WITNESSES)}",
                where="--probes",
                hint=f"probes: {', '.join(WITNESSES)}",
            )
    if oracle is not None and "relearn" not in names:
        hint = "add --probes relearn, or leave --oracle out"
        raise UserError("an oracle is the control of relearning, which is not asked for", hint=hint)
    if not names:
        return {}
    left_out = {key: [] for key, name in (("bits", "round"), ("examples", "relearn"))
                if name not in names}  # fmt: skip
    return {"probes": left_out, "oracle": oracle}


def check(config: Audit) -> None:
    """Raises UserError where second witnesses are asked for and a model is not open to them."""
    if not isinstance(config, Probed):
        return
    closed = {Server: "behind a server", Scripted: "scripted", Given: "given from Python"}
    for role, model in config.opened.items():
        if type(model) in closed:
            raise UserError(
                f"probes change a model's weights, and the {role} model is {closed[type(model)]}",
                where=role,
                hint="give a folder written by save_pretrained or an id of the hub, "
                "or leave --probes out",
            )


def check_metrics(metrics: Mapping[str, str], tasks: Sequence[str]) -> None:
    """Raises UserError where a metric is named for a task that is not there."""
    if unknown := sorted(set(metrics) - set(tasks)):
        raise UserError(
            f"a metric is named for {unknown[0]!r}, which is not among the tasks",
            hint=f"tasks: {', '.join(tasks)}",
        )


class AuditLogs(Frozen):
    """An audit from samples that lm-evaluation-harness has logged; see logs.py."""

    kind: Literal["audit-logs"] = "audit-logs"
    metrics: dict[str, str] = Field(default_factory=dict)
    conjugated: bool = False
    rules: Rules = Rules()

    @model_validator(mode="after")
    def _told(self) -> Self:
        _reached(self.rules, 0)
        return self


def _reached(rules: Rules, witnesses: int) -> None:
    """Raises ValueError for rules that cannot be kept: a level that the draws do not tell, or more
    folds than can be counted."""
    # A recovery below 0 is either of two, each at half the level.
    parts, shared = max(2, witnesses), "by its witnesses" if witnesses > 2 else "in two"
    if rules.level * (rules.resamples + 1) < parts - 1e-9:
        smallest = ceil(1e6 * parts / (rules.resamples + 1)) / 1e6
        raise ValueError(
            f"rules.level: {rules.level} is shared {shared}, and rules.resamples="
            f"{rules.resamples} tell no level below {smallest} then: raise it, or set "
            f"rules.resamples={ceil(parts / rules.level - 1e-9)}"
        )
    if rules.folds > FOLDS:
        raise ValueError(f"rules.folds: at most {FOLDS}, got {rules.folds}")


def load(given: dict[str, Any], changes: Sequence[str], source: str = "this audit") -> Audit:
    """The configuration of what was given, with `key=value` changes.

    Raises: UserError that names the path of each mistake.
    """
    # Named models become groups first, so that a change may reach into them: base.dtype=bfloat16.
    models = {
        arm: reference(given[arm]).model_dump(mode="json")
        for arm in ("base", "tuned", "oracle")
        if isinstance(given.get(arm), str)
    }
    # A class of its own, so that audits without probes are the runs that they always were.
    schema = TypeAdapter[Audit](Probed if "probes" in given else Audit)
    return runs_config.resolve(given | models, changes, schema, source)


def _named(value: Any) -> Any:
    return reference(value).model_dump(mode="json") if isinstance(value, str) else value


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
