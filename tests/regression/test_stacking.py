"""Stacked trainings of the laboratory: the forward pass is the model's own, runs are those of
training alone, and what cannot be stacked is left."""

from pathlib import Path
from typing import Any

import pytest
import torch

from unskew.regression import fit, stacking, study
from unskew.regression.config import Finetune, Measurement, Pretrain, Study, Watched
from unskew.regression.priors import Continuous, Discrete, Mixture
from unskew.regression.protections import Replay
from unskew.regression.stacking import train_ahead
from unskew.regression.transformer import Transformer, TransformerConfig
from unskew.runs.folder import RunFolder
from unskew.runs.progress import Progress
from unskew.runs.store import Store
from unskew.runs.sweep import Ahead
from unskew.training import Adam, Muon, Training
from unskew.training.loop import CHECKPOINT
from unskew.training.stacked import stack

SHAPES: list[dict[str, Any]] = [
    {"block": "swiglu", "layout": "paired"},
    {"block": "swiglu", "layout": "interleaved", "positions": "rotary"},
    {"block": "gpt2", "layout": "interleaved"},
    {"block": "gpt2", "layout": "paired", "positions": "learned-random-offset", "capacity": 9},
]
STEPS = 50
SMALL = Pretrain(
    d=2,
    exemplars=4,
    model=TransformerConfig(layers=1, heads=2, width=16, layout="paired", block="swiglu"),
    training=Training(steps=STEPS, batch=8, optimiser=Muon()),
    threads=1,
)
QUIET = Progress("quiet")


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "-".join(map(str, shape.values())))
def test_the_forward_pass_is_the_models_own(shape: dict[str, Any]) -> None:
    config = TransformerConfig(layers=2, heads=2, width=16, **shape)
    models = []
    for seed in range(3):
        model = Transformer(config, 2, 4).double()
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for p in model.parameters():  # also those that begin at 0 or 1
                p.copy_(0.3 * torch.randn(p.shape, generator=generator, dtype=p.dtype))
        models.append(model)
    generator = torch.Generator().manual_seed(9)
    x = torch.randn(3, 5, 5, 2, generator=generator, dtype=torch.float64)
    y = torch.randn(3, 5, 5, generator=generator, dtype=torch.float64)
    firsts = [2, 0, 4] if config.positions == "learned-random-offset" else [0, 0, 0]
    together = stack(models)
    assert isinstance(together, Transformer)
    found = together(x, y, torch.tensor(firsts))
    each = [m(a, b, first) for m, a, b, first in zip(models, x, y, firsts, strict=True)]
    torch.testing.assert_close(found, torch.stack(each), rtol=1e-12, atol=1e-12)
    found.square().sum().backward()
    torch.stack(each).square().sum().backward()
    for name, p in together.named_parameters():
        alone = torch.stack([m.get_parameter(name).grad for m in models])  # type: ignore[arg-type]
        torch.testing.assert_close(p.grad, alone, rtol=1e-10, atol=1e-12)


def changed(config: Any, **changes: Any) -> Any:
    return config.model_copy(update=changes)


def trained(config: Pretrain, **changes: Any) -> Pretrain:
    return changed(config, training=changed(config.training, **changes))


def different() -> list[Pretrain]:
    """Models of one shape that differ in all that may differ."""
    discrete = Mixture(alpha=0.2, discrete=Discrete(n=3, seed=5))
    return [
        SMALL,
        changed(SMALL, seed=1, prior=Continuous(tau=0.5)),
        changed(trained(SMALL, optimiser=Muon(lr=0.003, weight_decay=0.1)), seed=2, sigma=0.1),
        changed(trained(SMALL, warmup=5, decay=0.0), prior=discrete),
    ]


def ahead(configs: list[Any], root: Path, most: int | None = None) -> list[Ahead]:
    done: dict[int, Ahead] = {}
    for group in train_ahead(configs, Store(root, shipped=False), QUIET, most):
        assert not done.keys() & group.keys()
        done |= group
    return [done[place] for place in range(len(configs))]


def alone(config: Any, root: Path) -> RunFolder:
    return study.execute(config, Store(root, shipped=False), QUIET)


