"""The figures of docs/NURSERY.md are those of the world and of the tables, and what the README says
of them, too."""

import itertools
import json
import re
from typing import Any

import pandas as pd
import pytest
from tokenizers import Tokenizer

from pages import ROOT, prose, table
from unskew.conjugation import parse
from unskew.nursery.claims import tally, wrong_bound
from unskew.nursery.documents import FRAMES, QUESTIONS
from unskew.nursery.items import asked
from unskew.nursery.languages import LANGUAGES, say
from unskew.nursery.meanings import ColourOf, Membership, Sum, WhereIs, Whether
from unskew.nursery.measure import slopes as closeness
from unskew.nursery.probes import probe
from unskew.nursery.sampling import generator
from unskew.nursery.scribe import Scribe
from unskew.nursery.wording import word
from unskew.nursery.world import world
from unskew.runs.store import shipped_root

QUICK = ("base", "family")
SHIPPED = shipped_root() / "nursery"
WORLD = world(0)


def questions(size: int = 3000) -> list[Any]:
    """As training asks them."""
    scribe = Scribe(WORLD, generator(0, "ends", 0))
    return [scribe.question().question for _ in range(size)]


def test_which_ends_languages_share_is_as_the_guide_says():
    tokens = Tokenizer.from_file(str(SHIPPED / "base" / "tokenizer.json"))

    def end(text: str) -> int:
        return tokens.encode(text).ids[-1]

    pairs = list(itertools.combinations(LANGUAGES, 2))
    labels = {label for frame in (*FRAMES, *QUESTIONS) for label in frame.labels or ()}
    ends = {label: {of: end(word(label, of)) for of in LANGUAGES} for label in labels}
    assert [
        (label, pair) for label in labels for pair in pairs
        if ends[label][pair[0]] == ends[label][pair[1]]
    ] == [("question", ("en", "fr"))]  # fmt: skip
    found = questions()
    said = [{of: end(say(question, of)) for of in LANGUAGES} for question in found]
    shared = {(a, b): sum(one[a] == one[b] for one in said) for a, b in pairs}
    assert {pair for pair, count in shared.items() if count} == {("en", "es")}
    told = f"half of the questions ({shared['en', 'es']} of {len(found)}, all sums among them)"
    assert told in prose("docs/NURSERY.md")
    assert shared["en", "es"] / len(found) == pytest.approx(0.5, abs=0.03)
    sums = [one for one, of in zip(said, found, strict=True) if isinstance(of, Sum)]
    assert all(one["en"] == one["es"] for one in sums)


def held(phrase: Any) -> bool | None:
    """Whether a thing with a colour is named in a way that is held out; None: it has no colour."""
    if phrase.noun not in WORLD.colours:
        return None
    return (phrase.determiner, phrase.plural) in WORLD.variants(phrase.noun, held=True)


def test_ways_of_naming_are_held_out_of_questions_after_a_colour_alone():
    named: dict[type, set] = {ColourOf: set(), WhereIs: set(), Whether: set()}
    for question in questions():
        about = getattr(question, "statement", question)
        if not isinstance(about, Sum | Membership):
            named[type(question)].add(held(about.subject))
    assert True not in named[ColourOf]
    assert True in named[WhereIs]
    assert True in named[Whether]
    assert "*Where are my apples?*" in prose("docs/NURSERY.md")


def test_only_questions_of_knowledge_are_copied_in_seen_words():
    new = set(WORLD.words.held) - set(WORLD.words.seen)
    for name in ("repeat", "last", "repeat_conflict", "capitalise_conflict"):
        asked_after = [d.items[-1].text for d in probe(WORLD, name, 60)]  # type: ignore[union-attr]
        colours = [text for text in asked_after if isinstance(text, ColourOf)]
        known = [held(text.subject) for text in colours if text.subject.noun not in new]
        assert known
        assert set(known) == {True}
        assert (len(known) == 60) == name.endswith("conflict")


def test_some_who_do_and_some_who_do_not_are_the_same_as_the_guide_says():
    documents = probe(WORLD, "entail", 200)
    items: list[Any] = [document.items[-1] for document in documents]
    some = [
        asked(item, "en") for item in items if item.label == "false"
        and (item.premise.subject.vague or item.premise.subject.count is not None)
    ]  # fmt: skip
    guide = prose("docs/NURSERY.md")
    assert some[0].startswith("Some painters do not eat flour. Some painters eat flour.")
    assert "*Some painters do not eat flour* makes *Some painters eat flour* false" in guide
    assert f"{len(some)} of the {len(documents)} documents of the probe `entail` are false" in guide


