"""The environment record says what matters and nothing about whose machine it was."""

import getpass
import json
import platform
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import torch

import unskew
from unskew.runs import environment


def test_what_is_recorded() -> None:
    record = environment.record("cpu")
    assert record["unskew"] == unskew.__version__
    assert record["python"] == platform.python_version()
    # the label of the build (+cpu, +cu130) is in one of the two only, depending on the wheel
    recorded = record["packages"]["torch"].split("+")[0]
    assert recorded == str(torch.__version__).split("+")[0]
    assert record["threads"] == torch.get_num_threads()
    assert record["device"] == "cpu"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", record["time"])


def test_neither_host_nor_user_nor_path() -> None:
    record = environment.record("cpu")
    values = json.dumps([v for k, v in record.items() if k != "cpu"])
    assert platform.node() not in values
    assert f'"{getpass.getuser()}"' not in values
    assert str(Path.home()) not in values
    assert str(Path(unskew.__file__).parent) not in values


def checkout(root: Path) -> Path:
    """A repository that holds a copy of the module where it would lie in ours."""
    module = root / "src" / "unskew" / "runs" / "environment.py"
    module.parent.mkdir(parents=True)
    shutil.copy(environment.__file__, module)
    for command in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-qm", "a"],
    ):
        subprocess.run(["git", "-C", str(root), *command], check=True)
    return module


def test_commit_and_dirty_in_the_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = checkout(tmp_path)
    monkeypatch.setattr(environment, "__file__", str(module))
    commit, dirty = environment._checkout()
    assert commit is not None
    assert re.fullmatch(r"[0-9a-f]{40}", commit)
    assert dirty is False
    module.write_text("changed")
    assert environment._checkout() == (commit, True)


def test_no_commit_outside_the_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = tmp_path / "lib" / "site-packages" / "unskew" / "runs" / "environment.py"
    subprocess.run(["git", "-C", str(tmp_path), "init", "-q"], check=True)
    monkeypatch.setattr(environment, "__file__", str(installed))
    assert environment._checkout() == (None, None)
