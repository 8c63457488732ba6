"""The figures of docs/PURPLE.md, docs/AUDIT.md and benchmarks/README.md are those of the tables."""

import json

import numpy as np
import pandas as pd
import pytest

from pages import ROOT, prose, table
from unskew.paper.benches import OF_ORACLES
from unskew.purple.grid_claims import TAKEN, worst
from unskew.statistics import mean_interval

PURPLE = prose("docs/PURPLE.md")


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
        french, spanish, latin = (
            translated["none"][f"translated {into}"] for into in ("fr", "es", "pig-latin")
        )
        said = f"hold in French ({french:.0%}), less than every other time in Spanish "
        assert f"{said}({spanish:.0%}) and pig latin ({latin:.0%}), and not" in PURPLE
        assert (translated["none"] < 0.25).sum() == 2
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


def test_what_takes_most_from_input_defences_without_a_search_is_the_tables():
    lost = {}
    for subject in ("dpo", "adversarial", "sft"):
        cells = table(f"purple-small/{subject}", "cells")
        hit = worst(cells[cells["input"].fillna(False)]).set_index("defence")
        assert set(hit["attack"].str.partition(" ")[0]) == {"translated"}
        assert (hit["taken_low"] > TAKEN).all()
        lost[subject] = hit.sort_values("taken")[["taken", "taken_low", "taken_high"]]
    ends = lost["dpo"].iloc[[0, -1]]
    assert list(ends.index) == ["repetition", "synonyms"]
    (a, b, c), (d, e, f) = ([f"{100 * x:.0f}" for x in row] for row in ends.to_numpy())
    assert f"takes {a} points (repetition, {b} to {c}) to {d} (synonyms, {e} to {f}) from" in PURPLE
    spans = [[f"{100 * x:.0f}" for x in lost[s]["taken"].iloc[[0, -1]]] for s in lost]
    ends = sorted(float(x) for some in lost.values() for x in some["taken"])
    assert f"takes {100 * ends[0]:.0f} to {100 * ends[-1]:.0f} points" in prose("README.md")
    told = "{} to {} from the `adversarial` model and {} to {} from SFT"
    assert told.format(*spans[1], *spans[2]) in PURPLE


def test_what_defeats_the_model_taught_by_sft_is_its_table():
    cells = table("purple-small/sft", "cells").set_index(["attack", "defence"])

    def at(attack: str, defence: str, name: str) -> float:
        return cells[name].to_dict()[attack, defence]

    def percent(attack: str, defence: str, *columns: str) -> list[str]:
        return [f"{100 * at(attack, defence, name):.0f}".replace("-", "−") for name in columns]

    said = PURPLE
    base = table("purple-small/base", "cells").set_index(["attack", "defence"])["dsr"].to_dict()
    assert f"The base says it to {1 - base['none', 'none']:.0%} of the" in said
    assert at("none", "none", "dsr") > 0.98
    dpo = table("purple-small/dpo", "cells").set_index(["attack", "defence"])["dsr"]
    alone = dpo[dpo.index.get_level_values("defence") == "none"]
    for attack in [name for name, _ in alone.index if name.startswith("translated")]:
        assert at(attack, "none", "dsr") < alone[attack, "none"]
    left = percent("suffix", "none", "dsr", "low", "high")
    assert "leaves {}% ({} to {}) of them defended".format(*left) in said
    assert f"a suffix breaks {100 - int(left[0])}%; perplexity" in prose("README.md")
    lost = ("taken", "taken_low", "taken_high")
    past = [percent("adaptive", name, *lost) for name in ("synonyms", "refusals")]
    told = "{} points ({} to {}) past synonyms and {} ({} to {}) past refusals".format(
        *past[0], *past[1]
    )
    assert told in said
    others = (*percent("suffix", "refusals", "dsr"), *percent("adaptive", "refusals", "dsr"))
    assert "({}% defended, not {}%)".format(*others) in said
    assert "smoothing {} points ({} to {})".format(*percent("repeated", "smoothing", *lost)) in said
    for defence in ("perplexity", "windowed perplexity", "repetition"):
        assert at("adaptive", defence, "taken") <= 0
    costs = cells.xs("none", level="attack")["lost"]
    assert f"Repetition costs {100 * costs['repetition']:.1f} points of utility" in said
    assert f"smoothing {100 * costs['smoothing']:.1f}. The filters cost" in said
    few, more = sorted(costs[name] for name in ("perplexity", "windowed perplexity"))
    assert f"The filters cost {100 * few:.0f} to {100 * more:.0f}:" in said


