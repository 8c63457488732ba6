"""Made again: a command or a file that leads to the same training, and what a base differs in."""

import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import TypeAdapter

from nursery.upbringing import WORLD
from unskew.nursery.cards import card
from unskew.nursery.config import Family, Given
from unskew.nursery.remake import PRESETS, command, difference, family, title
from unskew.runs.config import load
from unskew.runs.identity import semantic

RUN = "nursery-pretrain-0123456789ab"


def preset(name: str = "nursery-ship", *changes: str) -> Family:
    return load(name, list(changes), TypeAdapter(Family))


def typed(line: str) -> Family:
    """The family that a command raises."""
    words = shlex.split(line)
    assert words[:3] == ["unskew", "nursery", "raise"]
    return preset(*words[3:])


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("seeds", [(), ("base.seed=2", "base.world.seed=3")])
def test_what_a_preset_raises_is_raised_by_its_command(name: str, seeds: tuple) -> None:
    whole = preset(name, *seeds)
    for model in ("base", "oracle", "oracle-en", *whole.stages):
        config = whole.of(model)  # type: ignore[arg-type]
        assert not isinstance(config, Given)
        line = command(config)
        assert line is not None
        assert line.split()[3:-1] == [name, *seeds]
        again = typed(line)
        assert again.models == (model,)
        assert semantic(again.of(model)) == semantic(config)  # type: ignore[arg-type]
        assert title(config) == model


def test_a_trunk_is_raised_on_the_way_to_its_base() -> None:
    base = preset().pretraining("base")
    assert base.trunk is not None
    assert title(base.trunk) == "trunk or oracle"
    assert (
        command(base.trunk) == command(base) == "unskew nursery raise nursery-ship 'models=[base]'"
    )


def test_a_model_of_one_stage_s_documents_alone_is_no_base() -> None:
    whole = preset()
    for stage in whole.stages:
        near = whole.narrowed(stage)
        # More of what the base was told is a base's training.
        assert title(near) == ("base" if stage == "continued" else f"narrow, of {stage}")
        again = family(near)
        assert again is not None
        assert semantic(again.of("base")) == semantic(near)


def test_where_the_rate_never_falls_an_oracle_and_a_trunk_are_one_training() -> None:
    flat = ("base.training.decay=0", "base.training.steps=33")
    oracle = preset("nursery-tiny", *flat, "trunk=0").pretraining("oracle")
    assert preset("nursery-tiny", *flat, "trunk=33").pretraining("base").trunk == oracle
    assert title(oracle) == "trunk or oracle"


def test_a_base_that_was_given_is_raised_with_what_is_made_of_it() -> None:
    mine, given = preset(), preset("nursery-ship", "given=nursery:base")
    assert command(given.tuning("refuse")) == command(mine.tuning("refuse")) is not None


@pytest.mark.parametrize("model", ["base", "oracle", "oracle-en", "refuse"])
@pytest.mark.parametrize("trunk", [0, 30])
def test_what_no_preset_raises_is_raised_by_a_file(model: Any, trunk: int, tmp_path: Path) -> None:
    whole = preset("nursery-tiny", "base.training.steps=77", f"trunk={trunk}", "base.seed=4")
    config: Any = whole.of(model)
    assert command(config) is None
    text = card(config, WORLD, RUN)
    assert "`unskew nursery raise family.yaml`" in text
    block = text.partition("```yaml\n")[2].partition("\n```")[0]
    assert isinstance(yaml.safe_load(block), dict)
    file = tmp_path / "family.yaml"
    file.write_text(block, encoding="utf-8")
    again = load(str(file), [], TypeAdapter(Family))
    assert again.models == (model,)
    assert semantic(again.of(model)) == semantic(config)


def test_what_no_family_has_is_told_by_its_configuration_alone() -> None:
    whole = preset("nursery-tiny", "base.training.steps=77")
    for config in (whole.relearnt("erased"), whole.relearnt("oracle")):
        assert command(config) is None
        assert family(config) is None
        assert "```yaml" not in card(config, WORLD, RUN)
    french = whole.pretraining("base").model_copy(update={"told": ("fr",)})
    assert family(french) is None


def test_a_trunk_by_itself_is_raised_by_a_file() -> None:
    trunk = preset("nursery-tiny", "trunk=33").pretraining("base").trunk
    assert trunk is not None
    whole = family(trunk)
    assert whole is not None
    assert semantic(whole.of("oracle")) == semantic(trunk)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ([], None),
        (["device=cuda", "threads=3"], None),
        (["base.seed=1"], ("base.seed", 0, 1)),
        (["base.world.seed=1"], ("base.world.seed", 0, 1)),
        (["base.rows.side=0.2"], ("base.rows.side", 0.1, 0.2)),
        (["base.architecture.width=64"], ("base.architecture.width", 128, 64)),
        (
            ["base.training.optimiser.other.lr=0.1"],
            ("base.training.optimiser.other.lr", 0.003, 0.1),
        ),
        (["trunk=0"], ("trunk", 5000, 0)),
        (["trunk=1"], ("trunk", 5000, 1)),
        (["base.mixture.kinds={repeat: 1}"], ("base.mixture.kinds.repeat", 9.0, 1.0)),
    ],
)
def test_the_first_difference_is_named(changes: list[str], found: tuple | None) -> None:
    told = semantic(preset().pretraining("base"))
    assert difference(told, preset("nursery-ship", *changes).pretraining("base")) == found


def test_a_trunk_of_another_world_is_another() -> None:
    base = preset().pretraining("base")
    assert base.trunk is not None
    other = base.model_copy(update={"trunk": base.trunk.model_copy(update={"copying": 1})})
    found = difference(semantic(other), base)
    assert found == ("base.trunk.copying", 1, 400)
