"""The commands about language models: `audit`, `tasks`, `paper lm`. Thin, as those of `cli`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from unskew.cli_options import Runs, Threads, Whole, Words, listed
from unskew.errors import AbsentError, UserError

if TYPE_CHECKING:
    import pandas as pd

    from unskew.audit.config import Audit
    from unskew.runs.folder import RunFolder

FAILED = 1

PAIR = ("nursery:base", "nursery:instruct")
"""What is audited where no models are named: the small ones that ship."""
PAIR_TASKS = ("nursery_repeat_conflict_en", "nursery_capitalise_conflict_en")
PAIR_CONJUGATIONS = ("en-fr", "en-es", "en-qon")
PAIR_PROBES = "nursery:probes"
VERDICTS = ("retained", "suppressed", "not-recovered", "inconclusive")

AUDIT_USAGE = "Usage: unskew audit [BASE TUNED] [--tasks T ...] [--conjugations C ...]"
AUDIT_EXAMPLES = """
A model is a Hugging Face id (ID@REVISION) or folder, PEFT adapters too;
openai:MODEL@BASE_URL for any OpenAI-compatible server (the key is read from
UNSKEW_API_KEY or OPENAI_API_KEY); or scripted:FILE, rules instead of weights.

Examples:
  unskew audit                            two small models that ship
  unskew audit ./base ./tuned
  unskew audit ./base ./tuned --tasks unskew_nli_en --conjugations en-fr
  unskew audit ./base ./tuned --fail-on not-recovered suppressed
  unskew audit ./base ./tuned --probes relearn round --oracle ./never-taught
  unskew audit openai:a@http://localhost:8000/v1 openai:b@http://localhost:81/v1
  unskew audit --from-logs logs/base logs/tuned
