"""Progress: bars, lines or silence, whatever the place allows."""

import io

import pytest

from unskew.runs import progress as module
from unskew.runs.progress import Mode, Progress


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def test_lines_come_every_few_seconds_with_rate_and_time_left(clock: Clock) -> None:
    stream = io.StringIO()
    with Progress(stream=stream) as progress, progress.task("tuning", total=400, done=100) as task:
        for _ in range(20):
            clock.now += 1
            task.advance(10, loss=0.123456)
    lines = stream.getvalue().splitlines()
    assert lines[0] == "tuning ..."
    assert lines[1] == "tuning  150/400  10/s  0:25 left  loss 0.1235"
    assert lines[-1] == "tuning  300/400  10/s  took 0:20  loss 0.1235"
    assert len(lines) == 2 + 20 // 5


def test_steps_of_minutes_are_told_in_seconds_and_the_last_line_once(clock: Clock) -> None:
    stream = io.StringIO()
    with Progress(stream=stream) as progress, progress.task("cells", total=2) as task:
        for _ in range(2):
            clock.now += 334
            task.advance(1)
    assert stream.getvalue().splitlines() == [
        "cells ...",
        "cells  1/2  334 s each  5:34 left",
        "cells  2/2  334 s each  took 11:08",
    ]


@pytest.mark.parametrize("mode", ["lines", "bars"])
def test_what_an_earlier_session_did_is_no_speed(mode: Mode, clock: Clock) -> None:
    stream = io.StringIO()
    with Progress(mode, stream) as progress, progress.task("tuning", total=400) as task:
        task.resume(300)
        clock.now += 10
        task.advance(50)
        assert task._line(final=False) == "tuning  350/400  5/s  0:10 left"
    assert "350/400" in stream.getvalue()


def test_an_unknown_total_and_an_interruption(clock: Clock) -> None:
    stream = io.StringIO()

    def interrupted() -> None:
        with Progress(stream=stream) as progress, progress.task("pairs") as task:
            clock.now += 4000
            task.advance(8000)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert stream.getvalue().splitlines()[-1] == "pairs  8000  2/s"


def test_quiet_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    with Progress("quiet", stream) as progress, progress.task("tuning", total=2) as task:
        task.advance(2, loss=1.0)
        progress.say("hello")
    assert stream.getvalue() == ""
    assert capsys.readouterr() == ("", "")


def test_bars_show_name_count_and_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    stream = io.StringIO()
    with Progress("bars", stream) as progress:
        with progress.task("tu[red]ning", total=3) as task, progress.task("inner") as inner:
            task.advance(3, loss=0.25)
            inner.advance(1)
        progress.say("a [bold]line[/bold]")
    shown = stream.getvalue()
    assert "tu[red]ning" in shown
    assert "3/3" in shown
    assert "loss 0.25" in shown
    assert "a [bold]line[/bold]" in shown


def test_a_terminal_gets_bars() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    assert Progress(stream=Terminal()).mode == "bars"
    assert Progress(stream=io.StringIO()).mode == "lines"


@pytest.mark.parametrize(("seconds", "shown"), [(5.4, "0:05"), (65, "1:05"), (3725, "1:02:05")])
def test_clock(seconds: float, shown: str) -> None:
    assert module._clock(seconds) == shown
