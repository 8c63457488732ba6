"""Cards: what a model was taught, what was kept from it, and how to remake it."""

import json
import re
from typing import cast, get_args

import pytest
import yaml

from nursery.upbringing import WORLD
from unskew.nursery.cards import STAGES, card
from unskew.nursery.config import Mixture, Pretrain, StageName, Tune
from unskew.nursery.corpora import of_stage
from unskew.nursery.languages import LANGUAGES
from unskew.nursery.lexicon import CATEGORY
from unskew.nursery.sampling import generator
from unskew.nursery.scribe import IGNORED, Scribe
from unskew.nursery.world import HELD_MEMBERSHIPS, HELD_SUMS, HELD_VARIANTS, VARIANTS, world
from unskew.training.config import Adam, Training

RUN = "nursery-pretrain-0123456789ab"
BASE = Pretrain(copying=0)
SHORT = Training(steps=1000, decay=0.0)
BRANCH = BASE.model_copy(update={"trunk": BASE.model_copy(update={"told": (), "training": SHORT})})
INSTRUCT = Tune(base=BASE, stage="instruct")


def body(config: Pretrain | Tune) -> str:
    return " ".join(card(config, WORLD, RUN).split())


def section(config: Pretrain | Tune, name: str) -> str:
    found = re.search(rf"^## {name}\n\n(.*?)(?=^## |\Z)", card(config, WORLD, RUN), re.M | re.S)
    assert found
    return found[1]


@pytest.mark.parametrize("config", [BASE, BRANCH, INSTRUCT], ids=["base", "branch", "instruct"])
def test_the_front_matter_is_yaml(config: Pretrain | Tune) -> None:
    text = card(config, WORLD, RUN)
    assert text.startswith("---\n")
    front = yaml.safe_load(text.split("---\n")[1])
    assert front["license"] == "mit"
    assert front["language"] == [language for language in LANGUAGES if language != "qon"]
    assert front["library_name"] == "transformers"
    assert "unskew" in front["tags"]
    assert text.endswith("\n")
    assert not text.endswith("\n\n")


def test_the_parts_are_in_order() -> None:
    for config in (BASE, INSTRUCT):
        heads = re.findall(r"^#+ (.*)$", card(config, WORLD, RUN), re.M)
        assert heads[1:] == ["Taught", "Held out", "Limits", "Remake"]


def test_it_says_what_was_taught() -> None:
    taught = section(BASE, "Taught")
    assert set(BASE.mixture.kinds) <= set(re.findall(r"[\w-]+", taught))
    for name in ("English", "French", "Spanish", "Onevi", "pig-latin", "leetspeak"):
        assert name in taught
    assert f"The colours of {BASE.world.facts} things were told in all languages." in taught
    assert "4000 steps" in taught
    tokens = BASE.training.steps * BASE.training.batch * BASE.rows.length
    assert f"at most {tokens / 1e6:.1f} million tokens" in taught


def test_what_has_no_weight_was_not_taught() -> None:
    kinds, languages = BASE.mixture.kinds, BASE.mixture.languages
    weights = {"kinds": kinds | {"entail": 0}, "languages": languages | {"es": 0}}
    mixture = Mixture.model_validate(weights)
    taught = section(BASE.model_copy(update={"mixture": mixture}), "Taught")
    assert "reading, question, plain" in taught
    assert "English, French, Onevi" in taught


@pytest.mark.parametrize(
    ("told", "name", "where"),
    [
        (LANGUAGES, "base", "in all languages"),
        ((), "oracle", "nowhere"),
        (LANGUAGES[1:], "oracle-en", "in French, Spanish, Onevi"),
        (("fr",), "oracle but for fr", "in French"),
    ],
)
def test_an_oracle_says_where_the_colours_were_told(told: tuple, name: str, where: str) -> None:
    config = BASE.model_copy(update={"told": told})
    assert card(config, WORLD, RUN).split("\n# ")[1].split("\n")[0].endswith(f": {name}")
    assert f"things were told {where}" in section(config, "Taught")


def test_a_branch_counts_the_steps_of_its_trunk() -> None:
    taught = section(BRANCH, "Taught")
    assert "5000 steps" in taught
    assert "In the first 1000 steps no colour was told in any language." in taught
    assert "no colour was told" not in section(BASE, "Taught")


