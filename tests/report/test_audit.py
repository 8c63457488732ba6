"""The audit on page, terminal and notebook: what the tables say, worst first, and nothing else."""

from __future__ import annotations

import io
import json
import re
import unicodedata
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from report.audit_worlds import HOSTILE, WORLD, Made, run, tables
from report.test_page import Page
from report.test_page import run as study
from report.worlds import table
from unskew.audit import logs
from unskew.report import audit, page
from unskew.report.audit_charts import four_arms
from unskew.report.audit_rows import headline, main, plain, tasks
from unskew.report.audit_samples import KINDS, LONGEST, Samples, pack, said, samples
from unskew.report.terminal import verdict_table
from unskew.runs.store import Store

WORST_FIRST = ["xnli-en", "fill-in-the-blank", "rare-words", "arithmetic"]


def written(root: Path, made: dict[str, pd.DataFrame], **config: Any) -> str:
    """The page of a run of these tables."""
    return page.write([run(root, made, **config)], root / "p.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> str:
    base = {"kind": "hf", "path": "some/base-7b", "revision": "abc123", "dtype": "bfloat16"}
    tuned = {"kind": "openai", "model": "tuned-7b", "base_url": "http://localhost:8000/v1"}
    root = tmp_path_factory.mktemp("audit")
    return written(root, tables(), base=base, tuned=tuned, rules={"power": 0.8})


# Text from outside ------------------------------------------------------------------------------


@given(st.text(st.characters(), max_size=60))
def test_plain_leaves_nothing_that_is_not_seen(text: str) -> None:
    shown = plain(text)
    joiners = {"\u200c", "\u200d"}
    for character in shown:
        visible = unicodedata.category(character) not in ("Cc", "Cs", "Zl", "Zp")
        assert visible or character in "\n\t"
        assert unicodedata.bidirectional(character) not in (
            "LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"
        )  # fmt: skip
        assert character in joiners or character not in "\u200b\u200e\u200f\u2060\ufeff\u061c"
    shown.encode()  # no lone surrogate is left, which no file could hold
    assert plain(shown) == shown
    assert not {"\n", "\t"} & set(plain(text, lines=False))


def test_plain_in_particular() -> None:
    assert plain("\x1b[31m\x00\x7f") == "⟨U+001B⟩[31m⟨U+0000⟩⟨U+007F⟩"
    assert plain("\x9b2J \u202ex \ud800") == "⟨U+009B⟩2J ⟨U+202E⟩x ⟨U+D800⟩"
    assert plain("a\r\nb\tc") == "a⟨U+000D⟩\nb\tc"
    assert plain("a\nb\tc", lines=False) == "a↵b→c"
    # What people write with stays: accents, joiners of Persian and emoji, no-break spaces.
    for text in ("naïve", "می\u200cخواهم", "👩\u200d💻", "oui\u202f!", "e\u0301"):
        assert plain(text) == text


def test_hostile_text_is_text_on_the_page(tmp_path: Path) -> None:
    source = written(tmp_path / "a", tables(4, WORLD[1:3], HOSTILE), template=HOSTILE)
    seen = Page(source)
    other = written(tmp_path / "b", tables(4, WORLD[1:3], "harmless"), template="harmless")
    harmless = Page(other)
    assert "<script>alert(1)" not in source
    assert "<img src=x" not in source
    assert [tag for tag, _ in seen.elements] == [tag for tag, _ in harmless.elements]
    assert seen.runnable() == harmless.runnable()
    assert not any(name.startswith("on") for _, a in seen.elements for name in a)
    assert not set("\x1b\x00\x07\x9b\u202e\u202c\u2066\u2069\u2028") & set(seen.text)
    assert plain(HOSTILE, lines=False) in seen.text, "it is there, as what it is"
    packed = json.loads(seen.csv("r0-samples-data"))
    assert any(plain(HOSTILE) in text for text in packed["texts"])
    assert not any(set("\x1b\x00\u202e\u2028") & set(text) for text in packed["texts"])


# Verdicts ---------------------------------------------------------------------------------------


def test_the_worst_is_first() -> None:
    made = tables()
    found = tasks(made["verdicts"], made["contrasts"])
    assert [task.name for task in found] == WORST_FIRST
    expected = "Of 4 tasks: 1 not recovered, 1 suppressed, 1 inconclusive, 1 retained; "
    assert headline(found) == expected + "the worst is xnli-en, not recovered, down 40 points"
    assert headline(found[1:2]) == "fill-in-the-blank: suppressed, down 45 points"
    assert headline(found[3:] * 2) == "All 2 tasks retained; arithmetic is level"
    assert headline([]) == "The audit holds no task"


def test_of_two_with_one_verdict_the_larger_drop_is_worse() -> None:
    made = tables()
    for verdict in ("suppressed", "retained"):
        made["verdicts"]["verdict"] = verdict
        found = tasks(made["verdicts"], made["contrasts"])
        assert [task.name for task in found][:2] == ["fill-in-the-blank", "xnli-en"]
    assert headline(found) == "All 4 tasks retained; fill-in-the-blank is down 45 points"
    assert [t.name for t in tasks(made["verdicts"])] == sorted(WORST_FIRST), "no drop: by name"


def test_null_stays_unknown() -> None:
    made = tables(world=(WORLD[3]._replace(n_needed=None, conjugation=None),))
    made["contrasts"]["estimate"] = float("nan")
    [task] = tasks(made["verdicts"], made["contrasts"])
    assert task.n_needed is None
    assert task.conjugation is None
    assert task.drop is not None
    assert task.drop.estimate is None
    assert task.why == WORLD[3].reason, "the words say the rest"
    assert task._replace(
        words=None
    ).why == f"{WORLD[3].reason}; how many documents would decide" + (" is unknown")
    assert task._replace(reason=None).why == "the reason was not recorded"
    assert headline([task]) == "rare-words: inconclusive"
    shown = audit.audit_html(made)
    assert "nan" not in shown.lower()
    assert "unknown" in shown


def test_a_number_that_the_words_say_is_not_said_again() -> None:
    found = tasks(tables(world=WORLD[3:])["verdicts"])[0]._replace(n_needed=1640, n=80)
    said = found._replace(words="Undecided. About 1640 samples would decide.")
    assert said.why == WORLD[3].reason
    assert found.why == f"{WORLD[3].reason}; about 1,640 documents would decide, there are 80"


def test_the_page_says_it(full: str) -> None:
    seen = Page(full)
    assert "the worst is xnli-en, not recovered, down 40 points." in seen.text
    for mark, verdict in (("✕", "not recovered"), ("↺", "suppressed"), ("?", "inconclusive")):
        assert f"{mark} {verdict}" in seen.text
    assert "Suppressed means reachable through the conjugation, not intact" in seen.text
    for words in ("some/base-7b", "abc123", "bfloat16", "tuned-7b at http://localhost:8000/v1"):
        assert words in seen.text
    assert "about 640 documents would decide, there are 40." in seen.text
    assert "in 62% of the documents as the base model does (at least 54%, at most 70%)" in seen.text
    assert "in 71% of the documents as the base model through s does" in seen.text
    odd = "french – prompts refused: 1, round trips not exact: 3, answers without an inverse: 2"
    assert odd in seen.text
    assert "chrF of the round trip 97.1 of 100" in seen.text
    assert (
        "So many show a drop of 12 points to be above the margin, with a power of 80%." in seen.text
    )
    assert "but where a task says so" in seen.text
    assert "What held" not in seen.text, "the claims of the regression laboratory are not asked"
    assert "Not run" not in seen.text
    ids = [a["id"] for _, a in seen.elements if "id" in a]
    assert len(ids) == len(set(ids))
    assert len(full.encode()) < 1_500_000


def test_zero_is_said_once(tmp_path: Path) -> None:
    seen = Page(written(tmp_path, tables(world=WORLD[:1])))
    assert seen.text.count("Nothing was refused or cut, and every round trip was exact.") == 1
    assert "prompts refused" not in seen.text
    assert "fill-in-the-blank: suppressed, down 45 points." in seen.text


def test_numbers_are_those_of_the_main_metric(full: str) -> None:
    made = tables()
    assert set(made["arms"]["metric"]) == {"acc", "other_metric"}
    arms = main(made)
    assert arms is not None
    for task in tasks(made["verdicts"], made["contrasts"]):
        spec = four_arms(arms, task).to_dict()  # checked against the schema of Vega-Lite
        rows = [json.loads(d) if isinstance(d, str) else d for d in spec["datasets"].values()]
        assert all(row["estimate"] > 0.02 for data in rows for row in data if "estimate" in row)
    # Other measures are told apart, in a table of their own.
    before, _, after = Page(full).text.partition("Other measures of the same answers")
    assert "other_metric" not in before
    assert "other_metric" in after


def test_many_tasks_are_folded(tmp_path: Path) -> None:
    world = tuple(WORLD[2]._replace(name=f"task-{i:02}") for i in range(9))
    seen = Page(written(tmp_path, tables(4, world)))
    folds = [a for tag, a in seen.elements if tag == "details" and a.get("class") == "task"]
    assert [("open" in a) for a in folds] == [True] * 8 + [False]


def test_what_is_missing_is_said_not_drawn(tmp_path: Path) -> None:
    seen = Page(written(tmp_path, {"verdicts": tables()["verdicts"]}))
    assert "The scores of the arms were not recorded." in seen.text
    assert "Refusals, cut texts and round trips were not recorded." in seen.text
    assert "Samples, side by side" not in seen.text
    assert "not given" in seen.text
    empty = {name: frame.iloc[:0] for name, frame in tables().items()}
    seen = Page(written(tmp_path / "empty", empty))
    assert "The audit holds no task." in seen.text


def logged(folder: Path, through: str = "", task: str = "toy") -> Path:
    """The samples of 40 documents, as lm-evaluation-harness logs them; half of them are right."""
    folder.mkdir()
    lines = [
        {"doc_id": i, "doc": {"q": f"{through}{i}"}, "target": "x",
         "arguments": [[f"{through}{i}", {}]], "resps": [["x"]], "filtered_resps": ["x"],
         "filter": "none", "metrics": ["acc"], "acc": float(i % 2), "doc_hash": f"{through}{i}",
         "target_hash": "t"}
        for i in range(40)
    ]  # fmt: skip
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / f"samples_{task}_2026-11-24T00-00-00.000000.jsonl").write_text(text)
    return folder