def the_same(one: RunFolder, two: RunFolder) -> None:
    """The same run, within rounding."""
    assert one.id == two.id
    assert (one.config, one.parents.keys()) == (two.config, two.parents.keys())
    mine, others = (run.read_tensors(fit.MODEL)[0] for run in (one, two))
    assert mine.keys() == others.keys()
    for name, value in others.items():
        torch.testing.assert_close(mine[name], value, rtol=1e-3, atol=1e-4)
    logs = [list(run.records()) for run in (one, two)]
    assert [list(record) for record in logs[0]] == [list(record) for record in logs[1]]
    for record, other in zip(*logs, strict=True):
        for name, value in other.items():
            assert record[name] == pytest.approx(value, rel=1e-3), name
    assert one.extra["headline"] == two.extra["headline"]
    assert sorted(one.manifest()["files"]) == sorted(two.manifest()["files"])


def runs(root: Path) -> list[RunFolder]:
    return [RunFolder.read(path) for path in sorted(root.iterdir())]


@pytest.mark.parametrize("optimiser", [Muon(), Adam()], ids=["muon", "adam"])
def test_runs_are_those_of_training_alone(optimiser: Adam | Muon, tmp_path: Path) -> None:
    configs = [
        one if isinstance(optimiser, Muon) else trained(one, optimiser=Adam(lr=10.0 ** -(at + 1)))
        for at, one in enumerate(different(), start=1)
    ]
    done = ahead(configs, tmp_path / "together")
    assert [one.error for one in done] == [None] * 4
    assert len({one.seconds for one in done}) == 1
    assert done[0].seconds > 0
    assert len(runs(tmp_path / "together")) == 4
    for config in configs:
        found = alone(config, tmp_path / "together")  # is there
        assert found.extra["together"] == 4
        the_same(found, alone(config, tmp_path / "alone"))
    again = ahead(configs, tmp_path / "together")
    assert again == [Ahead()] * 4