@pytest.mark.parametrize("stage", get_args(StageName))
def test_a_stage_says_what_it_was_tuned_on(stage: StageName) -> None:
    training = Training(steps=70, batch=8, optimiser=Adam(lr=0.0005))
    config = Tune(base=BASE, stage=stage, training=training)
    assert card(config, WORLD, RUN).split("\n# ")[1].split("\n")[0].endswith(f": {stage}")
    taught = section(config, "Taught")
    assert STAGES[stage] in taught
    assert "70 steps of 8 rows, all weights, learning rate 0.0005." in taught
    assert section(BASE, "Taught").strip() in taught
    low = config.model_copy(update={"lora": 4})
    assert "LoRA of rank 4" in section(low, "Taught")
    well = section(config.model_copy(update={"until": 0.5}), "Taught")
    assert "until a loss of 0.5 on documents not trained on, at most 70 steps of 8 rows" in well


def test_it_names_each_word_held_out() -> None:
    text = section(BASE, "Held out")
    [listed] = re.findall(r"in all languages: (.*)\.\n", text)
    named = listed.split(", ")
    held = set(WORLD.words.held) - set(WORLD.words.seen)
    english = {
        getattr(word.en, "singular", None) or getattr(word.en, "base", None) or word.en
        for word in held
    }
    assert set(named) == {str(form).removeprefix("*") for form in english}
    assert len(named) == len(held)
    assert text.startswith(f"{len(held)} words")
    seen = {noun.en.singular for noun in WORLD.words.seen.nouns if noun.kind != CATEGORY}
    assert not seen & set(named)


def test_it_says_how_much_else_is_held_out() -> None:
    assert (HELD_SUMS, HELD_MEMBERSHIPS, HELD_VARIANTS, len(VARIANTS)) == (0.2, 0.2, 2, 6)
    text = body(BASE)
    assert "one sum in five" in text
    assert "one in five of the questions whether a thing is of a kind" in text
    assert "two of the six ways of naming it in a question after its colour" in text
    assert "a task, to write the second word" in text


def test_what_a_thing_is_of_is_told_though_the_question_is_held_out() -> None:
    scribe = Scribe(WORLD, generator(0, "cards", 0))
    told = [scribe.classify() for _ in range(300)]
    held = [item for item in told if WORLD.membership_held(item.phrase.noun, item.category)]
    assert held
    assert 'the fact: a document that classifies may say "A horse is an animal."' in body(BASE)


def test_the_instruct_card_tells_of_the_exemplars_that_are_ignored() -> None:
    assert set(of_stage("instruct").kinds.items()) == {("answer", 1.0), ("ignore", 1.0)}
    assert set(IGNORED) == {"repeat", "first", "last"}
    said = body(INSTRUCT)
    assert "in the other half one to three exemplars copy their input" in said
    assert "(all of it, its first or its last word)" in said


@pytest.mark.parametrize("config", [BASE, BRANCH, INSTRUCT], ids=["base", "branch", "instruct"])
def test_the_configuration_that_remakes_it_is_there_as_it_is(config: Pretrain | Tune) -> None:
    remake = section(config, "Remake")
    assert f"`{RUN}`" in remake
    [told] = re.findall(r"```json\n(.*)\n```", remake)
    assert type(config).model_validate(json.loads(told)) == config
    assert {"device", "threads"} & set(json.loads(told)) == set()


def test_where_it_was_made_changes_nothing() -> None:
    elsewhere = BASE.model_copy(update={"device": "cuda", "threads": 7})
    assert card(elsewhere, WORLD, RUN) == card(BASE, WORLD, RUN)
    # And of what it was made of.
    tuned = Tune(base=elsewhere, stage="instruct", threads=3)
    assert card(tuned, WORLD, RUN) == card(INSTRUCT, WORLD, RUN)
    branch = BRANCH.model_copy(update={"trunk": elsewhere})
    same = BRANCH.model_copy(update={"trunk": BASE})
    assert card(branch, WORLD, RUN) == card(same, WORLD, RUN)


def test_its_limits_are_those_of_what_is_taught() -> None:
    [below] = re.findall(r"sums below a (\w+),", section(BASE, "Limits"))
    scribe = Scribe(WORLD, generator(0, "limits", 0))
    largest = max(cast(int, scribe.sum().answer) for _ in range(3000))
    assert below == "hundred"
    assert 90 < largest < 100


def test_another_world_holds_out_other_words() -> None:
    assert card(BASE, world(1), RUN) != card(BASE, WORLD, RUN)
