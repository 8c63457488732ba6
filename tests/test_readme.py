"""The README's code runs, and its numbers are those of the reference tables.

Its commands are tried with those of every page, in test_docs_site; the figures of other pages are
held to their tables in test_guides and test_nursery_guide.
"""

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import pages
from pages import ROOT, prose, table

README = (ROOT / "README.md").read_text(encoding="utf-8")
REFERENCE = ROOT / "results" / "demo"


def blocks(language: str) -> list[str]:
    return pages.blocks(README, language)


def test_the_python_example_runs(tmp_path: Path):
    (code,) = blocks("python")
    assert len(code.strip().splitlines()) <= 14
    done = pages.run(code, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_make_targets_exist():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"make ([a-z]+)", README))
    assert {"demo", "test"} <= named <= targets


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        ({"metric": "skew", "arm": "tuned", "k": 1}, "from {:.1f} nats at one"),
        ({"metric": "skew", "arm": "tuned", "k": 12}, "to {:.1f} at twelve"),
        ({"metric": "inference_part", "span": "1..3"}, "It explains {:.2f} of the rise"),
        ({"metric": "total_rise", "span": "1..3"}, "of the rise of {:.2f} at 1 to 3"),
        ({"metric": "inference_part", "span": "1..12"}, "but {:.2f} of"),
        ({"metric": "total_rise", "span": "1..12"}, "of {:.2f} at 1 to 12"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_sentences_are_the_tables(wanted: dict, sentence: str):
    said = prose("docs/RESULTS.md")
    assert sentence.format(number("task-inference", **wanted).estimate) in said


def test_the_other_shares_numbers_are_its_tables():
    other = REFERENCE.parent / "demo-alpha-0.8"
    rise = number("conjugate", other, metric="relative_rise_continuous", span="1..3")
    back = number("conjugate", other, metric="net_recovery", arm="tuned", span="1..3")
    skews = [
        number("task-inference", other, metric="skew", arm=arm, span="1..3").estimate
        for arm in ("base", "tuned")
    ]
    said = (
        f"error up {100 * rise.estimate:.0f}% ({100 * rise.low:.0f} to {100 * rise.high:.0f}), "
        f"{100 * back.estimate:.0f}% back ({100 * back.low:.0f} to {100 * back.high:.0f}), "
        f"skew {skews[0]:.1f} to {skews[1]:.1f} nats"
    )
    assert said in prose("README.md")


def test_what_is_said_of_training_seeds_is_their_table():
    seeds = REFERENCE.parent / "demo-seeds"

    def at(table: str, digits: int, scale: float = 1.0, **wanted: object) -> str:
        estimate, bounds = shown(number(table, seeds, **wanted), scale, digits)
        estimate = re.sub("^−(?=0(\\.0+)?$)", "", estimate)  # what rounds to nothing has no sign
        return f"{estimate} ({bounds})"

    back = {
        span: at("conjugate", 0, 100, metric="net_recovery", arm="tuned", span=span)
        for span in ("1..3", "0..12")
    }
    rise = at("conjugate", 0, 100, metric="relative_rise_continuous", span="1..3")
    skews = [at("task-inference", 1, metric="skew", arm=a, span="1..3") for a in ("base", "tuned")]
    rise, *shares = (text.replace(" (", "% (", 1) for text in (rise, *back.values()))
    readme, results = prose("README.md"), prose("docs/RESULTS.md")
    assert f"the error rose by {rise}, {shares[0].replace('% (', '% came back (')}" in readme
    assert f"from {skews[0]} to {skews[1].replace(' (', ' nats (')}" in readme
    assert f"rises by {rise}; the skew goes from {skews[0]} to" in results
    assert f"{shares[0]} of the loss comes back" in results
    assert f"over all exemplar counts {shares[1]}" in results

    def value(table: str, **wanted: object) -> float:
        return float(number(table, seeds, **wanted).estimate)

    lost = value("conjugate", metric="rise_continuous", arm="tuned", span="1..3")
    ideal, got = (
        value("conjugate", metric="net_numerator", arm=arm, span="1..3")
        for arm in ("observer", "tuned")
    )
    assert f"brings back {ideal:.2f} of the {lost:.2f} lost, the models {got:.2f}:" in results
    parts = [value("task-inference", metric="inference_part", span=s) for s in ("1..3", "1..12")]
    total = value("task-inference", metric="total_rise", span="1..12")
    assert f"explains {parts[0]:.2f} of that rise of {lost:.2f}, and {parts[1]:.2f} (" in results
    assert f") of {total:.2f} at 1 to 12 exemplars" in results
    note = number("task-inference", seeds, metric="skew_rise").note
    assert note.startswith("2 of 10 runs: base not within 1.1 x Bayes; 8 of 10 runs")
    ahead = pd.read_parquet(seeds / "tables" / "task-inference.parquet")
    ahead = ahead[ahead["metric"] == "skew_advantage"]
    assert (ahead.loc[ahead["gamma"].isna(), "low"] > 0).all()
    behind = ahead.loc[ahead["high"] < 0, ["arm", "gamma"]].to_numpy().tolist()
    assert behind == [["rival:ridge-lambda", 4.0]]


def test_the_tables_of_claims_are_what_the_results_say():
    pages = runpy.run_path(str(ROOT / "tools" / "claims.py"))["pages"]()
    assert set(pages) == {
        "README.md", "docs/RESULTS.md", "docs/NURSERY.md", "docs/PURPLE.md", "benchmarks/README.md"
    }  # fmt: skip
    for name, page in pages.items():
        written = (ROOT / name).read_text(encoding="utf-8")
        assert written == page, f"{name} is not up to date: python tools/claims.py"


def number(table: str, run: Path = REFERENCE, **wanted: object) -> pd.Series:
    rows = pd.read_parquet(run / "tables" / f"{table}.parquet")
    for column, value in wanted.items():
        rows = rows[rows[column] == value]
    assert len(rows) == 1, rows
    return rows.iloc[0]


def shown(row: pd.Series, scale: float = 1.0, digits: int = 0) -> tuple[str, str]:
    """An estimate and its interval as the README writes them: "63" and "58 to 68"."""

    def text(value: float) -> str:
        return f"{scale * value:.{digits}f}".replace("-", "−")

    return text(row.estimate), f"{text(row.low)} to {text(row.high)}"


@pytest.mark.parametrize(
    ("table", "wanted", "scale", "digits", "sentences"),
    [
        ("conjugate", {"metric": "relative_rise_continuous", "span": "1..3"}, 100, 0,
         ["raised the error on other tasks by {}% (95% interval {})",
          "raised the error on other tasks by {}% ({});"]),
        ("conjugate", {"metric": "net_recovery", "arm": "tuned", "span": "1..3"}, 100, 0,
         ["halving the answer brings {}% of that back ({}), net"]),
        ("conjugate", {"metric": "net_recovery", "arm": "tuned", "span": "4..12"}, 100, 0,
         ["With 4 to 12 exemplars {}% ({}) of the loss comes back"]),
        ("conjugate", {"metric": "net_recovery", "arm": "observer", "span": "1..3"}, 100, 0,
         ["With 1 to 3 the ideal observer with the same skew recovers {}% ({}):"]),
        ("where-it-hurts", {"metric": "slope", "span": "1..3"}, 1, 2, ["slope {} ({}), over"]),
        ("task-inference", {"metric": "skew", "arm": "base", "span": "1..3"}, 1, 1,
         ["task inference moved from {} ({}) to", "the skew went from {} ({}) to"]),
        ("task-inference", {"metric": "skew", "arm": "tuned", "span": "1..3"}, 1, 1,
         [") to {} nats ({}) in favour", ") to {} nats ({}), a rise"]),
        ("task-inference", {"metric": "skew_rise"}, 1, 1, ["a rise of {} ({}). Where"]),
        ("conjugate", {"metric": "net_recovery", "arm": "control:finetuned-on-other-tasks",
                       "gamma": 2.0}, 100, 0,
         ["doubling the labels brings back {}% ({}) only"]),
        ("converge", {"metric": "ratio_to_bayes_continuous", "alpha": 0.0}, 1, 2,
         ["its Bayes predictor: {} ({}) times the error of ridge regression"]),
        ("converge", {"metric": "ratio_to_bayes_discrete", "alpha": 1.0}, 1, 2,
         ["times the error of ridge regression, {} ({}) of discrete regression"]),
        ("converge", {"metric": "ratio_to_bayes_discrete", "alpha": 0.5}, 1, 2,
         ["half and half, is at {} ({}) on `D_disc`"]),
    ],
    ids=lambda v: v if isinstance(v, str) else None,
)  # fmt: skip
def test_numbers_are_the_tables(
    table: str, wanted: dict, scale: float, digits: int, sentences: list[str]
):
    """Each in its own sentence, and beside its interval: elsewhere it is another number."""
    figures = shown(number(table, **wanted), scale, digits)
    said = f"{prose('README.md')} {prose('docs/RESULTS.md')}"
    for sentence in sentences:
        assert said.count(sentence.format(*figures)) == 1, sentence.format(*figures)


def test_the_audit_says_what_the_readme_shows(tmp_path: Path):
    (command,) = re.findall(r"^unskew (audit scripted:\S+ [^#\n]*?)\s*#", README, re.MULTILINE)
    (shown,) = [block for block in blocks("") if block.startswith("task ")]
    done = subprocess.run(
        [sys.executable, "-m", "unskew", *command.split(), "--runs", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=100,
        env=os.environ | {"COLUMNS": "80", "PYTHONIOENCODING": "utf-8"},
    )
    assert done.returncode == 0, done.stderr
    said = "\n".join(line.rstrip() for line in done.stdout.splitlines())
    assert shown.strip() in said


def test_what_the_shipped_models_do_is_their_table():
    arms = table("nursery-pair", "arms").query("main and task == 'nursery_repeat_conflict_en'")
    shares = arms.set_index(["arm", "conjugation"])["estimate"]
    base, tuned, back = (
        shares["base", "identity"], shares["tuned", "identity"], shares["tuned", "en-qon"]
    )  # fmt: skip
    said = prose("README.md")
    assert f"Base {base:.0%}; tuned {tuned:.0%}," in said
    assert f"carried back: {back:.0%}." in said
