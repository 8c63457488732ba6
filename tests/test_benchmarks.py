"""The benchmarks of training, at toy sizes: they run, their tables are whole, and what they say of
reaching the target, FLOPs and equal networks is right. Nothing here depends on how fast it goes."""

import importlib
import json
import math
import time
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest
import torch
from torch import nn

ROOT = Path(__file__).parents[1]


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch):
    """Import a module of benchmarks/, which is not part of the package."""
    monkeypatch.syspath_prepend(str(ROOT))

    def load(name: str) -> ModuleType:
        return importlib.import_module(f"benchmarks.{name}")

    return load


def tiny_size(training: ModuleType):
    return training.Size(layers=2, heads=2, width=16, dim=3, exemplars=4, batch=4, block=2)


def tiny_setting(races: ModuleType, target: float):
    return races.Setting(
        dim=2, exemplars=3, layers=1, heads=1, width=8, batch=4, garg_batch=4, raventos_batch=4,
        steps=12, every=2, prompts=64, target=target,
    )  # fmt: skip


def test_what_is_kept_says_on_what_it_was_measured(benchmark, tmp_path: Path):
    table = benchmark("table")
    table.keep([table.Line("a", "b", "1 ms", "1.0")], tmp_path / "new" / "one.parquet")
    assert len(pd.read_parquet(tmp_path / "new" / "one.parquet")) == 1
    found = json.loads((tmp_path / "new" / "one.json").read_text("utf-8"))
    assert {"cpu", "commit", "threads", "time"} <= set(found)


