"""What the tests ask of a page in Markdown: its code, its commands, its links, its prose; and the
tables that its figures are from."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).parents[1]
FENCE = re.compile(r"^( *)```([^\n`]*)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)


def prose(name: str) -> str:
    """A page of the repository, with every run of white space as one space."""
    return " ".join((ROOT / name).read_text(encoding="utf-8").split())


def table(of: str, name: str) -> pd.DataFrame:
    """A table of a folder of results."""
    return pd.read_parquet(ROOT / "results" / of / "tables" / f"{name}.parquet")


def fences(page: str) -> list[tuple[str, str]]:
    """(language, text) of each fenced block, in order, without the indentation of a list around
    it; the language is "" for commands and what they print."""
    return [
        (language, re.sub(rf"^{indent}", "", text, flags=re.MULTILINE))
        for indent, language, text in FENCE.findall(page)
    ]


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of that language."""
    return [text for name, text in fences(page) if name == language]


def commands(page: str) -> list[str]:
    """What follows `unskew` in blocks of commands and between backticks, each once, normalised."""
    lines = [line for block in blocks(page, "") for line in block.splitlines()]
    lines += re.findall(r"`(?:[^`|]*\| )?(unskew [^`]+)`", FENCE.sub("", page))
    # From a pipe to redirected input: `echo hello | unskew conjugate pig-latin < FILE`.
    lines = [re.sub(r"^[^|]*\| (?=unskew )", "", line).partition(" < ")[0] for line in lines]
    given = (shlex.split(line, comments=True) for line in lines if line.startswith("unskew "))
    return list(dict.fromkeys(shlex.join(words[1:]) for words in given))


def links(page: str) -> list[str]:
    """Where links that stay in the repository lead, without the place on the page."""
    return re.findall(r"\]\((?!https?:)([^)#]+)[^)]*\)", FENCE.sub("", page))


def run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run Python code in `folder`; warnings are errors."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=folder, capture_output=True, text=True, encoding="utf-8", timeout=100,
    )  # fmt: skip
