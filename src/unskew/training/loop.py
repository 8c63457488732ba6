"""The training loop: step -> loss -> optimisers, with schedule, guard, checkpoint and resume.

The loss is a function of the step alone (batches are pure functions of seed, stream and step), so a
checkpoint is the weights, the optimiser's state and a step number, and a resumed run repeats the
uninterrupted one bit for bit on a CPU at equal thread count.

Checkpoints follow the clock, not the step, and never change the result. Ctrl-C is held back until
the step in progress is whole and saved.
"""

import signal
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor, nn

from unskew.errors import UserError
from unskew.runs.folder import CHECKPOINT, RunFolder
from unskew.runs.progress import Task
from unskew.training import optimisers as optim
from unskew.training.config import Training
from unskew.training.machine import compiler

WINDOW = 50  # steps between looks at the loss: the guard and the log cost one device sync each


def train(
    model: nn.Module,
    loss: Callable[[int], Tensor],
    config: Training,
    *,
    matrices: Collection[nn.Parameter] = (),
    folder: RunFolder | None = None,
    task: Task | None = None,
    watch: Callable[[int], Mapping[str, object]] | None = None,
    watch_at: Collection[int] = (),
    enough: Callable[[int], bool] | None = None,
    checkpoint_seconds: float = 20.0,
) -> None:
    """Train `model` in place for `config.steps` steps.

    Args:
        loss: step -> scalar loss of that step's batch, through `model`.
        matrices: the parameters that Muon is meant for.
        folder: where to checkpoint and log; a checkpoint found there is continued.
        task: progress to advance.
        watch, watch_at: measurements logged at these step counts (0 = before training).
        enough: steps done -> whether the training ends there, before `config.steps`.

    Raises: UserError when the loss is not finite or grows past `config.diverged_above` times its
        first value; KeyboardInterrupt after saving, when interrupted.
    """
    opts = optim.build(config.optimiser, model, matrices)
    window = torch.zeros(WINDOW, device=next(model.parameters()).device)
    course = Course(config, folder)
    start, saved = course.resume()
    if saved:
        window.copy_(saved["window"])
        optim.load_state_tensors(saved, model, opts)
    if task is not None and start:
        task.resume(start)
    if config.compile:
        compiler()
        model.compile(dynamic=False)  # in place: `loss` calls the model, names stay as they are
    parameters = [p for p in model.parameters() if p.requires_grad]
    saved_at, judged = time.monotonic(), start

    def look(step: int) -> None:
        if watch is not None and folder is not None and step in watch_at:
            model.eval()
            folder.log({"step": step, **watch(step)})
            model.train()

    model.train()
    if start == 0:
        look(0)
    with held_interrupt() as interrupted:
        for step in range(start, config.steps):
            factor = optim.learning_rate_factor(step, config.steps, config.warmup, config.decay)
            optim.set_learning_rate(opts, factor)
            with autocast(config, window.device):
                value = loss(step)
            value.backward()
            if config.clip is not None:
                torch.nn.utils.clip_grad_norm_(parameters, config.clip)
            for opt in opts:
                opt.step()
                opt.zero_grad(set_to_none=True)
            window[step % WINDOW] = value.detach()

            done = step + 1
            due = time.monotonic() - saved_at > checkpoint_seconds
            if due or interrupted.is_set() or course.window_ends(done):
                course.judge(window, done, factor)
                judged = done
            if task is not None:
                task.advance(1)
            look(done)
            if enough is not None and enough(done):
                # No checkpoint says that it ended: interrupted here, the last steps are done again.
                if not course.window_ends(done):
                    course.judge(window, done, factor, ends=True)
                break
            # A look may take long: who interrupted it is heard here, at the last step too.
            stop = interrupted.is_set()
            if due or stop:
                if judged != done:
                    course.judge(window, done, factor)
                course.save(done, optim.state_tensors(model, opts) | {"window": window})
                saved_at = time.monotonic()
            if stop:
                raise KeyboardInterrupt
    model.eval()


def autocast(config: Training, device: torch.device) -> AbstractContextManager[object]:
    """The context of the forward pass that the training's precision asks for."""
    if config.precision == "bfloat16":
        return torch.autocast(device.type, torch.bfloat16)
    return nullcontext()


