"""`unskew paper`: the claims of a runs folder and of the checkout, what would be made, mistakes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from paper import shelves
from report.worlds import tables
from unskew.cli import main
from unskew.paper import documents
from unskew.paper.making import Step, make, plan
from unskew.paper.parts import Means, parts
from unskew.paper.shelf import Shelf
from unskew.report import page

ROOT = Path(__file__).parents[1]


def test_a_runs_folder_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As from an installed package: there are no reference results."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("unskew.paper.shelf.reference", lambda: None)
    shelves.run(Path("runs"), shelves.study(), tables())
    assert main(["paper", "--scale", "demo"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[-1] == "read from: runs; no reference results here"
    assert "✓ reproduced [skew, demo]: fine-tuning moves task inference towards its own" in lines
    assert any(line.startswith("    runs/regression-study-") for line in lines)
    assert f"of {len(documents.claims())} claims: 9 reproduced" in " ".join(lines)


@pytest.mark.parametrize("columns", [70, 80])
def test_the_reference_results_of_the_checkout(
    columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main(["paper", "--runs", "no-runs"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(len(line) for line in lines if "    unskew" not in line) <= columns
    assert "    results/demo/tables/converge.parquet" in lines
    assert lines[-1] == "read from: no-runs (not there), results"


def test_a_dry_run_says_what_would_run_and_how_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    shelves.run(Path("runs"), shelves.study(), tables())
    words = ["paper", "make", "skew", "bayes", "diversity", "likelihood", "--scale", "demo"]
    assert main([*words, "--dry-run"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "finished  laboratory: 2 minutes on 2 cores",
        "          unskew run demo",
        "to run    diversity: 8 minutes on 2 cores",
        "          unskew run diversity",
    ]
    assert err == "nothing makes at this scale: likelihood\n"
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--scale", "big"], 'Invalid value "big" for --scale'),
        (["--results", "nowhere"], "there is no such folder of results"),
        (["make", "conjugat", "--scale", "demo"], "did you mean 'conjugate'"),
        (["make", "conjugate"], "--scale"),
        (["make", "diversity", "--scale", "small"], "nothing makes this at the scale small"),
        (["--runs", "file"], "file: this is a file, and no folder of runs"),
        (["make", "--scale", "demo", "--dry-run", "--runs", "file"], "and no folder of runs"),
        (["mak"], "mak"),
    ],
)
def test_mistakes(
    words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    assert main(["paper", *words]) == 2
    out, err = capsys.readouterr()
    assert message in err
    assert out == ""


def test_a_damaged_table_is_a_mistake_and_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    path = shelves.run(Path("runs"), shelves.study(), tables())
    (path / "tables" / "converge.parquet").write_bytes(b"no more")
    assert main(["paper"]) == 2
    assert "converge.parquet: damaged: it has changed since its run" in capsys.readouterr().err


def test_parts_are_made_once_in_order_and_drawn_on_one_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def maker(name: str, *changes: str):
        def run(means: Means) -> list[Path]:
            made.append(name)
            return [shelves.run(means.runs, shelves.study(*changes), tables())]

        return run

    one = replace(parts()["laboratory", "demo"], make=maker("one"))
    two = replace(parts()["diversity", "demo"], make=maker("two", "sigma=0.4"))
    drawn: list[int] = []

    def write(folders, out: Path) -> Path:
        drawn.append(len(folders))
        return out

    monkeypatch.setattr(page, "write", write)
    steps = [Step(one, "to run"), Step(two, "to run")]
    assert make(steps, "demo", Means(tmp_path)) == tmp_path / "paper-demo.html"
    assert (made, drawn) == (["one", "two"], [2])
    assert make([], "demo", Means(tmp_path)) is None


def test_a_plan_holds_each_part_once(tmp_path: Path) -> None:
    steps = plan(documents.claims(), "small", Shelf(tmp_path))
    assert [step.part.name for step in steps] == [
        "laboratory", "family", "fresh", "grid", "each", "drops", "removal", "oracles"
    ]  # fmt: skip
    assert {step.state for step in steps} == {"to run"}
