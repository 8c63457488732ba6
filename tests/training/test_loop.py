"""The loop: resumed = uninterrupted bit for bit, the guard names the step, Ctrl-C saves."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from unskew.errors import UserError
from unskew.runs.config import Frozen
from unskew.runs.folder import RunFolder
from unskew.training import Adam, Muon, Training, train
from unskew.training.loop import CHECKPOINT, WINDOW, held_interrupt


class Toy(Frozen):
    kind: str = "toy"
    training: Training = Training(steps=130, batch=4, optimiser=Muon())


def toy_model() -> nn.Module:
    model = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(0.3 * torch.randn(p.shape, generator=generator))
    return model


def toy_loss(model: nn.Module):
    def loss(step: int) -> torch.Tensor:
        x = torch.randn(4, 3, generator=torch.Generator().manual_seed(step))
        return (model(x).squeeze(-1) - x.sum(-1)).square().mean()

    return loss


def weights(model: nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def run(
    root: Path,
    config: Toy,
    interrupt_at: int | None = None,
    looking_at: int | None = None,
    asked: list[int] | None = None,
) -> tuple[nn.Module, list[dict]]:
    """Train into a run folder; raise SIGINT during step `interrupt_at`, or while it is looked at
    after `looking_at` steps. Returns model and log; the steps that were done go into `asked`."""
    model: Any = toy_model()
    inner = toy_loss(model)

    def loss(step: int) -> torch.Tensor:
        if asked is not None:
            asked.append(step)
        if step == interrupt_at:
            os.kill(os.getpid(), signal.SIGINT)
        return inner(step)

    def watch(step: int) -> dict[str, object]:
        if step == looking_at:
            os.kill(os.getpid(), signal.SIGINT)
        return {"norm": float(weights(model).norm())}

    with RunFolder.open(root, config) as folder:
        train(
            model,
            loss,
            config.training,
            matrices=[model[2].weight],
            folder=folder,
            watch=watch,
            watch_at={0, 60, 130},
        )
        return model, list(folder.records())


@pytest.mark.parametrize("optimiser", [Muon(), Adam()], ids=["muon", "adam"])
@pytest.mark.parametrize("at", [0, 1, 49, 50, 59, 60, 77, 129])
def test_resumed_equals_uninterrupted(tmp_path: Path, optimiser: Muon | Adam, at: int):
    config = Toy(training=Training(steps=130, batch=4, optimiser=optimiser, warmup=10))
    whole, log = run(tmp_path / "whole", config)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "parts", config, interrupt_at=at)
    asked: list[int] = []  # a restart from nothing would end with the same weights too
    resumed, resumed_log = run(tmp_path / "parts", config, asked=asked)
    assert asked == list(range(at + 1, 130))
    assert torch.equal(weights(whole), weights(resumed))
    assert log == resumed_log
    assert not torch.equal(weights(whole), weights(toy_model()))


@pytest.mark.parametrize("at", [60, 130])
def test_interrupted_while_looked_at_it_is_saved_too(tmp_path: Path, at: int) -> None:
    whole, log = run(tmp_path / "whole", Toy())
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "parts", Toy(), looking_at=at)
    asked: list[int] = []
    model: Any = toy_model()
    with RunFolder.open(tmp_path / "parts", Toy()) as folder:
        inner = toy_loss(model)
        train(
            model,
            lambda step: asked.append(step) or inner(step),
            Toy().training,
            matrices=[model[2].weight],
            folder=folder,
            watch=lambda step: {"norm": float(weights(model).norm())},
            watch_at={0, 60, 130},
        )
        assert list(folder.records()) == log
    assert asked == list(range(at, 130))
    assert torch.equal(weights(whole), weights(model))


@pytest.mark.parametrize("at", [20, 65])
def test_a_training_that_ends_early_is_one_of_fewer_steps(tmp_path: Path, at: int) -> None:
    """Interrupted in its last step too, the last steps of which are then done again."""

    def ended(root: Path, kill: bool = False) -> tuple[Any, list[Any]]:
        model: Any = toy_model()

        def enough(step: int) -> bool:
            if step == at and kill:
                os.kill(os.getpid(), signal.SIGINT)
            return step == at

        config = Toy().training.model_copy(update={"decay": 0.0})
        with RunFolder.open(root, Toy()) as folder:
            loss = toy_loss(model)
            train(model, loss, config, folder=folder, enough=enough, checkpoint_seconds=0.0)
            return model, list(folder.records())

    model, log = ended(tmp_path / "early")
    other: Any = toy_model()
    fewer = Toy().training.model_copy(update={"decay": 0.0, "steps": at})
    train(other, toy_loss(other), fewer)
    assert torch.equal(weights(model), weights(other))
    assert [record["step"] for record in log] == [step for step in (50, at) if step <= at]
    with pytest.raises(KeyboardInterrupt):
        ended(tmp_path / "parts", kill=True)
    resumed, again = ended(tmp_path / "parts")
    assert torch.equal(weights(resumed), weights(model))
    assert again == log


@pytest.mark.parametrize(("begins", "told"), [(0.1, True), (0.0, False), (-0.1, False)])
def test_growth_is_asked_of_losses_that_begin_above_zero(begins: float, told: bool) -> None:
    model = toy_model()

    def loss(step: int) -> torch.Tensor:
        return 0.0 * weights_with_gradients(model) + (begins if step < WINDOW else 5.0)

    config = Training(steps=2 * WINDOW, optimiser=Adam())
    if told:
        with pytest.raises(UserError, match=r"the loss rose from 0\.1 to 5 by step 100"):
            train(model, loss, config)
    else:
        train(model, loss, config)


def weights_with_gradients(model: nn.Module) -> torch.Tensor:
    return torch.stack([p.sum() for p in model.parameters()]).sum()


def test_who_did_not_look_is_interrupted_at_the_end() -> None:
    with pytest.raises(KeyboardInterrupt), held_interrupt():
        os.kill(os.getpid(), signal.SIGINT)
    with held_interrupt() as interrupted:
        pass
    assert not interrupted.is_set()


KILLED = """
import sys, time
from pathlib import Path
from typing import Any
sys.path.insert(0, {here!r})
from test_loop import Toy, toy_loss, toy_model
from unskew.runs.folder import RunFolder
from unskew.training import train
model = toy_model()
inner = toy_loss(model)
def loss(step):
    print(step, flush=True)
    time.sleep(0.005)
    return inner(step)