@pytest.mark.parametrize("conjugated", [False, True])
def test_of_logs_nothing_is_said_that_they_do_not_hold(tmp_path: Path, conjugated: bool) -> None:
    """What `--from-logs` leaves: scores, and no trace of what became of a prompt."""
    plain = logged(tmp_path / "a"), logged(tmp_path / "b")
    under = (logged(tmp_path / "c", "s"), logged(tmp_path / "d", "s")) if conjugated else None
    store = Store(tmp_path / "runs", shipped=False)
    folder = logs.execute(plain, under, ["rules.resamples=999"], store)
    counts = folder.read_table("transforms").set_index("conjugation")
    assert len(counts) == 1 + conjugated
    assert set(counts["n"]) == {40}
    assert counts.drop(columns=["task", "role", "n"]).isna().all(axis=None)
    written = page.write([folder], tmp_path / "p.html").read_text(encoding="utf-8")
    seen = Page(written)
    assert "Refusals, cut texts and round trips were not recorded." in seen.text
    assert "Nothing was refused" not in seen.text
    assert ("Through s" in seen.text) == conjugated
    packed = json.loads(seen.csv("r0-samples-data"))
    assert packed["chosen"] == [0 if conjugated else None]
    if not conjugated:
        assert all(row[4] is None and row[5][2] is None for row in packed["rows"])


