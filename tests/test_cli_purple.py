"""`unskew purple`: the settings, a grid of scripted subjects from end to end, mistakes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from cyclopts import App
from pydantic import TypeAdapter

from purple.grids import document, write
from unskew.cli_purple import purple
from unskew.errors import UserError
from unskew.purple.grid_config import Purple, labels
from unskew.report import page
from unskew.runs.config import load, presets

PRESETS = [name for name in presets() if name.startswith("purple")]


def call(*words: str) -> object:
    app = App(result_action="return_value")
    app.default(purple)
    return app(list(words), exit_on_error=False, print_error=False)


@pytest.fixture
def grid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    write(tmp_path)
    (tmp_path / "grid.yaml").write_text(json.dumps(document(tmp_path)))
    monkeypatch.chdir(tmp_path)
    return "./grid.yaml"


@pytest.mark.parametrize("name", PRESETS)
def test_presets_load_and_name_what_they_hold_only_once(name: str) -> None:
    config = load(name, [], TypeAdapter(Purple))
    for names in (labels(config.all_attacks()), labels(config.all_defences())):
        assert len(set(names)) == len(names) > 1
    of_one_attack = ("purple-each", "purple-drops")  # in many searches, or in long ones
    assert len(config.all_attacks()) > 3 or name in of_one_attack
    assert len(config.subjects) > 1 or name in of_one_attack


def test_all_five_ship() -> None:
    assert PRESETS == [
        "purple-demo", "purple-drops", "purple-each", "purple-paper", "purple-small"
    ]  # fmt: skip
    for name in ("purple-small", "purple-each", "purple-drops"):  # those that claims are about
        config = load(name, [], TypeAdapter(Purple))
        assert config.questions.held is not None
        assert config.questions.held >= 100


@pytest.mark.parametrize("preset", ["demo", "purple-demo"])
def test_a_dry_run_prints_the_settings(preset: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(preset, "questions.held=70", "--dry-run", "--threads", "1") == 0
    told = yaml.safe_load(capsys.readouterr().out)
    assert (told["kind"], told["questions"]["held"], told["threads"]) == ("purple", 70, 1)
    assert call("limit=5", "--dry-run") == 0
    assert yaml.safe_load(capsys.readouterr().out)["limit"] == 5


def test_a_grid_is_run_and_shown(
    grid: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "write", lambda runs, out: out.write_text(runs[0].id))
    assert call(grid, "--runs", "runs") == 0
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert lines[2].startswith("mine ")
    assert (
        "  none                 100%    0%      0..27  given                    0%     –" in lines
    )
    assert lines[-2].startswith("run:  runs/purple-")
    assert lines[-1].startswith("page: runs/purple-")
    assert max(map(len, lines)) <= 80
    assert Path(lines[-1].removeprefix("page: ")).is_file()
    assert call(grid, "--runs", "runs") == 0
    assert capsys.readouterr().out == out


def test_one_row_of_a_grid(grid: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("small", "--subject", "dpo", "--dry-run") == 0
    told = yaml.safe_load(capsys.readouterr().out)
    assert [subject["name"] for subject in told["subjects"]] == ["dpo"]
    with pytest.raises(UserError, match="no subject of this grid") as error:
        call(grid, "--subject", "mien")
    assert "the grid's subjects: mine" in str(error.value)


def test_other_presets_are_no_grid() -> None:
    with pytest.raises(UserError, match="no grid of attacks and defences") as error:
        call("nursery")
    assert "presets: demo, drops, each, paper, small" in str(error.value)
    with pytest.raises(UserError, match="'demoo'; did you mean 'demo'") as error:
        call("demoo")
    assert "presets: demo, drops, each, paper, small;" in str(error.value)


def test_a_model_that_is_not_there_is_a_mistake(grid: str) -> None:
    subject = 'subjects=[{kind: model, name: a, model: "./nowhere"}]'
    with pytest.raises(UserError, match="nowhere"):
        call(grid, subject)


def test_an_attack_that_needs_gradients_is_refused_by_a_black_box(grid: str) -> None:
    with pytest.raises(UserError, match="the attack needs gradients"):
        call(grid, "attacks=[{kind: suffix}]")


def test_the_grid_of_the_guide_loads() -> None:
    guide = (Path(__file__).parents[1] / "docs" / "PURPLE.md").read_text("utf-8")
    (text,) = re.findall(r"```yaml\n(.*?)```", guide, re.DOTALL)
    config = TypeAdapter(Purple).validate_json(json.dumps(yaml.safe_load(text)))
    assert config.models() == ["./model", "./base"]
    assert labels(config.all_defences()) == ["none", "windowed perplexity", "guard"]
    for line in re.findall(r"^unskew purple ?([^#\n]*)", guide, re.M):
        assert call(*line.split(), *([] if "--dry-run" in line else ["--dry-run"])) == 0
