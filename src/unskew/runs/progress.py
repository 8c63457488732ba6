"""Progress that fits where it is shown: bars on a terminal, plain lines elsewhere, or silence.

    with Progress() as progress:
        with progress.task("fine-tuning", total=400) as task:
            for step in range(400):
                task.advance(1, loss=0.5)

Everything goes to standard error, so that results on standard output can be piped.
"""

import sys
import time
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Literal, Self

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress

Mode = Literal["auto", "bars", "lines", "quiet"]
SECONDS_BETWEEN_LINES = 5.0


class Progress:
    """Shows the progress of tasks, which may be nested.

    Args:
        mode: "bars" (rich, with rate and time left), "lines" (at most one every few seconds per
            task), "quiet" (for use as a library), or "auto": bars on a terminal, lines elsewhere.
        stream: where to; standard error by default.
    """

    def __init__(self, mode: Mode = "auto", stream: IO[str] | None = None) -> None:
        self.stream = sys.stderr if stream is None else stream
        self.mode: Literal["bars", "lines", "quiet"]
        if mode == "auto":
            self.mode = "bars" if self.stream.isatty() else "lines"
        else:
            self.mode = mode
        self._bars: RichProgress | None = None

    def __enter__(self) -> Self:
        if self.mode == "bars":
            self._bars = _bars(self.stream)
            self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bars is not None:
            self._bars.stop()
            self._bars = None

    def task(self, name: str, total: int | None = None, done: int = 0) -> "Task":
        """A task of `total` steps (None: unknown), `done` of which an earlier session did."""
        return Task(self, name, total, done)

    def say(self, text: str) -> None:
        """One line of text, above the bars."""
        if self.mode == "quiet":
            return
        if self._bars is not None:
            self._bars.console.print(text, markup=False, highlight=False)
        else:
            print(text, file=self.stream, flush=True)


class Task:
    """One task. `advance` it; as a context manager it is closed at the end of the block."""

    def __init__(self, progress: Progress, name: str, total: int | None, done: int) -> None:
        self.progress, self.name, self.total, self.done = progress, name, total, done
        self._begun_at, self._begun_with = time.monotonic(), done
        self._last_line = time.monotonic()
        self._values: dict[str, Any] = {}
        self._bar: Any = None
        if progress._bars is not None:
            self._bar = progress._bars.add_task(name, total=total, completed=done, values="")
        elif progress.mode == "lines":
            progress.say(f"{name} ...")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.progress.mode == "lines":
            self.progress.say(self._line(final=kind is None))
        elif self._bar is not None and self.progress._bars is not None:
            self.progress._bars.refresh()
            self.progress._bars.stop_task(self._bar)

    def resume(self, done: int) -> None:
        """`done` steps were done by an earlier session; they do not count towards the rate."""
        self._begun_at, self._begun_with = time.monotonic(), done
        self.done = done
        if self._bar is not None and self.progress._bars is not None:
            self.progress._bars.reset(self._bar, completed=done, total=self.total)

    def advance(self, steps: int = 1, **values: float | str) -> None:
        """`steps` more are done; `values` (e.g. loss=0.5) are shown beside them."""
        self.done += steps
        self._values |= values
        if self._bar is not None and self.progress._bars is not None:
            self.progress._bars.update(self._bar, advance=steps, values=self._shown())
        elif self.progress.mode == "lines":
            now = time.monotonic()
            last = self.done == self.total  # whose line is that of the end
            if now - self._last_line >= SECONDS_BETWEEN_LINES and not last:
                self._last_line = now
                self.progress.say(self._line(final=False))

    def _shown(self) -> str:
        return "  ".join(f"{name} {_number(value)}" for name, value in self._values.items())

    def _line(self, final: bool) -> str:
        seconds = time.monotonic() - self._begun_at
        rate = (self.done - self._begun_with) / seconds if seconds > 0 else 0.0
        parts = [f"{self.done}" if self.total is None else f"{self.done}/{self.total}"]
        if rate > 0:
            parts.append(_speed(rate))
        if final:
            parts.append(f"took {_clock(seconds)}")
        elif self.total is not None and rate > 0:
            parts.append(f"{_clock((self.total - self.done) / rate)} left")
        return "  ".join([self.name, *parts, *([self._shown()] if self._values else [])])


def _bars(stream: IO[str]) -> "RichProgress":
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Task as RichTask
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: RichTask) -> Text:
            speed = task.finished_speed or task.speed
            return Text(_speed(speed) if speed else "", style="cyan")

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(compact=True, elapsed_when_finished=True),
        TextColumn("{task.fields[values]}", markup=False, style="dim"),
        console=Console(file=stream),
    )


def _number(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.4g}"


def _speed(rate: float) -> str:
    """Steps in a second, or where there is not one, seconds for a step."""
    return f"{_number(rate)}/s" if rate >= 1 else f"{_number(1 / rate)} s each"


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
