"""`unskew conjugate`: bytes in, bytes out, and mistakes that name the line."""

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from unskew.cli import main
from unskew.conjugation import catalogue
from unskew.conjugation.names import TRANSLATIONS
from unskew.conjugation.translation import Asked, Translation

Captured = pytest.CaptureFixture[bytes]


class Standard(io.TextIOWrapper):
    """Standard input of these bytes; a terminal if it is said to be one."""

    def __init__(self, data: bytes, terminal: bool = False) -> None:
        super().__init__(io.BytesIO(data), encoding="utf-8")
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UNSKEW_DEBUG", raising=False)
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture
def conjugate(monkeypatch: pytest.MonkeyPatch, capsysbinary: Captured):
    def call(data: bytes, *arguments: str, terminal: bool = False) -> tuple[int, bytes, str]:
        monkeypatch.setattr(sys, "stdin", Standard(data, terminal))
        code = main(["conjugate", *arguments])
        out, err = capsysbinary.readouterr()
        return code, out, err.decode()

    return call


def test_there(conjugate) -> None:
    assert conjugate(b"Hello world\n", "pig-latin") == (0, b"Ellohay orldway\n", "")
    assert conjugate(b"Hello", "morse@rot13") == (0, b"^..- .-. -.-- -.-- -...", "")


@pytest.mark.parametrize("name", [entry.name for entry in catalogue() if entry.promise.exact])
@pytest.mark.parametrize(
    "text", [b"", b"\n", b"The cats, 42!", b"a\r\nB c\n\n", b"\t<s>[INST] hi [/INST]\r\n"]
)
def test_there_and_back_byte_for_byte(conjugate, name: str, text: bytes) -> None:
    text = b"a\tb\n" if name == "identity" else text
    code, image, err = conjugate(text, name)
    assert (code, err) == (0, "")
    assert image.count(b"\n") == text.count(b"\n")
    assert conjugate(image, name, "--inverse") == (0, text, "")


def test_other_alphabets_and_nul(conjugate) -> None:
    text = "\ufeffпривет, cafe\u0301 \0\u2028 x".encode()
    _, image, _ = conjugate(text, "leetspeak")
    assert conjugate(image, "leetspeak", "--inverse") == (0, text, "")


@pytest.mark.parametrize(
    ("data", "arguments", "says"),
    [
        (b"ok\n\xff\n", ["rot13"], "standard input: byte 4, in line 2, is not UTF-8\nconvert"),
        ("ok\nπ\nπ".encode(), ["morse"], "line 2: morse: has no sign for 'π'"),
        (b"aGk=\nhello\n", ["base64", "--inverse"], "line 2: base64: 'hello' is not base64"),
        (b"7aCA", ["base64", "--inverse"], "lone surrogate"),
        (b"", ["pig-latn"], "did you mean 'pig-latin'?"),
        (b"", [], "which conjugation?\n`unskew conjugate --list` lists them"),
        (b"", ["rot13", "--inverse", "--check"], "exclude one another"),
        (b"", ["rot13", "--invers"], "Unknown option"),
    ],
)
def test_mistakes_are_one_message_and_exit_2(
    conjugate, data: bytes, arguments: list[str], says: str
) -> None:
    code, out, err = conjugate(data, *arguments)
    assert (code, out) == (2, b"")
    assert err.startswith("error: ")
    assert says in err
    assert len(err.splitlines()) <= 3


@pytest.fixture(params=["a book", "a translation"])
def refusing(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch) -> str:
    """The name of a conjugation that says itself in which line what it refuses is."""
    if request.param == "a book":
        path = tmp_path / "book.jsonl"
        path.write_text('{"en": "Fine.", "fr": "Bien."}\n')
        return f"book:{path}:en-fr"
    ask = lambda some: ["" if "Bad." in p else p.splitlines()[-2][-5:].swapcase() for p in some]  # noqa: E731
    translation = Translation("self:en-fr", Asked(ask, "self", "en", "fr"))
    monkeypatch.setattr("unskew.audit.names.conjugation", lambda name: translation)
    return "self:en-fr"


