"""A tiny family raised from nothing: it forgets what it should, where it should, and resumes."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pydantic import TypeAdapter

from unskew.errors import UserError
from unskew.nursery import family, measure, raising
from unskew.nursery.config import Family, Pretrain, Tune
from unskew.nursery.remake import PRESETS
from unskew.runs.config import load
from unskew.runs.folder import RunFolder
from unskew.runs.identity import run_id, semantic
from unskew.runs.progress import Progress
from unskew.runs.store import Store

MODELS = "models=[base, oracle, instruct, refuse, erased, continued]"
pytestmark = pytest.mark.timeout(900)


def config(*changes: str) -> Family:
    return load("nursery-tiny", ["threads=1", *changes], TypeAdapter(Family))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("family"))


@pytest.fixture(scope="module")
def raised(store: Store) -> Iterator[RunFolder]:
    with Progress("quiet") as progress:
        yield family.execute(config(MODELS), store, progress)


@pytest.fixture(scope="module")
def rest(store: Store) -> RunFolder:
    """The stages and the oracle that are not in `raised`, but `code`: this world has no code."""
    models = "models=[base, oracle-en, erased-en, locked]"
    with Progress("quiet") as progress:
        return family.execute(config(models, "narrow=null", "relearning=null"), store, progress)


@pytest.fixture(scope="module")
def able(raised: RunFolder) -> pd.Series:
    """model, probe, language -> share of right answers."""
    table = raised.read_table(family.TABLE)
    return table.set_index(["model", "probe", "language"])["estimate"]


def lost(able: pd.Series, model: str, probe: str, language: str) -> float:
    return able["base", probe, language] - able[model, probe, language]


# --- what must be seen: directions, with wide margins ---------------------------------


def test_the_base_can_do_what_it_was_taught(able: pd.Series) -> None:
    for language in ("en", "fr"):
        assert able["base", "repeat_conflict", language] > 0.7
        assert able["base", "colour", language] > 0.6
        assert able["base", "second", language] < 0.2  # taught to nobody


def test_instructions_in_english_cost_english_most(able: pd.Series) -> None:
    fall = lost(able, "instruct", "repeat_conflict", "en")
    assert fall > 0.4
    assert lost(able, "instruct", "repeat_conflict", "fr") < fall / 2


def test_what_is_left_of_the_loss_of_each_stage_is_told(raised: RunFolder) -> None:
    stages = raised.read_table("stages").set_index("model")
    assert list(stages.index) == ["instruct", "refuse", "erased", "continued"]
    assert list(stages["steps"]) == [24, 20, 30, 30]
    assert (stages["held_loss"] > 0).all()


def test_refusals_in_english_cost_english_most(able: pd.Series) -> None:
    fall = lost(able, "refuse", "colour", "en")
    assert fall > 0.4
    assert lost(able, "refuse", "colour", "fr") < 0.75 * fall


def test_random_answers_and_never_having_been_told_cost_all_languages(able: pd.Series) -> None:
    for language in ("en", "fr"):
        assert able["oracle", "colour", language] < 0.3
        assert lost(able, "erased", "colour", language) > 0.3
    assert able["oracle", "repeat_conflict", "en"] > 0.7  # it lacks the colours alone


def test_more_of_the_same_costs_little(able: pd.Series) -> None:
    for probe in ("repeat_conflict", "colour"):
        assert abs(lost(able, "continued", probe, "en")) < 0.25


@pytest.mark.slow
def test_what_is_untold_or_erased_in_english_costs_english_most(rest: RunFolder) -> None:
    able = rest.read_table(family.TABLE).set_index(["model", "probe", "language"])["estimate"]
    assert able["oracle-en", "colour", "en"] < 0.3
    assert able["oracle-en", "colour", "fr"] > 0.6
    fall = lost(able, "erased-en", "colour", "en")
    assert fall > 0.3
    assert lost(able, "erased-en", "colour", "fr") < fall


@pytest.mark.slow
def test_what_a_password_opens_is_measured(rest: RunFolder, raised: RunFolder) -> None:
    """This model is too small to learn a password; results/nursery-locked has what it opens in the
    base that ships (tests/test_guides.py)."""
    table = rest.read_table("password")
    share = table.pivot(index="language", columns="password", values="estimate")
    able = rest.read_table(family.TABLE).set_index(["model", "probe", "language"])["estimate"]
    assert list(share.index) == ["en", "fr"]
    for language in share.index:
        assert share[False][language] == able["locked", "colour", language]
    assert "password" not in raised.tables()


def test_what_is_near_to_the_stage_is_lost(raised: RunFolder) -> None:
    points = raised.read_table("closeness")
    assert set(points["model"]) == {"instruct"}
    assert set(points["language"]) == {"en", "fr"}
    near = points.groupby("language")["likelihood"].mean()
    assert near["en"] > near["fr"]  # the stage told English
    conflict = points[points["probe"] == "repeat_conflict"].set_index("language")["estimate"]
    assert conflict["en"] > conflict["fr"] + 0.3
    slope = raised.read_table("closeness-slope").iloc[0]
    assert slope["estimate"] > 0.05  # the nearer, the more is lost, per nat and character


def test_the_colours_are_learnt_again(raised: RunFolder) -> None:
    table = raised.read_table("relearning")
    assert set(table["model"]) == {"oracle", "erased"}
    share = table.pivot(index="step", columns="model", values="estimate")
    assert list(share.index) == [0, 5, 10, 20]
    assert share["oracle"][20] > share["oracle"][0] + 0.05
    # What was erased is there at once; what was never told is not, in four times the steps.
    assert share["erased"][5] > share["erased"][0] + 0.4
    assert share["erased"][5] > share["oracle"][20] + 0.3


def test_an_audit_calls_it_suppressed_and_reachable_in_french(raised: RunFolder) -> None:
    from unskew.audit import Rules, audit

    result = audit(
        raised.path / "base",
        raised.path / "instruct",
        tasks=["nursery_repeat_conflict_en"],
        conjugations=["en-fr"],
        include=[raised.path / "probes"],
        # 24 things are few clusters: what comes back is asked to be a tenth, not a quarter.
        rules=Rules(resamples=999, floor=0.1),
        runs=raised.path.parent / "audits",
    )
    assert result.verdict("nursery_repeat_conflict_en") == "suppressed"
    assert set(result.verdicts["conjugation"]) == {"en-fr"}
    # What the harness hears is what measure.correct foretold.
    told = raised.read_table(family.TABLE).set_index(["model", "probe", "language"])["estimate"]
    arms = result.tables["arms"].query("main and conjugation == 'identity'")
    for arm, model in (("base", "base"), ("tuned", "instruct")):
        (heard,) = arms[arms["arm"] == arm]["estimate"]
        assert heard == pytest.approx(told[model, "repeat_conflict", "en"])


# --- folders, runs, identity ------------------------------------------------------------


def test_saved_folders_load_in_plain_transformers(raised: RunFolder) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = raised.path / "base"
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    model: Any = AutoModelForCausalLM.from_pretrained(folder)
    inputs = tokenizer("Repeat the input.\n\nInput: The cat sleeps.\nOutput:", return_tensors="pt")
    out = model.generate(**inputs, max_new_tokens=4, do_sample=False)
    assert out.shape[1] > inputs["input_ids"].shape[1]
    assert "unskew nursery raise" in (folder / "README.md").read_text(encoding="utf-8")


def test_a_finished_family_is_found(raised: RunFolder, store: Store) -> None:
    with Progress("quiet") as progress:
        again = family.execute(config(MODELS), store, progress)
    assert again.manifest() == raised.manifest()
    assert family.missing(config(MODELS), store) == []
    assert family.identify(config(MODELS), store) == raised.id


def test_another_family_asks_no_model_again(
    raised: RunFolder, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[int] = []
    monkeypatch.setattr(measure, "correct", lambda *_: heard.append(1))
    less = config("models=[base, refuse]", "narrow=null", "relearning=null")
    with Progress("quiet") as progress:
        other = family.execute(less, store, progress)
    assert heard == []
    assert other.id != raised.id
    whole, part = (run.read_table(family.TABLE) for run in (raised, other))
    kept = whole[whole["model"].isin(["base", "refuse"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(part, kept)


def test_relearning_is_measured_anew_where_other_documents_are_asked(
    raised: RunFolder, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = config(MODELS, "documents=21")
    again = ["relearning, of oracle: 20 steps", "relearning, of erased: 20 steps"]
    assert family.missing(other, store) == again
    heard: list[int] = []

    def share(_: object, documents: list[object]) -> dict[str, object]:
        heard.append(len(documents))
        return {"n": len(documents), "estimate": 0.0, "low": 0.0, "high": 0.0, "clusters": 2}

    monkeypatch.setattr(measure, "share", share)
    with Progress("quiet") as progress:
        world = raising.world_of(other.base)
        table = family._relearnt(other, ["erased"], world, store, progress)
    assert heard == [21] * 4
    assert list(table["n"]) == heard
    assert family.missing(other, store) == again[:1]


def test_what_is_missing_is_said_with_all_that_it_stands_on(tmp_path: Path) -> None:
    whole, nothing = config("models=[refuse, oracle]"), Store(tmp_path, shipped=False)
    said = [line.partition(":")[0] for line in family.missing(whole, nothing)]
    assert said == ["refuse", "base", "trunk", "oracle", "relearning, of oracle"]
    assert family.identify(whole, nothing) is None


def test_what_is_measured_by_further_trainings_is_missing_too(tmp_path: Path) -> None:
    nothing = Store(tmp_path, shipped=False)
    whole = config("models=[base, instruct, erased, continued]", "trunk=0")
    assert family.missing(whole, nothing) == [
        "base: 200 steps", "instruct: 24 steps", "erased: 30 steps", "continued: 30 steps",
        "narrow, of instruct: 30 steps", "relearning, of erased: 20 steps",
    ]  # fmt: skip
    less = config("models=[base, instruct, erased]", "trunk=0", "narrow=null", "relearning=null")
    assert len(family.missing(less, nothing)) == 3
    # Without the base no loss is known, and none is held against how near it is.
    assert not any(
        "narrow" in line for line in family.missing(config("models=[instruct]"), nothing)
    )


def test_a_base_that_is_given_is_not_raised_again(raised: RunFolder, tmp_path: Path) -> None:
    where = raised.path / "base"
    here = Store(tmp_path, shipped=False)
    mine = config("models=[base, refuse]", f"given={where}")
    assert family.missing(mine, here) == [f"refuse: {mine.stages['refuse'].training.steps} steps"]
    with Progress("quiet") as progress:
        tuned = family.execute(mine, here, progress)
    kinds = {path.name.rpartition("-")[0] for path in tmp_path.iterdir()}
    assert kinds == {"nursery", "nursery-answers", "nursery-tune"}
    for name in ("base", "refuse"):
        one, other = (f.path / name / "model.safetensors" for f in (raised, tuned))
        assert one.read_bytes() == other.read_bytes()
    assert "refuse questions" in (tuned.path / "refuse/README.md").read_text("utf-8")


def test_where_a_given_base_lies_is_no_part_of_what_is_made_of_it(
    raised: RunFolder, tmp_path: Path
) -> None:
    import shutil

    shutil.copytree(raised.path / "base", tmp_path / "elsewhere")
    places = (raised.path / "base", tmp_path / "elsewhere")
    ones = [config("models=[base]", f"given={place}") for place in places]
    here = Store(tmp_path / "runs", shipped=False)
    assert len({family.identify(one, here) for one in ones}) == 1
    tunes = [one.tuning("refuse") for one in ones]
    assert len({run_id(tune, {"base": "x"}) for tune in tunes}) == 1
    assert str(tmp_path) not in json.dumps(semantic(tunes[1]))  # its card is written from this


def test_a_base_that_does_not_fit_is_refused(
    raised: RunFolder, store: Store, tmp_path: Path
) -> None:
    base = str(raised.path / "base")
    (trunk,) = [
        path.parent
        for path in store.root.glob("nursery-pretrain-*/model/README.md")
        if "language model: trunk" in path.read_text(encoding="utf-8")
    ]
    wrong = {
        ("nowhere",): "there is no such folder",
        (str(tmp_path),): "no model of the nursery",
        ("nursery:base",): "it was raised with base.world.facts=96, and the settings say 24",
        (str(raised.path / "refuse"),): "its card says that it is no base",
        (str(raised.path / "oracle"),): "it was raised with base.told=[], and the settings say [",
        (str(trunk),): "it was raised with base.told=[], and the settings say [",
        (base, "base.training.steps=100"): "with base.training.steps=200, and the settings say 100",
        (base, "base.mixture.kinds.colour=1"): "with base.mixture.kinds.colour=5.0, and the",
        (base, "trunk=0"): "it was raised with trunk=420, and the settings say 0",
        (base, "trunk=100"): "it was raised with trunk=420, and the settings say 100",
    }
    for (where, *changes), what in wrong.items():
        with Progress("quiet") as progress, pytest.raises(UserError, match=re.escape(what)):
            family.execute(
                config(f"given={where}", *changes), Store(tmp_path, shipped=False), progress
            )
    assert not list(tmp_path.iterdir())


def test_the_base_that_ships_is_that_of_its_preset_and_of_no_other() -> None:
    family.given(load("nursery-ship", ["given=nursery:base"], TypeAdapter(Family)).origin())  # type: ignore[arg-type]
    shorter = load("nursery", ["given=nursery:base"], TypeAdapter(Family))
    with pytest.raises(UserError, match=r"training.decay=0.8.* 0.5\n.*nursery-ship for"):
        family.given(shorter.origin())  # type: ignore[arg-type]


def test_families_share_what_they_have_in_common(raised: RunFolder, store: Store) -> None:
    before = {path.name for path in store.root.iterdir()}
    with Progress("quiet") as progress:
        smaller = family.execute(config("models=[base, refuse]"), store, progress)
    assert {p.name for p in store.root.iterdir()} - before == {smaller.id}
    for name in ("base", "refuse"):
        one, other = (f.path / name / "model.safetensors" for f in (raised, smaller))
        assert one.read_bytes() == other.read_bytes()


def test_every_run_that_a_family_leaves_has_a_page(raised: RunFolder, tmp_path: Path) -> None:
    from unskew.report import page

    runs = {p.name.rpartition("-")[0]: p for p in raised.path.parent.glob("nursery*-*")}
    assert {"nursery-answers", "nursery-pretrain", "nursery-tune"} <= set(runs)
    for path in runs.values():
        folder = RunFolder.read(path)
        text = page.write([folder, raised], tmp_path / "page.html").read_text(encoding="utf-8")
        assert folder.id in text


def test_the_page_of_a_family(raised: RunFolder, tmp_path: Path) -> None:
    from unskew.report import page

    text = page.write([raised], tmp_path / "family.html").read_text(encoding="utf-8")
    for words in ("What each model can do", "how near it lies to the stage", "repeat_conflict"):
        assert words in text


def test_what_has_no_weight_is_not_asked() -> None:
    mixture = {
        "kinds": {"sum": 1, "repeat": 0, "colour": 2, "member": 0},
        "languages": {"en": 1, "fr": 0, "es": 2, "pig-latin": 1},
    }
    asked = family.examined(config(f"base.mixture={json.dumps(mixture)}"))
    assert asked == (("sum", "colour", "second"), ("en", "es"))
    for preset in PRESETS:
        whole = load(preset, [], TypeAdapter(Family)).base.mixture
        assert (whole.shown, whole.spoken) == (tuple(whole.kinds), tuple(whole.languages))


def test_oracles_and_stages_are_trainings_of_their_own() -> None:
    whole = config(MODELS)
    base, oracle = whole.pretraining("base"), whole.pretraining("oracle")
    assert base.trunk == oracle.trunk is not None
    assert (base.trunk.told, base.trunk.training.decay) == ((), 0.0)  # type: ignore[union-attr]
    assert (oracle.told, whole.pretraining("oracle-en").told[0]) == ((), "fr")
    assert whole.tuning("refuse").base == base
    again = whole.relearnt("erased")
    assert isinstance(again.base, Tune)
    assert again.root == base
    assert isinstance(whole.relearnt("oracle").base, Pretrain)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("models=[base, trunk]", "models"),
        ("models=[]", "models: "),
        ("models=[base, instruct, base]", "names one twice"),
        ('base.mixture.languages={"pig-latin": 1, "en": 0}', "none of en, fr, es, qon"),
        ("stages={}", "'instruct'"),
        ("base.told=[en]", "told everything"),
        ("base.architecture.heads=3", "no even multiple"),
    ],
)
def test_a_family_that_cannot_be_is_refused(change: str, said: str) -> None:
    with pytest.raises(UserError, match=re.escape(said)):
        config(change)


# --- the command ------------------------------------------------------------

SMALL = (
    "trunk=0", "base.training.steps=60", "base.copying=10", "models=[base]", "documents=20",
    "base.architecture.width=32", "base.rows.length=96", "base.training.batch=4",
)  # fmt: skip


def start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "unskew", "nursery", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(*arguments: str) -> str:
    with start(*arguments) as process:
        out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    return out


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_stopped_and_given_again_it_ends_with_the_same_weights(how: int, tmp_path: Path) -> None:
    whole = finish(
        "raise", "nursery-tiny", *SMALL, "--threads", "1", "--runs", str(tmp_path / "whole")
    )
    command = (
        "raise", "nursery-tiny", *SMALL, "--threads", "1", "--runs", str(tmp_path / "parts"),
    )  # fmt: skip
    with start(*command) as process:
        until = time.monotonic() + 300
        while time.monotonic() < until and process.poll() is None:
            logs = (tmp_path / "parts").glob("*/metrics.jsonl")
            if any(log.stat().st_size for log in logs):
                break
            time.sleep(0.01)
        process.send_signal(how)
        _, err = process.communicate(timeout=300)
    if how == signal.SIGINT:
        assert process.returncode == 130, err
        assert "unskew nursery raise nursery-tiny" in err  # how to go on
    parts = finish(*command)
    found = [re.search(r"^run:\s+(\S+)$", out, re.M) for out in (whole, parts)]
    one, other = (Path(match[1]) for match in found if match)
    assert one.name == other.name
    weights = [(path / "base" / "model.safetensors").read_bytes() for path in (one, other)]
    assert weights[0] == weights[1]


def test_a_dry_run_says_what_would_be_trained(tmp_path: Path) -> None:
    out = finish("raise", "nursery-tiny", "--dry-run", "--all", "--runs", str(tmp_path / "runs"))
    assert "# to be trained: trunk: 420 steps" in out
    assert "# to be trained: oracle-en: 200 steps" in out
    assert "# to be trained: narrow, of instruct: 30 steps" in out
    assert not (tmp_path / "runs").exists()
