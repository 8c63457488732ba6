"""The `unskew` command: thin commands over the library.

Exit codes: 0 done; 1 a verdict that was asked to fail, or a cell
of a sweep that failed; 2 a mistake of the user's; 70 a defect of
ours (with its traceback); 130 interrupted. Everything heavy is imported inside the commands, so
that help and mistakes answer at once.
"""

import errno
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import App, CycloptsError, Parameter, UnusedCliTokensError

import unskew
from unskew import (
    cli_conjugate,
    cli_judge,
    cli_lm,
    cli_nursery,
    cli_paper,
    cli_purple,
    cli_removal,
    cli_sweep,
    streams,
)
from unskew.cli_options import Runs, Threads, check_preset_first, check_runs
from unskew.errors import UserError

OK, USER_ERROR, DEFECT, INTERRUPTED = 0, 2, 70, 130

_PATHS = (errno.ENAMETOOLONG, errno.ELOOP, errno.EISDIR, errno.ENOTDIR, errno.EACCES, errno.EPERM)
_DISK = (errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE)
OF_THE_MACHINE = frozenset((*_PATHS, *_DISK))
"""What a disk, a path or its permissions refuse: nothing that we could have done otherwise."""
ASK_TRACE = "UNSKEW_DEBUG=1 before the command shows where"

HELP = """
Is an ability gone after fine-tuning, or only no longer inferred? Measure it, and bring it back.
"""
EXAMPLES = """
Examples:
  unskew demo                        both demonstrations on one page
  unskew run demo                    the laboratory's alone
  unskew run demo alpha=0.2 sigma=1  the same in another world
  unskew run demo --dry-run          only show the settings and the run's id
  unskew runs                        list the runs in ./runs
  unskew report RUN                  draw the page of a run anew
  unskew audit BASE TUNED            what fine-tuning did to a language model

Exit codes: 0 done; 1 a verdict that --fail-on names, or a cell that failed;
2 a mistake to put right; 70 a defect of unskew; 130 interrupted.
"""

app = App(
    name="unskew",
    help=HELP,
    help_epilogue=EXAMPLES,
    help_format="plaintext",
    version=unskew.__version__,
    version_flags=["--version"],
    result_action="return_value",
    # Ctrl-C is ours to answer: the message says how to continue.
    suppress_keyboard_interrupt=False,
)


@app.command(
    sort_key=0,
    help_epilogue="""
Examples:
  unskew demo
  unskew demo --runs /data/runs --threads 1
""",
)
def demo(
    *,
    runs: Runs = Path("runs"),
    threads: Threads = None,
) -> int:
    """Forgetting, and what brings it back, in both of its places: one page, a few minutes.

    In the laboratory a transformer forgets linear regressions; then two small
    language models that ship, before and after fine-tuning, are audited.
    """
    from pydantic import TypeAdapter

    from unskew.audit import run as audits
    from unskew.regression import study
    from unskew.regression.config import Experiment
    from unskew.report import page
    from unskew.report.audit_rows import line
    from unskew.runs.config import load
    from unskew.runs.progress import Progress
    from unskew.runs.store import Store, shorten

    audits.require()
    changes = [] if threads is None else [f"threads={threads}"]
    laboratory, store = load("demo", changes, TypeAdapter(Experiment)), Store(runs)
    pair = cli_lm.audit_of_the_pair(threads)
    with Progress() as progress:
        regression = study.execute(laboratory, store, progress)
    headline = regression.extra.get("headline", regression.id)
    print(f"\nThe laboratory: {line(headline)}\n", flush=True)
    with Progress() as progress:
        audited = audits.execute(pair, store, progress)
    print("\nTwo small language models:")
    cli_lm.say(audited)
    drawn = page.write([regression, audited], runs / "demo.html")
    print(f"runs: {shorten(regression.path)}, {shorten(audited.path)}")
    print(f"page: {shorten(drawn)}")
    return OK


