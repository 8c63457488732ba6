"""Many small models at once: M models of one shape train as one.

A small model leaves a machine waiting: each of its operations takes less time than starting it.
Here each parameter of M models is one tensor (M, ...), so an operation works on all of them:

    models                ->  stack(models), a module of their kind with parameters (M, ...)
    loss(stack, ...)      ->  M losses, of which the sum's gradient is each model's own
    gradients, optimisers ->  clipped, scheduled and stepped model by model (`optimisers`)

The models may differ in seed, data, learning rate, weight decay and schedule; `shared` is what must
agree. What a model becomes is what `loop.train` makes of it alone, within rounding: its log, guard
and checkpoints are a `Course` of its own, so a training that began alone goes on in a stack and the
other way round. A model that diverges or is finished leaves the stack, and the others go on.

Where an operation of one model fills the machine already, little is to be gained: on a CPU, models
of width 64 with batches of 128 prompts are such (`python -m benchmarks.stacked`).
"""

import copy
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.func import stack_module_state

from unskew.errors import UserError
from unskew.runs.folder import RunFolder
from unskew.runs.progress import Task
from unskew.training import optimisers as optim
from unskew.training.config import Training
from unskew.training.loop import WINDOW, Course, autocast, held_interrupt

State = dict[str, Tensor]

StackedLoss = Callable[[nn.Module, Sequence[int], Sequence[int]], Tensor]
"""(the stack, the numbers of the members in it, the step of each) -> their losses, (M,)."""


class Member(NamedTuple):
    """One of the models that train as one.

    Attributes:
        model: trained in place; all its parameters are trained.
        config: its training, the same as the others' but for what `shared` leaves out.
        folder: where to checkpoint and log; a checkpoint found there is continued.
        watch, watch_at: measurements of `model` logged at these step counts (0 = before training).
        finish: called as soon as `model` is trained, while others may go on.
    """

    model: nn.Module
    config: Training
    folder: RunFolder | None = None
    watch: Callable[[], Mapping[str, object]] | None = None
    watch_at: Collection[int] = ()
    finish: Callable[[], None] = lambda: None


def shared(config: Training) -> Training:
    """What must agree between trainings of one stack: equal results may go together."""
    free = {"steps": 0, "warmup": 0, "decay": 0.0, "diverged_above": 10.0}
    return config.model_copy(update={**free, "optimiser": optim.shared(config.optimiser)})


def stack(models: Sequence[nn.Module]) -> nn.Module:
    """A module like the models, each parameter (M, ...) being theirs; nothing is shared with them.

    Raises: ValueError for models that have buffers; RuntimeError where shapes differ.
    """
    weights, buffers = stack_module_state(list(models))
    if buffers:
        raise ValueError(f"models with buffers cannot be stacked: {', '.join(buffers)}")
    together = copy.deepcopy(models[0])
    for name, value in weights.items():
        owner, _, leaf = name.rpartition(".")
        setattr(together.get_submodule(owner), leaf, nn.Parameter(value.detach()))
    return together


def train_stacked(
    members: Sequence[Member],
    loss: StackedLoss,
    *,
    matrices: Callable[[nn.Module], Iterable[nn.Parameter]] = lambda stack: (),
    task: Task | None = None,
    checkpoint_seconds: float = 20.0,
) -> list[UserError | None]:
    """Train the members' models in place, each for the steps of its own configuration.

    Args:
        loss: see `StackedLoss`. Each model's loss may depend on that model alone.
        matrices: the parameters of a stack that Muon is meant for.
        task: progress to advance, by one for each model and step.

    Returns: for each member why its training ended early (its loss is not finite or grew past its
        limit, in the words of `loop.train`), or None: its model is trained.

    Raises: KeyboardInterrupt after saving, when interrupted; ValueError where the configurations
        differ in what `shared` says must agree, or ask for torch.compile.
    """
    if any(shared(member.config) != shared(members[0].config) for member in members):
        raise ValueError("the trainings of one stack must agree in all that `shared` keeps")
    if any(member.config.compile for member in members):
        raise ValueError("a stack of models is not compiled")
    courses = [Course(member.config, member.folder) for member in members]
    steps: list[int] = []
    states: list[State] = []
    for member, course in zip(members, courses, strict=True):
        start, saved = course.resume()
        steps.append(start)
        states.append(saved or _fresh(member.model))
    if task is not None and any(steps):
        task.resume(sum(steps))
    errors: list[UserError | None] = [None] * len(members)
    saved_at = time.monotonic()
    group: _Stack | None = None

    def look(row: int, state: Callable[[], State]) -> None:
        member = members[row]
        if member.watch is None or member.folder is None or steps[row] not in member.watch_at:
            return
        _into(member.model, state())
        member.model.eval()
        member.folder.log({"step": steps[row], **member.watch()})

    for row, start in enumerate(steps):
        if start == 0:
            look(row, lambda row=row: states[row])
    rows = list(range(len(members)))  # the members that still train
    with held_interrupt() as interrupted:
        while True:
            over = [row for row in rows if steps[row] >= members[row].config.steps]
            if over or any(errors[row] for row in rows):
                if group is not None:
                    for row, state in zip(rows, group.split(), strict=True):
                        states[row] = state
                for row in over:
                    if errors[row] is None:
                        _into(members[row].model, states[row])
                        members[row].model.eval()
                        members[row].finish()
                rows = [row for row in rows if row not in over and errors[row] is None]
                group = None
            if not rows:
                return errors
            if group is None:
                group = _Stack([(members[row], states[row]) for row in rows], matrices)
            factors = [_factor(members[row].config, steps[row]) for row in rows]
            group.step(loss, rows, [steps[row] for row in rows], factors)
            due = time.monotonic() - saved_at > checkpoint_seconds
            stop = interrupted.is_set()
            for row in rows:
                steps[row] += 1
            judged = [due or stop or courses[row].window_ends(steps[row]) for row in rows]
            windows = group.window.detach().cpu() if any(judged) else group.window
            for at, row in enumerate(rows):
                try:
                    if judged[at]:
                        courses[row].judge(windows[at], steps[row], factors[at])
                except UserError as error:
                    errors[row] = error
                else:
                    look(row, lambda at=at, group=group: group.split()[at])
            if task is not None:
                task.advance(len(rows))
            if due or stop:
                for row, state in zip(rows, group.split(), strict=True):
                    if errors[row] is None:
                        courses[row].save(steps[row], state)
                saved_at = time.monotonic()
            if stop:
                raise KeyboardInterrupt


