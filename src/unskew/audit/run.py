"""Run an audit: four arms for each task and conjugation, then the tables and the verdicts.

Nothing is lost when it dies: answers are kept as they arrive (asking.py), and the same command
continues. Models are opened one after the other; documents, exemplars and prompts are the same for
both.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from importlib.util import find_spec
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple

from unskew.audit import folders, models, records
from unskew.audit.asking import Asker
from unskew.audit.config import Audit, Given, Probed, check, check_metrics
from unskew.audit.rules import Rules
from unskew.audit.summary import headline, summarise
from unskew.audit.witnesses import Bench
from unskew.conjugation.base import Conjugation, Identity, described
from unskew.errors import UserError
from unskew.runs.folder import RunFolder
from unskew.runs.identity import canonical, run_id
from unskew.runs.progress import Progress
from unskew.runs.store import Store

if TYPE_CHECKING:
    import pandas as pd
    from lm_eval.tasks import TaskManager

    from unskew.audit.engine import Conjugated
    from unskew.audit.loading import Loaded
    from unskew.audit.names import AskFor
    from unskew.audit.summary import Hear

ARMS = ("base", "tuned")
SHORTEST_WRAPPER = 20
TRANSLATION_BUDGET = 256


class Pair(NamedTuple):
    """The two models, and an oracle where there is one: how to open them, and what decides their
    answers."""

    records: Mapping[str, Mapping[str, Any]]  # arm -> fingerprint
    opened: Callable[[str], models.Model]


def execute(
    config: Audit,
    store: Store,
    progress: Progress,
    pair: Pair | None = None,
    own: Mapping[str, Conjugation] | None = None,
) -> RunFolder:
    """Run an audit, or continue it, or return the finished one.

    Args:
        pair: models that exist already (a notebook's); otherwise those of the configuration.
        own: conjugations that exist already, by the names that the configuration calls them.

    Raises:
        UserError: a model or task that is not there or cannot be audited, arms that cannot be
            compared, a run that is damaged or being written by another process.
    """
    require()
    check(config)
    pair = pair or referenced(config)
    transforms = _Transforms(config, pair, own or {})
    tasks = _tasks(config)
    with store.open(config, _parents(config, pair, transforms, tasks)) as folder:
        if not folder.finished:
            _audit(config, folder, pair, transforms, tasks, progress)
        return folder


def identify(config: Audit) -> str:
    """The id of the run that `execute` would make.

    Raises:
        AbsentError: a model, a file or a data set is not here, so that the id cannot be known.
        UserError: any other mistake that `execute` would refuse before it asks a model.
    """
    require()
    check(config)
    from unskew.audit import loading

    # First what is known without models and data, which may not be here.
    include = loading.included(config.include)
    known = loading.catalogue(config.tasks, include, config.metadata)
    for name in (*config.conjugations, *config.controls):
        if "mt:" not in name:  # a translation model may be one of the hub, too
            _conjugation(name, config, lambda _: lambda prompts: [])
    pair = referenced(config)
    tasks = _tasks(config, known)
    return run_id(config, _parents(config, pair, _Transforms(config, pair), tasks))


def require() -> None:
    """Raises UserError where the extra [lm] is not installed."""
    lacking = [name for name in ("lm_eval", "transformers") if find_spec(name) is None]
    if lacking:
        raise UserError(
            f"audits of language models need {' and '.join(lacking)}, not installed here",
            hint="pip install 'unskew[lm]' (in a checkout: make lm)",
        )


def _tasks(config: Audit, known: TaskManager | None = None) -> list[Loaded]:
    from unskew.audit import loading

    include = loading.included(config.include)
    tasks = loading.load(config.tasks, include, config.metadata, known)
    check_metrics(config.metrics, [task.name for task in tasks])
    return tasks


def _parents(
    config: Audit, pair: Pair, transforms: _Transforms, tasks: Sequence[Loaded]
) -> dict[str, str]:
    """Hashes of what decides the numbers beside the configuration."""
    from unskew.audit import loading

    return {
        **{arm: _digest(record) for arm, record in pair.records.items()},
        "tasks": loading.digest(tasks, config.limit),
        "judges": loading.judges_digest(loading.included(config.include)),
        "transforms": _digest(transforms.record()),
    }


def referenced(config: Audit, arms: Sequence[str] = ARMS) -> Pair:
    """The models that a configuration names. Cheap: nothing is loaded but fingerprints.

    Raises: UserError for a model that is not there, or a template that one of them lacks.
    """
    found: dict[str, models.Local | models.Server | models.Scripted] = {}
    for arm in arms:
        reference = getattr(config, arm)
        if isinstance(reference, Given):
            raise UserError("this model was given from Python and cannot be opened again", arm)
        found[arm] = reference
    if isinstance(config, Probed) and isinstance(config.oracle, models.Local):
        found["oracle"] = config.oracle
    template = None
    if found.keys() >= set(ARMS):
        template = models.common_template(found["base"], found["tuned"], config.template)
    if found.keys() >= {"base", "oracle"}:
        models.common_template(found["base"], found["oracle"], config.template)
    records = {
        # Naming an id of the hub is asking for the network, unless an offline mode is on.
        arm: {**models.fingerprint(reference, network=True), "template": template}
        for arm, reference in found.items()
    }
    return Pair(records, lambda arm: _open(found[arm], records[arm], config, template))


def _open(
    reference: models.Reference, record: Mapping[str, Any], config: Audit, template: str | None
) -> models.Model:
    match reference:
        case models.Local():
            import torch

            from unskew.audit import engine

            if config.threads is not None:
                torch.set_num_threads(config.threads)
            folder = folders.means_folder(reference.path, reference.revision)
            return engine.hugging_face(
                str(folders.expanded(reference.path)) if folder else reference.path,
                record=record,
                revision=reference.revision,
                dtype=reference.dtype,
                adapter=reference.adapter,
                template=template,
                batch=config.batch,
                device=config.device,
                trust_code=config.trust_code,
            )
        case models.Server():
            from unskew.audit.server import ServerModel

            return ServerModel(reference, template)
        case models.Scripted():
            from unskew.audit.scripted import load

            return load(reference)


def _audit(
    config: Audit,
    folder: RunFolder,
    pair: Pair,
    transforms: _Transforms,
    tasks: Sequence[Loaded],
    progress: Progress,
) -> None:
    _note_models(folder, pair)
    askers: dict[str, Asker] = {}
    transforms.base = lambda: askers["base"]
    found: list[dict[str, Any]] = []
    for arm in ARMS:
        found += _arm(arm, config, tasks, transforms, pair, askers, folder, progress)
        if not transforms.ask_base:
            askers.clear()  # room for the other model
    table = records.table(found)
    for name, task in _refused(table):
        progress.say(f"{name} refuses every document of {task}: it says nothing there")
    chances = {task.name: task.chance or 0.0 for task in tasks}
    beginnings = [task.name for task in tasks if task.beginning]
    hear = None
    if isinstance(config, Probed):
        askers.clear()
        hear = Bench(config, folder, pair.opened, tasks, table, progress).hear
    finish(folder, table, config.rules, chances, beginnings=beginnings, hear=hear)


def _refused(table: pd.DataFrame) -> list[tuple[str, str]]:
    """Conjugations and tasks of which nothing was asked."""
    whole = table.groupby(["conjugation", "task"], sort=False)["refused"].all()
    return [(str(name), str(task)) for (name, task), refused in whole.items() if refused]  # type: ignore[misc]


def _note_models(folder: RunFolder, pair: Pair) -> None:
    """What decides the models' answers, beside the versions that they ran with."""
    noted = json.loads((folder.path / "environment.json").read_text(encoding="utf-8"))
    noted["models"] = {arm: dict(record) for arm, record in pair.records.items()}
    folder.write_text("environment.json", json.dumps(noted, indent=2) + "\n")


def _arm(
    arm: str,
    config: Audit,
    tasks: Sequence[Loaded],
    transforms: _Transforms,
    pair: Pair,
    askers: dict[str, Asker],
    folder: RunFolder,
    progress: Progress,
) -> list[dict[str, Any]]:
    """All rows of one model: every task under the identity, each conjugation, each control."""
    from unskew.audit import engine

    found: list[dict[str, Any]] = []
    each = sum(_requests(task, config.limit) for task in tasks)
    total = each * (1 + len(config.conjugations) + len(config.controls))
    with progress.task(f"{arm} model", total) as bar:
        answers = folder.path / f"answers-{arm}.jsonl"
        asker = askers[arm] = Asker(pair.opened(arm), answers, bar.advance)
        for conjugation, role in transforms.each():
            before = asker.asked + asker.remembered
            lm = engine.Conjugated(asker, conjugation)
            samples = engine.evaluate(
                lm,
                tasks,
                limit=config.limit,
                chat=config.template != "none",
                system=config.system,
                shots=config.shots,
                seed=config.seed,
            )
            # What was refused was not asked.
            bar.advance(each - (asker.asked + asker.remembered - before))
            if arm == "base":
                transforms.heard(role, lm)
            for task in tasks:
                source = records.Source(
                    task.name, arm, conjugation.name, role,
                    config.metrics.get(task.name, task.main), task.cluster, task.choices,
                )  # fmt: skip
                found += records.rows(source, samples[task.name], lm.traces)
    return found


def finish(
    folder: RunFolder,
    table: pd.DataFrame,
    rules: Rules,
    chances: Mapping[str, float],
    apart: bool = False,
    beginnings: Collection[str] = (),
    hear: Hear | None = None,
) -> None:
    """Check the pairing (`apart`: see `records.paired`), write all tables and the manifest."""
    records.paired(table, apart)
    summary = summarise(table, rules, chances, beginnings, hear)
    folder.write_table("records", table)
    for name, one in summary.items():
        folder.write_table(name, one)
    folder.finish({"headline": headline(summary)})


class _Transforms:
    """The identity, the conjugations and the controls, in the order in which they are run."""

    def __init__(
        self, config: Audit, pair: Pair, own: Mapping[str, Conjugation] | None = None
    ) -> None:
        self.config, self.pair, self.own = config, pair, own or {}
        self.base: Callable[[], Asker] = lambda: _missing("base")
        self.growth: list[float] = []
        self._plain: dict[Any, int] = {}
        self._wrapper: str | None = None
        self.ask_base = any(name.startswith("self:") for name in config.conjugations)
        # Parsed at once: a mistyped name must not wait for the first model.
        self._parsed = {
            name: self._parse(name) for name in (*config.conjugations, *config.controls)
        }
        if len(self._parsed) < len(config.conjugations) + len(config.controls):
            raise UserError("a conjugation is named twice", where="conjugations")

    def each(self) -> Iterator[tuple[Conjugation, str]]:
        yield Identity(), records.PLAIN
        for name in self.config.conjugations:
            yield self._parsed[name], records.CONJUGATION
        for name in self.config.controls:
            yield (
                self._parse(self._measured()) if name == "wrapper" else self._parsed[name],
                records.CONTROL,
            )

    def heard(self, role: str, lm: Conjugated) -> None:
        """How much longer the prompts became: the neutral wrapper is to add as much."""
        lengths = {key: len(trace.prompt) for key, trace in lm.traces.items() if not trace.refused}
        if role == records.PLAIN:
            self._plain = lengths
        elif role == records.CONJUGATION and lengths:
            self.growth.append(fmean(lengths[key] - self._plain[key] for key in lengths))

    def _measured(self) -> str:
        """The wrapper's name with its length, the same for both arms."""
        if self._wrapper is None:
            grown = round(fmean(self.growth)) if self.growth else 0
            self._wrapper = f"wrapper:{max(grown, SHORTEST_WRAPPER)}"
        return self._wrapper

    def _parse(self, name: str) -> Conjugation:
        if name in self.own:
            return self.own[name]
        return _conjugation(name, self.config, self._ask_for)

    def record(self) -> dict[str, Any]:
        """What decides the texts: versions of ciphers, digests of books, models that translate."""
        return {name: described(conjugation) for name, conjugation in self._parsed.items()}

    def _ask_for(self, reference: str) -> _Ask:
        """Who translates: `self` is the base model, for both arms, so that both read one text."""
        if reference == "self":
            return _Ask(lambda: self.base(), _digest(self.pair.records["base"]))
        parsed = models.reference(f"openai:{reference}")
        record = models.fingerprint(parsed)
        return _Ask(lambda: Asker(_open(parsed, record, self.config, None)), _digest(record))


class _Ask:
    """Asks a model for translations; it is opened when it is first asked."""

    def __init__(self, opened: Callable[[], Asker], identity: str) -> None:
        self.identity = identity
        self._opened, self._asker = opened, None

    def __call__(self, prompts: Sequence[str]) -> list[str]:
        self._asker = self._asker or self._opened()
        # A chat model may begin with an empty line, so one line's end does not stop it.
        answers = self._asker.generate(list(prompts), ("\n\n",), TRANSLATION_BUDGET)
        return [answer.text for answer in answers]


def _conjugation(name: str, config: Audit, ask_for: AskFor) -> Conjugation:
    from unskew.audit.loading import included
    from unskew.audit.names import conjugation

    return conjugation(name, ask_for, included(config.include))


def _missing(arm: str) -> Any:
    raise RuntimeError(f"the {arm} model is not open yet")


def _requests(task: Loaded, limit: int | None) -> int:
    docs: Any = task.task
    count = len(docs.eval_docs) if limit is None else min(limit, len(docs.eval_docs))
    return count * (len(docs.doc_to_choice(docs.eval_docs[0])) if task.choices else 1)


def _digest(record: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical(dict(record)).encode()).hexdigest()
