"""The guide's code runs, its table and example are what comes, its options, files and names exist.

Its commands are tried and its links followed with those of every page, in test_docs_site.
"""

import re
import shlex
from pathlib import Path

import pytest

import pages
from unskew.cli import main
from unskew.runs.store import shipped_root
from unskew.statistics.power import detectable

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
GUIDE = (DOCS / "AUDIT.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return pages.blocks(GUIDE, language)


COMMANDS = pages.commands(GUIDE)


def files(folder: Path) -> None:
    """The files of the guide's example of a task, as it says where they are."""
    yamls = blocks("yaml")
    (rows,) = blocks("json")
    (folder / "mytasks").mkdir()
    for name, text in zip(("mytasks/capitals.yaml", "knows.yaml"), yamls, strict=True):
        assert f"`{name}`" in GUIDE
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "capitals.jsonl").write_text(rows, encoding="utf-8")


@pytest.mark.parametrize("code", blocks("python"))
def test_python_runs(code: str, tmp_path: Path):
    done = pages.run(code, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_there_are_commands_to_test():
    assert len(COMMANDS) >= 10
    assert {shlex.split(line)[0] for line in COMMANDS} >= {"audit", "judge", "paper", "conjugate"}


def test_the_table_is_what_the_command_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("COLUMNS", "80")
    (line,) = re.findall(r"`unskew (audit scripted:base scripted:tuned [^`]+)`", GUIDE)
    (shown,) = [block for block in blocks("") if block.startswith("task ")]
    assert main([*shlex.split(line), "--runs", str(tmp_path)]) == 0
    said = "\n".join(row.rstrip() for row in capsys.readouterr().out.splitlines())
    assert shown.strip() in said


def test_the_example_of_a_task_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    files(tmp_path)
    monkeypatch.chdir(tmp_path)
    (line,) = [line for line in COMMANDS if "--include mytasks" in line]
    assert main(shlex.split(line)) == 0
    said = capsys.readouterr().out
    assert re.search(r"my_capitals +100% +0% .* inconclusive", said)
    assert "2 independent sources are fewer than 20" in said


def test_sizes_and_drops_are_the_tasks():
    from unskew.audit.tasks import icl, nli, refusal

    rows = dict(re.findall(r"^\| (`unskew_\S+?`)[^|]*\| (.*) points \|$", GUIDE, re.MULTILINE))
    shipped = {
        "`unskew_icl_*_arithmetic_*`": icl.items("arithmetic", "en"),
        "`unskew_icl_*_blank_*`": icl.items("blank", "en") * icl.ROUNDS,
        "`unskew_nli_*`": nli.triples("en"),
        "`unskew_refusal_*`": refusal.rows(),
    }
    assert rows.keys() == shipped.keys() | {"`unskew_xnli_*`"}
    for name, row in rows.items():
        n, sources, drop = (int(cell.replace(",", "")) for cell in row.split(" | "))
        if name in shipped:
            assert n == len(shipped[name])
        found = detectable(n, 0.2, margin=0.05, largest=n // sources)
        assert found is not None
        assert drop == pytest.approx(100 * found, abs=0.5001)


def test_files_and_modules_exist():
    for text in (GUIDE, (DOCS / "VERDICTS.md").read_text(encoding="utf-8")):
        for path in re.findall(r"`((?:src|tests|tools|docs)/[\w./-]+)`", text):
            assert (ROOT / path).exists(), path
    house = (DOCS / "ARCHITECTURE.md").read_text(encoding="utf-8")
    (tree,) = re.findall(r"```\n(src/unskew/.*?)```", house, re.DOTALL)
    known = {path.name for path in (ROOT / "src").rglob("*.py")}
    known |= {path.name for path in (ROOT / "tools").glob("*.py")}
    named = set(re.findall(r"\b(\w+\.py)\b", tree))
    assert named
    assert named <= known
    for room in re.findall(r"^ {2,4}(\w+)/", tree, re.MULTILINE):
        assert list((ROOT / "src" / "unskew").rglob(room)), room


def test_options_exist(capsys: pytest.CaptureFixture[str]):
    """Those in prose, too."""
    said = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", GUIDE))
    for command in ("audit", "judge", "conjugate", "paper lm"):
        assert main([*command.split(), "--help"]) == 0
    known = set(re.findall(r"--[a-z][a-z-]+", capsys.readouterr().out))
    assert said - {"--log"} <= known  # --log_samples is of lm_eval


def test_names_exist():
    from unskew.audit.catalogue import shipped
    from unskew.conjugation import catalogue

    names = {entry.name for entry in catalogue()}
    ciphers = re.search(r"- Ciphers: (.*?)- Translation", GUIDE, re.DOTALL)
    assert ciphers is not None
    assert set(re.findall(r"`([a-z0-9-]+)`", ciphers[1])) <= names
    tasks = {task.name for task in shipped()} | {tag for task in shipped() for tag in task.tags}
    probes = shipped_root() / "nursery" / "probes"
    tasks |= {"my_capitals", *(f"nursery_{path.stem}" for path in probes.glob("*.yaml"))}
    assert set(re.findall(r"--tasks (\w+)", GUIDE)) <= tasks
