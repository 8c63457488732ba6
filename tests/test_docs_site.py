"""The site: it builds without a warning and loads nothing from a network; what the pages show runs.

Of every page, those of the root among them: its links, and its commands, which are tried as far as
`--dry-run` goes. What AUDIT.md, GUARD.md and the README say besides has tests of its own
(test_docs, test_streams, test_readme).
"""

import ast
import importlib
import inspect
import os
import re
import runpy
import shlex
import socket
import subprocess
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest
from cyclopts import MissingArgumentError

import pages
from audit import hub, tiny
from test_docs import files
from unskew.cli import app, main

ROOT = Path(__file__).parents[1]
DOCS, API, SOURCE = ROOT / "docs", ROOT / "docs" / "api", ROOT / "src"
FOLDERS = ("docs", "src", "benchmarks", "results")
MARKDOWN = [*ROOT.glob("*.md"), *(p for room in FOLDERS for p in (ROOT / room).rglob("*.md"))]
MARKDOWN.sort()
RECIPES = [DOCS / "tutorial.md", *sorted((DOCS / "howto").glob("*.md"))]
TUTORIAL = RECIPES[0].read_text(encoding="utf-8")
ROOMS = sorted(path.parent.name for path in (SOURCE / "unskew").glob("*/__init__.py"))


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


def commands(page: str) -> list[str]:
    """The commands of a page, those that are given to a cluster among them."""
    clustered = re.findall(r"RAY_ADDRESS=\S+ unskew ([^'#\n]+)", page)
    return [*pages.commands(page), *(shlex.join(shlex.split(line)) for line in clustered)]


GIVEN = list(dict.fromkeys(line for path in MARKDOWN for line in commands(read(path))))


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the pages take for granted: a pair of models, a task, presets, phrases."""
    folder = tmp_path_factory.mktemp("desk")
    files(folder)
    for seed, arm in enumerate(("base", "tuned")):
        tiny.save(folder / arm, seed)
    with redirect_stdout(StringIO()) as written:  # as the guide to sweeps writes it
        assert main(["run", "demo", "sigma=1", "--dry-run"]) == 0
    (folder / "mine.yaml").write_text(written.getvalue())
    (book,) = pages.blocks(read(DOCS / "howto" / "add-a-conjugation.md"), "json")
    (folder / "phrases.jsonl").write_text(book, encoding="utf-8")
    (folder / "results").symlink_to(ROOT / "results")
    return folder


@pytest.fixture
def at_desk(desk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """There, without a network and without what this machine has kept of the hub."""

    def refused(*_: object) -> None:
        raise OSError("tests ask no network")

    monkeypatch.setattr(socket.socket, "connect", refused)
    hub.cache(tmp_path, monkeypatch)
    for variable in ("RAY_ADDRESS", "UNSKEW_DEBUG"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(desk)
    return desk


def tried(line: str) -> int | None:
    """The exit code of a command where it has a --dry-run; else None: it is understood."""
    # Data of the harness's own tasks are on the hub; tests/audit knows that the name is right.
    given = [word for word in shlex.split(line.partition(" '>' ")[0]) if word != "arc_easy"]
    try:
        command, *_ = app.parse_args(given, exit_on_error=False, print_error=False)
    except MissingArgumentError:
        _, _, more = app.parse_commands(given)
        assert not more  # the name alone, in a sentence
        return None
    # An audit of logs reads them, dry or not, and a reader's logs are not here.
    if "dry_run" not in inspect.signature(command).parameters or "--from-logs" in given:
        return None
    return main([*given, *([] if "--dry-run" in given else ["--dry-run"])])


@pytest.mark.parametrize("line", GIVEN)
def test_commands_are_understood(line: str, at_desk: Path, capsys: pytest.CaptureFixture[str]):
    """Every option, argument, preset and key: each command is tried, not only read."""
    before = sorted(at_desk.iterdir())
    code = tried(line)
    said = capsys.readouterr()
    assert code in (0, None), said.err
    # Nothing an audit names is missing; the weights of the paper's models are.
    assert line.startswith("paper lm") or "not known yet" not in said.out
    assert sorted(at_desk.iterdir()) == before


@pytest.mark.parametrize(
    "line",
    [
        "run demo nonsense=1",
        "run demoo",
        "run demo alpha=2",
        "sweep demo nonsense=1",
        "sweep demo alpha=0.2,2",
        "sweep demo evaluation.gammas=[1,2]",
        "purple demo nonsense=1",
        "purple demoo",
        "purple small --subject nobody",
        "nursery raise nonsense=1",
        "nursery raise demo",
        "removal ./base npo --forget f.jsonl --set nonsense=1",
        "paper make nonsense --scale demo",
        "paper lm --pair nonsense",
        "audit ./base ./tuned --set nonsense=1",
    ],
)
def test_a_command_that_is_wrong_would_be_caught(line: str, at_desk: Path):
    assert tried(line) == 2


def test_there_are_commands_of_every_kind():
    assert {shlex.split(line)[0] for line in GIVEN} >= {
        name for name in app if not name.startswith("-")
    } - {"demo"}
    assert any("--runs /shared/runs" in line for line in GIVEN)


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


# The reference -----------------------------------------------------------------------------------


def documented(room: str) -> list[str]:
    """The modules that a room's page shows."""
    return re.findall(r"^\.\. automodule:: (\S+)$", read(API / f"{room}.md"), re.MULTILINE)


