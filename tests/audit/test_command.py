"""`unskew audit` as a user meets it: models in folders and behind servers, mistakes, Ctrl-C."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from audit import tiny, worlds
from audit.local_server import Cut, LocalServer, status
from unskew.cli import main
from unskew.runs.folder import RunFolder

PAIR = ("scripted:base", "scripted:tuned")
TASK = "unskew_icl_repeat_arithmetic_en"
QUICK = ("--set", "rules.resamples=999", "--conjugations", "pig-latin")
DRY = ("audit", *PAIR, "--dry-run")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which one is in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    root = tmp_path_factory.mktemp("models")
    return tuple(str(tiny.save(root / name, seed)) for seed, name in enumerate(("base", "tuned")))  # type: ignore[return-value]


def run_in(runs: Path) -> RunFolder:
    (found,) = (path for path in runs.iterdir() if path.is_dir())
    return RunFolder.read(found)


def test_two_folders(models: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    include = worlds.tasks(tmp_path / "tasks")
    runs = tmp_path / "runs"
    more = ["--tasks", "toy_generate,toy_choose", "--include", str(include), "--runs", str(runs)]
    assert main(["audit", *models, *more, *QUICK]) == 0
    shown = capsys.readouterr()
    assert "toy_generate" in shown.out
    assert "page: " in shown.out
    assert "base model" in shown.err
    folder = run_in(runs)
    assert set(folder.tables()) == {"arms", "contrasts", "records", "transforms", "verdicts"}
    page = (folder.path / "report.html").read_text(encoding="utf-8")
    assert "toy_choose" in page
    # The same again asks nothing and says the same.
    before = {path: path.stat().st_mtime_ns for path in folder.path.rglob("*")}
    assert main(["audit", *models, *more, *QUICK]) == 0
    assert {path: path.stat().st_mtime_ns for path in folder.path.rglob("*")} == before
    assert str(Path(models[0]).parent) not in (folder.path / "environment.json").read_text()


def test_a_verdict_may_fail_a_job(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    given = ["audit", *PAIR, "--tasks", TASK, "--runs", str(tmp_path), *QUICK]
    assert main([*given, "--fail-on", "not-recovered", "suppressed"]) == 1
    assert f"failed: {TASK} is suppressed" in capsys.readouterr().err
    assert main([*given, "--fail-on", "not-recovered"]) == 0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["audit", "scripted:base"], "two models are needed"),
        (["audit", "./no/such/folder", PAIR[1]], "no/such/folder"),
        (["audit", *PAIR, "--tasks", "unskew_nli_e"], "did you mean 'unskew_nli_e"),
        (["audit", *PAIR, "--conjugations", "pig-latn"], "did you mean 'pig-latin'"),
        (["audit", *PAIR, "--fail-on", "supressed"], "did you mean 'suppressed'"),
        (["audit", *PAIR, "--template", "model"], "template"),
        (["audit", *PAIR, "--set", "rules.margn=0.1"], "margin"),
        (["audit", *PAIR, "--metric", "acc"], "written KEY=VALUE"),
        (["audit", "openai:gpt", PAIR[1]], "where the server is"),
        (["audit", *PAIR, "--conjugations", "book:none.jsonl:en-fr"], "none.jsonl"),
        (["audit", PAIR[0], "--from-logs", "a", "b"], "asks no models"),
        (["audit", "--conjugated-logs", "a", "b"], "goes with --from-logs"),
        (["audit", "--from-logs", "a", "b"], "no such folder of logs"),
        (["audit", "--from-logs", "a", "b", "--dry-run", "--limit", "3"], "--dry-run --limit"),
        (["audit", "--from-logs", "a", "b", "--dry-run"], "asks no models\nleave it out"),
        (["audit", *PAIR, "--device", "foo"], "device: should be cpu, mps, cuda or cuda:1"),
        (["paper", "lm", "--pair", "llama2-codelama"], "did you mean 'llama2-codellama'"),
        # A dry run finds the mistakes that the run would.
        ([*DRY, "--tasks", "unskew_nli_e"], "did you mean 'unskew_nli_e"),
        ([*DRY, "--conjugations", "pig-latn"], "did you mean 'pig-latin'"),
        ([*DRY, "--conjugations", "pig-latin,self:en-fr@rot31"], "did you mean 'rot13'"),
        ([*DRY, "--metric", "foo=acc"], "named for 'foo', which is not among the tasks"),
        ([*DRY, "--template", "modl"], "did you mean 'model'"),
        ([*DRY, "--include", __file__], "a file, not a folder"),
        ([*DRY, "--include", "nofolder"], "nofolder: there is no such folder"),
    ],
)
def test_mistakes_are_told(
    given: list[str], said: str, here: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(given) == 2
    err = capsys.readouterr().err
    assert said in err
    assert "Traceback" not in err
    assert not list(here.glob("runs/*/manifest.json"))


def test_what_would_be_run(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    assert main(["audit", *PAIR, "--limit", "7", "--dry-run", "--runs", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "limit: 7" in shown
    assert "margin: 0.05" in shown
    assert not list(tmp_path.iterdir())
    assert main(["paper", "lm", "--pair", "llama2-codellama", "--dry-run"]) == 0
    assert "codellama/CodeLlama-7b-hf" in capsys.readouterr().out
    assert main(["paper", "lm"]) == 0
    assert "opt-optiml" in capsys.readouterr().out
    assert main(["tasks"]) == 0
    assert "unskew_nli_choice_de" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["some-org/base", "some-org/tuned"], "# run id: not known yet: some-org/base: "),
        (
            [*PAIR, "--conjugations", "book:my.jsonl:en-fr"],
            "my.jsonl: there is no such",
        ),
    ],
)
@pytest.mark.usefixtures("here")
def test_a_dry_run_says_what_is_not_there_yet_and_shows_the_settings(
    given: list[str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert main(["audit", *given, "--tasks", TASK, "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert said in shown
    assert yaml.safe_load(shown)["tasks"] == [TASK]  # what is said is a comment, hints too


def test_a_pair_behind_servers_that_stumble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    key = "sk-very-secret-0123456789"
    monkeypatch.setenv("UNSKEW_API_KEY", key)

    def answer(prompt: str) -> str:
        lines = re.findall(r": (.*)\n", prompt)
        return f" {lines[-1]}\nInput: more" if lines else ""

    runs = tmp_path / "runs"
    with LocalServer(answer=answer) as server:
        at = server.reference().base_url
        server.faults = [status(429, {"Retry-After": "0"}), None, Cut(), status(500)]
        given = ["audit", f"openai:tiny@{at}", f"openai:tiny@{at}", "--tasks", TASK]
        code = main([*given, "--limit", "25", "--runs", str(runs), *QUICK])
        shown = capsys.readouterr()
        assert code == 0, shown.err
        assert any(key in str(request.headers) for request in server.requests)
    folder = run_in(runs)
    arms = folder.read_table("arms")
    assert (arms[arms["metric"] == "icl"]["estimate"] == 1.0).all()
    for path in runs.rglob("*"):
        assert not path.is_file() or key.encode() not in path.read_bytes(), path
    assert key not in shown.out + shown.err


def test_text_of_a_model_does_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """On the page and on the terminal, whatever it says."""
    evil = "</script><script>alert(1)</script>\\u001b[31mred"
    script = tmp_path / "evil.yaml"
    script.write_text(
        f'name: "evil"\nrules: [{{when: zzz, answer: y}}]\ndefault: "{evil}"\n', encoding="utf-8"
    )
    given = ["audit", PAIR[0], f"scripted:{script}", "--tasks", TASK, "--limit", "30"]
    assert main([*given, "--runs", str(tmp_path / "runs"), *QUICK]) == 0
    assert "\x1b" not in capsys.readouterr().out
    folder = run_in(tmp_path / "runs")
    page = (folder.path / "report.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page
    raws = folder.read_table("records").query("arm == 'tuned'")["raw"]
    assert raws.str.contains("<script>alert", regex=False).all()


def command(models: tuple[str, str], include: Path, runs: Path) -> list[str]:
    return [
        sys.executable, "-m", "unskew", "audit", *models, "--tasks", "toy_generate",
        "--include", str(include), "--runs", str(runs), "--batch", "1", "--threads", "1",
        "--set", "controls=[]", *QUICK,
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("blow", [signal.SIGINT, signal.SIGKILL])
def test_stopped_in_the_middle_nothing_is_lost(
    models: tuple[str, str], tmp_path: Path, blow: signal.Signals
):
    include = worlds.tasks(tmp_path / "tasks", n=60)
    whole, runs = tmp_path / "whole", tmp_path / "runs"
    subprocess.run(command(models, include, whole), check=True, capture_output=True, timeout=110)
    process = subprocess.Popen(
        command(models, include, runs), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    until = time.monotonic() + 90
    while not (found := list(runs.glob("*/answers-base.jsonl"))) or not found[0].stat().st_size:
        assert time.monotonic() < until
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    process.send_signal(blow)
    _, err = process.communicate(timeout=60)
    if blow == signal.SIGINT:
        assert process.returncode == 130
        assert "continues where it stopped" in err
        assert "Traceback" not in err
    assert not list(runs.glob("*/manifest.json"))
    kept = found[0].read_bytes()
    kept = kept[: kept.rfind(b"\n") + 1]
    subprocess.run(command(models, include, runs), check=True, capture_output=True, timeout=110)
    assert found[0].read_bytes().startswith(kept)
    one, other = (run_in(root).read_table("records") for root in (whole, runs))
    pd.testing.assert_frame_equal(one, other)


def test_threads_are_set(models: tuple[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    import torch

    heard: list[Any] = []
    monkeypatch.setattr(torch, "set_num_threads", heard.append)
    include = worlds.tasks(tmp_path / "tasks")
    assert main(command(models, include, tmp_path / "runs")[3:]) == 0
    assert heard == [1, 1]