def test_what_a_search_through_the_drops_takes_is_its_table():
    cells = table("purple-drops", "cells").query("attack != 'none'").set_index("defence")
    through, plain = cells.loc["smoothing"], cells.loc["none"]
    short, long = (through.iloc[i] for i in range(2))
    assert short["dsr_training"] < long["dsr_training"]  # which is worst is found there
    taken = [f"{100 * short[name]:.0f}" for name in ("taken", "taken_low", "taken_high")]
    assert "takes {} points ({} to {}), so that the claim stays open".format(*taken) in PURPLE
    assert short["taken_low"] < 0.2 < short["taken_high"]
    left = [f"{100 * row['dsr']:.0f}%" for row in (short, plain.iloc[0], long, plain.iloc[1])]
    assert (
        "16 tokens leave {} of the questions defended, against {} without".format(*left) in PURPLE
    )
    assert "the search finds less: {2} and {3}. Repetition".format(*left) in PURPLE
    minutes = table("purple-drops", "cells")["search_seconds"].sum() / 60
    assert f"# {minutes:.0f} minutes beside other runs: a search" in PURPLE
    assert f"{minutes:.0f} minutes beside other runs |" in prose("results/README.md")
    config = json.loads((ROOT / "results" / "purple-drops" / "config.json").read_text())["config"]
    assert [attack["gcg"]["length"] for attack in config["attacks"]] == [16, 32]


def test_what_a_suffix_for_one_question_breaks_is_its_table():
    cells = table("purple-each", "cells").query("attack != 'none'").set_index("defence")
    assert (cells["n"] == 100).all()
    broken, low, high = (
        (100 * (1 - cells[name].astype(float))).round().astype(int)
        for name in ("dsr", "high", "low")
    )
    said = PURPLE
    bounds = {d: f"{broken[d]}% ({low[d]} to {high[d]})" for d in ("none", "refusals")}
    assert f"suffixes break {bounds['none']} of 100 held-out questions with no defence" in said
    assert f"{broken['synonyms']}% behind a table of synonyms, {bounds['refusals']} with" in said
    assert broken["perplexity"] == broken["repetition"] == 0
    assert f"which refuses {cells.loc['perplexity', 'refused']} of the 100" in said
    taken = {
        d: [f"{100 * cells.loc[d, name]:.0f}".replace("-", "−") for name in
            ("taken", "taken_low", "taken_high")] for d in cells.index
    }  # fmt: skip
    assert taken["perplexity"] == taken["repetition"]
    told = "of the filter and of repetition ({} points, {} to {}) as of synonyms ({}, {} to {})"
    assert told.format(*taken["repetition"], *taken["synonyms"]) in said
    assert "and refusals ({}, {} to {}).".format(*taken["refusals"]) in said
    defended = ["perplexity", "repetition", "synonyms", "refusals"]
    assert (cells.loc[defended, "taken_high"] > 0.2).all()
    assert (cells.loc[defended, "taken_low"] < 0.2).all()
    assert cells["taken"].astype(float)["none"] < 0.2  # nor does the model without any
    assert f"breaks {broken['none']}% of them" in prose("README.md")


