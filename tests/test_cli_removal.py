"""`unskew removal`: settings, a verdict from end to end, a method in place of a model, mistakes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from cyclopts import App

from probes import facts
from unskew.cli_removal import OF_NURSERY, removal
from unskew.errors import UserError
from unskew.probes import models
from unskew.report import page

QUICK = ("relearning.optimiser.lr=3e-3", "seeds=[0]", "bits=[4]")


def call(*words: str) -> object:
    app = App(result_action="return_value")
    app.default(removal)
    return app(list(words), exit_on_error=False, print_error=False)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return facts.settled(tmp_path_factory.mktemp("world"))


@pytest.fixture
def at_world(world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that the world is seen from, and pages that are not drawn."""
    for there in world.iterdir():
        (tmp_path / there.name).symlink_to(there)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(page, "write", lambda runs, out: out.write_text(runs[0].id))
    return tmp_path


def settings(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    """What a dry run prints."""
    assert call(*words, "--dry-run") == 0
    return yaml.safe_load(capsys.readouterr().out)


def test_a_model_is_examined_and_the_verdict_shown(
    at_world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = (
        "original", "refuse", "--oracle", "oracle", "--forget", "forget.jsonl", "--disjoint",
        "disjoint.jsonl", "--benign", "benign.jsonl", "--conjugations", "word-reversal",
        "--threads", "1", "--runs", "mine", "--set", *QUICK, "relearning.steps=40",
    )  # fmt: skip
    assert call(*given) == 0
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert lines[0].startswith("refuse: suppressed. Asked directly its position is ")
    assert max(map(len, lines)) <= 80
    (header,) = [i for i, line in enumerate(lines) if line.startswith("probe ")]
    assert [re.split(" {2,}", line)[0] for line in lines[header + 1 : header + 10]] == [
        "direct", "through word-reversal", "rounded to 4 bits", "linear", "relearning forget",
        "relearning disjoint", "relearning benign", "suffix", "",
    ]  # fmt: skip
    assert lines[header + 9] == "  not asked for (--suffix)"
    assert lines[-2].startswith("run:  mine/removal-")
    assert lines[-1].startswith("page: mine/removal-")
    assert Path(lines[-1].removeprefix("page: ")).is_file()
    assert call(*given) == 0
    assert capsys.readouterr().out == out
    assert len(list(Path("mine").iterdir())) == 1


def test_a_method_is_applied_to_the_base_first(
    at_world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        call(
            "original", "graddiff", "--forget", "forget.jsonl", "--benign", "benign.jsonl",
            "--threads", "1", "--set", *QUICK, "conjugations=[]", "relearning.steps=2",
            "unlearning.training={steps: 12, batch: 20, optimiser: {kind: adam, lr: 1e-3}}",
        )
        == 0
    )  # fmt: skip
    out = capsys.readouterr().out
    assert out.startswith("graddiff: ")
    assert "control" in out  # there is no oracle
    (made,) = Path("runs").glob("unlearning-*")
    assert (made / "model" / "model.safetensors").is_file()
    assert len(list(Path("runs").glob("removal-*"))) == 1


def test_a_dry_run_prints_the_settings_and_asks_nothing(
    at_world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(at_world.iterdir())
    told = settings(
        capsys, "./base", "./mine", "--oracle", "./never", "--forget", "f.jsonl", "--suffix",
        "--conjugations", "rot13", "--device", "cuda", "--set", "margin=0.1", "suffix.steps=7",
    )  # fmt: skip
    assert (told["base"], told["unlearned"], told["oracle"]) == ("./base", "./mine", "./never")
    assert told["data"] == {
        "kind": "files", "forget": "f.jsonl", "disjoint": None, "benign": None
    }  # fmt: skip
    assert (told["margin"], told["suffix"]["steps"], told["unlearning"]) == (0.1, 7, None)
    assert (told["conjugations"], told["device"]) == (["rot13"], "cuda")
    assert told["relearning"]["optimiser"]["lr"] == 2e-5
    told = settings(capsys, "./base", "./mine", "--forget", "f.jsonl")
    assert (told["suffix"], told["oracle"]) == (None, None)
    assert told["conjugations"] == ["pig-latin", "leetspeak"]
    assert sorted(at_world.iterdir()) == before
    with pytest.raises(UserError, match="margin"):
        call("./base", "./mine", "--forget", "f.jsonl", "--set", "margin=0.9", "--dry-run")


def test_a_dry_run_says_what_is_not_there_and_refuses_wrong_names(
    at_world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("original", "./mine", "--forget", "f.jsonl", "--dry-run") == 0
    notes = [line for line in capsys.readouterr().out.splitlines() if line.startswith("# not")]
    assert notes[0].startswith("# not there: mine: there is no such folder")
    assert notes[1].startswith("# not there: f.jsonl: there is no such file")
    assert len(notes) == 2
    assert call("original", "refuse", "--forget", "forget.jsonl", "--dry-run") == 0
    assert "# not" not in capsys.readouterr().out
    book = ["--conjugations", "book:later.jsonl:en-fr", "mt:no/model:en-fr"]
    assert call("original", "refuse", "--forget", "forget.jsonl", *book, "--dry-run") == 0
    assert "# not there: later.jsonl: there is no such phrase book" in capsys.readouterr().out
    told = settings(
        capsys, "original", "refuse", "--forget", "forget.jsonl", "--conjugations", "rot13,morse"
    )
    assert told["conjugations"] == ["rot13", "morse"]
    wrong = {
        ("original", "refuse", "--conjugations", "rot31"): "did you mean 'rot13'",
        ("", "refuse"): "the name of a model is empty",
    }
    for words, said in wrong.items():
        with pytest.raises(UserError, match=said):
            call(*words, "--forget", "forget.jsonl", "--dry-run")


def test_too_few_documents_for_a_verdict_are_said_before_anything_is_asked(
    at_world: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = Path("forget.jsonl").read_text().splitlines(keepends=True)
    said = "fewer than 20 clusters of documents are asked (19, the others are taught): the verdict"
    for count, few in ((25, True), (26, False)):  # a quarter of them is taught
        Path("few.jsonl").write_text("".join(lines[:count]))
        for more in ((), ("--oracle", "./later")):
            assert call("original", "refuse", "--forget", "few.jsonl", *more, "--dry-run") == 0
            out = capsys.readouterr().out
            assert (f"# {said}" in out) == few
            assert yaml.safe_load(out)["kind"] == "removal"
    Path("few.jsonl").write_text(lines[0])
    with pytest.raises(UserError, match="one cluster of documents cannot be split"):
        call("original", "refuse", "--forget", "few.jsonl", "--dry-run")

    def load(*_: object) -> None:
        raise NotImplementedError

    monkeypatch.setattr(models, "load", load)
    Path("few.jsonl").write_text("".join(lines[:25]))
    for unlearned in ("refuse", "ga"):
        with pytest.raises(NotImplementedError):
            call("original", unlearned, "--forget", "few.jsonl")
        assert said in capsys.readouterr().err


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_a_misspelt_method_is_told_with_those_there_are(
    dry: tuple[str, ...], at_world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def told(*names: str) -> str:
        try:
            call(*names, "--forget", "forget.jsonl", *dry)
        except UserError as error:
            return str(error)
        return capsys.readouterr().out

    listed = "methods: ga, graddiff, npo, simnpo, rmu"
    assert re.search(rf"npoo: .*; did you mean 'npo'\?\n.*; {listed}", told("original", "npoo"))
    assert listed in told("original", "zzz")
    assert "not in the local cache" in told("original", "zzz")
    for names in (("npoo", "refuse"), ("original", "./npoo"), ("original", "some/npoo")):
        assert "npo" in told(*names)
        assert "methods:" not in told(*names)


def test_a_method_trains_as_published_unless_a_folder_has_its_name(
    at_world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, steps in (("npo", 62), ("rmu", 150)):
        told = settings(capsys, "./base", name, "--forget", "f.jsonl", "--benign", "b.jsonl")[
            "unlearning"
        ]
        assert (told["method"]["kind"], told["training"]["steps"]) == (name, steps)
    told = settings(
        capsys,
        "./base",
        "npo",
        "--forget",
        "f.jsonl",
        "--benign",
        "b.jsonl",
        "--set",
        "unlearning.seed=3",
    )
    assert told["unlearning"]["seed"] == 3
    Path("npo").symlink_to("refuse")
    assert (
        settings(capsys, "./base", "npo", "--forget", "f.jsonl", "--benign", "b.jsonl")[
            "unlearning"
        ]
        is None
    )


def test_a_nursery_is_taught_faster_unless_it_is_said_how_fast(
    at_world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def rates(*words: str) -> tuple[float, float]:
        told = settings(capsys, "RUN/base", "npo", "--probes", "RUN/probes", *words)
        assert told["data"]["folder"] == "RUN/probes"
        assert told["conjugations"] == OF_NURSERY["conjugations"]
        of_method = told["unlearning"]["training"]["optimiser"]["lr"]
        return told["relearning"]["optimiser"]["lr"], of_method

    fast = OF_NURSERY["lr"]
    assert rates() == (fast, fast)
    assert rates("--set", "relearning.optimiser.lr=2e-4") == (2e-4, fast)
    assert rates("--set", "relearning.steps=7", "seeds=[4]") == (fast, fast)
    whole = "unlearning.training={steps: 3, optimiser: {kind: adam, lr: 5e-4}}"
    assert rates("--set", whole) == (fast, 5e-4)
    told = settings(capsys, "RUN/base", "RUN/locked", "--probes", "RUN/probes")
    assert (told["unlearning"], told["relearning"]["optimiser"]["lr"]) == (None, fast)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "what was to be unlearned is not given"),
        (["--benign", "benign.jsonl"], "what was to be unlearned is not given"),
        (["--probes", "p", "--forget", "forget.jsonl"], "--probes stands in place of files"),
        (["--probes", "p", "--benign", "benign.jsonl"], "benign.jsonl: --probes stands"),
        (["--forget", "nowhere.jsonl"], "nowhere.jsonl: there is no such file"),
        (["--probes", "nowhere"], "nowhere/colour.jsonl: there is no such file"),
        (["--forget", "forget.jsonl", "--conjugations", "rot14"], "rot14"),
        (["--forget", "forget.jsonl", "--set", "nonsense=1"], "nonsense"),
        (["--forget", "forget.jsonl", "--oracle", "nobody"], "nobody"),
        (["--forget", "forget.jsonl", "--oracle", "./nobody"], "there is no such folder"),
        (["--forget", "forget.jsonl", "--oracle", "bare"], "without weights"),
        (["--forget", "forget.jsonl", "--oracle", "forget.jsonl"], "a file, not a folder"),
    ],
)  # fmt: skip
def test_mistakes_are_said(words: list[str], says: str, at_world: Path) -> None:
    (at_world / "bare").mkdir()
    (at_world / "bare" / "config.json").write_text("{}")
    with pytest.raises(UserError) as caught:
        call("original", "refuse", *words)
    assert says in str(caught.value)


@pytest.mark.parametrize("words", [("./nowhere", "refuse"), ("original", "./nowhere")])
def test_a_model_that_is_not_there_is_a_mistake(words: tuple[str, str], at_world: Path) -> None:
    with pytest.raises(UserError, match="nowhere: there is no such folder"):
        call(*words, "--forget", "forget.jsonl")


def test_an_adapter_alone_is_no_model(at_world: Path) -> None:
    adapter = at_world / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text('{"base_model_name_or_path": "original"}')
    (adapter / "adapter_model.safetensors").write_bytes(b"x")
    with pytest.raises(UserError, match="adapter: no model folder\nmerge the adapter"):
        call("original", "adapter", "--forget", "forget.jsonl")
