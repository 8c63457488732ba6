"""`unskew sweep`: what it prints before and after, its exit codes, and its tables."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from test_interrupted import PRESET as LONG
from test_interrupted import wait_until_training
from unskew import cli_sweep
from unskew.cli import main
from unskew.nursery.config import Family
from unskew.regression import study
from unskew.runs.config import load
from unskew.runs.folder import RunFolder
from unskew.runs.progress import Progress
from unskew.runs.store import Store

Captured = pytest.CaptureFixture[str]
PRESET = """
kind: regression-pretrain
d: 2
exemplars: 4
model: {layers: 1, heads: 1, width: 16}
training: {steps: 60, batch: 8, optimiser: {kind: adam}}
threads: 1
"""
GRID = ["seed=0..1", "training.optimiser.lr=1e-3,1e8"]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("UNSKEW_DEBUG", "RAY_ADDRESS", "RAY_AUTH_MODE"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "tiny.yaml").write_text(PRESET)


def table(name: str) -> pd.DataFrame:
    (sweep,) = Path("runs").glob("sweep-*")
    return pd.read_parquet(sweep / "tables" / f"{name}.parquet")


def test_a_sweep_from_nothing_to_its_tables(capsys: Captured) -> None:
    assert main(["sweep", "tiny.yaml", *GRID, "--dry-run"]) == 0
    planned = capsys.readouterr().out
    assert planned.startswith(
        "cells:  4 = seed (2) × training.optimiser.lr (2)\n"
        "before: 0 done; 4 to do\n"
        "time:   unknown until the first cells end (no finished run is like these)\n"
        "sweep:  sweep-"
    )
    assert not Path("runs").exists()
    assert main(["sweep", "tiny.yaml", *GRID]) == 0
    out, err = capsys.readouterr()
    assert "4 cells: 2 done, 2 diverged\n" in out
    assert "  diverged: cell 2 (seed=0 training.optimiser.lr=100000000): training diverged" in out
    assert "cell 1 of 4 (seed=0 training.optimiser.lr=0.001): done in " in err
    cells = table("cells")
    assert list(cells["state"]) == ["done", "diverged"] * 2
    assert list(cells["axis.training.optimiser.lr"]) == [0.001, 1e8] * 2
    for run in cells["run"].dropna():
        assert RunFolder.read(Path("runs") / run).finished
    assert set(table("metrics")["sweep.cell"]) == {1, 3}

    assert main(["sweep", "tiny.yaml", *GRID]) == 0  # again: at once, from the table
    out, err = capsys.readouterr()
    assert "before: 2 done, 2 diverged; 0 to do\n" in out
    assert "4 cells: 2 done, 2 diverged\n" in out
    assert err == ""
    assert main(["sweep", "tiny.yaml", "seed=0..2", "training.optimiser.lr=1e-3", "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "before: 2 done; 1 to do\n" in out
    assert "the median of 2 finished" in out


def test_cells_of_one_shape_are_trained_as_one(capsys: Captured) -> None:
    """The same runs as one by one, one of them diverged; another shape is left to run alone."""
    grid = [*GRID, "training.batch=8,4"]
    assert main(["sweep", "tiny.yaml", *grid]) == 0
    out, err = capsys.readouterr()
    assert "8 cells: 4 done, 4 diverged\n" in out
    assert err.count("4 models at once") >= 2
    cells = table("cells")
    assert (cells["seconds"] > 0).all()
    for id in cells["run"].dropna():
        assert RunFolder.read(Path("runs") / id).extra["together"] == 4
    assert main(["sweep", "tiny.yaml", *grid, "--runs", "alone", "--stack", "1"]) == 0
    assert "at once" not in capsys.readouterr().err
    other = pd.read_parquet(next(Path("alone").glob("sweep-*/tables/cells.parquet")))
    assert list(cells["run"].isna()) == list(other["run"].isna())
    assert list(cells["run"].dropna()) == list(other["run"].dropna())
    assert list(cells["message"].dropna()) == list(other["message"].dropna())


def test_a_cell_whose_model_cannot_be_is_told_before_any_runs(capsys: Captured) -> None:
    learned = "model.positions=learned-random-offset"
    assert main(["sweep", "tiny.yaml", "seed=0..1", "model.capacity=20,3", learned]) == 2
    assert "cell 2 of 4 (seed=0 model.capacity=3" in capsys.readouterr().err
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["generator=philox-numpy,philox-cuda", "--dry-run"], "cell 2: generator=philox-cuda"),
        (["device=cuda:1", "seed=0..1", "--jobs", "2", "--dry-run"], "Ray gives out the GPUs"),
        (["device=cuda", "seed=0..1"], "there is no CUDA device here"),
        (["--gpus", "nan"], "a share of a GPU"),
    ],
)
def test_a_cell_that_cannot_be_is_found_before_anything_runs(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch, given: list[str], said: str
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert main(["sweep", "tiny.yaml", *given]) == 2
    assert said in capsys.readouterr().err
    assert not Path("runs").exists()


def test_what_another_machine_has_is_not_asked_of_this_one(capsys: Captured) -> None:
    given = ["sweep", "tiny.yaml", "generator=philox-cuda", "device=cuda", "--dry-run"]
    assert main(given) == 0


def test_a_damaged_checkpoint_fails_its_cell_alone(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = ["sweep", "tiny.yaml", "seed=0..2", "training.optimiser.lr=1e-3"]
    monkeypatch.setattr("unskew.training.loop.CHECKPOINT", "checkpoint")
    from unskew.regression.config import Pretrain
    from unskew.runs.store import Store

    config = load("tiny.yaml", ["seed=1", "training.optimiser.lr=1e-3"], cli_sweep._schema())
    assert isinstance(config, Pretrain)
    with Store(Path("runs"), shipped=False).open(config) as folder:
        (folder.path / "checkpoint.safetensors").write_bytes(b"no tensors")
    assert main(given) == 1
    assert list(table("cells")["state"]) == ["done", "failed", "done"]
    assert "train alone" in capsys.readouterr().err


def test_a_cell_is_what_run_runs(capsys: Captured) -> None:
    assert main(["run", "tiny.yaml", "seed=1", "training.optimiser.lr=1e-3"]) == 0
    capsys.readouterr()
    main(["sweep", "tiny.yaml", *GRID, "--dry-run"])
    assert "before: 1 done; 3 to do" in capsys.readouterr().out


def test_a_failed_cell_is_told_by_the_exit_code(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(study, "execute", lambda *_: 1 / 0)
        assert main(["sweep", "tiny.yaml", "seed=0..1"]) == 1
    out = capsys.readouterr().out
    assert "2 cells: 2 failed" in out
    assert "failed: cell 1 (seed=0): a defect: ZeroDivisionError: division by zero" in out
    assert "the same command tries the failed cells again" in out
    assert main(["sweep", "tiny.yaml", "seed=0..1"]) == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["seed=0..1", "d=2,-1"], "cell 2 of 4 (seed=0 d=-1): d: should be greater than"),
        (["seed=0..1", "--jobs", "0"], "at least one cell must run"),
        (["seed=0..1", "--threads", "0"], "threads: should be greater than"),
        (["seed=0..1", "threads=1,2", "--threads", "1"], "threads: this key is set twice"),
        (["seed=0..1", "--stack", "0"], "a stack has one model or more"),
        (["seed=0..1", "--stack", "4", "--jobs", "2"], "trained in this process alone"),
        (["seed=0..1", "--gpus", "1.5"], "a share of a GPU, or whole ones"),
        (["seed=0..1", "--gpus", "0"], "a share of a GPU, or whole ones"),
        (["seed=0..1", "--gpus", "-1"], "a share of a GPU, or whole ones"),
        (["seed"], "an axis is written key=values"),
    ],
)
def test_mistakes_are_found_before_anything_runs(
    arguments: list[str], said: str, capsys: Captured
) -> None:
    assert main(["sweep", "tiny.yaml", *arguments]) == 2
    assert said in capsys.readouterr().err
    assert not Path("runs").exists()


def test_a_grid_of_attacks_is_no_cell(capsys: Captured) -> None:
    assert main(["sweep", "purple-small", "limit=3,4"]) == 2
    assert "no part of a sweep\nits cells are kept" in capsys.readouterr().err


def test_threads_are_an_axis_too(capsys: Captured) -> None:
    assert main(["sweep", "tiny.yaml", "seed=0..1", "threads=2", "--jobs", "2", "--dry-run"]) == 0
    assert "cells:  2 = seed (2) × threads (1)" in capsys.readouterr().out


def test_a_finished_sweep_says_so_though_a_run_of_it_is_gone(capsys: Captured) -> None:
    assert main(["sweep", "tiny.yaml", "seed=0..1"]) == 0
    shutil.rmtree(next(Path("runs").glob("regression-pretrain-*")))
    capsys.readouterr()
    assert main(["sweep", "tiny.yaml", "seed=0..1"]) == 0
    out = capsys.readouterr().out
    assert "before: 2 done; 0 to do\n" in out
    assert "2 cells: 2 done\n" in out


def test_a_cluster_that_anybody_may_use_is_refused(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    assert main(["sweep", "tiny.yaml", *GRID]) == 2
    err = capsys.readouterr().err
    assert "RAY_ADDRESS=10.0.0.1:6379" in err
    assert "RAY_AUTH_MODE=token" in err
    assert not Path("runs").exists()


@pytest.mark.parametrize(("stacked", "begun"), [(["--stack", "1"], 1), ([], 2)])
def test_ctrl_c_and_the_same_command_continue(
    stacked: list[str], begun: int, tmp_path: Path
) -> None:
    (tmp_path / "long.yaml").write_text(LONG)
    given = ["sweep", "long.yaml", "seed=0..1", *stacked]
    with subprocess.Popen(
        [sys.executable, "-m", "unskew", *given],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        wait_until_training(process, tmp_path / "runs")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=100)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert err.endswith(f"continues where it stopped:\n  unskew {' '.join(given)}\n")
    assert list(table("cells")["state"]) == ["to do", "to do"]
    assert len(list((tmp_path / "runs").glob("*/checkpoint.safetensors"))) == begun
    assert main(given) == 0
    assert list(table("cells")["state"]) == ["done", "done"]


def test_a_family_is_known_by_the_weights_of_its_models(tmp_path: Path) -> None:
    """Without training one: the ids of its models' runs lead to its own."""
    from unskew.runs.identity import run_id

    schema = cli_sweep._schema()
    config = load("nursery-tiny", ["models=[base, instruct]"], schema)
    assert isinstance(config, Family)
    store = Store(tmp_path / "runs", shipped=False)
    assert cli_sweep.identify(config, store) is None

    def leave(model, parents: dict[str, str]) -> str:
        with store.open(model, parents) as folder:
            folder.write_folder(
                "model", lambda path: (path / "model.safetensors").write_text(folder.id)
            )
            folder.finish()
            return folder.sha256("model/model.safetensors")

    base = config.pretraining("base")
    assert base.trunk is not None
    weights = leave(base, {"trunk": leave(base.trunk, {})})
    assert cli_sweep.identify(config, store) is None
    tuned = leave(config.tuning("instruct"), {"base": weights})
    expected = run_id(config, {"base": weights, "instruct": tuned})
    assert cli_sweep.identify(config, store) == expected


def test_families_and_studies_are_run_by_what_their_commands_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from unskew.nursery import family

    called = []
    monkeypatch.setattr(family, "execute", lambda config, *_: called.append(config.kind))
    monkeypatch.setattr(study, "execute", lambda config, *_: called.append(config.kind))
    with Progress("quiet") as quiet:
        for preset in ("nursery-tiny", "demo"):
            cli_sweep.execute(load(preset, [], cli_sweep._schema()), Store(tmp_path), quiet)
    assert called == ["nursery", "regression-study"]
