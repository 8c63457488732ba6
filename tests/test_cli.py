"""The command line: what it prints, how it exits, and what it says about mistakes."""

import errno
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from pydantic import TypeAdapter

import unskew.regression.study
from report.test_audit import logged
from toys import Toy
from unskew.cli import main
from unskew.errors import UserError
from unskew.regression.config import Experiment, Study
from unskew.report import page
from unskew.runs.folder import RunFolder
from unskew.runs.identity import run_id
from unskew.runs.store import Store

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("UNSKEW_DEBUG", raising=False)
    monkeypatch.setenv("COLUMNS", "80")


def test_version(capsys: Captured) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"{unskew.__version__}\n"


def test_dry_run_prints_settings_and_id_and_writes_nothing(
    tmp_path: Path, capsys: Captured
) -> None:
    assert main(["run", "demo", "alpha=0.3", "--dry-run"]) == 0
    shown = capsys.readouterr().out
    config = TypeAdapter(Experiment).validate_python(yaml.safe_load(shown))
    assert isinstance(config, Study)
    assert config.alpha == 0.3
    missing = [line for line in shown.splitlines() if line.startswith("# to be trained first: ")]
    assert f"# to be trained first: {run_id(config.pretrain(0.3))}" in missing
    assert "# run id: depends on the weights of what is trained first\n" in shown
    assert list(tmp_path.iterdir()) == []


def test_dry_run_of_a_training_knows_its_id(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "base.yaml").write_text("kind: regression-pretrain\nseed: 12345\n")
    assert main(["run", "base.yaml", "--dry-run"]) == 0
    shown = capsys.readouterr().out
    config = TypeAdapter(Experiment).validate_python(yaml.safe_load(shown))
    assert shown.splitlines()[0] == f"# run id: {run_id(config)}"
    assert main(["run", "base.yaml", "--dry-run", "--threads", "1"]) == 0
    again = capsys.readouterr().out
    assert again.splitlines()[0] == shown.splitlines()[0]
    assert "threads: 1" in again


