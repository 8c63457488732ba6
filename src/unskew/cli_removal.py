"""The command `unskew removal`: was an ability removed, or only suppressed? Thin, as `cli`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from unskew.cli_options import Runs, Threads, Words, listed
from unskew.errors import AbsentError, UserError

if TYPE_CHECKING:
    from unskew.purple.removal_config import Removal

USAGE = "Usage: unskew removal BASE UNLEARNED [--oracle ORACLE] --forget FILE | --probes FOLDER"
EXAMPLES = """
BASE is the original, UNLEARNED the model examined, or a method that is
applied to BASE first: ga, graddiff, npo, simnpo, rmu. ORACLE was never taught
what was to be unlearned; without one nothing is ever called removed. Each is
a folder, an id of the hub in the local cache, or nursery:NAME. A line of a
FILE is {"prompt": "...", "answer": "..."}; more in
docs/howto/examine-a-removal.md: "cluster" where documents belong together,
"label" where answers are sentences.

Examples:
  unskew removal ./base ./unlearned --oracle ./retrained --forget forget.jsonl
  unskew removal ./base npo --forget forget.jsonl --benign text.jsonl
  unskew removal RUN/base RUN/locked --oracle RUN/oracle --probes RUN/probes
  unskew removal ./base ./unlearned --forget f.jsonl --set relearning.steps=100
