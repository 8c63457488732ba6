"""The guide's code runs, its options exist, its links lead somewhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

DOCS = Path(__file__).parents[1] / "docs"
GUIDE = (DOCS / "AUDIT.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("code", re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL))
def test_python_runs(code: str, tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_options_exist():
    said = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", GUIDE)) - {"--log_samples"}
    known = ""
    for command in ("audit", "judge", "conjugate", "tasks", "paper lm"):
        arguments = [sys.executable, "-m", "unskew", *command.split(), "--help"]
        known += subprocess.run(arguments, capture_output=True, text=True, check=True).stdout
    assert {option for option in said if option not in known} <= {"--log"}


def test_names_exist():
    from unskew.audit.catalogue import shipped
    from unskew.conjugation import catalogue

    names = {entry.name for entry in catalogue()}
    ciphers = re.search(r"- Ciphers: (.*?)- Translation", GUIDE, re.DOTALL)
    assert ciphers is not None
    assert set(re.findall(r"`([a-z0-9-]+)`", ciphers[1])) <= names
    tasks = {task.name for task in shipped()} | {tag for task in shipped() for tag in task.tags}
    assert set(re.findall(r"--tasks (\w+)", GUIDE)) <= tasks
    for link in re.findall(r"\]\((?!http)([^)#]+)\)", GUIDE):
        assert (DOCS / link).exists(), link


def test_the_example_task_is_yaml():
    (text,) = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
    assert yaml.safe_load(text)["metadata"]["unskew"]["main"] == "exact_match"
