"""`import unskew` and `unskew --help` answer at once, as nothing heavy is imported for them.

Times are processor time of the child, best of several: on an idle machine that is what a user
waits, and on a busy one it says nothing about the neighbours.
"""

import resource
import subprocess
import sys

import pytest

LIMIT = 0.5  # seconds
HEAVY = (
    "torch", "pandas", "numpy", "altair", "pyarrow", "pydantic", "yaml", "scipy", "lm_eval",
    "transformers", "datasets", "openai",
)  # fmt: skip


def seconds(*arguments: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True, timeout=60)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.mark.parametrize(
    "arguments",
    [("-c", "import unskew"), ("-m", "unskew", "--help"), ("-m", "unskew", "run", "--help")],
)
def test_quick_to_start(arguments: tuple[str, ...]) -> None:
    assert min(seconds(*arguments) for _ in range(3)) < LIMIT


@pytest.mark.parametrize(
    "arguments", [["--help"], ["run", "--help"], ["audit", "--help"], ["runz"], ["--version"]]
)
def test_nothing_heavy_is_imported_for_help(arguments: list[str]) -> None:
    code = (
        "import sys; from unskew.cli import main; main(sys.argv[1:]);"
        f"print('imported:', [name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], check=True, capture_output=True, text=True
    )
    assert done.stdout.splitlines()[-1] == "imported: []"


def test_the_training_path_needs_only_torch_numpy_pydantic_and_safetensors() -> None:
    modules = (
        "unskew.regression.config, unskew.regression.priors, unskew.regression.prompts,"
        "unskew.regression.bayes, unskew.regression.transformer, unskew.training.loop,"
        "unskew.runs.config, unskew.runs.identity, unskew.runs.folder, unskew.runs.store"
    )
    others = ("pandas", "pyarrow", "altair", "rich", "yaml", "scipy", "sklearn", "transformers")
    # torch is imported first: what it brings along by itself is not ours.
    code = (
        f"import sys, torch; before = set(sys.modules); import {modules};"
        f"print('imported:', [n for n in {others} if n in sys.modules and n not in before])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "imported: []"
