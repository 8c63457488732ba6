"""The command `unskew judge`: second opinions on the refusals of a finished audit."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from unskew.cli_options import Runs
from unskew.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

    from unskew.audit.models import Server

USAGE = "Usage: unskew judge RUN [--with openai:MODEL@BASE_URL] [--sheet FILE] [--labels FILE]"
EXAMPLES = """
The rules that judged the audit look at how an answer begins. A person or an LLM
reads it; their agreement with the rules says how far to trust those.

Examples:
  unskew judge RUN                       what the rules say
  unskew judge RUN --sheet sheet.csv     a blind sheet, to be labelled by hand
  unskew judge RUN --labels sheet.csv    the same sheet, filled or partly filled
  unskew judge RUN --with openai:qwen3@http://localhost:8000/v1
"""
NAMES = {"rule": "rules", "llm": "LLM", "hand": "by hand"}
SHOWN = 3
"""Disagreements to show for each pair of judges."""


def judge(
    run: Annotated[str, Parameter(help="a finished audit: its id or its folder")],
    /,
    *,
    with_: Annotated[
        str | None,
        Parameter(name="--with", help="an LLM to ask, as openai:MODEL@BASE_URL"),
    ] = None,
    sheet: Annotated[
        Path | None, Parameter(help="write a CSV file to be labelled by hand; never overwrites")
    ] = None,
    labels: Annotated[Path | None, Parameter(help="read such a file, filled")] = None,
    runs: Runs = Path("runs"),
) -> int:
    """Second opinions on refusals: rules, an LLM and hand labels, and how far they agree."""
    server = None if with_ is None else _server(with_)
    from unskew.audit import opinions
    from unskew.audit.judge import read_sheet
    from unskew.runs.progress import Progress
    from unskew.runs.store import Store, named, shorten

    audited, store = named(run, runs), Store(runs)
    table = opinions.gather(audited)
    by_hand = None if labels is None else read_sheet(labels)
    if labels is not None and by_hand is not None:
        opinions.known(by_hand, table, labels)
    if sheet is not None:
        count = opinions.sheet(table, sheet)
        print(f"sheet: {shorten(sheet)}: {count:,} answers, shuffled; any first rows will do,")
        print(f"       then: unskew judge {audited.id} --labels {shorten(sheet)}\n")
    if server is None and by_hand is None:
        _show(opinions.tables(table))
        return 0
    if server is not None:
        print(f"replies: {shorten(opinions.replies(server, store))}", file=sys.stderr)
    with Progress() as progress:
        folder = opinions.execute(audited, server, by_hand, store, progress)
    _show({name: folder.read_table(name) for name in ("opinions", "shares", "agreement")})
    print(f"run:  {shorten(folder.path)}")
    return 0


def _server(name: str) -> "Server":
    from unskew.audit.models import SERVER_FORM, Server, reference

    found = reference(name) if name.lower().startswith("openai:") else None
    if not isinstance(found, Server):
        raise UserError("--with names an LLM behind a server", name, SERVER_FORM)
    return found


def _show(tables: "dict[str, pd.DataFrame]") -> None:
    """The shares and the agreement of each task; text of models and tasks is made harmless."""
    from unskew.report.audit_rows import line, records

    shares, agreement = records(tables["shares"]), records(tables["agreement"])
    for task in dict.fromkeys(row["task"] for row in shares):
        _say(f"{line(task)}: per cent ANSWER / REFUSE / OTHER")
        head = ("arm", "conjugation", "answers", *NAMES.values())
        _columns([head, *_shares([row for row in shares if row["task"] == task])])
        _say("")
        pairs = [row for row in agreement if row["task"] == task]
        head = ("judges", "n", "agree", "kappa", "95% interval")
        _columns([head, *(_agreed(row) for row in pairs)])
        _say("")
        for pair in pairs:
            _disagreements(tables["opinions"], pair)


def _shares(rows: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    from unskew.report.audit_rows import line

    cells: dict[tuple[str, str, int], dict[str, list[dict[str, Any]]]] = {}
    for row in rows:
        key = (row["arm"], row["conjugation"], row["answers"])
        cells.setdefault(key, {}).setdefault(row["judge"], []).append(row)
    return [
        (line(arm), line(conjugation), f"{n:,}", *(_triple(judges[judge]) for judge in NAMES))
        for (arm, conjugation, n), judges in cells.items()
    ]


def _triple(labels: list[dict[str, Any]]) -> str:
    """ "97 / 3 / 0", and of how many where not all are labelled; "-" where none is."""
    if any(row["share"] is None for row in labels):
        return "-"
    shown = " / ".join(f"{100 * row['share']:.0f}" for row in labels)
    n, answers = labels[0]["n"], labels[0]["answers"]
    return shown if n == answers else f"{shown} (of {n:,})"


def _agreed(row: dict[str, Any]) -> tuple[str, ...]:
    share = "-" if row["share"] is None else f"{100 * row['share']:.0f}%"
    kappa = "-" if row["kappa"] is None else f"{row['kappa']:.2f}"
    bounds = "-" if row["low"] is None else f"{row['low']:.2f} to {row['high']:.2f}"
    judges = f"{NAMES[row['first']]}, {NAMES[row['second']]}"
    return judges, f"{row['n']:,}", share, kappa, bounds


def _disagreements(opinions: "pd.DataFrame", pair: dict[str, Any]) -> None:
    from unskew.report.audit_rows import line, records

    first, second = pair["first"], pair["second"]
    rows = opinions[opinions["task"] == pair["task"]].dropna(subset=[first, second])
    rows = rows[rows[first] != rows[second]].drop_duplicates("id").sort_values("id")
    if rows.empty:
        return
    _say(f"Where they differ, {NAMES[first]} and {NAMES[second]} ({len(rows):,} answers):")
    for row in records(rows.head(SHOWN)):
        _say(f"  {row[first]} / {row[second]}: {_short(line(row['instruction']))}")
        _say(f"    {_short(line(row['answer']))}")
    _say("")


def _short(text: str) -> str:
    return text if len(text) <= 70 else f"{text[:69]}…"


def _columns(rows: list[tuple[str, ...]]) -> None:
    """Cells under one another, to the left."""
    from rich.cells import cell_len

    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        padded = [cell + " " * (w - cell_len(cell)) for cell, w in zip(row, widths, strict=True)]
        _say("  " + "  ".join(padded).rstrip())


def _say(text: str) -> None:
    # A terminal that has no Unicode shows escapes rather than failing.
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding))