def test_interrupted_it_goes_on_together_or_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C after 20 steps; one of the runs is then finished alone, the others together."""
    import os
    import signal

    configs, steps = different(), []
    inner = stacking.stacked_loss

    def counted(*arguments: Any) -> Any:
        loss = inner(*arguments)

        def one(*step: Any) -> torch.Tensor:
            steps.append(1)
            if len(steps) == 20:
                os.kill(os.getpid(), signal.SIGINT)
            return loss(*step)

        return one

    monkeypatch.setattr(stacking, "stacked_loss", counted)
    with pytest.raises(KeyboardInterrupt):
        ahead(configs, tmp_path / "parts")
    assert len(steps) == 20
    assert len(list((tmp_path / "parts").glob(f"*/{CHECKPOINT}.safetensors"))) == 4
    alone(configs[1], tmp_path / "parts")
    ahead(configs, tmp_path / "parts")
    assert len(steps) == STEPS
    for config in configs:
        the_same(alone(config, tmp_path / "parts"), alone(config, tmp_path / "alone"))


def test_fine_tunings_and_watched_trainings_are_stacked_too(tmp_path: Path) -> None:
    world = changed(SMALL, prior=Mixture(discrete=Discrete(n=3)))
    tuning = Training(steps=30, batch=8, optimiser=Adam(lr=1e-3))
    base = Finetune(base=world, prior=Discrete(n=3), training=tuning, trajectory=(10,), threads=1)
    other = changed(base, base=changed(world, seed=1), seed=3)
    kept = changed(base, protection=Replay())
    watched = [
        Watched(pretrain=one, watch=(0, 7, STEPS), evaluation=Measurement(prompts=64), threads=1)
        for one in different()[:2]
    ]
    configs = [base, other, kept, *watched]
    done = ahead(configs, tmp_path / "together")
    assert [one.error for one in done] == [None] * 5
    tuned = (tmp_path / "together").glob("regression-finetune-*")
    assert len(list(tuned)) == 2  # the protected one is left
    assert done[0].seconds > done[2].seconds == 0  # its base is counted with the first
    for config in configs:
        mine, other = (alone(config, tmp_path / name) for name in ("together", "alone"))
        if config is kept:
            continue
        if isinstance(
            config, Finetune
        ):  # the bases' weights differ by rounding, so do their hashes
            assert mine.id.rpartition("-")[0] == other.id.rpartition("-")[0]
            logs = [list(run.records()) for run in (mine, other)]
            assert [record["step"] for record in logs[0]] == [r["step"] for r in logs[1]]
            assert logs[0][-2]["loss"] == pytest.approx(logs[1][-2]["loss"], rel=1e-3)
        else:
            the_same(mine, other)


def test_parents_of_a_study_are_stacked(tmp_path: Path) -> None:
    small = Study(
        d=2,
        exemplars=4,
        n=2,
        alphas=(0.0, 1.0),
        model=SMALL.model,
        pretraining=SMALL.training,
        threads=1,
    )
    done = ahead([small, changed(small, evaluation=changed(small.evaluation, seed=1))], tmp_path)
    assert len(runs(tmp_path)) == 3  # alpha, and alphas
    assert done[0].seconds > 0
    assert done[1] == Ahead()  # the same parents


def test_a_diverged_one_is_named_and_the_others_are_trained(tmp_path: Path) -> None:
    tame = trained(SMALL, steps=STEPS + 10, optimiser=Adam())
    wild = trained(tame, optimiser=Adam(lr=1e8))
    first, second, third = ahead([tame, wild, changed(tame, seed=1)], tmp_path)
    assert (first.error, third.error) == (None, None)
    assert second.error is not None
    assert second.error.what.startswith("training diverged")
    assert len(list(tmp_path.glob("*/manifest.json"))) == 2


def test_what_cannot_be_stacked_is_left(tmp_path: Path) -> None:
    taken = changed(SMALL, seed=7)
    configs = [
        changed(SMALL, d=3),
        trained(SMALL, batch=4),
        trained(SMALL, clip=None),
        trained(SMALL, compile=True),
        trained(changed(SMALL, seed=1), compile=True),
    ]
    with RunFolder.open(tmp_path, taken):
        done = ahead([*configs, taken, SMALL], tmp_path)
        assert [one.error for one in done] == [None] * 7
        assert [path.parent.name for path in tmp_path.glob("*/manifest.json")] == [
            alone(SMALL, tmp_path).id
        ]


@pytest.mark.parametrize(("count", "most", "sizes"), [(9, 8, [5, 4]), (4, 8, [4]), (3, 2, [2])])
def test_stacks_are_even(count: int, most: int, sizes: list[int], tmp_path: Path) -> None:
    configs = [changed(SMALL, seed=seed) for seed in range(count)]
    groups = stacking._stacks(configs, Store(tmp_path, shipped=False), most)
    assert [len(group) for group in groups] == sizes


def groups(configs: list[Any], most: int | None = None) -> list[list[int]]:
    wanted = [
        stacking._Wanted(stacking._pretrainings(one), stacking._fine_tunings(one))
        for one in configs
    ]
    return stacking._groups(wanted, most)


def test_configurations_go_by_their_shapes_as_many_as_fill_a_stack() -> None:
    seeds = [changed(SMALL, seed=seed) for seed in range(9)]
    assert groups(seeds) == [[0, 1, 2, 3, 4], [5, 6, 7, 8]]
    assert groups(seeds, 9) == [list(range(9))]
    other = [changed(one, d=3) for one in seeds[:2]]
    assert groups([seeds[0], other[0], seeds[1], other[1]]) == [[0, 2], [1, 3]]
    tuning = Training(steps=30, batch=8, optimiser=Adam())
    tuned = [
        Finetune(base=SMALL, prior=Discrete(n=3), training=tuning, seed=seed) for seed in range(4)
    ]
    assert groups(tuned, 2) == [[0, 1], [2, 3]]
    assert groups([]) == []


def test_a_large_model_is_stacked_only_if_asked(tmp_path: Path) -> None:
    """One of it keeps the cores busy, and eight of it need eight times the memory."""
    wide = changed(SMALL, model=changed(SMALL.model, layers=12, width=128))
    pair = [wide, changed(wide, seed=1)]
    assert groups(pair) == [[0], [1]]
    assert groups(pair, 2) == [[0, 1]]
    assert stacking._stacks(pair, Store(tmp_path, shipped=False), None) == []


def test_what_diverged_for_one_group_is_not_trained_again_for_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tuning = Training(steps=5, batch=8, optimiser=Adam())
    wild = trained(SMALL, steps=STEPS + 10, optimiser=Adam(lr=1e25))
    bases = [wild, changed(wild, seed=1)]
    tuned = [
        Finetune(base=base, prior=Discrete(n=3), training=tuning, seed=seed, threads=1)
        for seed in range(4) for base in bases
    ]  # fmt: skip
    stacks: list[int] = []
    inner = stacking._train

    def counted(group: Any, *others: Any) -> None:
        stacks.append(len(group))
        inner(group, *others)

    monkeypatch.setattr(stacking, "_train", counted)
    done = ahead(tuned, tmp_path, 4)
    assert all(one.error is not None for one in done)
    assert stacks == [2]