class _Stack:
    """The models that still train: their stacked weights, optimisers and losses (M, WINDOW)."""

    def __init__(
        self,
        parts: Sequence[tuple[Member, State]],
        matrices: Callable[[nn.Module], Iterable[nn.Parameter]],
    ) -> None:
        self.config = parts[0][0].config
        self.model = stack([member.model.train() for member, _ in parts])
        self.parameters = list(self.model.parameters())
        self.device = self.parameters[0].device
        self.optimisers = optim.build_of_many(
            [member.config.optimiser for member, _ in parts], self.model, matrices(self.model)
        )
        states = [state for _, state in parts]
        # What a model that has taken no step lacks is zero in all optimisers: moments, step counts.
        known = {name: value for state in states for name, value in state.items()}
        whole = {
            name: torch.stack(
                [state.get(name, torch.zeros_like(value)).to(self.device) for state in states]
            )
            for name, value in known.items()
        }
        self.window = whole.pop("window")
        optim.load_state_tensors(whole, self.model, self.optimisers)

    def step(
        self, loss: StackedLoss, rows: Sequence[int], steps: Sequence[int], factors: Sequence[float]
    ) -> None:
        """One step of every model: `steps` before it, `factors` of the full learning rates."""
        rates = sent(torch.tensor(factors, dtype=torch.float64), self.device)
        optim.set_learning_rate(self.optimisers, rates)
        with autocast(self.config, self.device):
            values = loss(self.model, rows, steps)
        values.sum().backward()
        if self.config.clip is not None:
            _clip(self.parameters, self.config.clip)
        for optimiser in self.optimisers:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        places = sent(torch.tensor([step % WINDOW for step in steps]), self.device)
        self.window.scatter_(1, places[:, None], values.detach()[:, None].to(self.window.dtype))

    def split(self) -> list[State]:
        """What a checkpoint of each model alone would hold; views, good until the next step."""
        whole = optim.state_tensors(self.model, self.optimisers) | {"window": self.window}
        return [
            {name: value[at] for name, value in whole.items()} for at in range(len(self.window))
        ]


def sent(values: Tensor, device: torch.device) -> Tensor:
    """`values` there. From pinned memory, as a copy from any other makes the host wait for all that
    a GPU still has to do: the steps after it could not be prepared meanwhile."""
    if device.type != "cuda":
        return values.to(device)
    return values.pin_memory().to(device, non_blocking=True)


def _fresh(model: nn.Module) -> State:
    """The state of a model that has taken no step."""
    device = next(model.parameters()).device
    return optim.state_tensors(model, []) | {"window": torch.zeros(WINDOW, device=device)}


def _into(model: nn.Module, state: State) -> None:
    optim.load_state_tensors({k: v for k, v in state.items() if k.startswith("model/")}, model, [])


def _factor(config: Training, step: int) -> float:
    return optim.learning_rate_factor(step, config.steps, config.warmup, config.decay)


def _clip(parameters: Sequence[nn.Parameter], largest: float) -> None:
    """`torch.nn.utils.clip_grad_norm_`, for each of the M models by its own norm."""
    grads = [p.grad for p in parameters if p.grad is not None]
    norms = torch.stack([torch.linalg.vector_norm(g.reshape(len(g), -1), dim=1) for g in grads])
    factors = (largest / (torch.linalg.vector_norm(norms, dim=0) + 1e-6)).clamp(max=1.0)
    for g in grads:
        g.mul_(optim.of_each(factors, g))