"""


def audit(
    base: Annotated[str | None, Parameter(help="the model before fine-tuning")] = None,
    tuned: Annotated[str | None, Parameter(help="the model after it")] = None,
    /,
    *,
    tasks: Annotated[Words, Parameter(help="tasks by name; `unskew tasks` lists ours")] = (),
    conjugations: Annotated[
        Words, Parameter(help="what is tried to bring abilities back; `unskew conjugate --list`")
    ] = (),
    probes: Annotated[
        Words,
        Parameter(
            help="second witnesses, which change the weights: relearn (teach a copy a few "
            "examples), round (to 8 and 4 bits); for folders and ids of the hub"
        ),
    ] = (),
    oracle: Annotated[
        str | None,
        Parameter(help="a model that was never taught the ability, to compare relearning with"),
    ] = None,
    fail_on: Annotated[
        Words,
        Parameter(help="verdicts that end with exit code 1: not-recovered, suppressed, ..."),
    ] = (),
    limit: Annotated[Whole, Parameter(help="documents per task")] = None,
    template: Annotated[
        str, Parameter(help="chat template for both: none, model (their own), or a Jinja file")
    ] = "none",
    system: Annotated[str | None, Parameter(help="a system message before each prompt")] = None,
    shots: Annotated[Whole, Parameter(help="exemplars, where a task does not fix them")] = None,
    include: Annotated[Words, Parameter(help="folders with task YAML files of your own")] = (),
    metric: Annotated[Words, Parameter(help="TASK=NAME: the metric a verdict is about")] = (),
    metadata: Annotated[Words, Parameter(help="KEY=VALUE, handed to the tasks")] = (),
    set_: Annotated[
        Words, Parameter(name="--set", help="KEY=VALUE of the configuration, as rules.margin=0.03")
    ] = (),
    batch: Annotated[Whole, Parameter(help="prompts at once")] = None,
    device: Annotated[str | None, Parameter(help="cpu, cuda, cuda:1, mps")] = None,
    threads: Threads = None,
    trust_code: Annotated[
        bool,
        Parameter(
            negative="", show_default=False, help="run the Python code that comes with a model"
        ),
    ] = False,
    from_logs: Annotated[
        tuple[Path, Path] | None,
        Parameter(
            negative="", help="folders of `lm_eval --log_samples`, base and tuned; asks no model"
        ),
    ] = None,
    conjugated_logs: Annotated[
        tuple[Path, Path] | None,
        Parameter(negative="", help="the same models' logs under a conjugation"),
    ] = None,
    dry_run: Annotated[
        bool,
        Parameter(
            negative="", show_default=False, help="print the settings and the run's id; ask nothing"
        ),
    ] = False,
    runs: Runs = Path("runs"),
) -> int:
    """What fine-tuning did to a language model: per task retained, suppressed, not recovered."""
    failing = _failing(fail_on)
    from unskew.audit.api import DEFAULT_CONJUGATIONS, DEFAULT_TASKS
    from unskew.audit.config import load, probed

    witnesses = probed(listed(probes), oracle)
    if from_logs is not None:
        if base or tuned:
            raise UserError("--from-logs asks no models", str(base), "leave BASE and TUNED out")
        asked = {
            "--dry-run": dry_run, "--tasks": tasks, "--conjugations": conjugations,
            "--limit": limit is not None, "--template": template != "none", "--system": system,
            "--shots": shots is not None, "--include": include, "--metadata": metadata,
            "--batch": batch is not None, "--device": device, "--threads": threads is not None,
            "--trust-code": trust_code,
        }  # fmt: skip
        if needless := [name for name, value in asked.items() if value]:
            hint = "leave it out" if len(needless) == 1 else "leave them out"
            raise UserError("--from-logs asks no models", " ".join(needless), hint)
        if witnesses:
            raise UserError("--probes change the weights of models, and logs have none")
        from unskew.audit import logs
        from unskew.runs.store import Store

        changes = [*_changes("metrics", metric), *set_]
        folder = logs.execute(from_logs, conjugated_logs, changes, Store(runs))
        return _shown(folder, failing)
    if conjugated_logs is not None:
        raise UserError("--conjugated-logs goes with --from-logs")
    if base is None:
        _no_model_among((*include, *tasks, *conjugations))
        base, tuned = PAIR
        if not tasks:
            tasks, include = PAIR_TASKS, (PAIR_PROBES, *listed(include))
            conjugations = conjugations or PAIR_CONJUGATIONS
    if tuned is None:
        raise UserError(
            "two models are needed: the one before and the one after fine-tuning",
            hint="as in: unskew audit ./base ./tuned",
        )
    given: dict[str, Any] = {
        "base": base,
        "tuned": tuned,
        "tasks": listed(tasks) or list(DEFAULT_TASKS),
        "conjugations": listed(conjugations) or list(DEFAULT_CONJUGATIONS),
        "include": listed(include),
        "template": template,
        "system": system,
        "shots": shots,
        "limit": limit,
        "trust_code": trust_code,
        "threads": threads,
        **witnesses,
        **({} if batch is None else {"batch": batch}),
        **({} if device is None else {"device": device}),
    }
    changes = [*_changes("metrics", metric), *_changes("metadata", metadata), *set_]
    return _run(load(given, changes), runs, dry_run, failing)


TASKS_EXAMPLES = """
Examples:
  unskew tasks
  unskew audit ./base ./tuned --tasks unskew_nli_en
"""


def tasks() -> int:
    """List the tasks that ship with unskew; they need no network."""
    from unskew.audit.catalogue import shipped

    rows = shipped()
    by_tag: dict[str, int] = {}
    for task in rows:
        for tag in task.tags:
            by_tag[tag] = by_tag.get(tag, 0) + 1
    print("Several tasks by one name:")
    for tag, count in by_tag.items():
        print(f"  {tag:22}  {count} tasks")
    about = ""
    for task in rows:
        if task.about != about:
            about = task.about
            print(f"\n{about}")
        print(f"  {task.name}")
    print("\nAny task of lm-evaluation-harness works by its name, too (its data need a network).")
    return 0


LM_EXAMPLES = """
Example:
  unskew paper lm --pair llama2-codellama --device cuda
