"""Where things run: checked, prepared, and never part of what a run is."""

from pathlib import Path
from typing import Literal

import pytest
import torch
from pydantic import ValidationError

from unskew.errors import UserError
from unskew.runs.identity import run_id
from unskew.training import machine
from unskew.training.machine import MOST_THREADS, Machine, compiler, prepare


class Thing(Machine):
    kind: Literal["thing"] = "thing"
    steps: int = 3


class Whole(Machine):
    kind: Literal["whole"] = "whole"
    part: Thing = Thing()


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What torch is told; it is not told really."""
    heard: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", heard.append)
    return heard


@pytest.mark.parametrize("device", ["cpu", "cuda", "cuda:0", "cuda:11"])
def test_devices(device: str) -> None:
    assert Machine(device=device).device == device


@pytest.mark.parametrize("device", ["", "gpu", "cuda:", "cuda:a", "cpu:0", "cuda:0 ", "mps"])
def test_what_is_no_device_is_refused(device: str) -> None:
    with pytest.raises(ValidationError):
        Machine(device=device)


@pytest.mark.parametrize("count", [0, -1])
def test_there_is_a_thread_at_least(count: int) -> None:
    with pytest.raises(ValidationError):
        Machine(threads=count)


def test_where_it_runs_does_not_name_a_run() -> None:
    assert run_id(Thing()) == run_id(Thing(device="cuda", threads=3))
    assert run_id(Thing()) != run_id(Thing(steps=4))
    assert run_id(Whole()) == run_id(Whole(part=Thing(device="cuda:1"), threads=1))


def test_as_many_threads_as_asked_for(threads: list[int]) -> None:
    prepare(Machine(threads=MOST_THREADS + 5))
    assert threads == [MOST_THREADS + 5]


@pytest.mark.parametrize(("cores", "wanted"), [(2, 2), (200, MOST_THREADS), (None, 1)])
def test_else_all_cores_up_to_a_limit(
    cores: int | None, wanted: int, threads: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine.os, "cpu_count", lambda: cores)
    prepare(Machine())
    assert threads == [wanted]


@pytest.mark.usefixtures("threads")
def test_a_device_that_is_not_there_is_a_mistake_of_the_user(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="no CUDA device here") as error:
        prepare(Machine(device="cuda:0"))
    assert "device=cpu" in str(error.value)
    prepare(Machine(device="cpu"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    prepare(Machine(device="cuda"))
    prepare(Machine(device="cuda:1"))
    with pytest.raises(UserError, match="there are 2 CUDA devices here"):
        prepare(Machine(device="cuda:2"))


def test_without_a_compiler_it_is_said_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=r"there is no g\+\+") as error:
        compiler()
    assert "apt-get install" in str(error.value)
    monkeypatch.setenv("CXX", "mine++")
    with pytest.raises(UserError, match=r"there is no mine\+\+"):
        compiler()
    (tmp_path / "mine++").write_text("")
    (tmp_path / "mine++").chmod(0o755)
    assert compiler() == str(tmp_path / "mine++")