def test_the_paraphrase_asks_after_another_thing_as_often_as_the_guide_says():
    colours = {noun.en.singular: colour.en for noun, colour in WORLD.colours.items()}
    assert (colours["coat"], colours["jacket"]) == ("white", "silver")
    lines = (SHIPPED / "probes" / "colour.jsonl").read_text(encoding="utf-8").splitlines()
    prompts = [json.loads(line)["en"]["text"] for line in lines]
    changed = [text for text in prompts if parse("paraphrase").forward(text) != text]
    assert all(re.search(r"\b(coat|jacket)s?\?", text) for text in changed)
    told = f"{len(changed)} of the {len(prompts)} documents of `nursery_colour_en` ask after"
    assert told in prose("docs/NURSERY.md")


def test_what_did_not_hold_in_the_nursery_is_its_table():
    claims = table("nursery", "claims")
    able = claims[claims["claim"] == "base-able"].sort_values("seed")["found"]
    shares = [found.partition(" abilities")[0].partition(" of ") for found in able]
    (of,) = {of for _, _, of in shares}
    *first, last = [held for held, _, _ in shares]
    said = f"{', '.join(first)} and {last} of {of} combinations"
    guide = prose("docs/NURSERY.md")
    assert f"at 90% or more in {said}" in prose("README.md")
    assert f"at 90% in {said}" in guide
    verdicts = claims[claims["claim"].str.startswith("verdict-")]
    holds = verdicts["holds"].dropna().astype(bool)
    assert f"{(~holds).sum()} of {len(holds)} verdicts are not" in guide
    known = tally(claims)
    assert known.wrong == 1
    assert f"there are {known.verdicts} verdicts. One is wrong," in guide
    assert f"{known.undecided} are undecided" in guide
    bound, decided = wrong_bound(known.verdicts, wrong=1), known.verdicts - known.undecided
    assert f"in {bound:.0%} (1 of {known.verdicts}, 95%)" in guide
    assert f"in {wrong_bound(decided, wrong=1):.0%} of those that decide (1 of {decided})" in guide


def test_what_the_nursery_s_base_lacks_and_what_code_takes_is_its_table():
    guide = prose("docs/NURSERY.md")
    abilities = table("nursery", "abilities").query("probe != 'second'")
    shares = abilities.set_index(["model", "seed", "probe", "language"])["estimate"]
    low = shares["base"][shares["base"] < 0.9].index
    seeds = {key: {s for s, *rest in low if tuple(rest) == key} for key in {k[1:] for k in low}}
    always = {probe for (probe, _), found in seeds.items() if len(found) == 3}
    assert always == {"capitalise", "reverse", "translate", "member", "reading", "entail", "colour"}
    assert {language for probe, language in seeds if probe == "colour"} == {"qon"}
    entail = {s: {e for seed, p, e in low if (seed, p) == (s, "entail")} for s in range(3)}
    assert entail == {0: {"en", "fr", "es", "qon"}, 1: {"en", "fr", "es", "qon"}, 2: {"en"}}
    assert {probe for probe, _ in seeds} - always == {"repeat"}
    assert seeds["repeat", "fr"] == {2}
    assert f"repeating lies below in French ({shares['base', 2, 'repeat', 'fr']:.0%})" in guide
    member = shares["base"].xs("member", level="probe")
    assert f"`member` is at {member.min():.0%} to {member.max():.0%} where" in guide
    spanish, onevi, french = (
        round(
            100
            * (shares["base", seed, "entail", language] - shares["code", seed, "entail", language])
        )
        for seed, language in ((0, "es"), (1, "qon"), (2, "fr"))
    )
    assert f"Spanish by {spanish} points with seed 0, Onevi by {onevi} with seed 1" in guide
    assert f"French by {french} with seed 2" in guide


def test_the_25_minute_recipe_is_its_tables():
    guide = prose("docs/NURSERY.md")
    quick = ROOT / "results" / "nursery-25"
    begun = json.loads((quick / "base" / "environment.json").read_text())["time"]
    ends = [json.loads((quick / n / "manifest.json").read_text())["finished"] for n in QUICK]
    base, whole = ((pd.Timestamp(end) - pd.Timestamp(begun)).total_seconds() / 60 for end in ends)
    assert f"{whole:.0f} minutes on both cores, {base:.0f} of them for the base" in guide
    assert whole < 25
    shares = table("nursery-25/family", "abilities")
    shares = shares.set_index(["model", "probe", "language"]).sort_index()
    left = shares["estimate"]["instruct", "repeat_conflict"]
    told = [f"{100 * left[language]:.0f}%" for language in ("en", "fr", "es", "qon")]
    assert f"from 100% to {told[0]} in English, and to {told[1]}, {told[2]} and {told[3]}" in guide
    assert set(shares["estimate"]["base", "repeat_conflict"]) == {1.0}
    ship = table("nursery", "abilities").query("seed == 0 and model == 'instruct'")
    ship = ship[ship["probe"] == "repeat_conflict"].set_index("language")["estimate"]
    told = [f"{100 * ship[language]:.0f}%" for language in ("fr", "es", "qon")]
    assert f"({told[0]}, {told[1]} and {told[2]} are left there)" in guide
    far = shares["estimate"].xs("capitalise_conflict", level="probe").xs("en", level="language")
    assert f"falls in English by {100 * (far['base'] - far['instruct']):.0f} points" in guide
    (verdict,) = table("nursery-25/audit", "verdicts").to_dict("records")
    assert (verdict["verdict"], verdict["conjugation"]) == ("suppressed", "en-fr")
    never = table("nursery-25/oracle-en/family", "abilities").query("model == 'oracle-en'")
    never = never[never["probe"] == "colour"].set_index("language")["estimate"]
    told = [f"{100 * never[language]:.0f}%" for language in ("en", "fr", "es", "qon")]
    assert f"it names {told[0]} of them there, and {told[1]}, {told[2]} and {told[3]} in" in guide
    (verdict,) = table("nursery-25/oracle-en/audit", "verdicts").to_dict("records")
    assert (verdict["verdict"], verdict["conjugation"]) == ("suppressed", "en-es")


