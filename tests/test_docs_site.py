"""The site: it builds without a warning and loads nothing from a network; what its pages show runs.

AUDIT.md, GUARD.md and the README have tests of their own (test_docs, test_streams, test_readme).
"""

import importlib
import inspect
import os
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import pages
from audit import tiny
from unskew.cli import COMMANDS, app, main

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
FOLDERS = ("docs", "src", "benchmarks", "results")
MARKDOWN = [*ROOT.glob("*.md"), *(p for room in FOLDERS for p in (ROOT / room).rglob("*.md"))]
MARKDOWN.sort()
RECIPES = [DOCS / "tutorial.md", *sorted((DOCS / "howto").glob("*.md"))]
TUTORIAL = RECIPES[0].read_text(encoding="utf-8")
PACKAGES = ("audit", "conjugation", "purple", "regression", "statistics")


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


# What a reader may type --------------------------------------------------------------------------


@pytest.mark.parametrize("path", MARKDOWN, ids=name)
def test_links_lead_somewhere(path: Path):
    for link in pages.links(read(path)):
        assert (path.parent / link).exists(), link


@pytest.mark.parametrize("path", [*RECIPES, ROOT / "CONTRIBUTING.md"], ids=name)
def test_files_and_targets_exist(path: Path):
    text = read(path)
    for named in re.findall(r"`((?:src|tests|tools|docs|results|benchmarks)(?:/[\w./-]+)?)`", text):
        assert (ROOT / named).exists(), named
    targets = set(re.findall(r"^([a-z]+):", read(ROOT / "Makefile"), re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make ([a-z]+)", text, re.MULTILINE)) <= targets


CODE = [(name(path), code) for path in RECIPES for code in pages.blocks(read(path), "python")]


@pytest.mark.parametrize("code", [code for _, code in CODE], ids=[where for where, _ in CODE])
def test_python_runs(code: str, tmp_path: Path):
    done = pages.run(code, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    for said in re.findall(r"print\(.*flush=True\)  # (.+)$", code, re.MULTILINE):
        assert said in done.stdout


GIVEN = [
    line
    for path in MARKDOWN
    if path.is_relative_to(DOCS) and path.name != "AUDIT.md"
    for line in pages.commands(read(path))
]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save(tmp_path_factory.mktemp("models") / "tiny")


@pytest.mark.parametrize("line", dict.fromkeys(GIVEN))
def test_commands_are_understood(
    line: str, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Every option and argument; an audit of the reader's models as far as --dry-run goes."""
    given = shlex.split(line)
    if len(given) == 1:  # a command's name in a sentence
        assert given[0] in COMMANDS
        return
    app.parse_args(given, exit_on_error=False, print_error=False)
    if given[:3] == ["audit", "./base", "./tuned"]:
        for folder in ("base", "tuned"):
            (tmp_path / folder).symlink_to(models)
        (tmp_path / "mytasks").mkdir()
        monkeypatch.chdir(tmp_path)
        assert main([*given, *([] if "--dry-run" in given else ["--dry-run"])]) == 0


# The tutorial ------------------------------------------------------------------------------------


def steps() -> list[tuple[str, str]]:
    """The tutorial's commands and code, each with what is shown to come of it ("" if nothing)."""
    found = pages.fences(TUTORIAL)[1:]  # the first installs
    shown = {i for i, (kind, text) in enumerate(found) if not kind and not _is_command(text)}
    return [
        (text, found[i + 1][1] if i + 1 in shown else "")
        for i, (_, text) in enumerate(found)
        if i not in shown
    ]


def _is_command(text: str) -> bool:
    return text.startswith(("unskew ", "echo "))


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("given", "shown"), steps(), ids=lambda text: text.split("\n")[0][:40])
def test_the_tutorial_shows_what_comes(given: str, shown: str, tmp_path: Path):
    if _is_command(given):
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        environment = os.environ | {"PATH": path, "COLUMNS": "80", "PYTHONIOENCODING": "utf-8"}
        done = subprocess.run(
            given, shell=True, cwd=tmp_path, env=environment,
            capture_output=True, text=True, encoding="utf-8",
        )  # fmt: skip
    else:
        done = pages.run(given, tmp_path)
    assert done.returncode == 0, done.stderr
    said = "\n".join(line.rstrip() for line in done.stdout.splitlines())
    assert shown.strip() in said


def test_the_tutorial_has_steps():
    assert len(steps()) >= 4
    assert sum(bool(shown) for _, shown in steps()) >= 4


# The site ----------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_site_builds_and_loads_nothing_from_elsewhere(tmp_path: Path):
    for needed in ("sphinx", "myst_parser", "furo"):
        pytest.importorskip(needed)
    build = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"]
    done = subprocess.run(
        [*build, "-d", str(tmp_path / "trees"), str(DOCS), str(tmp_path / "site")],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    site = tmp_path / "site"
    written = {path.relative_to(site).as_posix(): read(path) for path in site.rglob("*.html")}
    loading = re.compile(r"<(?:script|link|img|iframe|source)\b[^>]*(?:src|href)=\"(?:https?:)?//")
    for where, html in written.items():
        assert not loading.search(html), where
    for path in site.rglob("*.css"):
        assert not re.search(r"@import|url\([\"']?(?:https?:)?//", read(path)), path
    for package in PACKAGES:
        room = importlib.import_module(f"unskew.{package}")
        for public in room.__all__:
            what, full = getattr(room, public), f"unskew.{package}.{public}"
            if inspect.isclass(what) or inspect.isfunction(what):
                assert f'id="{full}"' in written[f"api/{package}.html"], full
    assert "<math" in written["method/laboratory.html"]


def test_docstrings_keep_their_equations():
    pytest.importorskip("sphinx")
    literal = runpy.run_path(str(DOCS / "conf.py"))["literal"]
    given = (
        "Two *fine* words and a *star.\n\n"
        "    m += C x\n\n"
        "    n = 2 * m\n\n"
        "one    the first\ntwo    the second\n\n"
        "Args:\n    x: (B, P).\n\n"
        "    y: (B,).\n\n"
        "The end."
    )
    assert literal(given) == (
        "Two *fine* words and a \\*star.\n\n"
        "::\n\n       m += C x\n\n"
        "       n = 2 * m\n\n"
        "   one    the first\n   two    the second\n\n"
        "Args:\n    x: (B, P).\n\n"
        "    y: (B,).\n\n"
        "The end."
    )
