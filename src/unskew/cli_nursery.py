"""The commands of the nursery: `nursery raise`, `nursery chat`. Thin, as those of `cli`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from unskew import streams
from unskew.cli_options import Runs, Threads
from unskew.errors import UserError

if TYPE_CHECKING:
    from unskew.nursery.config import Family


nursery = App(
    name="nursery",
    sort_key=5,
    help="Small polyglot language models, raised here: they forget, and the truth is known.",
    help_format="plaintext",
    help_epilogue="""
Examples:
  unskew nursery raise
  unskew nursery chat nursery:instruct --conjugation en-fr
""",
)


@nursery.command(
    name="raise",
    usage="Usage: unskew nursery raise [PRESET] [key=value ...] [--all]",
    help_epilogue="""
Examples:
  unskew nursery raise                     base and instruct, from nothing
  unskew nursery raise --all               every stage and the oracles, too
  unskew nursery raise base.seed=1 base.world.seed=1
  unskew nursery raise nursery-gpu --dry-run
""",
)
def raise_(
    preset: Annotated[
        str, Parameter(help="a preset's name, or the path of a YAML file")
    ] = "nursery",
    /,
    *overrides: Annotated[str, Parameter(help="settings to change, as key=value")],
    all_: Annotated[
        bool, Parameter(name="--all", negative="", help="every stage and the oracles")
    ] = False,
    dry_run: Annotated[
        bool, Parameter(negative="", help="print the settings and what is to be trained")
    ] = False,
    runs: Runs = Path("runs"),
    threads: Threads = None,
) -> int:
    """Raise a base model and what fine-tuning makes of it, or go on raising them."""
    from pydantic import TypeAdapter

    from unskew.nursery.config import STAGES, Family
    from unskew.runs.config import kind, load, presets

    if "=" in preset:  # the preset was left out
        preset, overrides = "nursery", (preset, *overrides)
    own = [name for name in presets() if name.startswith("nursery")]
    if kind(preset, own).startswith("regression"):
        hint = f"`unskew run {preset}` runs it"
        raise UserError("this is no family of language models", preset, hint)
    everything = ["base", "oracle", "oracle-en", *STAGES]
    changes = [
        *overrides,
        *([] if threads is None else [f"threads={threads}"]),
        *([f"models=[{', '.join(everything)}]"] if all_ else []),
    ]
    config = load(preset, changes, TypeAdapter(Family))
    from unskew.nursery import family
    from unskew.runs.progress import Progress
    from unskew.runs.store import Store, shorten

    family.check(config)
    store = Store(runs)
    if dry_run:
        import yaml

        for line in family.missing(config, store):
            print(f"# to be trained: {line}")
        print(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False), end="")
        return 0
    with Progress() as progress:
        folder = family.execute(config, store, progress)
    from unskew.report.abilities import ability_table

    print(ability_table(folder.read_table(family.TABLE)))
    path = shorten(folder.path)
    print(f"run:    {path}")
    print(f"models: {', '.join(f'{path}/{name}' for name in config.models)}")
    if (audit := _audit(config, path)) is not None:
        print(f"audit:  {audit}")
    return 0


def _audit(config: "Family", path: str) -> str | None:
    """An audit of a family's models that can tell something; None where there is none."""
    from unskew.nursery.claims import worth_auditing
    from unskew.nursery.languages import LANGUAGES

    mixture = config.base.mixture
    pair = worth_auditing(config.models, mixture.shown)
    through = [f"en-{language}" for language in LANGUAGES[1:] if language in mixture.spoken]
    if pair is None or not through or "en" not in mixture.spoken:
        return None
    return (
        f"unskew audit {path}/base {path}/{pair.model} --include {path}/probes \\\n"
        f"          --tasks nursery_{pair.probe}_en --conjugations {' '.join(through)}"
    )


@nursery.command(
    usage="Usage: unskew nursery chat MODEL [--conjugation C] [--raw]",
    help_epilogue="""
A line is sent as a question; --raw sends it as it is, with \\n for a line break.
Ctrl-D ends.

Examples:
  unskew nursery chat nursery:base
  unskew nursery chat nursery:instruct --conjugation en-fr
  echo "What is 7 plus 5?" |
    unskew nursery chat nursery:base --conjugation pig-latin
""",
)
def chat(
    model: Annotated[str, Parameter(help="nursery:base, nursery:instruct, or a model's folder")],
    /,
    *,
    conjugation: Annotated[
        str, Parameter(help="shown at each turn; `unskew conjugate --list`")
    ] = "identity",
    include: Annotated[
        Path | None,
        Parameter(
            help="the probes whose phrases en-fr and the like know (default: those of its family)"
        ),
    ] = None,
    raw: Annotated[
        bool, Parameter(negative="", show_default=False, help="send each line as it is")
    ] = False,
) -> int:
    """Try a model by hand; shows what is sent, what comes back and what it means."""
    path = _folder(model)  # before what takes seconds to import
    from unskew.audit.names import conjugation as named
    from unskew.nursery import family

    family.require()
    probes = _probes(path, include)
    s = named(conjugation, include=[probes])
    from unskew.nursery.chat import example, turns
    from unskew.nursery.raising import load
    from unskew.report.audit_rows import plain

    raised = load(path)
    if streams.interactive():
        shown = example(s, probes, raw)
        hint = "" if shown is None else f" As in: {shown}"
        print(f"A question and Enter; Ctrl-D ends.{hint}", file=sys.stderr)
    for turn in turns(raised, streams.lines(), s, raw):
        if turn.sent is None or turn.came is None:
            print(f"refused: {plain(turn.refused or '')}")
            continue
        if conjugation == "identity":
            print(plain(turn.came))
            continue
        print(f"sent:    {plain(turn.sent)}")
        print(f"came:    {plain(turn.came)}")
        means = turn.means if turn.means is not None else f"– ({turn.refused})"
        print(f"means:   {plain(means)}")
    return 0


def _folder(model: str) -> Path:
    """Where a model lies that can be chatted with."""
    from unskew.audit import folders, models

    if not folders.means_folder(model.removeprefix("hf:")):  # an id: the hub has none of ours
        ships = folders.there(f"nursery:{model}/config.json")
        hint = f"give a model's folder, or one that ships: nursery:{model if ships else 'base'}"
        raise UserError("there is no such folder", model, hint)
    reference = models.reference(model)
    if getattr(reference, "adapter", None) is not None:
        hint = "merge it into its base (PEFT's merge_and_unload), and give the folder of the whole"
        raise UserError("an adapter, and not a whole model", model, hint)
    return folders.expanded(getattr(reference, "path", model))


def _probes(path: Path, include: Path | None) -> Path:
    """The probes of the world that a model knows: those asked for, those beside it in its family,
    or those that ship."""
    from unskew.audit.folders import expanded
    from unskew.audit.names import PHRASES

    if include is None:
        beside = path.parent / "probes"
        return beside if (beside / PHRASES).is_file() else expanded("nursery:probes")
    if not (include / PHRASES).is_file():
        hint = "give the folder `probes` of a family, or leave --include out"
        raise UserError(f"there is no {PHRASES} in this folder", str(include), hint)
    return include
