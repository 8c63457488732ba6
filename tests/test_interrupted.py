"""Stopped by Ctrl-C or `kill -9` and given the same command, a run ends with the same bits."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from unskew.runs.folder import RunFolder

PRESET = """
kind: regression-pretrain
d: 2
exemplars: 4
model: {layers: 1, heads: 1, width: 16}
training: {steps: 800, batch: 8, optimiser: {kind: adam}}
threads: 1
"""


def start(folder: Path, runs: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "unskew", "run", "tiny.yaml", "--runs", runs]
    return subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(folder: Path, runs: str) -> RunFolder:
    with start(folder, runs) as process:
        out, err = process.communicate(timeout=100)
    assert process.returncode == 0, err
    found = re.search(r"^run:  (.*)$", out, re.M)
    assert found is not None
    return RunFolder.read(folder / found[1])


def wait_until_training(process: subprocess.Popen[str], runs: Path) -> None:
    """Until some steps are done, which the log tells."""
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        if any(log.stat().st_size for log in runs.glob("*/metrics.jsonl")):
            return
        time.sleep(0.02)
    process.kill()
    raise AssertionError(f"no step was logged: {process.communicate()}")


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    folder = tmp_path_factory.mktemp("uninterrupted")
    (folder / "tiny.yaml").write_text(PRESET)
    return finish(folder, "runs")


def the_same(one: RunFolder, two: RunFolder) -> None:
    assert one.id == two.id
    assert one.sha256("model.safetensors") == two.sha256("model.safetensors")
    assert list(one.records()) == list(two.records())


def test_ctrl_c(tmp_path: Path, uninterrupted: RunFolder) -> None:
    (tmp_path / "tiny.yaml").write_text(PRESET)
    with start(tmp_path, "runs") as process:
        wait_until_training(process, tmp_path / "runs")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == ""
    assert "Traceback" not in err
    assert err.endswith("continues where it stopped:\n  unskew run tiny.yaml --runs runs\n")
    folder = tmp_path / "runs" / uninterrupted.id
    assert (folder / "checkpoint.safetensors").exists()
    the_same(finish(tmp_path, "runs"), uninterrupted)


def test_kill_9(tmp_path: Path, uninterrupted: RunFolder) -> None:
    (tmp_path / "tiny.yaml").write_text(PRESET)
    with start(tmp_path, "runs") as process:
        wait_until_training(process, tmp_path / "runs")
        process.kill()
    the_same(finish(tmp_path, "runs"), uninterrupted)


def test_again_is_at_once(tmp_path: Path, uninterrupted: RunFolder) -> None:
    (tmp_path / "tiny.yaml").write_text(PRESET)
    before = (uninterrupted.path / "manifest.json").stat().st_mtime_ns
    again = finish(tmp_path, str(uninterrupted.path.parent))
    assert again.path == uninterrupted.path
    assert (again.path / "manifest.json").stat().st_mtime_ns == before