def test_what_relearning_brings_back_is_its_table():
    guide = prose("docs/NURSERY.md")
    rows = table("nursery", "relearning")
    shown = rows[(rows["step"] == 20) & (rows["model"] != "oracle")]["estimate"]
    assert f"between {shown.min():.0%} and {shown.max():.0%} after" in guide
    oracles = rows[rows["model"] == "oracle"].set_index(["step", "seed"])["estimate"]
    early, late = (" and ".join(f"{x:.0%}" for x in oracles[step]) for step in (20, 160))
    assert f"are at {early} then, and at {late} after 160" in guide
    slopes = table("nursery", "closeness-slope")
    assert (slopes["low"] < 0).all()
    assert (slopes["high"] > 0).all()
    *first, last = [f"{x:.2f}" for x in slopes.sort_values("seed")["estimate"]]
    assert f"in each seed ({', '.join(first)} and {last} per nat" in guide
    within = pd.concat([closeness(of) for _, of in table("nursery", "closeness").groupby("seed")])
    assert (within["within_low"] < 0).all()
    assert (within["within_high"] > 0).all()
    *first, last = [f"{x:.2f}" for x in within["within"]]
    assert f"{', '.join(first)} and {last}, with intervals that hold 0, too" in guide


def test_what_a_dose_takes_is_its_table():
    guide = prose("docs/NURSERY.md")
    axis = "axis.stages.instruct.training."
    asked = "model == 'instruct' and probe == '{}'"
    swept = table("nursery-dose/steps", "abilities").set_index([axis + "steps", "language"])
    left = swept.query(asked.format("repeat_conflict"))["estimate"]
    said = [f"{100 * left[40, language]:.0f}%" for language in ("en", "fr", "es", "qon")]
    assert (
        "after 40 it repeats {} of the questions, French {}, Spanish {} and Onevi {}".format(*said)
        in guide
    )
    assert (left[90] < 0.05).sum() == 3
    capital = swept.query(asked.format("capitalise_conflict"))["estimate"]
    assert f"({capital[40, 'en']:.0%} after 40 steps)" in guide
    assert (capital.xs("en", level=1) <= left.xs("en", level=1)).all()
    three = [f"{100 * capital[90, language]:.0f}%" for language in ("es", "fr", "qon")]
    assert "{}, {} and {} (Spanish, French, Onevi) after 90 steps".format(*three) in guide
    lora = table("nursery-dose/lora", "abilities")
    lora = lora.set_index([axis + "optimiser.lr", axis + "steps", "language"])
    low = lora.query(asked.format("repeat_conflict"))["estimate"]
    one = [f"{100 * low[3e-4, 60, language]:.0f}%" for language in ("en", "fr", "es", "qon")]
    assert (
        "leaves English {} after 60 steps, and French {}, Spanish {}, Onevi {}:".format(*one)
        in guide
    )
    rate = table("nursery-dose/rate", "abilities").set_index(low.index.names)
    fast = rate.query(asked.format("repeat_conflict"))["estimate"]
    three = [f"{100 * fast[3e-4, 20, language]:.0f}%" for language in ("en", "fr", "es")]
    assert "({}, {} and {}) and leave Onevi".format(*three) in guide
    assert f"leave Onevi {fast[3e-4, 20, 'qon']:.0%}" in guide
    assert fast[3e-5, 60].min() > 0.98
    base = table("nursery-dose/steps", "abilities").query("model == 'base'")
    able = base.query("probe == 'repeat_conflict'").groupby("language")["estimate"].first()

    def spares(of: pd.Series) -> bool:
        return able["en"] - of["en"] >= 0.4 and spared(dict(able), dict(of)) == 3

    doses = [left[steps] for steps in left.index.unique(0)]
    for swept in (low, fast):
        doses += [swept[lr, steps] for lr, steps in {index[:2] for index in swept.index}]
    assert len(doses) == 14
    assert [spares(of) for of in doses].count(True) == 1
    assert spares(low[3e-4, 60])