def test_one_line_is_named_and_it_is_that_of_the_text(conjugate, refusing: str) -> None:
    pytest.importorskip("sacrebleu")
    code, out, err = conjugate(b"Fine.\n\nBad.\n", refusing)
    assert (code, out) == (2, b"")
    assert re.findall(r"line \d+", err) == ["line 3"]
    _, out, _ = conjugate(b"Fine.\n\nBad.\n", refusing, "--check")
    assert re.findall(r"line \d+", out.decode()) == ["line 3"]


def test_check_reports_instead(conjugate) -> None:
    pytest.importorskip("sacrebleu")
    code, out, _ = conjugate(b"Fine.\n\nNot so\n", "upper", "--check")
    assert code == 0
    assert re.fullmatch(
        r"lines:       2\nadmissible:  2\nexact:       2 \(100\.0%\)\nchrF:        100\.0\n",
        out.decode(),
    )
    _, out, _ = conjugate("sos\n\nπ\n".encode(), "morse", "--check")
    assert out.decode().splitlines()[1:4] == [
        "admissible:  1",
        "exact:       1 (50.0%)",
        "chrF:        100.0",
    ]
    assert out.decode().splitlines()[4].startswith("line 3: 'π': has no sign for 'π'")
    _, out, _ = conjugate(b"Yes, NATO\x1b[31m\n", "upper", "--check")
    assert "line 1: 'Yes, NATO\\x1b[31m': came back as 'Yes, nato\\x1b[31m'" in out.decode()
    assert "\x1b" not in out.decode()
    _, out, _ = conjugate(b"\n", "upper", "--check")
    assert out.decode() == "lines:       0\nadmissible:  0\nexact:       0\nchrF:        none\n"


@pytest.mark.parametrize("width", [60, 80, 200])
def test_the_list_has_every_name_with_its_promise(conjugate, width: int, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    code, out, _ = conjugate(b"", "--list")
    assert code == 0
    assert max(map(len, out.decode().splitlines())) <= width
    entries, _, translations = out.decode().partition("translations, here")
    listed = {text.split()[0]: " ".join(text.split()[1:]) for text in re.split(r"\n(?! )", entries)
              if text}  # fmt: skip
    assert list(listed) == [entry.name for entry in catalogue()]
    for entry in catalogue():
        says = f"exact on {entry.promise.domain}" if entry.promise.exact else "lossy"
        told = " ".join(f"{entry.description} {says}; keeps ".split())
        assert listed[entry.name].startswith(told)
        assert ("numbers" in listed[entry.name].removeprefix(told)) == entry.promise.numbers
    assert re.findall(r"^  (\S+)", translations, re.MULTILINE) == list(TRANSLATIONS)


def test_help_has_examples_that_work(conjugate, tmp_path: Path) -> None:
    code, out, _ = conjugate(b"", "--help")
    assert code == 0
    assert "Usage: unskew conjugate NAME" in out.decode()
    examples = re.findall(r"^  unskew conjugate (.*)$", out.decode(), re.MULTILINE)
    assert len(examples) >= 4
    for example in examples:
        arguments = example.partition(" <")[0].split()
        if not arguments[0].startswith("book:"):
            assert conjugate(b"hi", *arguments)[0] == 0


def test_a_terminal_is_told_how_to_end(conjugate) -> None:
    assert conjugate(b"hi", "rot13", terminal=True) == (
        0,
        b"uv",
        "reading the terminal; Ctrl-D ends the text\n",
    )


def test_a_reader_that_stops_reading_is_no_mistake() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "unskew", "conjugate", "rot13"]
    done = subprocess.run(
        command, input=b"hi\n" * 50_000, stdout=writing, stderr=subprocess.PIPE, check=False
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")