"""


def paper_lm(
    *,
    pair: Annotated[str | None, Parameter(help="which pair of models; none lists them")] = None,
    set_: Annotated[
        Words, Parameter(name="--set", help="KEY=VALUE of the configuration, as limit=100")
    ] = (),
    device: Annotated[str | None, Parameter(help="cpu, cuda, cuda:1, mps")] = None,
    dry_run: Annotated[
        bool, Parameter(negative="", show_default=False, help="print the settings; ask nothing")
    ] = False,
    runs: Runs = Path("runs"),
) -> int:
    """Audit a pair of models of the paper. Needs their weights, and a GPU to be quick."""
    from unskew.audit.config import pairs, preset

    if pair is None:
        for name, about in pairs():
            print(f"{name:24}  {about}")
        return 0
    changes = [*set_, *([] if device is None else [f"device={device}"])]
    return _run(preset(pair, changes), runs, dry_run, ())


def _no_model_among(words: tuple[str, ...]) -> None:
    """An option that takes several words takes the models that follow it, too, and another pair
    would be audited in their place: UserError where one of the words is a model's folder."""
    from unskew.audit.folders import is_adapter
    from unskew.runs.store import expanded

    for word in listed(words):
        folder = expanded(word)
        if is_adapter(folder) or (folder / "config.json").is_file():
            hint = "as in: unskew audit ./base ./tuned --tasks unskew_nli_en"
            raise UserError("this is a model: name BASE and TUNED before the options", word, hint)


def audit_of_the_pair(threads: int | None) -> "Audit":
    """The audit of the two models that ship, as `unskew audit` without names runs it."""
    from unskew.audit.config import load

    base, tuned = PAIR
    given: dict[str, Any] = {
        "base": base,
        "tuned": tuned,
        "tasks": list(PAIR_TASKS),
        "conjugations": list(PAIR_CONJUGATIONS),
        "include": [PAIR_PROBES],
        "threads": threads,
    }
    return load(given, [])


def say(folder: "RunFolder") -> "pd.DataFrame":
    """Print the verdicts of an audit; returns their table."""
    from rich.console import Console

    from unskew.report.terminal import verdict_table

    verdicts = folder.read_table("verdicts")
    arms, contrasts = folder.read_table("arms"), folder.read_table("contrasts")
    console = Console()
    console.print(verdict_table(verdicts, arms, contrasts, width=console.width))
    return verdicts


def _run(config: "Audit", runs: Path, dry_run: bool, failing: tuple[str, ...]) -> int:
    if dry_run:
        import yaml

        from unskew.audit.run import identify

        try:
            print(f"# run id: {identify(config)}")
        except AbsentError as error:
            print("\n# ".join(f"# run id: not known yet: {error}".splitlines()))
        print(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False), end="")
        return 0
    from unskew.audit.run import execute
    from unskew.runs.progress import Progress
    from unskew.runs.store import Store

    with Progress() as progress:
        folder = execute(config, Store(runs), progress)
    return _shown(folder, failing)


def _shown(folder: "RunFolder", failing: tuple[str, ...]) -> int:
    """The verdicts on the terminal, the page, and the exit code that was asked for."""
    from unskew.report import page
    from unskew.report.audit_rows import line
    from unskew.runs.store import shorten

    verdicts = say(folder)
    drawn = folder.path / "report.html"
    if not drawn.exists():
        page.write([folder], drawn)
    print(f"run:  {shorten(folder.path)}")
    print(f"page: {shorten(drawn)}")
    hit = verdicts[verdicts["verdict"].str.replace(" ", "-").isin(failing)]
    for task, verdict in zip(hit["task"], hit["verdict"], strict=True):
        print(f"failed: {line(task)} is {verdict}", file=sys.stderr)
    return FAILED if len(hit) else 0


def _changes(group: str, pairs: tuple[str, ...]) -> list[str]:
    for pair in pairs:
        if "=" not in pair:
            raise UserError("this is written KEY=VALUE", pair)
    return [f"{group}.{pair}" for pair in pairs]


def _failing(given: tuple[str, ...]) -> tuple[str, ...]:
    from unskew.runs.mistakes import nearest

    words = tuple(listed(given))
    for word in words:
        if word not in VERDICTS:
            raise UserError(
                f"--fail-on: there is no verdict {word!r}{nearest(word, VERDICTS)}",
                hint=f"verdicts: {', '.join(VERDICTS)}",
            )
    return words