@app.command(
    sort_key=1,
    usage="Usage: unskew run PRESET [key=value ...] [--dry-run] [--runs DIR] [--threads N]",
    help_epilogue="""
Examples:
  unskew run demo
  unskew run demo alpha=0.2 model.width=64
  unskew run demo finetuning.optimiser.kind=muon --dry-run
  unskew run demo --dry-run > my-world.yaml      every setting, to be edited
  unskew run my-world.yaml --runs /data/runs
""",
)
def run(
    preset: Annotated[
        str, Parameter(help="a preset's name (as `demo`), or the path of a YAML file")
    ],
    /,
    *overrides: Annotated[str, Parameter(help="settings to change, as key=value")],
    dry_run: Annotated[
        bool, Parameter(negative="", help="print the settings and the run's id; run nothing")
    ] = False,
    runs: Runs = Path("runs"),
    threads: Threads = None,
) -> int:
    """Run a preset, or continue it, or return it if it is finished already."""
    from pydantic import TypeAdapter

    from unskew.regression.config import Experiment
    from unskew.runs.config import kind, load, presets

    given = [preset, *overrides]
    check_preset_first("run", given)
    known = [name for name in presets() if not name.startswith(("nursery", "purple"))]
    match kind(preset, known).partition("-")[0]:
        case "nursery":
            hint = f"raise it by: {shlex.join(['unskew', 'nursery', 'raise', *given])}"
            raise UserError("this is a family of language models", preset, hint)
        case "purple":
            hint = f"run it by: {shlex.join(['unskew', 'purple', *given])}"
            raise UserError("this is a grid of attacks and defences", preset, hint)
    # The number of threads is a setting like any other, so one place checks it.
    changes = [*overrides, *([] if threads is None else [f"threads={threads}"])]
    config = load(preset, changes, TypeAdapter(Experiment))
    from unskew.regression import study
    from unskew.report.audit_rows import line
    from unskew.runs.progress import Progress
    from unskew.runs.store import Store, shorten

    if dry_run:
        import yaml

        id, missing = study.identify(config, Store(runs))
        for trained in missing:
            print(f"# to be trained first: {trained}")
        print(f"# run id: {id or 'depends on the weights of what is trained first'}")
        print(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False), end="")
        return OK
    with Progress() as progress:
        folder = study.execute(config, Store(runs), progress)
    if headline := folder.extra.get("headline"):
        print(line(headline))
    print(f"run:  {shorten(folder.path)}")
    drawn = folder.path / "report.html"
    if not drawn.exists() and folder.tables() and runs.resolve() in folder.path.resolve().parents:
        # killed between the last table and the page
        from unskew.report import page

        page.write([folder], drawn)
    if drawn.exists():
        print(f"page: {shorten(drawn)}")
    return OK


@app.command(name="runs", sort_key=2, help_epilogue="Example:\n  unskew runs --runs /data/runs")
def list_(*, runs: Runs = Path("runs")) -> int:
    """List the runs: id, state (finished, unfinished, damaged), time in UTC, headline."""
    from unskew.report.audit_rows import line
    from unskew.runs.catalogue import list_runs

    check_runs(runs)
    entries = list_runs(runs)
    if not entries:
        print(f"no runs in {runs}; start one with: unskew run demo")
        return OK
    # Folders and manifests are whatever somebody sent: none of their text moves the terminal.
    width = max(len(line(entry.id)) for entry in entries)
    for entry in entries:
        when, headline = line(entry.when or "-"), line(entry.headline or "")
        print(f"{line(entry.id):{width}}  {entry.state:10}  {when:20}  {headline}".rstrip())
    return OK


@app.command(
    sort_key=3,
    usage="Usage: unskew report RUN [RUN ...] [--out FILE] [--runs DIR]",
    help_epilogue="""
Examples:
  unskew report regression-study-0123456789ab
  unskew report runs/* --out comparison.html
""",
)
def report(
    run: Annotated[str, Parameter(help="a finished run: its id or its folder")],
    /,
    *more: Annotated[str, Parameter(help="further runs, shown side by side")],
    out: Annotated[Path, Parameter(help="the page to write")] = Path("report.html"),
    runs: Runs = Path("runs"),
) -> int:
    """Write one page about finished runs: self-contained, opens offline."""
    from unskew.report.audit_rows import line
    from unskew.runs.store import listing, named, shorten

    given = (run, *more)
    pages = [name for name in given if name.endswith(".html") and Path(name).is_file()]
    if len(pages) == len(given):
        raise UserError("this is a page, and no run", pages[0], listing(runs))
    if pages:  # `runs/*` finds them, too
        print(f"left out: {', '.join(map(line, pages))} (pages, not runs)", file=sys.stderr)
    found = [named(name, runs) for name in given if name not in pages]
    folders = list({folder.id: folder for folder in found}.values())  # each once
    shown = [folder for folder in folders if folder.config.get("kind") not in ("judge", "sweep")]
    if not shown:
        hint = "the command that made it shows it again"
        raise UserError("this kind of run has no page", str(folders[0].path), hint)
    if left_out := [line(folder.id) for folder in folders if folder not in shown]:
        print(f"left out: {', '.join(left_out)} (no page shows them)", file=sys.stderr)
    from unskew.report import page

    drawn = page.write(shown, out)
    # What went into a pipe is the page alone.
    where = sys.stdout if drawn.is_file() else sys.stderr
    print(f"page: {shorten(drawn)}", file=where)
    return OK


