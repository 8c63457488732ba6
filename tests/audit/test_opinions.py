"""Second opinions on refusals: blind sheets, an LLM behind a server, agreement."""

import csv
import re
from pathlib import Path
from typing import Any

import pytest

from audit.local_server import LocalServer
from unskew.cli import main
from unskew.runs.folder import RunFolder

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