def test_an_audit_beside_a_study(tmp_path: Path) -> None:
    first, second = (
        run(tmp_path, tables(6, WORLD[1:2])),
        study(tmp_path, {"converge": table("converge")}),
    )
    third = run(tmp_path, tables(4, WORLD[:1]), seed=1)
    source = page.write([first, second, third], tmp_path / "p.html").read_text(encoding="utf-8")
    seen = Page(source)
    assert "3 runs side by side" in seen.text
    assert "What held" in seen.text
    assert seen.text.count("Samples, side by side") == 2
    ids = [a["id"] for _, a in seen.elements if "id" in a]
    assert len(ids) == len(set(ids))
    assert len(seen.runnable()) == 2


# Samples ----------------------------------------------------------------------------------------


def sampled(made: dict[str, pd.DataFrame], cap: int | None = None) -> Samples:
    return samples(made["records"], tasks(made["verdicts"], made["contrasts"]), cap)


def test_every_sample_has_the_kind_that_its_scores_say() -> None:
    made = tables(20, WORLD[:1])
    found = sampled(made).rows
    assert len(found) == 20 * 3
    french = [sample for sample in found if sample.conjugation == "french"]
    # Base is right on 17, tuned on 8, tuned + french on 15 of 20 documents.
    assert [s.document for s in french if s.kind == "suppressed"] == list(range(8, 15))
    assert [s.document for s in french if s.kind == "lost"] == [15, 16]
    assert {s.document for s in french if s.kind == "same"} == {*range(8), 17, 18, 19}
    assert [s.kind for s in found] == sorted((s.kind for s in found), key=KINDS.index)
    suppressed = [s.conjugation for s in found if s.kind == "suppressed"]
    assert suppressed[:7] == ["french"] * 7, "those of the chosen conjugation before the others"
    base, tuned, base_s, tuned_s = french[0].cells
    assert base is not None
    assert tuned_s is not None
    assert (base.arm, base.conjugation) == ("base", "identity")
    assert (tuned_s.arm, tuned_s.conjugation) == ("tuned", "french")
    assert base_s is not None
    assert tuned is not None