app.command(cli_lm.audit, sort_key=4, usage=cli_lm.AUDIT_USAGE, help_epilogue=cli_lm.AUDIT_EXAMPLES)
app.command(cli_lm.tasks, sort_key=5, help_epilogue=cli_lm.TASKS_EXAMPLES)
app.command(
    cli_conjugate.conjugate,
    sort_key=6,
    usage=cli_conjugate.USAGE,
    help_epilogue=cli_conjugate.EXAMPLES,
)
app.command(cli_judge.judge, sort_key=7, usage=cli_judge.USAGE, help_epilogue=cli_judge.EXAMPLES)
app.command(cli_sweep.sweep, sort_key=2, usage=cli_sweep.USAGE, help_epilogue=cli_sweep.EXAMPLES)
app.command(
    cli_purple.purple, sort_key=8, usage=cli_purple.USAGE, help_epilogue=cli_purple.EXAMPLES
)
app.command(
    cli_removal.removal, sort_key=8, usage=cli_removal.USAGE, help_epilogue=cli_removal.EXAMPLES
)
cli_paper.paper.command(cli_lm.paper_lm, name="lm", help_epilogue=cli_lm.LM_EXAMPLES)
app.command(cli_paper.paper)
app.command(cli_nursery.nursery)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; `arguments` default to the process's own."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = bool(os.environ.get("UNSKEW_DEBUG"))
    streams.prepare()
    try:
        code = app(given, exit_on_error=False, print_error=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else OK
    except UserError as error:
        if debug:
            raise
        _complain(str(error))
        return USER_ERROR
    except CycloptsError as error:
        if debug:
            raise
        _complain(_misunderstood(given, error))
        return USER_ERROR
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        resumed = (["demo"], ["run"], ["sweep"], ["audit"], ["judge"], ["purple"], ["removal"])
        if given[:1] in resumed or given[:2] in (["nursery", "raise"], ["paper", "make"]):
            again = shlex.join(["unskew", *given])
            print(f"the same command continues where it stopped:\n  {again}", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (as in `unskew runs | head`) has seen enough; nothing is wrong.
        streams.discard(sys.stdout)
        return OK
    except OSError as error:
        if debug or error.errno not in OF_THE_MACHINE:
            return _defect()
        what = (error.strerror or str(error)).lower()
        if error.filename is None:  # a stream or a device; which, only the trace tells
            streams.discard(sys.stdout)
        _complain(str(UserError(what, error.filename and str(error.filename), ASK_TRACE)))
        return USER_ERROR
    except SystemExit as error:
        if isinstance(error.__context__, BrokenPipeError):
            return OK  # the same, when it is rich that was writing
        raise
    except Exception:
        return _defect()


def _misunderstood(given: list[str], error: CycloptsError) -> str:
    """What is wrong with the words of a command, and whose help says more."""
    said = " ".join(str(error).split())
    if isinstance(error, UnusedCliTokensError):
        said = f"not understood: {shlex.join(error.unused_tokens or [])}"
    command, _, _ = app.parse_commands(given)
    return f"{said}\n`{' '.join(['unskew', *command])} --help` shows how it is used"


def _defect() -> int:
    import traceback

    traceback.print_exc()
    return DEFECT


def _complain(text: str) -> None:
    try:
        _tell(*text.split("\n", 1))
    except OSError:  # nobody can be told, and the exit code says it, too
        streams.discard(sys.stderr)


def _tell(first: str, rest: str = "") -> None:
    red, plain = ("\033[31m", "\033[0m") if _coloured() else ("", "")
    print(f"{red}error: {first}{plain}", file=sys.stderr)
    if rest:
        print(rest, file=sys.stderr)


def _coloured() -> bool:
    return sys.stderr.isatty() and "NO_COLOR" not in os.environ