"""
OF_NURSERY = {"conjugations": ["en-fr", "en-es", "pig-latin"], "lr": 1e-3}
"""What suits models of a million weights."""


def removal(
    base: Annotated[str, Parameter(help="the original")],
    unlearned: Annotated[str, Parameter(help="the model examined, or a method")],
    /,
    *,
    oracle: Annotated[
        str | None, Parameter(help="a model trained without what was to be unlearned")
    ] = None,
    forget: Annotated[
        Path | None,
        Parameter(help="JSONL: what was to be unlearned; a part is taught, the rest asked"),
    ] = None,
    disjoint: Annotated[
        Path | None, Parameter(help="JSONL: other facts of the same kind, for relearning")
    ] = None,
    benign: Annotated[Path | None, Parameter(help="JSONL: unrelated text, for relearning")] = None,
    probes: Annotated[
        str | None, Parameter(help="the probes of a nursery's run, in place of these files")
    ] = None,
    conjugations: Annotated[
        Words, Parameter(help="held-out guises of the question; `unskew conjugate --list`")
    ] = (),
    suffix: Annotated[
        bool, Parameter(negative="", show_default=False, help="search suffixes (GCG), too: slow")
    ] = False,
    set_: Annotated[
        Words, Parameter(name="--set", help="KEY=VALUE of the configuration, as margin=0.1")
    ] = (),
    device: Annotated[str | None, Parameter(help="cpu, cuda, cuda:1")] = None,
    threads: Threads = None,
    dry_run: Annotated[
        bool, Parameter(negative="", show_default=False, help="print the settings; ask nothing")
    ] = False,
    runs: Runs = Path("runs"),
) -> int:
    """Was an ability removed, or is it only suppressed: removed, suppressed or inconclusive."""
    from pydantic import TypeAdapter

    from unskew.nursery.family import require

    require()
    from unskew.purple.removal_config import Removal
    from unskew.purple.unlearning import METHODS
    from unskew.runs.config import resolve

    doc: dict[str, Any] = {"kind": "removal", "base": base, "unlearned": unlearned}
    doc |= {"oracle": oracle, "data": _data(forget, disjoint, benign, probes), "where": {}}
    if probes is not None:
        from unskew.runs.store import expanded

        doc["data"]["folder"] = str(expanded(probes))
        doc["conjugations"] = OF_NURSERY["conjugations"]
    if conjugations:
        doc["conjugations"] = listed(conjugations)
    if suffix:
        doc["suffix"] = {}
    if unlearned in METHODS and not Path(unlearned).exists():
        doc["unlearning"] = {"method": {"kind": unlearned}}
    changes = [
        *([] if device is None else [f"device={device}"]),
        *([] if threads is None else [f"threads={threads}"]),
        *_slower(doc, set_, probes is not None),
        *set_,
    ]
    config = resolve(doc, changes, TypeAdapter(Removal), "removal")
    named = {"base": base, "unlearned": unlearned, "oracle": oracle}
    if config.unlearning is not None:
        del named["unlearned"]
    given = {role: name for role, name in named.items() if name is not None}
    if dry_run:
        import yaml

        for note in _notes(config, given):
            print("\n# ".join(f"# {note}".splitlines()))
        print(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False), end="")
        return 0
    where = {role: str(_folder(role, name)) for role, name in given.items()}
    config = config.model_copy(update={"where": where})
    from unskew.purple import removal as bench
    from unskew.report import page
    from unskew.report.removal import removal_table
    from unskew.runs.progress import Progress
    from unskew.runs.store import Store, shorten

    with Progress() as progress:
        folder = bench.execute(config, Store(runs), progress)
    print(removal_table(folder.read_table("removal"), folder.read_table("positions")))
    print(f"run:  {shorten(folder.path)}")
    drawn = folder.path / "report.html"
    if not drawn.exists():
        page.write([folder], drawn)
    print(f"page: {shorten(drawn)}")
    return 0


def _folder(role: str, name: str) -> Path:
    """Where a model lies. Raises UserError; of a word in the place of a method, with those there
    are."""
    from unskew.audit.folders import means_folder, model_folder
    from unskew.purple.unlearning import METHODS
    from unskew.runs.mistakes import nearest

    try:
        return model_folder(name)
    except UserError as error:
        if role != "unlearned" or "/" in name or means_folder(name):
            raise
        what, hint = f"{error.what}{nearest(name, METHODS)}", f"methods: {', '.join(METHODS)}"
        hint = f"{error.hint}; {hint}" if error.hint else hint
        raise type(error)(what, error.where, hint) from None


def _notes(config: Removal, given: Mapping[str, str]) -> list[str]:
    """What a run would lack, and what is known of its verdict. Raises UserError for other mistakes
    that can be found without it."""
    from unskew.purple.removal_config import guise, too_few, without_guises

    looks: list[Callable[[], object]] = [partial(_folder, *model) for model in given.items()]
    looks.append(partial(without_guises, config))
    # A translation model is loaded where its name is read.
    looks += [partial(guise, config, name) for name in config.conjugations if "mt:" not in name]
    found: list[str] = []
    for look in looks:
        try:
            look()
        except AbsentError as error:
            found.append(f"not there: {error}")
    with suppress(AbsentError):  # told above
        if (few := too_few(config, without_guises(config))) is not None:
            found.append(few)
    return found


def _data(
    forget: Path | None, disjoint: Path | None, benign: Path | None, probes: str | None
) -> dict[str, Any]:
    if probes is not None:
        if given := [f for f in (forget, disjoint, benign) if f is not None]:
            raise UserError("--probes stands in place of files", str(given[0]), "give one of them")
        return {"kind": "nursery", "folder": probes}
    if forget is None:
        hint = '--forget FILE, with a line {"prompt": "...", "answer": "..."} for each; or --probes'
        raise UserError("what was to be unlearned is not given", hint=hint)
    found = {"forget": forget, "disjoint": disjoint, "benign": benign}
    return {"kind": "files"} | {k: None if f is None else str(f) for k, f in found.items()}


def _slower(doc: dict[str, Any], given: tuple[str, ...], nursery: bool) -> list[str]:
    """The learning rates of small models, where they are not given."""
    keys = ["relearning.optimiser.lr"]
    if "unlearning" in doc:
        keys.append("unlearning.training.optimiser.lr")
    if not nursery:
        return []
    return [
        f"{key}={OF_NURSERY['lr']}"
        for key in keys
        if not any(key.startswith(text.partition("=")[0].strip()) for text in given)
    ]