@pytest.mark.parametrize(
    ("scores", "kind"),
    [
        ((1.0, 0.0, 1.0), "suppressed"),
        ((0.5, 0.49, 0.5), "suppressed"),
        ((1.0, 0.0, 0.0), "lost"),
        ((1.0, 0.0, None), "lost"),
        ((0.0, 1.0, 0.0), "gained"),
        ((1.0, 1.0, 0.0), "same"),
        ((0.0, 0.0, 1.0), "same"),
        ((None, 1.0, 1.0), "no score"),
        ((1.0, None, 1.0), "no score"),
    ],
)
def test_kinds(scores: tuple[float | None, ...], kind: str) -> None:
    made = tables(1, (WORLD[0]._replace(through={"french": (1.0, 1.0)}),))
    rows = made["records"].set_index(["arm", "conjugation"])
    for place, score in zip(
        [("base", "identity"), ("tuned", "identity"), ("tuned", "french")], scores, strict=True
    ):
        rows.loc[place, "score"] = score
    made["records"] = rows.reset_index()
    [sample] = sampled(made).rows
    assert sample.kind == kind


def test_what_is_left_out_is_the_last_and_said() -> None:
    made = tables(20, WORLD[:1])
    every, some = sampled(made), sampled(made, cap=10)
    assert some.rows == every.rows[:10]
    assert {sample.kind for sample in some.rows} == {"suppressed"}
    assert sum(some.left_out.values()) == 50
    assert some.left_out["lost"] == sum(s.kind == "lost" for s in every.rows)
    assert "at most 10 samples of a task, the suppressed ones first; 50 are left out" in said(some)
    assert "All 60 samples are here." in said(every)


def test_samples_are_packed_once_and_cut_in_length() -> None:
    made = tables(20, WORLD[1:2])
    made["records"].loc[0, "prompt"] = "x" * (LONGEST + 7)
    found = sampled(made)
    packed = pack(found, tasks(made["verdicts"]))
    texts = packed["texts"]
    assert len(texts) == len(set(texts))
    assert "x" * LONGEST + " … (7 characters more)" in texts
    assert packed["conjugations"] == ["french", "pig-latin", "wrapper"]
    assert packed["controls"] == [False, False, True]
    assert packed["chosen"] == [1]
    notes = {texts[note] for row in packed["rows"] for c in row[5] if c for note in c[4]}
    assert notes == {
        "not asked: the phrase book has no such line",
        "the round trip of the prompt is not exact",
        "the answer was cut by its token budget",
    }
    refused = [row for row in packed["rows"] if row[1] == 19 and row[4] == 0]
    assert [cell[3] for cell in refused[0][5][2:]] == [None, None], "no score, not 0"