def imported() -> set[tuple[str, str]]:
    """(module, name) of ours that the pages' code imports."""
    code = [block for path in MARKDOWN for block in pages.blocks(read(path), "python")]
    nodes = [node for block in code for node in ast.walk(ast.parse(block))]
    return {
        (str(node.module), alias.name)
        for node in nodes
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("unskew.")
        for alias in node.names
    }


def test_every_room_has_a_page():
    """Those of the reference are the rooms: each has a page, a row, and a place in the tree."""
    assert sorted(path.stem for path in API.glob("*.md")) == sorted([*ROOMS, "index"])
    index = read(API / "index.md")
    tree = index.partition(":hidden:\n")[2].partition("```")[0].split()
    assert sorted(tree) == ROOMS
    assert re.findall(r"^\| \[unskew\.(\w+)\]\(\1\.md\) \| \w", index, re.MULTILINE) == tree


@pytest.mark.parametrize("room", ROOMS)
def test_a_page_shows_every_package_of_its_room_and_what_is_there(room: str):
    shown = documented(room)
    packages = [path.parent for path in (SOURCE / "unskew" / room).rglob("__init__.py")]
    assert {".".join(path.relative_to(SOURCE).parts) for path in packages} <= set(shown)
    assert len(set(shown)) == len(shown)
    for module in shown:
        assert module.split(".")[1] == room
        path = SOURCE / module.replace(".", "/")
        assert path.is_dir() or path.with_suffix(".py").exists(), module


def test_what_the_pages_import_has_a_place_in_the_reference():
    modules = {module for module, _ in imported()}
    assert {"unskew.audit", "unskew.regression.measure"} <= modules
    assert modules <= {module for room in ROOMS for module in documented(room)}


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
    public = imported()
    for room in ROOMS:
        found = importlib.import_module(f"unskew.{room}")
        public |= {(f"unskew.{room}", one) for one in getattr(found, "__all__", ())}
    for module, one in public:
        what = getattr(importlib.import_module(module), one)
        if inspect.isclass(what) or inspect.isfunction(what):
            page = written[f"api/{module.split('.')[1]}.html"]
            assert f'id="{module}.{one}"' in page, (module, one)
    assert "<math" in written["method/laboratory.html"]
    assert "steps of linear rise of the learning rate" in written["api/training.html"]
    for where, html in written.items():  # a sentence with a colon is no type
        assert not re.search(r"<dt class=\"field-\w+\">Type<", html), where


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