config = Toy()
with RunFolder.open(Path(sys.argv[1]), config) as folder:
    train(model, loss, config.training, matrices=[model[2].weight], folder=folder,
          watch=lambda step: {{"norm": float(sum(p.norm() for p in model.parameters()))}},
          watch_at=(0,), checkpoint_seconds=0.02)
"""


def test_killed_run_continues_bit_for_bit(tmp_path: Path):
    whole, _ = run(tmp_path / "whole", Toy())
    script = KILLED.format(here=str(Path(__file__).parent))
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "parts")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) >= 70:
            break
    process.kill()
    process.wait()
    process.stdout.close()
    (folder,) = (tmp_path / "parts").iterdir()
    assert (folder / f"{CHECKPOINT}.safetensors").exists()
    assert not (folder / "manifest.json").exists()
    asked: list[int] = []
    resumed, log = run(tmp_path / "parts", Toy(), asked=asked)
    assert asked[0] > 0
    assert asked == list(range(asked[0], 130))
    assert torch.equal(weights(whole), weights(resumed))
    steps = [record["step"] for record in log if "loss" in record]
    assert steps == [WINDOW, 2 * WINDOW, 130]


def test_not_a_number_stops_with_the_step_and_the_config():
    model = toy_model()
    inner = toy_loss(model)

    def loss(step: int) -> torch.Tensor:
        return inner(step) * (float("nan") if step == 57 else 1.0)

    with pytest.raises(UserError, match="nan at step 57") as caught:
        train(model, loss, Toy().training)
    assert "steps=130" in str(caught.value)


def test_divergence_stops():
    model = toy_model()
    inner = toy_loss(model)

    def loss(step: int) -> torch.Tensor:
        return inner(step) * (1e3 if step >= WINDOW else 1.0)

    with pytest.raises(UserError, match=f"loss rose from .* by step {2 * WINDOW}"):
        train(model, loss, Training(steps=500, batch=4))


def test_training_lowers_the_loss():
    model = toy_model()
    loss = toy_loss(model)
    before = sum(loss(s).item() for s in range(1000, 1050))
    train(model, loss, Training(steps=300, batch=4, optimiser=Adam(lr=0.01)))
    after = sum(loss(s).item() for s in range(1000, 1050))
    assert after < 0.2 * before


def test_no_steps_leave_the_model_alone(tmp_path: Path):
    model, log = run(tmp_path, Toy(training=Training(steps=0)))
    assert torch.equal(weights(model), weights(toy_model()))
    assert [record["step"] for record in log] == [0]


def test_library_use_off_the_main_thread():
    import threading

    model, failures = toy_model(), []

    def work() -> None:
        try:
            train(model, toy_loss(model), Training(steps=5))
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert not failures
    assert not torch.equal(weights(model), weights(toy_model()))


def test_checkpoints_do_not_change_the_result(tmp_path: Path):
    config = Toy()
    plain, _ = run(tmp_path / "a", config)
    model: Any = toy_model()
    with RunFolder.open(tmp_path / "b", config) as folder:
        train(
            model,
            toy_loss(model),
            config.training,
            matrices=[model[2].weight],
            folder=folder,
            checkpoint_seconds=0.0,
        )
    assert torch.equal(weights(plain), weights(model))
