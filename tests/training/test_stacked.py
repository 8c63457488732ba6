"""Models that train as one become what each becomes alone: weights, log, checkpoint, divergence."""

import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from unskew.errors import UserError
from unskew.runs.config import Frozen
from unskew.runs.folder import RunFolder
from unskew.training import Adam, Muon, Training, train
from unskew.training.loop import CHECKPOINT
from unskew.training.stacked import Member, shared, stack, train_stacked

STEPS = 50


class Toy(Frozen):
    kind: str = "toy"
    seed: int = 0
    training: Training = Training(steps=STEPS, batch=4)


def network(seed: int, dtype: torch.dtype) -> nn.Module:
    model = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 6), nn.Tanh(), nn.Linear(6, 1))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(0.5 * torch.randn(p.shape, generator=generator))
    return model.to(dtype)


def hidden(model: Any) -> list[nn.Parameter]:
    return [model[2].weight]


def data(seed: int, step: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    x = torch.randn(4, 3, generator=torch.Generator().manual_seed(1000 * seed + step)).to(dtype)
    return x, (1 + seed) * x.sum(-1)


class Runs(NamedTuple):
    """Several toys, trained in a folder either way; `spoilt` has a loss that is nan at a step."""

    root: Path
    configs: Sequence[Toy]
    dtype: torch.dtype = torch.float64
    spoilt: dict[int, int] = {}  # noqa: RUF012

    def alone(self, at: int, interrupt: int | None = None) -> tuple[nn.Module, list[dict]]:
        config = self.configs[at]
        model = network(config.seed, self.dtype)

        def loss(step: int) -> Tensor:
            if step == interrupt:
                os.kill(os.getpid(), signal.SIGINT)
            x, y = data(config.seed, step, self.dtype)
            value = (model(x).squeeze(-1) - y).square().mean()
            return value * float("nan") if self.spoilt.get(at) == step else value

        with RunFolder.open(self.root, config) as folder:
            train(
                model,
                loss,
                config.training,
                matrices=hidden(model),
                folder=folder,
                watch=lambda step: {"norm": norm(model)},
                watch_at=(0, 20, config.training.steps),
            )
            return model, list(folder.records())

    def together(
        self, interrupt: int | None = None, seconds: float = 20.0
    ) -> tuple[list[nn.Module], list[list[dict]], list[UserError | None], list[int]]:
        """Models, logs, errors, and the order in which they were finished."""
        models = [network(config.seed, self.dtype) for config in self.configs]
        folders = [RunFolder.open(self.root, config) for config in self.configs]
        finished: list[int] = []
        calls = 0

        def loss(one: nn.Module, rows: Sequence[int], steps: Sequence[int]) -> Tensor:
            nonlocal calls
            if calls == interrupt:
                os.kill(os.getpid(), signal.SIGINT)
            calls += 1
            seeds = [self.configs[row].seed for row in rows]
            parts = [data(seed, step, self.dtype) for seed, step in zip(seeds, steps, strict=True)]
            x, y = (torch.stack(part) for part in zip(*parts, strict=True))

            def forward(weights: dict[str, Tensor], x: Tensor) -> Tensor:
                return functional_call(models[0], weights, (x,))

            answers = vmap(forward)(dict(one.named_parameters()), x)
            values = (answers.squeeze(-1) - y).square().mean(-1)
            wrong = [self.spoilt.get(r) == step for r, step in zip(rows, steps, strict=True)]
            return values * torch.tensor([float("nan") if one else 1.0 for one in wrong])

        members = [
            Member(
                model,
                config.training,
                folder,
                watch=lambda model=model: {"norm": norm(model)},
                watch_at=(0, 20, config.training.steps),
                finish=lambda at=at: finished.append(at),
            )
            for at, (model, config, folder) in enumerate(
                zip(models, self.configs, folders, strict=True)
            )
        ]
        try:
            errors = train_stacked(members, loss, matrices=hidden, checkpoint_seconds=seconds)
            return models, [list(folder.records()) for folder in folders], errors, finished
        finally:
            for folder in folders:
                folder.close()


def norm(model: nn.Module) -> float:
    return float(sum(p.detach().square().sum() for p in model.parameters()))


def weights(model: nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def same(one: tuple[nn.Module, list[dict]], two: tuple[nn.Module, list[dict]], rtol: float) -> None:
    """The same weights and the same log, within rounding."""
    torch.testing.assert_close(weights(one[0]), weights(two[0]), rtol=rtol, atol=rtol)
    same_log(one[1], two[1], rtol)


def same_log(one: list[dict], two: list[dict], rtol: float) -> None:
    for mine, other in zip(one, two, strict=True):
        assert list(mine) == list(other)
        assert mine == pytest.approx(other, rel=max(rtol, 1e-6))  # windows of losses are float32


def adam(rates: Sequence[float], decay: float = 0.0, **rest: Any) -> list[Toy]:
    found = [Adam(lr=lr, weight_decay=at * decay) for at, lr in enumerate(rates)]
    return toys(found, **rest)


def muon(rates: Sequence[float], decay: float = 0.0, **rest: Any) -> list[Toy]:
    found = [
        Muon(lr=lr, weight_decay=at * decay, other=Adam(lr=lr / 5, beta2=0.99))
        for at, lr in enumerate(rates)
    ]
    return toys(found, **rest)


def toys(optimisers: Sequence[Adam | Muon], **rest: Any) -> list[Toy]:
    settings: dict[str, Any] = {"steps": STEPS, "batch": 4, "warmup": 5} | rest
    return [
        Toy(seed=seed, training=Training(optimiser=optimiser, **settings))
        for seed, optimiser in enumerate(optimisers)
    ]


BOTH = pytest.mark.parametrize("make", [adam, muon], ids=["adam", "muon"])
Make = Callable[..., list[Toy]]


@BOTH
@pytest.mark.parametrize(
    ("dtype", "rtol"),
    [(torch.float64, 1e-10), (torch.float32, 1e-4)],
    ids=["float64", "float32"],
)
@pytest.mark.parametrize("clip", [None, 0.5])
def test_equal_to_training_alone(
    make: Make, dtype: torch.dtype, rtol: float, clip: float | None, tmp_path: Path
) -> None:
    """Three models: seeds, data, learning rates and weight decays differ; so do their gradients'
    norms, of which some are clipped."""
    configs = make([0.01, 0.03, 0.02], decay=0.5, clip=clip)
    models, logs, errors, finished = Runs(tmp_path / "together", configs, dtype).together()
    assert errors == [None] * 3
    assert finished == [0, 1, 2]
    alone = Runs(tmp_path / "alone", configs, dtype)
    for at in range(3):
        same((models[at], logs[at]), alone.alone(at), rtol)
        assert not torch.equal(weights(models[at]), weights(network(at, dtype)))


@BOTH
def test_a_model_that_ends_sooner_leaves_the_others_alone(make: Make, tmp_path: Path) -> None:
    configs = make([0.01, 0.01, 0.01])
    lengths = [30, 0, 60]
    configs = [
        config.model_copy(update={"training": config.training.model_copy(update={"steps": steps})})
        for config, steps in zip(configs, lengths, strict=True)
    ]
    models, logs, errors, finished = Runs(tmp_path / "together", configs).together()
    assert errors == [None] * 3
    assert finished == [1, 0, 2]
    alone = Runs(tmp_path / "alone", configs)
    for at in range(3):
        same((models[at], logs[at]), alone.alone(at), 1e-10)


@BOTH
def test_a_model_that_diverges_stops_nobody_else(make: Make, tmp_path: Path) -> None:
    configs = make([0.01, 0.01, 0.01], steps=120)
    spoilt = {1: 57}
    models, logs, errors, finished = Runs(tmp_path / "together", configs, spoilt=spoilt).together()
    assert finished == [0, 2]
    alone = Runs(tmp_path / "alone", configs, spoilt=spoilt)
    with pytest.raises(UserError, match="nan at step 57") as caught:
        alone.alone(1)
    assert str(errors[1]) == str(caught.value)
    with RunFolder.open(alone.root, configs[1]) as folder:
        same_log(logs[1], list(folder.records()), 1e-10)
    for at in (0, 2):
        assert errors[at] is None
        same((models[at], logs[at]), alone.alone(at), 1e-10)


def test_a_learning_rate_that_is_too_large_is_told_as_alone(tmp_path: Path) -> None:
    configs = adam([0.01, 1e3], steps=150, warmup=120, clip=None, diverged_above=1.5)
    *_, errors, finished = Runs(tmp_path / "together", configs).together()
    assert finished == [0]
    with pytest.raises(UserError, match="training diverged: the loss rose from") as caught:
        Runs(tmp_path / "alone", configs).alone(1)
    assert errors[1] is not None
    assert errors[1].what == caught.value.what


@BOTH
@pytest.mark.parametrize("at", [0, 20, 33])
def test_interrupted_together_it_goes_on_together_or_alone(
    make: Make, at: int, tmp_path: Path
) -> None:
    configs = make([0.01, 0.02])
    with pytest.raises(KeyboardInterrupt):
        Runs(tmp_path / "a", configs).together(interrupt=at)
    with pytest.raises(KeyboardInterrupt):
        Runs(tmp_path / "b", configs).together(interrupt=at)
    again, logs, errors, _ = Runs(tmp_path / "a", configs).together()
    assert errors == [None, None]
    whole, whole_logs, *_ = Runs(tmp_path / "whole", configs).together()
    for row in range(2):
        assert torch.equal(weights(again[row]), weights(whole[row]))
        assert logs[row] == whole_logs[row]
        alone = Runs(tmp_path / "alone", configs).alone(row)
        same(Runs(tmp_path / "b", configs).alone(row), alone, 1e-10)


@BOTH
def test_begun_alone_it_goes_on_together(make: Make, tmp_path: Path) -> None:
    """One had 21 steps, one 41, one none: each goes on from its own."""
    configs = make([0.01, 0.02, 0.03])
    runs = Runs(tmp_path / "runs", configs)
    for row, at in ((0, 20), (1, 40)):
        with pytest.raises(KeyboardInterrupt):
            runs.alone(row, interrupt=at)
    models, logs, errors, finished = runs.together()
    assert errors == [None] * 3
    assert finished == [1, 0, 2]
    alone = Runs(tmp_path / "alone", configs)
    for row in range(3):
        same((models[row], logs[row]), alone.alone(row), 1e-10)


def test_checkpoints_do_not_change_the_result_and_are_the_loops(tmp_path: Path) -> None:
    configs = muon([0.01, 0.02])
    plain, *_ = Runs(tmp_path / "a", configs).together()
    often, *_ = Runs(tmp_path / "b", configs).together(seconds=0.0)
    for row, config in enumerate(configs):
        assert torch.equal(weights(plain[row]), weights(often[row]))
        with pytest.raises(KeyboardInterrupt):
            Runs(tmp_path / "c", configs).alone(row, interrupt=STEPS - 1)
        with (
            RunFolder.open(tmp_path / "b", config) as mine,
            RunFolder.open(tmp_path / "c", config) as loops,
        ):
            (one, meta), (two, loops_meta) = (
                folder.read_tensors(CHECKPOINT) for folder in (mine, loops)
            )
        assert meta["step"] == loops_meta["step"] == str(STEPS)
        assert float(meta["first"]) == pytest.approx(float(loops_meta["first"]))
        assert one.keys() == two.keys()
        for name, value in two.items():
            torch.testing.assert_close(one[name], value, rtol=1e-6, atol=1e-9)


def test_what_must_agree() -> None:
    training = Training(optimiser=Muon(lr=0.1, other=Adam(lr=0.2)), steps=7, warmup=3)
    other = Training(optimiser=Muon(lr=0.3, weight_decay=0.1), steps=9, decay=0.0)
    alike = training.model_copy(update={"optimiser": Muon(other=Adam(beta2=0.999))})
    assert shared(training) != shared(other)  # the other parameters' beta2
    assert shared(alike) == shared(training)
    for change in ({"clip": 2.0}, {"batch": 3}, {"optimiser": Adam()}, {"precision": "bfloat16"}):
        changed = training.model_copy(update=change)
        assert shared(changed) != shared(training)
        members = [Member(network(0, torch.float32), one) for one in (training, changed)]
        with pytest.raises(ValueError, match="must agree"):
            train_stacked(members, lambda *_: torch.zeros(2))
    compiled = training.model_copy(update={"compile": True})
    with pytest.raises(ValueError, match="not compiled"):
        train_stacked([Member(network(0, torch.float32), compiled)], lambda *_: torch.zeros(1))


def test_a_stack_is_a_copy() -> None:
    models = [network(seed, torch.float32) for seed in range(3)]
    together = stack(models)
    for name, p in together.named_parameters():
        assert torch.equal(p, torch.stack([model.get_parameter(name) for model in models]))
    with torch.no_grad():
        next(together.parameters()).zero_()
    assert torch.equal(weights(models[0]), weights(network(0, torch.float32)))
    with pytest.raises(ValueError, match="buffers"):
        stack([nn.BatchNorm1d(2), nn.BatchNorm1d(2)])


def test_library_use_needs_no_folder() -> None:
    config = Training(steps=3, optimiser=Adam(lr=0.01))
    models = [network(seed, torch.float32) for seed in range(2)]
    before = [weights(model) for model in models]

    def loss(one: Any, rows: Sequence[int], steps: Sequence[int]) -> Tensor:
        return sum(p.square().flatten(1).sum(1) for p in one.parameters())  # type: ignore[return-value]

    assert train_stacked([Member(model, config) for model in models], loss) == [None, None]
    for model, old in zip(models, before, strict=True):
        assert weights(model).norm() < old.norm()
