"""The verdicts of an audit as a table for terminals: 80 columns suffice.

`verdict_table` returns something that a rich console prints. No text of a model or a task can
move the cursor, colour anything or reorder the line: all of it goes through `plain`, and none of
it is read as rich's markup. Where the terminal knows no Unicode, marks and symbols are left out,
written in ASCII or escaped. `NO_COLOR` is honoured by rich.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from unskew import streams
from unskew.report.audit_rows import (
    IDENTITY,
    MARKS,
    Task,
    arm,
    headline,
    line,
    main,
    percent,
    plain,
    size,
    tasks,
    through,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
    from rich.segment import Segment

__all__ = ["LIMIT", "VerdictTable", "plain", "verdict_table"]

LIMIT = "Suppressed means reachable through the conjugation, not intact in the plain language."
TAUGHT = "Relearnt means brought back by a few examples, sooner than in the control named."
STYLES = {
    "not recovered": "bold red",
    "suppressed": "bold blue",
    "inconclusive": "yellow",
    "retained": "green",
}
NARROW, GAP = 60, 2


class Row(NamedTuple):
    """One task as text: its five cells and the lines under them."""

    cells: tuple[str, str, str, str, str]
    verdict: str
    below: list[str]
    relearnt: bool = False


def verdict_table(
    verdicts: pd.DataFrame,
    arms: pd.DataFrame | None,
    contrasts: pd.DataFrame | None,
    width: int | None = None,
) -> VerdictTable:
    """The tasks of an audit, the worst first, as a rich renderable.

    width: columns to use at most; by default as many as the console has.
    """
    found = tasks(verdicts, contrasts)
    shown = None if arms is None else main({"arms": arms})
    rows = [_row(task, shown) for task in found]
    return VerdictTable(headline(found), rows, width)


def _row(task: Task, arms: pd.DataFrame | None) -> Row:
    def score(name: str, conjugation: str) -> str:
        row = arm(arms, task.name, name, conjugation)
        return percent(row.estimate if row else None)

    s = through(arms, task)
    brought = f"{score('tuned', s)} {line(s)}" if s is not None else "–"
    if task.witness is not None:
        brought = f"{percent(task.witness_score)} {line(task.witness)}"
    cells = (line(task.name), score("base", IDENTITY), score("tuned", IDENTITY), brought)
    below = [line(task.words)] if task.words else []
    if task.why is not None:
        below.append(f"Why: {task.why}.")
    if task.detectable is not None and task.n is not None:
        below.append(f"{task.n} documents show a drop of {size(task.detectable)} points or more.")
    mark = MARKS.get(task.verdict, "–")
    taught = (task.witness or "").startswith("relearnt")
    return Row((*cells, f"{mark} {line(task.verdict)}"), task.verdict, below, taught)


class VerdictTable:
    """What `verdict_table` returns; print it with a rich console."""

    def __init__(self, sentence: str, rows: list[Row], width: int | None) -> None:
        self.sentence, self.rows, self.width = sentence, rows, width

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = min(options.max_width, self.width or options.max_width)
        yield from _bare(self._shown(console, options.update_width(width)))

    def _shown(self, console: Console, options: ConsoleOptions) -> Iterable[Segment]:
        from rich.padding import Padding
        from rich.text import Text

        width = options.max_width
        ascii_only = options.ascii_only

        def said(text: str, style: str = "", columns: int | None = None) -> Text:
            # A terminal that has no Unicode shows likes and escapes rather than failing.
            shown = text.encode("ascii", streams.ASCII_LIKE).decode() if ascii_only else text
            shown = shown if columns is None else _folded(shown, columns)
            return Text(shown, style=style, overflow="fold")

        def below(text: str) -> Iterable[Segment]:
            yield from console.render(Padding(said(text, "dim"), (0, 0, 0, 2)), options)

        yield from console.render(said(self.sentence + ".", "bold"), options)
        yield from console.render(Text(), options)
        names = ("task", "base", "tuned", "tuned + s", "verdict")
        widths = self._widths(width)
        if width >= NARROW:
            head = [said(name, "dim") for name in names]
            yield from console.render(_grid(head, widths), options)
        for row in self.rows:
            style = STYLES.get(row.verdict, "")
            *cells, verdict = row.cells
            if ascii_only:
                verdict = line(row.verdict)
            if width >= NARROW:
                task = said(cells[0], "bold", widths[0])
                shown = [task, *map(said, cells[1:]), said(verdict, style)]
                yield from console.render(_grid(shown, widths), options)
            else:
                yield from console.render(said(cells[0], "bold", width), options)
                yield from console.render(said(f"  {verdict}", style), options)
                for name, cell in zip(names[1:4], cells[1:], strict=True):
                    yield from console.render(said(f"  {name}: {cell}"), options)
            for text in row.below:
                yield from below(text)
        notes = [LIMIT] if any(row.verdict == "suppressed" for row in self.rows) else []
        notes += [TAUGHT] if any(row.relearnt for row in self.rows) else []
        for place, text in enumerate(notes):
            if not place:
                yield from console.render(Text(), options)
            yield from console.render(said(text, "dim"), options)

    def _widths(self, width: int) -> list[int]:
        """Columns of the five cells; the task gets what is left over."""
        from rich.cells import cell_len

        score, verdict = 6, 15
        longest = max((cell_len(row.cells[3]) for row in self.rows), default=0)
        room = width - 2 * score - verdict - 4 * GAP
        brought = min(max(longest, len("tuned + s")), room // 2)
        return [room - brought, score, score, brought, verdict]


def _folded(name: str, columns: int) -> str:
    """A name in lines of so many columns, broken behind "_" and "-" wherever that is possible."""
    from rich.cells import cell_len

    lines = [""]
    for part in re.findall(r"[^_-]*[_-]|[^_-]+", name):
        if lines[-1] and cell_len(lines[-1] + part) > columns:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)


def _bare(segments: Iterable[Segment]) -> Iterable[Segment]:
    """Lines without the blanks at their ends, with which a grid fills its last column."""
    from rich.segment import Segment

    for row in Segment.split_lines(segments):
        while row and not row[-1].text.strip(" "):
            row.pop()
        if row:
            row[-1] = row[-1]._replace(text=row[-1].text.rstrip(" "))
        yield from row
        yield Segment.line()


def _grid(cells: list, widths: list[int]) -> RenderableType:
    from rich.table import Table

    grid = Table.grid(padding=(0, GAP, 0, 0), pad_edge=False)
    for index, width in enumerate(widths):
        grid.add_column(width=width, justify="right" if index in (1, 2) else "left")
    grid.add_row(*cells)
    return grid
