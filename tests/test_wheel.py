"""The built wheel works outside the checkout, with its data."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DATA = [
    *(ROOT / "src" / "unskew" / "presets").glob("*.yaml"),
    *(
        path
        for path in (ROOT / "src" / "unskew" / "models").rglob("*")
        if path.is_file() and path.name != ".lock" and path.suffix != ".pyc"
    ),
    *(
        path
        for path in (ROOT / "src" / "unskew" / "report").rglob("*.*")
        if path.suffix in {".html", ".js", ".css", ".json", ".svg"}
    ),
    *(
        path
        for room in ("audit", "nursery")
        for path in (ROOT / "src" / "unskew" / room).rglob("*.*")
        if path.suffix in {".yaml", ".jsonl"}
    ),
    ROOT / "src" / "unskew" / "py.typed",
]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    # Without isolation: the build tool is among the development tools, so no network is needed.
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out)]
    done = subprocess.run([*build, str(ROOT)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(out.glob("*.whl"))


def test_it_holds_every_data_file_and_nothing_else_of_the_checkout(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    expected = {path.relative_to(ROOT / "src").as_posix() for path in DATA}
    assert "unskew/presets/demo.yaml" in expected
    assert "unskew/audit/tasks/icl.yaml" in expected
    assert "unskew/audit/pairs/llama2-codellama.yaml" in expected
    assert expected <= names
    assert {name.partition("/")[0] for name in names} == {
        "unskew",
        next(n.partition("/")[0] for n in names if n.endswith("/METADATA")),
    }
    assert not [name for name in names if "__pycache__" in name or ".tmp-" in name]


def test_it_runs_elsewhere(wheel: Path, tmp_path: Path) -> None:
    target = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:  # what `pip install --no-deps --target` does
        archive.extractall(target)
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    environment |= {"PYTHONPATH": str(target), "OMP_NUM_THREADS": "1"}
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    def call(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=elsewhere,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = call("-c", "import unskew; print(unskew.__file__)").strip()
    assert Path(where) == target / "unskew" / "__init__.py"
    assert "kind: regression-study" in call("-m", "unskew", "run", "demo", "--dry-run")
    assert "no runs" in call("-m", "unskew", "runs")
    assert "unskew_icl_repeat_arithmetic_en" in call("-m", "unskew", "tasks")
    audit = ("audit", "scripted:base", "scripted:tuned", "--tasks", "unskew_nli_en", "--dry-run")
    assert "kind: scripted" in call("-m", "unskew", *audit)
    code = (
        "from unskew.runs.store import shipped_root; from unskew.runs.folder import RunFolder;"
        "runs = sorted(p for p in shipped_root().glob('regression-*'));"
        "print(len([RunFolder.read(p) for p in runs]))"
    )
    shipped = ROOT / "src" / "unskew" / "models"
    finished = list(shipped.glob("*/manifest.json"))
    assert int(call("-c", code)) == len(finished)
    pair = call("-m", "unskew", "audit", "--dry-run")
    assert re.search(r"# run id: audit-[0-9a-f]{12}\n", pair)
    assert list(elsewhere.iterdir()) == []
