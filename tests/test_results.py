"""Every folder of reference results says what it is: settings, command, processor, date."""

import json
import re
import socket
from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results"
TABLES = sorted(RESULTS.rglob("*.parquet"))
FOLDERS = sorted({p.parent.parent if p.parent.name == "tables" else p.parent for p in TABLES})
COMMANDS = (RESULTS / "README.md").read_text(encoding="utf-8")
MACHINE = re.compile(r"(?<![\w.:/])/(?:home|root|Users|work|tmp|mnt|srv|opt|usr)/|~/|[A-Z]:\\\\")


def name(path: Path) -> str:
    return path.relative_to(RESULTS).as_posix()


def read(folder: Path, file: str) -> dict:
    return json.loads((folder / f"{file}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("folder", FOLDERS, ids=name)
def test_it_says_what_it_is(folder: Path):
    assert read(folder, "config")
    environment = read(folder, "environment")
    assert {"cpu", "cores", "device", "time"} <= set(environment)
    assert environment["cpu"] or environment["note"]  # null, and why
    datetime.strptime(environment["time"], "%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.parametrize("folder", FOLDERS, ids=name)
def test_its_command_is_told(folder: Path):
    top = name(folder).partition("/")[0]
    (row,) = re.findall(rf"^\| `{re.escape(top)}` \| (.*) \|.*\|$", COMMANDS, re.MULTILINE)
    assert "`unskew " in row or "`python " in row


def test_the_readme_tells_of_no_other_folder():
    told = set(re.findall(r"^\| `([\w.-]+)` \|", COMMANDS, re.MULTILINE))
    assert told == {name(folder).partition("/")[0] for folder in FOLDERS}


@pytest.mark.parametrize("folder", FOLDERS, ids=name)
def test_no_host_user_or_path(folder: Path):
    texts = [p.read_text("utf-8") for p in folder.rglob("*") if p.suffix in (".json", ".jsonl")]
    for path in folder.rglob("*.parquet"):
        table = pd.read_parquet(path)
        texts += [
            "\n".join(table[c].dropna().astype(str)) for c in table if table[c].dtype == "str"
        ]
    host = socket.gethostname()
    for text in texts:
        assert not MACHINE.search(text), MACHINE.search(text)
        if len(host) > 5:
            assert host not in text


def test_a_run_has_its_manifest():
    runs = [
        path.parent for path in RESULTS.rglob("config.json") if "id" in read(path.parent, "config")
    ]
    assert len(runs) > 10
    assert [str(folder) for folder in runs if not (folder / "manifest.json").exists()] == []


@pytest.mark.parametrize("path", TABLES, ids=name)
def test_tables_are_what_their_runs_wrote(path: Path):
    import hashlib

    folder = path.parent.parent
    if (folder / "manifest.json").exists():
        recorded = read(folder, "manifest")["files"][path.relative_to(folder).as_posix()]["sha256"]
        assert hashlib.sha256(path.read_bytes()).hexdigest() == recorded
