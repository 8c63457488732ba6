"""How a model is made again: the command that raises it, and what a base that is given must be.

A card holds the configuration of one training; a command names a preset and what is changed of it.
What no preset leads to is written as the settings of a family, which the command takes from a file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import TypeAdapter

from unskew.nursery.config import (
    STAGES,
    Family,
    Given,
    ModelName,
    Pretrain,
    Stage,
    StageName,
    Tune,
)
from unskew.nursery.corpora import of_stage
from unskew.nursery.languages import LANGUAGES
from unskew.runs.config import load
from unskew.runs.identity import semantic

__all__ = ["Difference", "command", "difference", "family", "title"]

PRESETS = ("nursery-ship", "nursery", "nursery-tiny", "nursery-gpu")


class Difference(NamedTuple):
    """The first setting in which two trainings differ: its name among a family's settings, what a
    card tells of it, and what is wanted."""

    key: str
    told: Any
    wanted: Any


def title(config: Pretrain | Tune) -> str:
    """What a model is called, as far as its training tells: base, oracle, oracle-en, the name of
    its stage, or of the stage on whose documents alone it was raised. A trunk is an oracle whose
    learning rate never falls, and an oracle without a trunk may be one, too."""
    match config:
        case Tune(stage=stage):
            return stage
        case Pretrain() if (stage := _near(config)) is not None:
            return f"narrow, of {stage}"
        case Pretrain(told=told) if told == LANGUAGES:
            return "base"
        case Pretrain(told=told) if told == LANGUAGES[1:]:
            return "oracle-en"
        case Pretrain(told=()):
            whole = config.trunk is None and config.training.decay == 0.0
            return "trunk or oracle" if whole else "oracle"
        case _:
            return f"oracle but for {', '.join(config.told)}"


def _near(config: Pretrain) -> StageName | None:
    """The stage on whose documents alone a model is raised, as `Family.narrowed` does; None where
    it is told something else. `continued` tells what a base is told, which makes a base."""
    if config.trunk is not None or config.copying or config.told != LANGUAGES:
        return None
    for stage in STAGES:
        if stage != "continued" and config.mixture == of_stage(stage):
            return stage
    return None


def difference(told: Mapping[str, Any], wanted: Pretrain) -> Difference | None:
    """Where the training that a card tells of is another than `wanted`; None: nowhere. Where it ran
    does not count.

    Args:
        told: the configuration of a pretraining, as plain JSON data.
    """
    return _difference(told, semantic(wanted), "base")


def _difference(told: Any, wanted: Any, key: str) -> Difference | None:
    if told == wanted:
        return None
    if key == "base.trunk":  # in a family, a number of steps
        steps = [one["training"]["steps"] if one else 0 for one in (told, wanted)]
        if steps[0] != steps[1]:
            return Difference("trunk", *steps)
    if isinstance(told, Mapping) and isinstance(wanted, Mapping):
        for name in dict.fromkeys([*wanted, *told]):
            found = _difference(told.get(name), wanted.get(name), f"{key}.{name}")
            if found is not None:
                return found
    return Difference(key, told, wanted)


def command(config: Pretrain | Tune) -> str | None:
    """The command that raises a model from nothing, a trunk on the way to its base; None where no
    preset leads to it."""
    config = _from_nothing(config)
    root = config if isinstance(config, Pretrain) else config.root
    seeds = {"base.seed": root.seed, "base.world.seed": root.world.seed}
    changes = [f"{key}={seed}" for key, seed in seeds.items() if seed]
    for preset in PRESETS:
        for name, one in _members(load(preset, changes, TypeAdapter(Family))):
            if semantic(one) == semantic(config):
                return " ".join(["unskew nursery raise", preset, *changes, f"'models=[{name}]'"])
    return None


def family(config: Pretrain | Tune) -> Family | None:
    """The settings of a family of this model alone; None where no family has it: it was tuned
    twice, or told in other languages than bases and oracles are."""
    config = _from_nothing(config)
    name: ModelName | None
    stages: dict[StageName, Stage] = {}
    match config:
        case Tune(stage=name):
            root = config.root
            stage = Stage(training=config.training, lora=config.lora, until=config.until)
            stages = {name: stage}
        case Pretrain():
            root = config
            # A trunk is an oracle that goes no further.
            names: dict[tuple, ModelName] = {
                LANGUAGES: "base", (): "oracle", LANGUAGES[1:]: "oracle-en"
            }  # fmt: skip
            name = names.get(config.told)
    if name is None:
        return None
    whole = Family(
        base=root.model_copy(update={"told": LANGUAGES, "trunk": None}),
        trunk=root.trunk.training.steps if root.trunk else 0,
        models=(name,),
        stages=stages,
    )
    return whole if semantic(whole.of(name)) == semantic(config) else None


def _from_nothing(config: Pretrain | Tune) -> Pretrain | Tune:
    """The same with the base raised, where it was given."""
    match config:
        case Tune(base=Given(raised=raised)):
            return config.model_copy(update={"base": raised})
        case Tune(base=Tune() as before):
            return config.model_copy(update={"base": _from_nothing(before)})
        case _:
            return config


def _members(whole: Family) -> Iterator[tuple[ModelName, Pretrain | Tune]]:
    """Every model that a family could have, with the name that asks for it."""
    for name in ("base", "oracle", "oracle-en"):
        yield name, whole.pretraining(name)
    for stage in whole.stages:
        yield stage, whole.tuning(stage)
    trunk = whole.pretraining("base").trunk
    if trunk is not None:
        yield "base", trunk