def test_what_a_dry_run_prints_is_a_preset(tmp_path: Path, capsys: Captured) -> None:
    main(["run", "demo", "sigma=0.25", "--dry-run"])
    first = capsys.readouterr().out
    (tmp_path / "mine.yaml").write_text(first)
    assert main(["run", "mine.yaml", "--dry-run"]) == 0
    assert capsys.readouterr().out == first


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["runz"], 'Did you mean "run"'),
        (["run"], "PRESET"),
        (["nursery", "chat"], "`unskew nursery chat --help` shows"),
        (["paper", "make", "nope"], "`unskew paper make --help` shows"),
        (["judge", "RUN", "a", "b"], "error: not understood: a b\n`unskew judge --help`"),
        (["run", "alpha=0.2", "d=2"], "comes first, then settings\nas in: unskew run demo alpha"),
        (["sweep", "alpha=0.2"], "as in: unskew sweep demo alpha=0.2"),
        (["run", "demo", "device=foo"], 'device: should be cpu, cuda or cuda:1, got "foo"'),
        (["run", "purpel"], "presets: base, demo, demo-seeds, diversity, length, paper,"),
        (["sweep", "purpel"], "length, nursery, nursery-gpu, nursery-ship, nursery-tiny, paper,"),
        (
            ["nursery", "raise", "nope"],
            "presets: nursery, nursery-gpu, nursery-ship, nursery-tiny;",
        ),
        (["report", "absent", "--runs", "a"], "'absent' in a\n`unskew runs --runs a` lists"),
        (["run", "demo", "--foo"], "Unknown option: --foo"),
        (["run", "demo", "--threads", "x"], "'x' is no whole number"),
        (["run", "demo", "--threads", "0"], "threads: should be greater than or equal to 1"),
        (["run", "dmeo"], "there is no preset 'dmeo'; did you mean 'demo'?\npresets: "),
        (["run", "./absent.yaml"], "./absent.yaml: there is no such file"),
        (["run", "demo", "alhpa=0.3"], "alhpa: unknown key; did you mean 'alpha'?"),
        (["run", "demo", "alpha=2"], "alpha: should be less than or equal to 1, got 2"),
        (["run", "demo", "alpha"], "alpha: an override is written key=value"),
        (["run", "demo", "lr=1"], "lr: unknown key; did you mean "),
        (["run", "demo", "threads=1", "--threads", "2"], "threads: this key is set twice"),
        (["report"], "RUN"),
        (["report", "absent"], "there is no run 'absent' in runs\n`unskew runs` lists"),
        (["runs", "--runs"], "--runs requires an argument"),
        (
            ["run", "nursery", "base.seed=1"],
            "family of language models\nraise it by: unskew nursery raise nursery base.seed=1",
        ),
        (
            ["run", "purple-demo"],
            "grid of attacks and defences\nrun it by: unskew purple purple-demo",
        ),
        (["nursery", "raise", "demo"], "no family of language models\n`unskew run demo` runs it"),
        (["nursery", "raise", "nurseri"], "did you mean 'nursery'?"),
        (["nursery", "raise", "trunk=-1"], "trunk: should be greater than or equal to 0"),
        (["nursery", "chat", "nursery:bose"], "no model 'bose' of the nursery ships"),
        (["nursery", "chat", "./absent"], "absent: there is no such folder"),
    ],
)
def test_mistakes_are_one_message_and_exit_2(
    arguments: list[str], says: str, capsys: Captured
) -> None:
    assert main(arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("error: ")
    assert says in shown.err
    assert "Traceback" not in shown.err
    assert len(shown.err.splitlines()) <= 3


def test_debug_shows_where_a_mistake_was_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNSKEW_DEBUG", "1")
    with pytest.raises(UserError, match="there is no preset"):
        main(["run", "dmeo"])


def test_messages_are_red_only_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    main(["run", "dmeo"])
    assert "\033" not in capsys.readouterr().err
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    main(["run", "dmeo"])
    assert capsys.readouterr().err.startswith("\033[31merror: there is no preset")
    monkeypatch.setenv("NO_COLOR", "1")
    main(["run", "dmeo"])
    assert "\033" not in capsys.readouterr().err


# With a study put in the place of the real one ----------------------------------------------------


def put_study(monkeypatch: pytest.MonkeyPatch, execute: object) -> None:
    monkeypatch.setattr(unskew.regression.study, "execute", execute)


def test_run_prints_headline_folder_and_page(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    seen = []

    def execute(config: Study, store: Store, progress: object) -> object:
        seen.append((config.alpha, config.threads, store.root))
        with store.open(Toy()) as folder:
            folder.write_text("report.html", "<p>")
            folder.finish({"headline": "61% of that comes back"})
        return folder

    put_study(monkeypatch, execute)
    assert main(["run", "demo", "alpha=0.3", "--runs", "mine", "--threads", "2"]) == 0
    assert seen == [(0.3, 2, Path("mine"))]
    id = run_id(Toy())
    expected = f"61% of that comes back\nrun:  mine/{id}\npage: mine/{id}/report.html\n"
    assert capsys.readouterr().out == expected

    assert main(["runs", "--runs", "mine"]) == 0
    assert re.fullmatch(
        rf"{id}  finished    \d{{4}}-\S+Z  61% of that comes back\n", capsys.readouterr().out
    )
    assert main(["runs"]) == 0
    assert capsys.readouterr().out == "no runs in runs; start one with: unskew run demo\n"
    assert main(["report", id[:-1], "--runs", "mine"]) == 2
    assert f"did you mean '{id}'?" in capsys.readouterr().err


def test_interrupted_says_how_to_continue(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    def execute(*_: object) -> object:
        raise KeyboardInterrupt

    put_study(monkeypatch, execute)
    assert main(["run", "demo", "evaluation.gammas=[1, 2]", "--runs", "my runs"]) == 130
    shown = capsys.readouterr().err
    assert shown.splitlines()[-1] == "  unskew run demo 'evaluation.gammas=[1, 2]' --runs 'my runs'"
    assert "Traceback" not in shown


@pytest.mark.parametrize("command", ["demo", "nursery raise nursery-tiny"])
def test_whatever_resumes_says_so(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    import unskew.nursery.family

    def execute(*_: object) -> object:
        raise KeyboardInterrupt

    put_study(monkeypatch, execute)
    monkeypatch.setattr(unskew.nursery.family, "execute", execute)
    assert main(command.split()) == 130
    assert capsys.readouterr().err.splitlines()[-1] == f"  unskew {command}"


def test_a_defect_of_ours_keeps_its_traceback_and_is_no_verdict(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    def execute(*_: object) -> object:
        raise ZeroDivisionError

    put_study(monkeypatch, execute)
    assert main(["run", "demo"]) == 70
    assert "ZeroDivisionError" in capsys.readouterr().err


LONG = "a" * 300
"""A name that no file system takes."""


@pytest.mark.parametrize(
    "command",
    [
        f"run {LONG}.yaml", f"run demo --runs {LONG}", f"report {LONG}", f"report x --runs {LONG}",
        f"runs --runs {LONG}", f"judge {LONG}", f"purple {LONG}.yaml", f"nursery raise {LONG}.yaml",
        f"nursery chat {LONG}", f"paper --runs {LONG}", f"audit {LONG} {LONG}",
        f"audit --from-logs {LONG} {LONG}", f"removal nursery:base ga --forget {LONG}",
        f"sweep {LONG}.yaml alpha=0.1", f"conjugate book:{LONG}:en-fr",
    ],
)  # fmt: skip
def test_a_path_that_cannot_be_is_the_users_mistake(command: str, capsys: Captured) -> None:
    assert main(command.split()) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert LONG in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("number", "code"), [(errno.EACCES, 2), (errno.EROFS, 2), (errno.EPIPE, 0)]
)
def test_what_the_machine_refuses_is_said_without_a_traceback(
    number: int, code: int, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    def execute(*_: object) -> object:
        raise OSError(number, os.strerror(number), "/some/file")

    put_study(monkeypatch, execute)
    assert main(["run", "demo"]) == code
    said = f"error: /some/file: {os.strerror(number).lower()}\nUNSKEW_DEBUG=1" if code else ""
    assert capsys.readouterr().err.startswith(said)
    monkeypatch.setenv("UNSKEW_DEBUG", "1")
    if code:
        assert main(["run", "demo"]) == 70
        assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("number", [errno.ENOENT, errno.EBADF])
def test_a_file_of_ours_that_is_missing_stays_a_defect(
    number: int, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    def execute(*_: object) -> object:
        raise OSError(number, os.strerror(number), "/some/file")

    put_study(monkeypatch, execute)
    assert main(["run", "demo"]) == 70
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["run demo --threads", "audit --limit", "sweep demo --jobs"])
@pytest.mark.parametrize("given", ["1.5", "two"])
def test_half_a_thread_is_not_rounded(command: str, given: str, capsys: Captured) -> None:
    assert main([*command.split(), given]) == 2
    assert f"{given!r} is no whole number" in capsys.readouterr().err


def test_runs_are_listed_of_a_folder_and_only_runs(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "file").write_text("")
    assert main(["runs", "--runs", str(tmp_path)]) == 0
    assert "no runs in" in capsys.readouterr().out
    assert main(["runs", "--runs", str(tmp_path / "file")]) == 2
    assert "no folder of runs" in capsys.readouterr().err


HOSTILE = "a\x1b[31m\x07\u202eb"
INERT = "a⟨U+001B⟩[31m⟨U+0007⟩⟨U+202E⟩b"
"""Text of a folder that somebody sent, and how a terminal is shown it."""


def test_names_and_headlines_of_runs_cannot_move_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    def execute(_config: Study, store: Store, _progress: object) -> object:
        with store.open(Toy()) as folder:
            folder.write_text("report.html", "<p>")
            folder.finish({"headline": HOSTILE})
        return folder

    put_study(monkeypatch, execute)
    assert main(["run", "demo", "--runs", "mine"]) == 0
    assert capsys.readouterr().out.startswith(f"{INERT}\nrun: ")
    (tmp_path / "mine" / HOSTILE).mkdir()
    (tmp_path / "mine" / HOSTILE / "config.json").write_text("{}")
    assert main(["runs", "--runs", "mine"]) == 0
    finished, unfinished = capsys.readouterr().out.splitlines()
    assert finished.endswith(f"  {INERT}")
    assert re.fullmatch(rf"{re.escape(INERT)} +unfinished +-", unfinished)


def test_a_task_that_fails_a_job_cannot_move_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setattr(page, "write", lambda runs, out: out)
    folders = [str(logged(tmp_path / name, task=HOSTILE)) for name in ("base", "tuned")]
    words = ["--fail-on", "retained", "inconclusive", "--set", "rules.resamples=999"]
    assert main(["audit", "--from-logs", *folders, *words]) == 1
    shown = capsys.readouterr()
    assert f"failed: {INERT} is " in shown.err
    assert not {"\x07", "\u202e"} & set(shown.out + shown.err)


def test_a_page_among_the_runs_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    """`runs/*` finds the page of `unskew demo`, too."""
    drawn: list[list[str]] = []

    def write(runs: list[RunFolder], out: Path) -> Path:
        drawn.append([run.id for run in runs])
        out.touch()
        return out

    monkeypatch.setattr(page, "write", write)
    with Store(Path("runs")).open(Toy()) as folder:
        folder.finish()
    Path("runs/demo.html").touch()
    found = sorted(map(str, Path("runs").iterdir()))
    assert main(["report", *found, "--out", "comparison.html"]) == 0
    shown = capsys.readouterr()
    assert drawn == [[run_id(Toy())]]
    assert shown.err == "left out: runs/demo.html (pages, not runs)\n"
    assert shown.out == "page: comparison.html\n"
    assert main(["report", "runs/demo.html"]) == 2
    assert "runs/demo.html: this is a page, and no run" in capsys.readouterr().err


def test_a_run_that_is_given_twice_is_shown_once(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    drawn: list[list[str]] = []
    monkeypatch.setattr(page, "write", lambda runs, out: drawn.append([r.id for r in runs]) or out)
    with Store(Path("runs")).open(Toy()) as folder:
        folder.finish()
    assert main(["report", folder.id, f"runs/{folder.id}", "--out", "x.html"]) == 0
    assert drawn == [[folder.id]]


def test_a_page_in_a_pipe_is_alone_there(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.setattr(page, "write", lambda runs, out: out)
    with Store(Path("runs")).open(Toy()) as folder:
        folder.finish()
    os.mkfifo("pipe")
    assert main(["report", folder.id, "--out", "pipe"]) == 0
    assert capsys.readouterr() == ("", "page: pipe\n")


@pytest.mark.parametrize(
    "words",
    [
        ["--include", "nursery:probes", "./base", "./tuned"],
        ["--tasks", "unskew_nli_en", "./base", "./tuned"],
        ["--conjugations", "en-fr", "./adapter"],
        ["--include", "nursery:base"],
    ],
)
def test_models_that_an_option_has_taken_are_not_lost(words: list[str], capsys: Captured) -> None:
    for name in ("base", "tuned", "adapter"):
        Path(name).mkdir()
        Path(name, "tasks.yaml").touch()
        Path(name, "adapter_config.json" if name == "adapter" else "config.json").touch()
    assert main(["audit", *words, "--runs", "mine"]) == 2
    shown = capsys.readouterr()
    assert "this is a model: name BASE and TUNED before the options" in shown.err
    assert shown.out == ""
    assert not Path("mine").exists()


def test_the_installed_command_and_the_module_are_the_same() -> None:
    for command in ([f"{sys.prefix}/bin/unskew"], [sys.executable, "-m", "unskew"]):
        done = subprocess.run([*command, "runz"], capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert done.stdout == ""
        assert done.stderr.startswith("error: ")


@pytest.mark.parametrize("arguments", [["runs"], ["--help"]])
def test_a_reader_that_stops_reading_is_no_mistake(arguments: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "unskew", *arguments]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")