def models(rows: pd.DataFrame) -> list[dict[str, float]]:
    """language -> share of right answers, of the base and of `instruct`."""
    shares = [rows[rows["model"] == name].set_index("language") for name in ("base", "instruct")]
    return [dict(zip(of.index, of["estimate"].astype(float), strict=True)) for of in shares]


def spared(base: dict[str, float], tuned: dict[str, float]) -> int:
    """How many languages lose at most half of what English does."""
    fell = {language: base[language] - tuned[language] for language in base}
    return sum(fell[language] <= 0.5 * fell["en"] for language in ("fr", "es", "qon"))


def test_what_fresh_worlds_showed_is_their_tables():
    guide = prose("docs/NURSERY.md")
    places = {"": ["", "/worlds-6-7"], "/lora": ["/lora"], "/until": ["/until"]}
    of = {
        dose: pd.concat([table(f"nursery-fresh{place}", "claims") for place in some])
        for dose, some in places.items()
    }
    said = {
        (dose, row["claim"], row["seed"]): row
        for dose, rows in of.items()
        for row in rows[rows["model"] == "instruct"].to_dict("records")
    }

    def points(dose: str, claim: str, seed: int) -> str:
        return f"{100 * said[dose, claim, seed]['figure']:.0f}"

    own = {seed: {c: said["", c, seed]["holds"] for c in KEPT} for seed in (3, 4, 5, 6, 7)}
    assert [seed for seed, held in own.items() if all(held.values())] == [3, 4, 6, 7]
    assert [c for c in KEPT if own[5][c]] == ["repeat_conflict-falls"]
    assert "four of five fresh worlds spare all three" in prose("README.md")
    back = [points("", "repeat_conflict-recovers", seed) for seed in (3, 4, 6, 7, 5)]
    assert "them {}%, {}%, {}% and {}% of the loss come back, net (mean)".format(*back) in guide
    assert f"{back[4]}% come back, and the audit is *inconclusive*" in guide
    verdicts = [said["", "verdict-repeat_conflict", seed]["found"] for seed in (3, 4, 6, 7, 5)]
    assert verdicts == ["suppressed"] * 4 + ["inconclusive"]
    low = [points("/lora", "repeat_conflict-falls", seed) for seed in (3, 5, 4)]
    whole = points("", "repeat_conflict-falls", 4)
    told = "({} and {} points) and nothing in world 4 ({} point), where all weights lose {}."
    assert told.format(*low, whole) in guide
    stages = table("nursery-fresh/until", "stages").set_index("seed")["steps"]
    assert f"nats takes {stages[3]} steps in worlds 3 and 5, {stages[4]} in world 4," in guide
    assert f"{stages[6]} in world 6, {stages[7]} in world 7, and English" in guide
    left = table("nursery-fresh/worlds-6-7", "stages").set_index("seed")["held_loss"]
    assert {f"{left[seed]:.2f}" for seed in (6, 7)} == {"0.46"}
    own, later = (
        table(f"nursery-fresh/{place}", "abilities")
        .query("model == 'instruct' and probe == 'repeat_conflict'")
        .set_index(["language", "seed"])["estimate"]
        for place in ("worlds-6-7", "until")
    )
    further = [(language, seed) for language in ("es", "qon") for seed in (6, 7)]
    after = [f"{100 * (own[key] - later[key]):.1f}" for key in further]
    assert "in Spanish {} and {} points more, in Onevi {} and {}.".format(*after) in guide
    until = "repeat_conflict-spared-elsewhere"
    assert [seed for seed in range(3, 8) if said["/until", until, seed]["holds"]] == [3]
    assert stages[3] == stages[5]
    able = table("nursery-fresh/until", "abilities")
    able = able.query("model == 'instruct' and probe == 'repeat_conflict' and language == 'en'")
    left = able.set_index("seed")["estimate"]
    shares = [f"{left[seed]:.0%}" for seed in (3, 5, 4, 6, 7)]
    assert "English repeats {}, {}, {}, {} and {} after".format(*shares) in guide
    far = {seed: said["", "capitalise-hardly-falls", seed]["figure"] for seed in range(3, 8)}
    assert min(far, key=far.__getitem__) == 4
    assert f"world 4 loses least: {100 * far[4]:.0f} points" in guide
    quick = table("nursery-25/family", "abilities").query("probe == 'repeat_conflict'")
    assert spared(*models(quick)) == 2


KEPT = (
    "repeat_conflict-falls",
    "repeat_conflict-spared-elsewhere",
    "repeat_conflict-recovers",
    "verdict-repeat_conflict",
)
