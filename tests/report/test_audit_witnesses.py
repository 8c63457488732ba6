"""Second witnesses on page, terminal and notebook; and tables that know of none."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from report.audit_worlds import HOSTILE, WORLD, run, tables
from report.test_page import Page
from unskew.report import audit, page
from unskew.report.audit_rows import headline, plain, tasks
from unskew.report.terminal import LIMIT, TAUGHT, verdict_table

NAME, CONTROL = "relearnt from 16 examples", "the oracle needs more than 64"


def turned(text: str = "") -> dict[str, pd.DataFrame]:
    """The task that was not recovered, decided by a witness; one witness had nothing to say."""
    made = tables(8, WORLD[1:2], text)
    verdicts = made["verdicts"].assign(
        verdict="suppressed", witness=NAME + text, control=CONTROL + text, witness_score=0.72
    )
    row: dict[str, Any] = {
        "task": verdicts["task"].iloc[0], "witness": NAME + text, "seed": None,
        "against": "oracle", "base": 0.75, "tuned": 0.35, "after": 0.72, "before": 0.3,
        "control": 0.33, "estimate": 0.29, "low": 0.11, "p": 0.002, "p_adjusted": 0.004,
        "n": 40, "clusters": 20, "needs": None, "most": 64, "learnt": 1.0, "control_learnt": 1.0,
        "note": None,
    }  # fmt: skip
    silent = {k: None if isinstance(v, float) else v for k, v in row.items()}
    silent |= {"witness": "rounded to 4 bits", "against": "base", "note": "a reason" + text}
    seeds = [row | {"seed": seed, "after": 0.1234, "p_adjusted": None} for seed in (0, 1)]
    witnesses = pd.DataFrame([silent, row, *seeds]).astype({"seed": "Int64"})
    return {
        **made,
        "verdicts": verdicts,
        "witnesses": witnesses,
        "witness_records": made["records"],
    }


def shown(made: dict[str, pd.DataFrame], width: int = 90) -> str:
    stream = io.StringIO()
    console = Console(file=stream, width=width, color_system=None)
    console.print(verdict_table(made["verdicts"], made["arms"], made["contrasts"]))
    return " ".join(stream.getvalue().split())


def test_the_terminal_names_the_witness_and_its_control() -> None:
    made = turned()
    said = shown(made)
    assert f"xnli-en: suppressed ({NAME}; {CONTROL}), down 40 points." in said
    assert "72% relearnt from 16" in said
    assert LIMIT in said
    assert TAUGHT in said
    rounded = made["verdicts"].assign(witness="rounded to 4 bits", control="the base changes by 1")
    assert TAUGHT not in shown({**made, "verdicts": rounded})


def test_the_page_shows_every_witness_and_not_every_seed(tmp_path: Path) -> None:
    source = page.write([run(tmp_path, turned())], tmp_path / "p.html").read_text(encoding="utf-8")
    seen = Page(source)
    assert f"suppressed ({NAME}; {CONTROL})" in seen.text
    assert "Second witnesses" in seen.text
    assert "The control of relearning is the oracle, taught the same examples." in seen.text
    assert "The control of rounding is the base." in seen.text
    assert "rounded to 4 bits" in seen.text
    assert "a reason" in seen.text
    for number in ("72%", "33%", "29.0", "11.0", "0.004"):
        assert number in seen.text
    _, _, rest = seen.text.partition("Second witnesses")
    assert "12%" not in rest.partition("All seeds (CSV)")[0]
    assert "its change to the weights brought the ability back" in seen.text
    assert seen.csv("r0-csv-witnesses").count("\n") >= 4
    assert "r0-csv-witness_records" not in source, "samples are too large to be handed out"


def test_what_comes_from_outside_is_text(tmp_path: Path) -> None:
    source = page.write([run(tmp_path, turned(HOSTILE))], tmp_path / "p.html").read_text("utf-8")
    assert "<script>alert(1)" not in source
    assert plain(HOSTILE, lines=False) in Page(source).text
    assert "\x1b" not in shown(turned(HOSTILE))


def test_the_notebook_says_it() -> None:
    seen = Page(audit.audit_html(turned()))
    assert NAME in seen.text
    assert "72%" in seen.text


def test_tables_that_know_of_no_witness_are_read_as_ever() -> None:
    made = tables()
    assert "witness" not in made["verdicts"].columns
    found = tasks(made["verdicts"], made["contrasts"])
    assert [task.witness for task in found] == [None] * 4
    assert [task.said for task in found] == [task.verdict for task in found]
    empty = made["verdicts"].assign(witness=None, control=None, witness_score=None)
    assert tasks(empty, made["contrasts"]) == found
    assert headline(found).endswith("the worst is xnli-en, not recovered, down 40 points")