class Course:
    """The course of one training: whether it still learns, its log and its checkpoints.

    The loop has one; of models that train as one (`stacked`) each has its own, so that a training
    that began in either way goes on in the other.
    """

    def __init__(self, config: Training, folder: RunFolder | None) -> None:
        self.config, self.folder = config, folder
        self.first: float | None = None  # mean loss of the first window

    def resume(self) -> tuple[int, dict[str, Tensor]]:
        """Steps done and the tensors that `save` was given; (0, {}) where nothing was saved. The
        log is cut where the checkpoint was written."""
        if self.folder is None:
            return 0, {}
        if not self.folder.has_tensors(CHECKPOINT):
            self.folder.truncate_log(-1)
            return 0, {}
        tensors, meta = self.folder.read_tensors(CHECKPOINT)
        step = int(meta["step"])
        self.folder.truncate_log(step)
        self.first = float(meta["first"]) if meta["first"] else None
        return step, tensors

    def save(self, step: int, state: Mapping[str, Tensor]) -> None:
        """Write a checkpoint: the weights, the optimisers' state and the window of losses."""
        if self.folder is not None:
            meta = {"step": str(step), "first": "" if self.first is None else repr(self.first)}
            self.folder.write_tensors(CHECKPOINT, state, meta)

    def window_ends(self, done: int) -> bool:
        """Whether the loss is judged and logged after `done` steps."""
        return done % WINDOW == 0 or done == self.config.steps

    def judge(self, window: Tensor, done: int, factor: float, ends: bool = False) -> None:
        """Look at the losses since the last full window, and log their mean where one ends.

        The growth of the loss is judged on whole windows only: when a checkpoint is due hangs on
        the clock, and no result may.

        Args:
            window: (WINDOW,) the loss of step s at s % WINDOW.
            factor: share of the full learning rate in the last step.
            ends: whether the training does, so that its last window is short.

        Raises: UserError naming the first step whose loss is not finite, or the window in which it
            outgrew the limit.
        """
        full = ends or self.window_ends(done)
        mean = _guard(
            window, (done - 1) // WINDOW * WINDOW, done, self.first if full else None, self.config
        )
        if full:
            self.first = mean if self.first is None else self.first
            if self.folder is not None:
                self.folder.log({"step": done, "loss": mean, "lr_factor": factor})


def _guard(window: Tensor, lowest: int, done: int, first: float | None, config: Training) -> float:
    """Mean loss of steps lowest..done-1; raises UserError naming the first step that is not finite,
    or the window in which the loss outgrew the limit."""
    values = window[[s % WINDOW for s in range(lowest, done)]].double().cpu()
    bad = (~values.isfinite()).nonzero()
    if len(bad):
        raise UserError(
            f"training diverged: the loss is {values[bad[0, 0]].item()} at step "
            f"{lowest + int(bad[0, 0])}",
            where=repr(config),
            hint="lower the learning rate (training.optimiser.lr) or set training.clip",
        )
    mean = values.mean().item()
    # Growth is told as a ratio, which a loss that begins at 0 or below has not.
    if first is not None and first > 0 and mean > config.diverged_above * first:
        raise UserError(
            f"training diverged: the loss rose from {first:.4g} to {mean:.4g} by step {done}",
            where=repr(config),
            hint="lower the learning rate (training.optimiser.lr) or raise training.diverged_above",
        )
    return mean


@contextmanager
def held_interrupt() -> Iterator[threading.Event]:
    """Turn Ctrl-C into an event for the block; a second Ctrl-C interrupts at once. Who leaves the
    block without having looked is interrupted then. Outside the main thread signals cannot be
    caught, and the event is never set."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return

    def handler(number: int, frame: object) -> None:
        if event.is_set():
            raise KeyboardInterrupt
        event.set()

    before = signal.signal(signal.SIGINT, handler)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)
    if event.is_set():
        raise KeyboardInterrupt


@contextmanager
def interrupted_at_once() -> Iterator[None]:
    """Within `held_interrupt`, for what takes minutes and keeps its own state: Ctrl-C ends it at
    once. What the training did since its last checkpoint is done again."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