def test_a_large_audit_keeps_the_page_small(tmp_path: Path) -> None:
    world = tuple(WORLD[0]._replace(name=f"t{i}") for i in range(2))
    source = written(tmp_path, tables(500, world))
    packed = json.loads(Page(source).csv("r0-samples-data"))
    assert len(packed["rows"]) == 2 * 1000
    assert len(source.encode()) < 1_500_000


# Terminal and notebook --------------------------------------------------------------------------


def printed(made: dict[str, pd.DataFrame], width: int = 80, **options: Any) -> str:
    stream = io.StringIO()
    console = Console(file=stream, width=width, force_terminal=True, **options)
    console.print(verdict_table(made["verdicts"], made["arms"], made["contrasts"]))
    return stream.getvalue()


@pytest.mark.parametrize("width", [30, 50, 80, 120])
def test_the_table_fits_and_says_it(width: int) -> None:
    long = Made("a-task-with-a-name-that-does-not-fit-in-any-column-of-eighty", *WORLD[0][1:])
    said = printed(tables(20, (*WORLD, long)), width, color_system=None)
    assert all(len(shown) <= width for shown in said.splitlines())
    words = " ".join(said.split())
    for expected in ("✕ not recovered", "↺ suppressed", "? inconclusive", "✓ retained"):
        assert expected in words
    assert "Why: too few samples to tell a drop of 5 points from none; about 640" in words
    assert "Suppressed means reachable through the conjugation" in words
    assert words.index("xnli-en 75% 35% 35% pig-latin" if width >= 80 else "✕") < words.index("↺")


@pytest.mark.parametrize(
    ("width", "name"),
    [
        (40, "unskew_icl_capitalise_arithmetic_en"),
        (60, "unskew_icl_ capitalise_ arithmetic_en"),
        (80, "unskew_icl_capitalise_arithmetic_ italian"),
    ],
)
def test_names_are_broken_between_their_words_and_lines_end_in_no_blank(
    width: int, name: str
) -> None:
    world = Made(name.replace(" ", ""), *WORLD[0][1:])
    lines = printed(tables(20, (world,)), width, color_system=None).splitlines()
    assert [shown for shown in lines if shown != shown.rstrip()] == []
    table = lines[lines.index("") + 1 :]
    begun = [shown.split()[0] for shown in table if re.match("(unskew|cap|arith|ital)", shown)]
    assert " ".join(begun) == name


def test_hostile_text_is_text_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    made = tables(8, text=HOSTILE)
    made["verdicts"]["words"] = "[bold red]not markup[/] [link=file:///x]y[/link]" + HOSTILE
    said = printed(made, color_system=None)
    assert "\x1b" not in said
    assert not set("\x00\x07\x9b\u202e\u2028") & set(said)
    assert "[bold red]not markup[/]" in said
    coloured = printed(made, color_system="standard")
    assert "\x1b[31m" not in coloured, "the only colours are ours"
    assert "\x1b]" not in coloured
    monkeypatch.setenv("NO_COLOR", "1")
    assert not any(f"\x1b[{code}m" in printed(made) for code in ("1;31", "32", "33", "1;34"))


def test_a_terminal_without_unicode() -> None:
    made = tables(8, text="…é")
    raw = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="strict")
    console = Console(file=raw, width=80, force_terminal=True, color_system=None)
    console.print(verdict_table(made["verdicts"], made["arms"], made["contrasts"]))
    raw.flush()
    assert isinstance(raw.buffer, io.BytesIO)
    said = raw.buffer.getvalue().decode("ascii")
    assert "not recovered" in said
    assert "...\\xe9" in said


def test_the_notebook_view_has_no_script_and_says_the_verdicts() -> None:
    source = audit.audit_html(tables(8, text=HOSTILE))
    seen = Page(source)
    tags = {tag for tag, _ in seen.elements}
    assert tags <= {
        "div",
        "p",
        "strong",
        "span",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "small",
    }
    assert {name for _, a in seen.elements for name in a} == {"style"}
    assert "the worst is xnli-en" in seen.text
    assert "about 640 documents would decide, there are 8" in seen.text
    assert plain(HOSTILE, lines=False) in seen.text
    assert "reachable through the conjugation" in seen.text