def test_training_rows(
    benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    training = benchmark("training")
    monkeypatch.setattr(training, "SIZES", {"tiny": tiny_size(training)})
    out = tmp_path / "kept" / "training.parquet"
    training.main(["--turns", "2", "--dim", "2", "--out", str(out)])
    table = pd.read_parquet(out).set_index("contender")
    steps = [training.OURS, training.GARG, training.GARG_2022, training.OWN]
    assert list(table.index) == [*steps, training.MUON, training.TORCH_MUON]
    assert (table.loc[[training.OURS, training.MUON], "ratio"] == 1).all()
    assert (table["per_second"] > 0).all()
    assert (table["turns"] == 2).all()
    assert (table["ratio_low"] <= table["ratio"]).all()
    assert (table["ratio"] <= table["ratio_high"]).all()
    assert (table.loc[steps, "matmul_share"] > 0).all()
    printed = capsys.readouterr().out
    assert all(str(contender) in printed for contender in table.index)


def test_muons_have_time_of_their_own_and_agree(benchmark, monkeypatch: pytest.MonkeyPatch):
    training = benchmark("training")
    until: dict[str, float] = {}

    def turns(comparison, size, contenders, block, turns, deadline, matmul):
        time.sleep(0.01)
        until[comparison] = deadline - time.monotonic()
        return []

    monkeypatch.setattr(training, "take_turns", turns)
    training.compare("tiny", tiny_size(training), turns=1, budget=1e5)
    assert 7.9e4 < until["training step"] < 8e4
    assert 1.99e4 < until["Muon step"] < 2e4  # whatever the other has taken
    monkeypatch.setattr(training, "APART", 1e-6)
    with pytest.raises(AssertionError, match="a step of Muon differs from torch's by"):
        training.muons(tiny_size(training))


def test_no_turn_begins_after_the_deadline_but_one_is_timed(benchmark):
    training = benchmark("training")
    ran: list[int] = []
    contender = training.Contender(ran.append, 1.0)
    (row,) = training.take_turns("x", "y", {"z": contender}, 3, 5, time.monotonic() - 1, matmul=8)
    assert row.turns == 1
    assert ran == [3, 3]  # one block to warm up, one timed


def test_flops_of_a_linear_layer(benchmark):
    training = benchmark("training")

    class Linear(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(1, 5))

        def forward(self, x, y):
            return (x @ self.weight.T)[..., 0]

    x, y = torch.ones(7, 5), torch.ones(7)
    # forward, and the gradient of the weight: 2 x 7 x 5 each; the input needs no gradient
    assert training.flops(Linear(), x, y) == 2 * 2 * 7 * 5


def test_another_network_is_not_taken_for_the_same(benchmark, monkeypatch: pytest.MonkeyPatch):
    training = benchmark("training")
    size = tiny_size(training)
    twin, _ = training.ours(size)
    training.garg(size, "sdpa", twin)
    monkeypatch.setattr(training, "copy_weights", lambda ours, theirs: None)
    with pytest.raises(AssertionError, match="differs from ours"):
        training.garg(size, "sdpa", twin)


def test_a_target_that_all_reach(benchmark):
    races = benchmark("time_to_bayes")
    rows = races.compare(tiny_setting(races, target=1e9), budget=120, grid=(1e-3,))
    assert [r.contender for r in rows] == [races.OURS, races.ADAM, races.RAVENTOS, races.GARG]
    assert rows[0].ratio == 1
    for row in rows:
        assert row.reached
        assert row.steps == 2  # the first of the three evaluations
        assert row.seconds > 0
        assert 0 < row.worst <= 1e9
    assert ">" not in races.show(races.lines(rows))


def test_a_target_that_nobody_reaches(benchmark, monkeypatch: pytest.MonkeyPatch):
    races = benchmark("time_to_bayes")
    setting = tiny_setting(races, target=0.0)
    examination = races.Examination(setting)
    never, deadline = (math.inf, ""), time.monotonic() + 60
    mine = races.run_ours(
        races.OURS, races.network(setting), races.recipe(setting), setting,
        examination, never, deadline,
    )  # fmt: skip
    assert not mine.reached
    assert mine.stopped_by == "end of its schedule"
    assert mine.steps == setting.steps
    theirs = races.run_garg(setting, examination, (mine.seconds, "the limit"), deadline)
    assert not theirs.reached
    assert theirs.stopped_by == "the limit"
    assert theirs.seconds >= mine.seconds
    late = races.run_garg(setting, examination, never, time.monotonic() - 1)
    assert (late.stopped_by, late.steps) == ("budget", 0)
    assert math.isnan(late.ms_per_step)
    printed = races.show(races.lines([mine, theirs, late]))
    assert printed.count("censored by") == 3
    assert printed.count("unknown") == 3  # no ratio without our own time


def test_what_is_examined_is_the_average_that_is_timed(benchmark, monkeypatch):
    races = benchmark("time_to_bayes")
    setting = tiny_setting(races, target=0.0)._replace(steps=5, every=1)

    def steps(average: bool) -> list[torch.Tensor]:
        seen: list[torch.Tensor] = []

        class Seen:
            def worst(self, model):
                seen.append(torch.cat([p.detach().flatten() for p in model.parameters()]).clone())
                return 1.0, 0

        races.run_ours(
            races.OURS, races.network(setting), races.recipe(setting), setting, Seen(),
            (math.inf, ""), math.inf, average=average,
        )  # fmt: skip
        return seen

    plain, averaged = steps(average=False), steps(average=True)
    assert len(plain) == len(averaged) == 5
    expected = plain[0]
    for t, (now, seen) in enumerate(zip(plain, averaged, strict=True), start=1):
        share = (races.HISTORY + 1) / (t + races.HISTORY)  # 1 at the first step
        expected = (1 - share) * expected + share * now
        torch.testing.assert_close(seen, expected)
    assert not torch.allclose(plain[-1], averaged[-1])


def test_who_is_stopped_while_passing_is_bound_by_the_first_that_passed(benchmark):
    races = benchmark("time_to_bayes")
    setting = tiny_setting(races, target=1.1)._replace(every=1)

    class Passing:
        def worst(self, model):
            return 1.0, 0

    race = races.Race(nn.Linear(1, 1), Passing(), setting, (math.inf, ""), math.inf)
    race.between(0)
    race.between(1)
    entered = race.seconds
    race.deadline = time.monotonic() - 1
    with pytest.raises(races.Finished):
        race.between(2)
    row = race.row("x", 1.0, 1)
    assert (row.reached, row.stopped_by, row.steps) == (False, "budget", 1)
    assert row.seconds == entered < race.seconds


def test_a_race_of_several_seeds(benchmark, tmp_path: Path, monkeypatch, capsys):
    races = benchmark("time_to_bayes")
    setting = tiny_setting(races, target=1e9)
    monkeypatch.setattr(races, "Setting", lambda steps: setting)
    out = tmp_path / "races.parquet"
    races.main(["--seeds", "0", "1", "--budget", "120", "--out", str(out)])
    table = pd.read_parquet(out)
    contenders = 3 + len(races.ADAM_GRID)
    assert list(table["seed"]) == [0] * contenders + [1] * contenders
    assert (table.loc[table["contender"] == races.OURS, "ratio"] == 1).all()
    # A seed is one of weights and prompts, for every contender, the peer's included.
    assert (table.groupby(["contender", "lr"])["worst"].nunique() == 2).all()
    assert "Garg et al., lr 0.0001, seed 1" in capsys.readouterr().out


def test_the_target_is_every_exemplar_count(benchmark):
    races = benchmark("time_to_bayes")
    examination = races.Examination(tiny_setting(races, target=1.1))

    class Off(nn.Module):
        """Ridge, but off by a constant at one exemplar count."""

        def __init__(self, k: int, by: float):
            super().__init__()
            self.k, self.by = k, by

        def forward(self, x, y):
            prediction = races.ridge(x.double(), y.double(), 0.5, 1.0).prediction.clone()
            prediction[:, self.k] += self.by
            return prediction

    assert examination.worst(Off(0, 0.0))[0] == pytest.approx(1.0)
    for k in (0, 3):
        worst, where = examination.worst(Off(k, 3.0))
        assert (worst > 1.1, where) == (True, k)


def test_a_stack_trains_the_same_models(
    benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    stacks, training = benchmark("stacked"), benchmark("training")
    monkeypatch.setattr(stacks, "SIZES", {"tiny": tiny_size(training)})
    out = tmp_path / "stacked.parquet"
    small = ["--sizes", "tiny", "--models", "3", "--turns", "1", "--threads", "1"]
    stacks.main([*small, "--time", "cpu", "--out", str(out)])
    table = pd.read_parquet(out)
    assert list(table["contender"]) == [stacks.STACK, stacks.ALONE]
    assert list(table["models"]) == [3, 3]
    assert (table["apart"] < 1e-4).all()
    assert (table["models_per_minute"] > 0).all()
    assert table["speedup"][1] == 1
    assert stacks.STACK in capsys.readouterr().out
    # another model's data in one place: the losses tell
    inner = stacks.stacked_loss
    monkeypatch.setattr(stacks, "stacked_loss", lambda p, *rest: inner([p[0], *p[:-1]], *rest))
    with pytest.raises(AssertionError, match="differ by"):
        stacks.compare("tiny", tiny_size(training), 3, turns=1, matmul=8)


def test_each_change_is_one_part_of_the_recipe(benchmark):
    parts, races = benchmark("ablation"), benchmark("time_to_bayes")
    recipe, *changed = parts.changes(races.DEFAULT)
    names = [(change.part, change.choice) for change in changed]
    assert len(set(names)) == len(names)
    for change in changed:
        assert change._replace(part=recipe.part, choice=recipe.choice) != recipe
        both = change.model != recipe.model, change.training != recipe.training
        assert not all(both), change
        if any(both):
            assert (change.drawn, change.pool) == (False, None)


def test_an_ablation_compares_seeds_with_themselves(benchmark, tmp_path: Path, monkeypatch, capsys):
    parts, races = benchmark("ablation"), benchmark("time_to_bayes")
    monkeypatch.setattr(parts, "DEFAULT", tiny_setting(races, target=1e9))
    out = tmp_path / "ablation.parquet"
    words = ["--steps", "12", "--seeds", "0", "1", "--out", str(out)]
    parts.main([*words, "--parts", "block", "initialisation", "diversity"])
    table = pd.read_parquet(out)
    assert list(table["choice"])[:5] == [
        "", "GPT-2's", "outputs drawn", "64 tasks first", "1024 tasks first"
    ]  # fmt: skip
    assert list(table["seed"]) == [0] * 5 + [1] * 5
    assert table["reached"].all()
    assert (table["steps"] == 2).all()
    assert (table.loc[table["part"] == parts.THE_RECIPE, "ratio"] == 1).all()
    # Weights, prompts and what is changed all make a difference.
    assert table["worst"].nunique() == 10
    assert "time to Bayes: diversity" in capsys.readouterr().out


def test_a_part_that_there_is_not_is_refused(benchmark, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        benchmark("ablation").main(["--parts", "blok"])
    assert "invalid choice: 'blok'" in capsys.readouterr().err


def test_an_ablation_that_never_arrives_is_a_bound(benchmark):
    parts, races = benchmark("ablation"), benchmark("time_to_bayes")
    rows = list(parts.compare(tiny_setting(races, target=0.0), [0], ["clipping"]))
    assert [row.reached for row in rows] == [False, False]
    assert all(math.isnan(row.ratio) for row in rows)
    assert races.show(parts.lines(rows)).count("stopped by end of its schedule") == 2


def test_all_in_one_table(
    benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    everything = benchmark("__main__")
    threads = torch.get_num_threads()
    training, races, bayes = (benchmark(n) for n in ("training", "time_to_bayes", "bayes"))
    small = bayes.compare(batch=4, exemplars=3, dim=2, n=3, repeats=1)
    monkeypatch.setattr(bayes, "compare", lambda: small)
    guards = benchmark("guard")
    some = guards.compare(300, 1, (4,))
    monkeypatch.setattr(guards, "compare", lambda: some)
    gcg = benchmark("gcg")
    searches = [gcg.Row(c, 0, 1, 1, 1, 1.0, 1.0, 2.0, 1.0) for c in (gcg.OURS, gcg.NANO)]
    monkeypatch.setattr(gcg, "compare", lambda: searches)
    audits = benchmark("audit")
    asked = [audits.Row(c, 12, 1, 12.0, 1.0, 1.0) for c in (audits.OURS, audits.LOOP)]
    monkeypatch.setattr(audits, "compare", lambda: asked)
    stacks = benchmark("stacked")
    rows = stacks.compare("tiny", tiny_size(training), 2, turns=1, matmul=64)
    monkeypatch.setattr(stacks, "compare_all", lambda budget: rows)
    race, compare = races.compare, training.compare
    monkeypatch.setattr(
        races,
        "compare",
        lambda budget, seed: race(tiny_setting(races, 1e9), budget, (1e-3,), seed),
    )
    monkeypatch.setattr(training, "SIZES", {"tiny": tiny_size(training)})
    monkeypatch.setattr(
        training,
        "compare",
        lambda name, size, compiled, budget: compare(name, size, 1, False, budget, matmul=64),
    )
    assert everything.main(["--budget", "60", "--out", str(tmp_path)]) == 0
    assert torch.get_num_threads() == threads
    whole = capsys.readouterr().out.rpartition("\n\n")[2]  # the last table has all
    for name in everything.parts(60):
        for contender in pd.read_parquet(tmp_path / f"{name}.parquet")["contender"]:
            assert contender in whole

    def offline() -> None:
        raise OSError("no network here\nat all")

    monkeypatch.setattr(gcg, "compare", offline)
    assert everything.main(["--only", "gcg", "guard", "--out", str(tmp_path / "more")]) == 1
    out, err = capsys.readouterr()
    assert "gcg: not measured: OSError: no network here\n" in err
    assert out.endswith("gcg: not measured: OSError: no network here\n")
    assert [path.name for path in (tmp_path / "more").glob("*.parquet")] == ["guard.parquet"]


def test_the_audit_and_the_loop_answer_alike(
    benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    audit = benchmark("audit")
    out = tmp_path / "audit.parquet"
    size = ["--layers", "1", "--width", "32", "--limit", "3", "--turns", "1"]
    audit.main([*size, "--threads", "1", "--out", str(out)])
    table = pd.read_parquet(out).set_index("contender")
    assert list(table.index) == [audit.OURS, audit.LOOP]
    assert (table["samples"] == 12).all()  # three documents, four arms
    assert (table["same"] == 1.0).all()
    assert table["ratio"].iloc[0] == 1.0
    assert audit.LOOP in capsys.readouterr().out