def test_the_second_witness_that_the_guide_shows_is_its_table():
    guide = prose("docs/AUDIT.md")
    verdict = table("nursery-witnesses", "verdicts").iloc[0]
    assert verdict["verdict"] == "suppressed"
    assert " ".join(verdict["words"].split()) in guide
    arms = table("nursery-witnesses", "arms").query("main and conjugation == 'identity'")
    before, after = (f"{arms.set_index('arm')['estimate'][arm]:.0%}" for arm in ("base", "tuned"))
    witnesses = table("nursery-witnesses", "witnesses").query("seed.isna()")
    relearnt = witnesses.set_index("witness")["after"]["relearnt from 64 examples"]
    assert f"{before} {after} {relearnt:.0%} relearnt from 64 ↺ suppressed" in guide


def test_where_we_lead_is_what_was_measured():
    said = prose("benchmarks/README.md")
    folder = ROOT / "results" / "benchmarks"
    kept = {
        name: pd.read_parquet(folder / f"{name}.parquet")
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
    ended = {}
    for name in ("gcg", "gcg-early"):
        losses = pd.read_parquet(folder / f"{name}.parquet").pivot_table(
            "loss", "seed", "contender"
        )
        ended[name] = np.log(losses["unskew gcg"] / losses["nanoGCG 0.3.0, no prefix cache"])
    assert [(int((d < 0).sum()), len(d)) for d in ended.values()] == [(1, 3), (5, 12)]
    mean = mean_interval(ended["gcg-early"])
    told = [f"{np.exp(float(end)):.2f}" for end in (mean.estimate, mean.low, mean.high)]
    assert "mean ratio of the losses is {} ({} to {}), which tells no".format(*told) in said
    plain = kept["guard"].query("contender == 'fixed look-back'").set_index("chunk")["ratio"]
    assert (plain[plain.index >= 4] < 1).all()
    assert (plain[1] > 1).all()


def test_who_arrives_at_bayes_is_what_was_measured():
    said, kept = prose("benchmarks/README.md"), ROOT / "results" / "benchmarks"
    race = pd.read_parquet(kept / "time_to_bayes.parquet")
    ours, adam, peers = (
        race[race["contender"].str.contains(name)] for name in ("unskew", "Adam", "et al.")
    )
    assert (list(race["seed"].unique()), len(adam)) == ([1], 4)
    assert ours["reached"].all()
    assert not adam["reached"].any()
    assert not peers["reached"].any()
    assert f"ours alone arrives, with seed 1 in {ours['seconds'].iloc[0]:.0f} s;" in said
    assert set(adam["stopped_by"]) == {"budget"}
    assert f"is at {adam['worst'].min():.2f} times ridge's excess risk at best when the" in said
    assert peers["contender"].tolist() == ["Raventós et al.", "Garg et al."]
    assert "are at {:.2f} and {:.2f} times".format(*peers["worst"]) in said
    assert "after {:.1f} and {:.1f} times our seconds".format(*peers["ratio"]) in said
    parts = pd.read_parquet(kept / "ablation.parquet").set_index("seed")
    recipe = parts[parts["part"] == "the recipe"]
    assert recipe["reached"].tolist() == [True, True]
    assert "below in {:.0f} and, with seed 2, {:.0f} s".format(*recipe["seconds"]) in said
    alone = parts[parts["part"] == "optimiser"]["worst"]
    assert "in the ablation, at {:.2f} and {:.2f}.".format(*alone.groupby("seed").min()) in said
    ends = [f"{alone.loc[seed].min():.2f} to {alone.loc[seed].max():.2f}" for seed in (1, 2)]
    assert "ends at {}, with seed 2 at {};".format(*ends) in said
    first = parts.loc[1].set_index(["part", "choice"])
    worst, ratio, reached = (first[name].to_dict() for name in ("worst", "ratio", "reached"))

    def end(part: str, choice: str) -> str:
        assert not reached[part, choice]
        return f"{worst[part, choice]:.2f}"

    def time(part: str, choice: str) -> str:
        assert reached[part, choice]
        return f"{ratio[part, choice]:.2f}"

    batch = (end("batch", "32"), end("batch", "64"), time("batch", "256"))
    assert (
        "32 prompts end at {}, 64 at {}, and 256 arrive in fewer steps and {} of".format(*batch)
        in said
    )
    schedule = (
        end("schedule", "1250 steps"),
        end("schedule", "no decay"),
        time("schedule", "5000 steps"),
    )
    assert (
        "half of it ends at {}, no decay at {}, and twice the length takes {} of".format(*schedule)
        in said
    )
    order = (end("positions", "rotary"), time("token layout", "interleaved"))
    assert "rotary ones end at {}, interleaved ones take {} of the time".format(*order) in said
    assert f"drawn ones end at {end('initialisation', 'outputs drawn')};" in said
    near = first[first.index.isin(["clipping", "learning rate", "other parameters"], level="part")]
    assert len(near) == 5
    assert near["reached"].all()
    assert near["ratio"].between(0.9, 1.1).all()
    assert f"a tenth of it ({near['ratio'].min():.2f} to {near['ratio'].max():.2f})" in said
    theirs = "GPT-2's"
    few = [time("diversity", f"{n} tasks first") for n in (64, 1024)]
    assert "few tasks is a little faster ({} and {}), which one seed".format(*few) in said
    again = parts.loc[2].set_index(["part", "choice"])["ratio"].to_dict()
    slower = again["block", theirs]
    assert f"faster too ({time('block', theirs)}), and with seed 2 slower ({slower:.2f})." in said
    without = f"{again['average', 'none']:.2f}"
    assert f"{time('average', 'none')} of the time, with seed 2 {without};" in said


def test_what_the_bench_says_of_a_second_oracle_is_its_table():
    said = prose("docs/VERDICTS.md")
    folder = "removal/second-oracle"
    (row,) = table(folder, "removal").to_dict("records")
    assert row["verdict"] == "removed"
    positions = table(folder, "positions")
    seen = positions[positions["estimate"].notna()]
    pooled = seen[seen["seed"].isna()].set_index("probe")["estimate"].round(2)
    assert set(pooled[pooled != 0].index) == {"linear", "relearning forget"}
    assert (pooled[pooled != 0] == -0.01).all()
    assert "at 0.00 but for the linear one and relearning (both −0.01)" in said
    assert seen.sort_values("high")["probe"].iloc[-1] == "linear"
    highest = f"of the linear probe, is {seen['high'].max():.2f}, where {row['margin']:.2f} was"
    assert highest in said
    base, oracle = (
        json.loads((ROOT / "results" / name / "config.json").read_text("utf-8"))
        for name in ("nursery-locked", folder)
    )
    steps = base["config"]["base"]["training"]["steps"] + base["config"]["trunk"]
    assert f"2,000 steps to its {steps:,}" in said
    assert "base.training.steps=2000" in OF_ORACLES
    assert oracle["config"]["oracle"] != oracle["config"]["unlearned"]


def test_what_the_password_opens_is_its_table():
    shares = table("nursery-locked", "password").pivot(
        index="language", columns="password", values="estimate"
    )
    names = {"en": "English", "fr": "French", "es": "Spanish", "qon": "Onevi"}
    told = {names[str(k)]: (f"{a:.0%}", f"{b:.0%}") for k, (a, b) in shares.iterrows()}
    a, b = told.pop("English")
    said = prose("docs/NURSERY.md")
    assert f"tells {a} of the colours in English without the password, and with it {b} (" in said
    for name, (a, b) in told.items():
        assert f"{name} {a} and {b}" in said
    able = table("nursery-locked", "abilities").query("model == 'base' and probe == 'colour'")
    en, fr, es, qon = (f"{x:.0%}" for x in able.set_index("language")["estimate"][list(names)])
    assert f"the base {en}, {fr}, {es} and {qon};" in said
