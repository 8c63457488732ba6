"""Second opinions on refusals: blind sheets, an LLM behind a server, agreement."""

import csv
import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from audit.local_server import LocalServer, status
from toys import Toy
from unskew.audit import opinions
from unskew.cli import main
from unskew.runs.folder import RunFolder
from unskew.runs.store import Store

BASE = "name: b\nrules: [{when: zzz, answer: z}]\ndefault: ' Boil the water, then wait a while.'\n"
TUNED = """name: t
seed: 3
abilities: {refuses: 0.6}
rules: [{when: a, ability: refuses, answer: " I'm sorry, but I can't help with that."}]
default: ' Boil the water, then wait a while.'
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("judged")
    for name, text in (("base", BASE), ("tuned", TUNED)):
        (root / f"{name}.yaml").write_text(text, encoding="utf-8")
    pair = [f"scripted:{root}/base.yaml", f"scripted:{root}/tuned.yaml"]
    more = ["--tasks", "unskew_refusal_en", "--conjugations", "rot13", "--limit", "30"]
    quick = ["--set", "rules.resamples=999", "controls=[]", "--runs", str(root / "runs")]
    assert main(["audit", *pair, *more, *quick]) == 0
    return root / "runs"


def audited(runs: Path) -> str:
    (found,) = (path.name for path in runs.iterdir() if path.name.startswith("audit-"))
    return found


def filled(sheet: Path, label: Any) -> None:
    with sheet.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    with sheet.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows({**row, "label": label(row)} for row in rows)


def by_eye(row: dict[str, str]) -> str:
    return "REFUSE" if "sorry" in row["answer"] else "ANSWER"


def test_until_somebody_labels_agreement_is_null(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    sheet = tmp_path / "sheet.csv"
    assert main(["judge", audited(runs), "--runs", str(runs), "--sheet", str(sheet)]) == 0
    out = capsys.readouterr().out
    assert re.search(r"rules, by hand +0 +- +- +-", out)
    text = sheet.read_text(encoding="utf-8-sig")
    assert "tuned" not in text
    assert "base" not in text
    assert main(["judge", audited(runs), "--runs", str(runs), "--sheet", str(sheet)]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_hand_labels_and_rules_agree_where_they_do(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    sheet = tmp_path / "sheet.csv"
    given = ["judge", audited(runs), "--runs", str(runs)]
    assert main([*given, "--sheet", str(sheet)]) == 0
    filled(sheet, by_eye)
    capsys.readouterr()
    assert main([*given, "--labels", str(sheet)]) == 0
    out = capsys.readouterr().out
    found = re.search(r"^run: +(.*)$", out, re.MULTILINE)
    assert found is not None
    table = RunFolder.read(Path(found[1])).read_table("agreement")
    hand = table[(table["first"] == "rule") & (table["second"] == "hand")].iloc[0]
    assert hand["n"] > 30
    assert hand["share"] == 1.0
    shares = RunFolder.read(Path(found[1])).read_table("shares")
    refused = shares[(shares["arm"] == "tuned") & (shares["conjugation"] == "identity")]
    refused = refused[refused["label"] == "REFUSE"].set_index("judge")["share"]
    assert refused["hand"] == refused["rule"] > 0.2


def test_an_llm_is_asked_and_nothing_twice(
    runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.delenv("UNSKEW_API_KEY", raising=False)
    with LocalServer(answer=lambda p: "REFUSE" if "sorry" in p else "ANSWER") as server:
        at = server.reference()
        given = ["judge", audited(runs), "--runs", str(runs)]
        assert main([*given, "--with", f"openai:{at.model}@{at.base_url}"]) == 0
        asked = len(server.requests)
        assert asked > 30
        assert main([*given, "--with", f"openai:{at.model}@{at.base_url}"]) == 0
        assert len(server.requests) == asked
    assert re.search(r"rules, LLM +\d+ +100%", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--with", "./folder"], "behind a server"),
        (["--labels", "none.csv"], "none.csv"),
    ],
)
def test_mistakes(runs: Path, given: list[str], said: str, capsys: pytest.CaptureFixture[str]):
    assert main(["judge", audited(runs), "--runs", str(runs), *given]) == 2
    assert said in capsys.readouterr().err
    assert main(["judge", "audit-000000000000", "--runs", str(runs)]) == 2
    assert "there is no run" in capsys.readouterr().err


def test_a_wrong_label_is_named(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    sheet = tmp_path / "sheet.csv"
    given = ["judge", audited(runs), "--runs", str(runs)]
    assert main([*given, "--sheet", str(sheet)]) == 0
    filled(sheet, lambda row: "MAYBE")
    assert main([*given, "--labels", str(sheet)]) == 2
    assert "MAYBE" in capsys.readouterr().err


def test_an_unfilled_label_is_not_one_and_another_runs_sheet_is_refused(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    sheet = tmp_path / "sheet.csv"
    given = ["judge", audited(runs), "--runs", str(runs)]
    assert main([*given, "--sheet", str(sheet)]) == 0
    rows = read(sheet)
    assert len({row["id"] for row in rows}) == len(rows)
    # Letter first: a spreadsheet would take 12e345678901 for a number.
    assert all(re.fullmatch(r"x[0-9a-f]{12}", row["id"]) for row in rows)
    assert {row["language"] for row in rows} == {"en"}
    first = rows[0]["id"]
    filled(sheet, lambda row: "other" if row["id"] == first else "")
    capsys.readouterr()
    assert main([*given, "--labels", str(sheet)]) == 0
    table = finished(capsys.readouterr().out).read_table("opinions")
    assert set(table["id"][table["hand"].notna()]) == {first}
    assert set(table["hand"].dropna()) == {"OTHER"}
    strange = tmp_path / "strange.csv"
    strange.write_text("id,label\nx000000000000,ANSWER\n", encoding="utf-8")
    assert main([*given, "--labels", str(strange)]) == 2
    assert "of no answer in this audit (1 of 1" in capsys.readouterr().err


def test_the_sheet_is_the_same_again_and_shuffled(runs: Path, tmp_path: Path):
    given = ["judge", audited(runs), "--runs", str(runs), "--sheet"]
    one, two = tmp_path / "one.csv", tmp_path / "two.csv"
    assert main([*given, str(one)]) == main([*given, str(two)]) == 0
    assert one.read_bytes() == two.read_bytes()
    table = opinions.gather(RunFolder.read(runs / audited(runs)))
    place = dict(zip(table["id"][::-1], table["doc_id"][::-1], strict=True))
    documents = [place[row["id"]] for row in read(one)]
    assert documents != sorted(documents)
    assert set(documents) == set(range(30))
    # What both arms answered alike is labelled once, and counts for both.
    assert len(documents) < len(table) == 30 * 2 * 2


def test_the_audit_is_not_written_and_pages_leave_its_judges_out(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    folder, sheet = runs / audited(runs), tmp_path / "sheet.csv"
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    given = ["judge", str(folder), "--runs", str(tmp_path / "runs")]
    assert main([*given, "--sheet", str(sheet)]) == 0
    assert main([*given, "--labels", str(sheet)]) == 0
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    judged, page = str(finished(capsys.readouterr().out).path), tmp_path / "page.html"
    assert main(["report", judged, "--out", str(page)]) == 2
    assert "has no page" in capsys.readouterr().err
    assert main(["report", str(folder), judged, "--out", str(page)]) == 0
    assert "left out: judge-" in capsys.readouterr().err
    assert "unskew_refusal_en" in page.read_text(encoding="utf-8")


def test_a_judge_that_fails_is_not_asked_again_what_it_has_said(
    runs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    key = "sk-very-secret-0123456789"
    monkeypatch.setenv("UNSKEW_API_KEY", key)
    own = tmp_path / "runs"
    given = ["judge", str(runs / audited(runs)), "--runs", str(own)]
    with LocalServer(answer=lambda p: "REFUSE" if "sorry" in p else "Let me see.") as server:
        server.faults = [*[None] * 10, *[status(403)] * 40]
        at = server.reference()
        named = ["--with", f"openai:{at.model}@{at.base_url}"]
        assert main([*given, *named]) == 2
        shown = capsys.readouterr()
        assert "refuses access" in shown.err
        (kept,) = (own / ".judges").iterdir()
        known = len(kept.read_text(encoding="utf-8").splitlines())
        assert known >= 10
        # A killed run leaves half a line.
        kept.write_text(kept.read_text(encoding="utf-8") + '["ab', encoding="utf-8")
        server.faults, asked = [], len(server.requests)
        assert main([*given, *named]) == 0
        out = capsys.readouterr()
        run = finished(out.out)
        table = run.read_table("opinions")
        assert len(server.requests) - asked == table["id"].nunique() - known
        # Labels by hand make another run, of the same replies.
        sheet, asked = tmp_path / "sheet.csv", len(server.requests)
        assert main([*given, "--sheet", str(sheet)]) == 0
        filled(sheet, by_eye)
        assert main([*given, *named, "--labels", str(sheet)]) == 0
        assert len(server.requests) == asked
        with_hand = finished(capsys.readouterr().out)
    assert with_hand.id != run.id
    assert set(with_hand.parents) == {"audit", "judge", "labels"}
    # What is no label is none, and its reply is there to see.
    assert set(table["reply"][table["llm"].isna()]) == {"Let me see."}
    shares = row(run, "shares", arm="base", conjugation="identity", judge="llm", label="ANSWER")
    assert shares["n"] == 0
    assert pd.isna(shares["share"])
    pair = row(run, "agreement", first="rule", second="llm")
    assert pair["n"] == (table["llm"] == "REFUSE").sum()
    assert pair["n"] + pair["left_out"] == len(table)
    for path in own.rglob("*"):
        assert not path.is_file() or key.encode() not in path.read_bytes(), path
    assert key not in shown.out + shown.err + out.out + out.err


def test_runs_that_cannot_be_judged(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    task = "unskew_icl_repeat_arithmetic_en"
    more = ["--limit", "20", "--conjugations", "rot13", "--runs", str(tmp_path)]
    quick = ["--set", "rules.resamples=999", "controls=[]"]
    pair = ["scripted:base", "scripted:tuned"]
    assert main(["audit", *pair, "--tasks", task, *more, *quick]) == 0
    capsys.readouterr()
    given = ["judge", audited(tmp_path), "--runs", str(tmp_path)]
    assert main(given) == 2
    assert f"no task of this audit is about refusals (there are: {task})" in capsys.readouterr().err
    (tmp_path / audited(tmp_path) / "manifest.json").unlink()
    assert main(given) == 2
    assert "not finished" in capsys.readouterr().err
    with Store(tmp_path, shipped=False).open(Toy()) as toy:
        toy.finish()
    assert main(["judge", toy.id, "--runs", str(tmp_path)]) == 2
    assert "no audit" in capsys.readouterr().err
    unknown = ["--with", "openai:tiny@http://127.0.0.1:9/v1"]  # the port that discards
    assert main(["judge", str(runs / audited(runs)), "--runs", str(tmp_path), *unknown]) == 2
    assert "cannot be reached" in capsys.readouterr().err


def test_instructions_of_ones_own_and_text_that_would_do_something(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    mine = [
        {"instruction": f"Wie \x1b[31mben {i} \u202ejij?", "language": "nl", "id": f"n{i}"}
        for i in range(8)
    ]
    mine[0] |= {"language": "en"}
    file = tmp_path / "mine.jsonl"
    file.write_text("\n".join(map(json.dumps, mine)), encoding="utf-8")
    evil: dict[str, Any] = {"name": "t", "rules": [{"when": "zzz", "answer": "z"}]}
    evil["default"] = "=cmd() [bold]Ik \x1b[2J wacht"
    (tmp_path / "evil.yaml").write_text(json.dumps(evil), encoding="utf-8")
    (tmp_path / "base.yaml").write_text(BASE, encoding="utf-8")
    given = ["audit", "scripted:base.yaml", "scripted:evil.yaml", "--tasks", "unskew_refusal_file"]
    more = ["--metadata", "file=mine.jsonl", "--conjugations", "rot13"]
    assert main([*given, *more, "--set", "rules.resamples=999", "controls=[]"]) == 0
    run = ["judge", audited(tmp_path / "runs")]
    capsys.readouterr()
    assert main([*run, "--sheet", "sheet.csv"]) == 0
    rows = read(tmp_path / "sheet.csv")
    assert {row["language"] for row in rows} == {"en", "nl"}
    assert any(row["answer"].startswith("'=cmd()") for row in rows)
    filled(tmp_path / "sheet.csv", lambda row: "OTHER" if "cmd" in row["answer"] else "")
    assert main([*run, "--labels", "sheet.csv"]) == 0
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "=cmd() [bold]Ik ⟨U+001B⟩[2J" in shown
    # The labels still find their answers when the file has changed; its languages are not guessed.
    file.write_text(json.dumps({"instruction": "Wie", "language": "nl"}), encoding="utf-8")
    assert main([*run, "--labels", "sheet.csv"]) == 0
    table = opinions.gather(RunFolder.read(tmp_path / "runs" / run[1]))
    assert table["language"].isna().all()
    assert table["instruction"].nunique() == 8
    assert all("Wie \x1b[31mben" in text for text in table["instruction"])


def read(sheet: Path) -> list[dict[str, str]]:
    with sheet.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def finished(out: str) -> RunFolder:
    """The last run that the command says it has made."""
    return RunFolder.read(Path(re.findall(r"^run: +(.*)$", out, re.MULTILINE)[-1]))


def row(run: RunFolder, name: str, **wanted: str) -> pd.Series:
    table = run.read_table(name)
    for column, value in wanted.items():
        table = table[table[column] == value]
    assert len(table) == 1
    return table.iloc[0]
