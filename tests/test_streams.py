"""Standard streams as a shell, a pipe or cron leave them: closed, full, in an old encoding."""

import io
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from unskew import streams
from unskew.errors import UserError


class Standard(io.TextIOWrapper):
    """Standard input of these bytes, which nobody types."""

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data), encoding="utf-8")


def shell(line: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    unskew = f"{sys.executable} -m unskew"
    return subprocess.run(
        ["bash", "-c", line.replace("unskew", unskew, 1)],
        capture_output=True,
        check=False,
        env={**os.environ, **environment},
    )


def test_lines_come_without_their_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Standard("a b\r\n\nπ\u2028x".encode()))
    assert list(streams.lines()) == ["a b", "", "π\u2028x"]


def test_a_line_that_is_not_utf_8_is_named_after_those_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stdin", Standard(b"ok\na\xffb\n"))
    lines = streams.lines()
    assert next(lines) == "ok"
    with pytest.raises(UserError, match="byte 2, in line 2, is not UTF-8"):
        next(lines)


def test_a_closed_input_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert streams.read() == ""
    assert list(streams.lines()) == []


def test_what_is_typed_ends_with_ctrl_d(monkeypatch: pytest.MonkeyPatch) -> None:
    typed = iter(["one", "two"])

    def read(prompt: str) -> str:
        assert prompt == "> "
        try:
            return next(typed)
        except StopIteration:
            raise EOFError from None

    monkeypatch.setattr("builtins.input", read)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    assert list(streams.lines()) == ["one", "two"]


def test_what_is_typed_is_utf_8_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def strict(_: str) -> str:
        return b"caf\xe9".decode("utf-8")

    for read in (strict, lambda _: "caf\udce9"):  # as a terminal in UTF-8 and one in C give it
        monkeypatch.setattr("builtins.input", read)
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
        with pytest.raises(UserError, match="byte 4, in line 1, is not UTF-8"):
            next(streams.lines())


@pytest.mark.parametrize("command", ["conjugate rot13", "conjugate rot13 --check"])
def test_commands_take_a_closed_input_as_an_empty_one(command: str) -> None:
    done = shell(f"unskew {command} <&-")
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("encoding", ["ascii", "ascii:surrogateescape"])
def test_an_encoding_without_a_letter_costs_that_letter_alone(encoding: str) -> None:
    done = shell("unskew conjugate --list", PYTHONIOENCODING=encoding)
    whole = shell("unskew conjugate --list", PYTHONIOENCODING="utf-8")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode("ascii") != whole.stdout.decode("utf-8")  # there is such a letter
    assert done.stdout == whole.stdout.decode("utf-8").encode("ascii", streams.ASCII_LIKE)


def test_our_signs_are_written_as_their_likes() -> None:
    said = "skew −0.25 → 3.0 × α: à"
    assert said.encode("ascii", streams.ASCII_LIKE) == b"skew -0.25 -> 3.0 x alpha: \\xe0"
    assert said.encode("latin1", streams.ASCII_LIKE) == b"skew -0.25 -> 3.0 \xd7 alpha: \xe0"
    with pytest.raises(UnicodeDecodeError):
        b"\xff".decode("ascii", streams.ASCII_LIKE)


def test_a_pipe_has_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    assert streams.columns() == 60
    monkeypatch.delenv("COLUMNS")
    monkeypatch.setattr(sys, "__stdout__", io.StringIO())
    assert streams.columns() == 80


def test_a_closed_output_hears_nothing_and_a_full_one_is_said() -> None:
    closed = shell("unskew tasks >&-")
    assert (closed.returncode, closed.stderr) == (0, b"")
    for command in ("tasks", "conjugate rot13 <<< a"):
        full = shell(f"unskew {command} > /dev/full")
        assert full.returncode == 2
        assert full.stderr.startswith(b"error: no space left on device\n")
        assert b"Traceback" not in full.stderr
    assert shell("unskew runz 2> /dev/full").returncode == 2
