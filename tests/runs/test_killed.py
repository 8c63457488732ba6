"""Run folders after a `kill -9`: whole at every moment, and gone on with."""

import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from runs.test_folder import files_of
from toys import Toy
from unskew.errors import UserError
from unskew.runs.folder import CHECKPOINT, RunFolder
from unskew.runs.identity import run_id

HEAD = f"""
    import os, signal, sys
    from pathlib import Path
    sys.path.insert(0, {str(Path(__file__).parents[1])!r})
    from toys import Toy
    from unskew.runs.folder import RunFolder
    folder = RunFolder.open(Path(sys.argv[1]), Toy())
"""


def killed(tmp_path: Path, program: str) -> None:
    """Run a program that kills itself as `kill -9` would."""
    code = textwrap.dedent(HEAD) + textwrap.dedent(program)
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL


@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_killed_while_a_file_is_replaced(tmp_path: Path, moment: str) -> None:
    program = f"""
        folder.write_text("state.txt", "old")
        os.{moment} = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        folder.write_text("state.txt", "new, and longer")
    """
    killed(tmp_path, program)
    path = tmp_path / run_id(Toy())
    assert (path / "state.txt").read_text() == "old"
    assert list(path.glob(".tmp-*")), "the kill was meant to leave a temporary file behind"
    with RunFolder.open(tmp_path, Toy()) as folder:  # the lock died with its holder
        assert not folder.finished
        assert not list(path.rglob(".tmp-*"))
        folder.write_text("state.txt", "new, and longer")
        folder.finish()
    assert RunFolder.read(path).finished


@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_killed_while_a_folder_is_written(tmp_path: Path, moment: str) -> None:
    program = f"""
        def write(path):
            (path / "deep").mkdir()
            (path / "deep" / "half").write_text("half")
        os.{moment} = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        folder.write_folder("model", write)
    """
    killed(tmp_path, program)
    path = tmp_path / run_id(Toy())
    assert not (path / "model").exists()
    assert (path / ".tmp-model").is_dir(), "the kill was meant to leave a folder behind"
    with RunFolder.open(tmp_path, Toy()) as folder:
        assert not list(path.rglob(".tmp-*"))
        folder.write_folder("model", lambda path: (path / "new").write_text("new"))
        assert files_of(folder.path / "model") == {"new": "new"}


def test_killed_while_finishing(tmp_path: Path) -> None:
    program = """
        folder.write_text("state.txt", "whole")
        os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        folder.finish()
    """
    killed(tmp_path, program)
    with pytest.raises(UserError, match="not finished"):
        RunFolder.read(tmp_path / run_id(Toy()))
    with RunFolder.open(tmp_path, Toy()) as folder:
        folder.finish()
    assert ".tmp-manifest.json" not in RunFolder.read(folder.path).manifest()["files"]


def test_a_checkpoint_is_there_until_the_run_is_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = f"""
        import torch
        folder.write_tensors("{CHECKPOINT}", {{"w": torch.zeros(1)}})
        os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        folder.finish()
    """
    killed(tmp_path, program)
    with RunFolder.open(tmp_path, Toy()) as folder:
        assert folder.has_tensors(CHECKPOINT)
        with monkeypatch.context() as killing:  # between the manifest and the file's end
            killing.setattr(Path, "unlink", lambda *_, **__: None)
            folder.finish()
        assert folder.has_tensors(CHECKPOINT)
        assert f"{CHECKPOINT}.safetensors" not in folder.manifest()["files"]
    RunFolder.read(folder.path)  # whole, left over or not
    with RunFolder.open(tmp_path, Toy()) as again:
        assert again.finished
        assert not again.has_tensors(CHECKPOINT)


def test_killed_at_any_moment(tmp_path: Path) -> None:
    program = """
        print("ready", flush=True)
        for i in range(10**9):
            folder.write_text("state.txt", f"{i} " * 5000)
            folder.log({"step": i})
    """
    code = textwrap.dedent(HEAD) + textwrap.dedent(program)
    for wait in (0.0, 0.05, 0.11):
        with subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
            with pytest.raises(UserError, match=rf"pid {writer.pid}"):
                RunFolder.open(tmp_path, Toy())
            time.sleep(wait)
            writer.kill()
        with RunFolder.open(tmp_path, Toy()) as folder:
            steps = [record["step"] for record in folder.records()]
            state = folder.path / "state.txt"
            if steps:
                words = state.read_text().split()
                assert len(words) == 5000
                assert set(words) <= {str(steps[-1]), str(steps[-1] + 1)}
            (folder.path / "metrics.jsonl").unlink(missing_ok=True)
            state.unlink(missing_ok=True)
