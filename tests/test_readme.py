"""The README's code runs, and its numbers are those of the reference tables.

Its commands are tried with those of every page, in test_docs_site.
"""

import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import pages
from unskew.nursery.claims import tally, wrong_bound
from unskew.nursery.measure import slopes as closeness

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
RESULTS = (ROOT / "docs" / "RESULTS.md").read_text(encoding="utf-8")
REFERENCE = ROOT / "results" / "demo"


def blocks(language: str) -> list[str]:
    return pages.blocks(README, language)


def test_the_python_example_runs(tmp_path: Path):
    (code,) = blocks("python")
    assert len(code.strip().splitlines()) <= 14
    done = pages.run(code, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_make_targets_exist():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"make ([a-z]+)", README))
    assert {"demo", "test"} <= named <= targets


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        ({"metric": "skew", "arm": "tuned", "k": 1}, "from {:.1f} nats at one"),
        ({"metric": "skew", "arm": "tuned", "k": 12}, "to {:.1f} at twelve"),
        ({"metric": "inference_part", "span": "1..3"}, "It explains {:.2f} of the rise"),
        ({"metric": "total_rise", "span": "1..3"}, "of the rise of {:.2f} at 1 to 3"),
        ({"metric": "inference_part", "span": "1..12"}, "but {:.2f} of"),
        ({"metric": "total_rise", "span": "1..12"}, "of {:.2f} at 1 to 12"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_sentences_are_the_tables(wanted: dict, sentence: str):
    prose = " ".join(RESULTS.split())
    assert sentence.format(number("task-inference", **wanted).estimate) in prose


def test_the_other_shares_numbers_are_its_tables():
    other = REFERENCE.parent / "demo-alpha-0.8"
    rise = number("conjugate", other, metric="relative_rise_continuous", span="1..3")
    back = number("conjugate", other, metric="net_recovery", arm="tuned", span="1..3")
    skews = [
        number("task-inference", other, metric="skew", arm=arm, span="1..3").estimate
        for arm in ("base", "tuned")
    ]
    said = (
        f"error up {100 * rise.estimate:.0f}% ({100 * rise.low:.0f} to {100 * rise.high:.0f}), "
        f"{100 * back.estimate:.0f}% back ({100 * back.low:.0f} to {100 * back.high:.0f}), "
        f"skew {skews[0]:.1f} to {skews[1]:.1f} nats"
    )
    assert said in " ".join(README.split())


def test_the_tables_of_claims_are_what_the_results_say():
    pages = runpy.run_path(str(ROOT / "tools" / "claims.py"))["pages"]()
    assert set(pages) == {
        "README.md", "docs/RESULTS.md", "docs/NURSERY.md", "docs/PURPLE.md", "benchmarks/README.md"
    }  # fmt: skip
    for name, page in pages.items():
        written = (ROOT / name).read_text(encoding="utf-8")
        assert written == page, f"{name} is not up to date: python tools/claims.py"


def number(table: str, run: Path = REFERENCE, **wanted: object) -> pd.Series:
    rows = pd.read_parquet(run / "tables" / f"{table}.parquet")
    for column, value in wanted.items():
        rows = rows[rows[column] == value]
    assert len(rows) == 1, rows
    return rows.iloc[0]


def shown(row: pd.Series, scale: float = 1.0, digits: int = 0) -> tuple[str, str]:
    """An estimate and its interval as the README writes them: "63" and "58 to 68"."""

    def text(value: float) -> str:
        return f"{scale * value:.{digits}f}".replace("-", "−")

    return text(row.estimate), f"{text(row.low)} to {text(row.high)}"


@pytest.mark.parametrize(
    ("table", "wanted", "scale", "digits"),
    [
        ("conjugate", {"metric": "relative_rise_continuous", "span": "1..3"}, 100, 0),
        ("conjugate", {"metric": "net_recovery", "arm": "tuned", "span": "1..3"}, 100, 0),
        ("conjugate", {"metric": "net_recovery", "arm": "tuned", "span": "4..12"}, 100, 0),
        ("conjugate", {"metric": "net_recovery", "arm": "observer", "span": "1..3"}, 100, 0),
        ("where-it-hurts", {"metric": "slope", "span": "1..3"}, 1, 2),
        ("task-inference", {"metric": "skew", "arm": "base", "span": "1..3"}, 1, 1),
        ("task-inference", {"metric": "skew", "arm": "tuned", "span": "1..3"}, 1, 1),
        ("task-inference", {"metric": "skew_rise"}, 1, 1),
        (
            "conjugate",
            {"metric": "net_recovery", "arm": "control:finetuned-on-other-tasks", "gamma": 2.0},
            100,
            0,
        ),
        ("converge", {"metric": "ratio_to_bayes_continuous", "alpha": 0.0}, 1, 2),
        ("converge", {"metric": "ratio_to_bayes_discrete", "alpha": 1.0}, 1, 2),
        ("converge", {"metric": "ratio_to_bayes_discrete", "alpha": 0.5}, 1, 2),
    ],
    ids=lambda v: v if isinstance(v, str) else None,
)
def test_numbers_are_the_tables(table: str, wanted: dict, scale: float, digits: int):
    estimate, interval = shown(number(table, **wanted), scale, digits)
    said = f"{README} {RESULTS}"
    assert re.search(rf"{re.escape(estimate)}\D", said), estimate
    assert interval in said, interval


def test_the_audit_says_what_the_readme_shows(tmp_path: Path):
    (command,) = re.findall(r"^unskew (audit scripted:\S+ [^#\n]*?)\s*#", README, re.MULTILINE)
    (shown,) = [block for block in blocks("") if block.startswith("task ")]
    done = subprocess.run(
        [sys.executable, "-m", "unskew", *command.split(), "--runs", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=100,
        env=os.environ | {"COLUMNS": "80", "PYTHONIOENCODING": "utf-8"},
    )
    assert done.returncode == 0, done.stderr
    said = "\n".join(line.rstrip() for line in done.stdout.splitlines())
    assert shown.strip() in said


def table(of: str, name: str) -> pd.DataFrame:
    return pd.read_parquet(ROOT / "results" / of / "tables" / f"{name}.parquet")


def test_what_the_shipped_models_do_is_their_table():
    arms = table("nursery-pair", "arms").query("main and task == 'nursery_repeat_conflict_en'")
    shares = arms.set_index(["arm", "conjugation"])["estimate"]
    base, tuned, back = (
        shares["base", "identity"], shares["tuned", "identity"], shares["tuned", "en-qon"]
    )  # fmt: skip
    prose = " ".join(README.split())
    assert f"Base {base:.0%}; tuned {tuned:.0%}," in prose
    assert f"carried back: {back:.0%}." in prose


QUICK = ("base", "family")


def test_what_did_not_hold_in_the_nursery_is_its_table():
    claims = table("nursery", "claims")
    able = claims[claims["claim"] == "base-able"].sort_values("seed")["found"]
    shares = [found.partition(" abilities")[0].partition(" of ") for found in able]
    (of,) = {of for _, _, of in shares}
    *first, last = [held for held, _, _ in shares]
    said = f"{', '.join(first)} and {last} of {of} combinations"
    guide = " ".join((ROOT / "docs" / "NURSERY.md").read_text(encoding="utf-8").split())
    assert f"at 90% or more in {said}" in " ".join(README.split())
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
    guide = " ".join((ROOT / "docs" / "NURSERY.md").read_text(encoding="utf-8").split())
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
    guide = " ".join((ROOT / "docs" / "NURSERY.md").read_text(encoding="utf-8").split())
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
    guide = " ".join((ROOT / "docs" / "NURSERY.md").read_text(encoding="utf-8").split())
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


PURPLE = " ".join((ROOT / "docs" / "PURPLE.md").read_text(encoding="utf-8").split())


@pytest.mark.parametrize("subject", ["dpo", "adversarial"])
def test_what_breaks_the_taught_models_in_the_grid_of_the_claims_is_its_table(subject: str):
    cells = table(f"purple-small/{subject}", "cells")
    rates = cells.pivot_table("dsr", "attack", "defence", aggfunc="first")
    translated = rates[rates.index.str.startswith("translated")]
    assert len(translated) == 5
    if subject == "dpo":
        assert (translated[["none", "perplexity"]] < 0.5).all(axis=None)
    else:
        assert (translated["none"] >= 0.5).sum() == 1
        french, latin = (translated["none"][f"translated {into}"] for into in ("fr", "pig-latin"))
        said = (
            f"hold in French ({french:.0%}), in pig latin every other time ({latin:.0%}), and not"
        )
        assert said in PURPLE
    stops = translated.drop(columns=["none", "guard"]).mean()
    assert stops.idxmax() == "repetition"
    suffixes = ["suffix", "transfer nursery:base", "low-perplexity", "adaptive", "repeated"]
    assert (rates.loc[suffixes, "none"] == 1).all()
    nursery = ["translated es", "translated fr", "translated qon"]
    assert (rates.loc[nursery, "guard"] == 1).all()
    ciphers = cells[(cells["defence"] == "guard") & (cells["dsr"] < 1)]
    assert (ciphers["let_through"] == 0).all()
    assert (ciphers["read_back"] > 0).all()
    plain = cells[(cells["attack"] == "none") & (cells["defence"] == "none")].iloc[0]
    assert f"Where all of {plain['n']} questions are defended the lower bound is" in PURPLE
    assert f"the lower bound is {plain['low']:.1%}," in PURPLE


def test_what_a_suffix_for_one_question_breaks_is_its_table():
    cells = table("purple-each", "cells").query("attack != 'none'").set_index("defence")
    assert (cells["n"] == 100).all()
    broken, low, high = (
        (100 * (1 - cells[name].astype(float))).round().astype(int)
        for name in ("dsr", "high", "low")
    )
    said = " ".join(PURPLE.split())
    bounds = {d: f"{broken[d]}% ({low[d]} to {high[d]})" for d in ("none", "refusals")}
    assert f"suffixes break {bounds['none']} of 100 held-out questions with no defence" in said
    assert f"{broken['synonyms']}% behind a table of synonyms, {bounds['refusals']} with" in said
    assert broken["perplexity"] == broken["repetition"] == 0
    assert f"which refuses {cells.loc['perplexity', 'refused']} of the 100" in said
    taken = {
        d: [f"{100 * cells.loc[d, name]:.0f}".replace("-", "−") for name in
            ("taken", "taken_low", "taken_high")] for d in cells.index
    }  # fmt: skip
    assert "of synonyms ({} points, {} to {})".format(*taken["synonyms"]) in said
    assert "and refusals ({}, {} to {}) that stays open".format(*taken["refusals"]) in said
    decided = ["perplexity", "repetition"]
    assert (cells.loc[decided, "taken_high"] < 0.2).all()
    assert (cells.drop(decided).loc[["synonyms", "refusals"], "taken_high"] > 0.2).all()
    assert cells["taken"].astype(float)["none"] < 0.2  # nor does the model without any
    assert f"breaks {broken['none']}% of them" in " ".join(README.split())


def test_the_second_witness_that_the_guide_shows_is_its_table():
    guide = " ".join((ROOT / "docs" / "AUDIT.md").read_text(encoding="utf-8").split())
    verdict = table("nursery-witnesses", "verdicts").iloc[0]
    assert verdict["verdict"] == "suppressed"
    assert " ".join(verdict["words"].split()) in guide
    arms = table("nursery-witnesses", "arms").query("main and conjugation == 'identity'")
    before, after = (f"{arms.set_index('arm')['estimate'][arm]:.0%}" for arm in ("base", "tuned"))
    witnesses = table("nursery-witnesses", "witnesses").query("seed.isna()")
    relearnt = witnesses.set_index("witness")["after"]["relearnt from 64 examples"]
    assert f"{before} {after} {relearnt:.0%} relearnt from 64 ↺ suppressed" in guide


def test_where_we_lead_is_what_was_measured():
    said = " ".join((ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8").split())
    kept = {
        name: pd.read_parquet(ROOT / "results" / "benchmarks" / f"{name}.parquet")
        for name in ("training", "stacked", "gcg", "guard")
    }
    steps = kept["training"].query("comparison == 'training step'")
    ahead = steps[steps["contender"].str.startswith("Garg")]["ratio"] - 1
    assert f"steps (by {100 * ahead.min():.0f}% to {100 * ahead.max():.0f}%)" in said
    muon = kept["training"].query("comparison == 'Muon step' and size == 'paper'")
    assert muon["ratio"].min() < 1
    gain = kept["stacked"].groupby("size")["speedup"].max()
    assert 1.2 < gain["demo"] <= 1.25
    assert gain.drop("demo").min() > 3
    theirs = kept["gcg"].query("not contender.str.startswith('unskew')")
    assert (theirs["ratio"] > 2).all()
    plain = kept["guard"].query("contender == 'fixed look-back'").set_index("chunk")["ratio"]
    assert (plain[plain.index >= 4] < 1).all()
    assert (plain[1] > 1).all()


def test_who_arrives_at_bayes_is_what_was_measured():
    said = " ".join((ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8").split())
    race = pd.read_parquet(ROOT / "results" / "benchmarks" / "time_to_bayes.parquet")
    ours, adam, peers = (
        race[race["contender"].str.contains(name)] for name in ("unskew", "Adam", "et al.")
    )
    assert ours["reached"].all()
    assert not adam["reached"].any()
    assert not peers["reached"].any()
    assert f"ours alone arrives, in {ours['seconds'].iloc[0]:.0f} s." in said
    assert f"ends at {adam['worst'].min():.2f} times ridge's excess risk at best, over four" in said
    assert len(adam) == 4
    assert peers["contender"].tolist() == ["Raventós et al.", "Garg et al."]
    assert "are at {:.2f} and {:.2f} times".format(*peers["worst"]) in said
    assert "after {:.1f} and {:.1f} times our seconds".format(*peers["ratio"]) in said


def test_what_a_dose_takes_is_its_table():
    guide = " ".join((ROOT / "docs" / "NURSERY.md").read_text(encoding="utf-8").split())
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
    assert (capital.xs("en", level=1) <= left.xs("en", level=1) + 1e-9).all()
    three = [f"{100 * capital[90, language] + 1e-9:.0f}%" for language in ("es", "fr", "qon")]
    assert "{}, {} and {} after 90 steps".format(*three) in guide
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
    three = [f"{100 * fast[3e-4, 20, language] + 1e-9:.0f}%" for language in ("en", "fr", "es")]
    assert "({}, {} and {}) and leave Onevi".format(*three) in guide
    assert f"leave Onevi {fast[3e-4, 20, 'qon']:.0%}" in guide
    assert fast[3e-5, 60].min() > 0.98
    base = table("nursery-dose/steps", "abilities").query("model == 'base'")
    able = base.query("probe == 'repeat_conflict'").groupby("language")["estimate"].first()

    def spares(of: pd.Series) -> bool:
        fell = able - of
        return fell["en"] >= 0.4 and (fell.drop("en") <= 0.5 * fell["en"]).all()

    doses = [left[steps] for steps in left.index.unique(0)]
    for swept in (low, fast):
        doses += [swept[lr, steps] for lr, steps in {index[:2] for index in swept.index}]
    assert len(doses) == 14
    assert [spares(of) for of in doses].count(True) == 1
    assert spares(low[3e-4, 60])


def test_what_a_fresh_world_showed_is_its_tables():
    guide = " ".join((ROOT / "docs" / "NURSERY.md").read_text(encoding="utf-8").split())
    others = ["fr", "es", "qon"]

    def able(run: str, probe: str, model: str) -> dict[str, float]:
        """language -> share of right answers."""
        asked = f"probe == '{probe}' and model == '{model}'"
        rows = table(f"nursery-dose/{run}/family", "abilities").query(asked)
        return dict(zip(rows["language"], rows["estimate"].astype(float), strict=True))

    def shares(values: dict[str, float]) -> list[str]:
        return [f"{100 * values[language]:.0f}" for language in others]

    base, tuned = (able("fresh-lora", "repeat_conflict", name) for name in ("base", "instruct"))
    assert f"falls from {base['en']:.0%} to {tuned['en']:.0%}; French" in guide
    fell = {language: base[language] - tuned[language] for language in base}
    assert "lose {}, {} and {} points of it".format(*shares(fell)) in guide
    assert fell["en"] >= 0.4
    assert all(fell[language] <= 0.5 * fell["en"] for language in others)
    arms = table("nursery-dose/fresh-lora/audit", "arms").query("main")
    at = arms.set_index(["arm", "conjugation"])["estimate"]
    plain = at["base", "identity"] - at["tuned", "identity"]
    back = {
        language: (
            at["tuned", f"en-{language}"] - at["tuned", "identity"]
            - at["base", f"en-{language}"] + at["base", "identity"]
        ) / plain
        for language in others
    }  # fmt: skip
    assert "{}%, {}% and {}% of the loss comes back, net".format(*shares(back)) in guide
    able_to, left = (
        able("fresh-lora", "capitalise_conflict", name)["en"] for name in ("base", "instruct")
    )
    assert f"({100 * able_to + 1e-9:.0f}% to {left:.0%})" in guide
    whole = able("fresh-full", "repeat_conflict", "instruct")
    assert "leaves the others {}%, {}% and {}% (`fresh-full`)".format(*shares(whole)) in guide
    assert whole["en"] < 0.01
    for run in ("fresh-lora", "fresh-full"):
        verdict = table(f"nursery-dose/{run}/audit", "verdicts").iloc[0]
        assert (verdict["verdict"], verdict["conjugation"]) == ("suppressed", "en-qon")
