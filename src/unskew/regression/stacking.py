"""Trainings of one shape, trained as one: what a sweep does ahead of its cells.

    train_ahead(configs)   the trainings that the configurations need, in stacks of one shape

Pretrainings go first, then plain fine-tunings of models that are there. Each becomes the run that
it would have become alone, in its own folder: the same id, weights equal within rounding, and
either way continues what the other began. What cannot be stacked is left to whoever runs the
configurations next: a shape that occurs once, a large model unless asked for, a protected
fine-tuning, `training.compile`, a run that another process writes.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import NamedTuple

import torch
from torch import Tensor, nn

from unskew.errors import UserError
from unskew.regression import fit
from unskew.regression.config import Experiment, Finetune, Pretrain, Watched
from unskew.regression.prompts import PromptStream
from unskew.regression.protections import Plain
from unskew.regression.study import WEIGHTS, needs, placed
from unskew.regression.transformer import Transformer
from unskew.runs.folder import RunFolder
from unskew.runs.identity import canonical, run_id
from unskew.runs.progress import Progress
from unskew.runs.store import Store
from unskew.runs.sweep import Ahead
from unskew.training.config import Training
from unskew.training.machine import prepare
from unskew.training.stacked import Member, StackedLoss, sent, shared, train_stacked

Trained = Pretrain | Watched | Finetune


MOST = 8
"""Models in a stack where nobody says how many: twice as many gained little (benchmarks)."""
LARGEST = 1_000_000
"""Weights of a model that is stacked unasked: a larger one keeps the cores busy by itself, and a
stack of them takes as many times its memory."""


def train_ahead(
    configs: Sequence[Experiment], store: Store, progress: Progress, most: int | None = None
) -> Iterator[dict[int, Ahead]]:
    """Train what the configurations need, at most `most` models of one shape at once.

    Args:
        most: None: `MOST` models of `LARGEST` weights at most; larger ones are left alone.

    Yields: for one group of configurations after another, by their places, what was done for each.
        A model that several need is counted with the first of them; each model's time is its share
        of the stack's.

    Raises: KeyboardInterrupt: interrupted, everything saved; the same call continues.
    """
    configs = [placed(config) for config in configs]
    wanted = [_Wanted(_pretrainings(config), _fine_tunings(config)) for config in configs]
    errors: dict[str, UserError] = {}
    for places in _groups(wanted, most):
        done = _prepared([wanted[place] for place in places], store, progress, most, errors)
        yield dict(zip(places, done, strict=True))


class _Wanted(NamedTuple):
    """The trainings that a configuration needs."""

    bases: Sequence[Pretrain | Watched]
    tunings: Sequence[Finetune]

    def all(self) -> dict[str, Trained]:
        return {_key(one): one for one in (*self.bases, *self.tunings)}


def _groups(wanted: Sequence[_Wanted], most: int | None) -> list[list[int]]:
    """Places of configurations whose trainings have the same shapes, as many as fill a stack: so
    the first of them end after one stack, not after all stacks."""
    alike: dict[tuple[str, ...], list[int]] = {}
    for place, one in enumerate(wanted):
        alike.setdefault(tuple(sorted(set(map(_shape, one.all().values())))), []).append(place)
    found = []
    for places in alike.values():
        models = {key: one for place in places for key, one in wanted[place].all().items()}
        largest = max(Counter(map(_shape, models.values())).values(), default=0)
        stacks = -(-largest // min((_room(one, most) for one in models.values()), default=1))
        share = -(-len(models) // max(stacks, 1))
        group: list[int] = []
        held: set[str] = set()
        for place in places:
            needed = set(wanted[place].all())
            if group and len(held | needed) > share:
                found.append(group)
                group, held = [], set()
            group.append(place)
            held |= needed
        found.append(group)
    return found


def _prepared(
    wanted: Sequence[_Wanted],
    store: Store,
    progress: Progress,
    most: int | None,
    errors: dict[str, UserError],
) -> list[Ahead]:
    """errors: of what diverged, by its key; not trained again for another group."""
    seconds: dict[str, float] = {}
    rounds: tuple[list[Trained], list[Trained]] = (
        [base for one in wanted for base in one.bases],
        [tuning for one in wanted for tuning in one.tunings],
    )
    for trainings in rounds:
        left = [one for one in trainings if _key(one) not in errors]
        for stack in _stacks(left, store, most):
            # What is wrong with one of them, or a device without room for all, is no reason not to
            # train the others: each is tried alone then, and says what it is.
            try:
                _train(stack, store, progress, seconds, errors)
            except Exception as error:
                said = str(error).strip().partition("\n")[0]
                progress.say(f"{len(stack)} models cannot train as one, and train alone: {said}")
    found = []
    for one in wanted:
        ids = list(one.all())
        error = next((errors[id] for id in ids if id in errors), None)
        found.append(Ahead(sum(seconds.pop(id, 0.0) for id in ids), error))
    return found


def _pretrainings(config: Experiment) -> list[Pretrain | Watched]:
    if isinstance(config, Pretrain | Watched):
        return [config]
    return list(needs(config).values())


def _fine_tunings(config: Experiment) -> list[Finetune]:
    return [config] if isinstance(config, Finetune) else []


def _key(config: Trained) -> str:
    """What names a training here: the id that it would have without parents."""
    return run_id(config)


def _base(config: Trained) -> Pretrain:
    """Where a training's model and prompts are described."""
    match config:
        case Pretrain():
            return config
        case Watched(pretrain=base) | Finetune(base=base):
            return base


def _training(config: Trained) -> Training:
    return config.training if isinstance(config, Finetune) else _base(config).training


def _parents(config: Trained, store: Store) -> dict[str, str] | None:
    """Role -> SHA-256 of the weights that a training starts from; None where they are not there."""
    found = {role: store.find(run_id(parent)) for role, parent in needs(config).items()}
    hashes = {role: run.sha256(WEIGHTS) for role, run in found.items() if run is not None}
    return hashes if len(hashes) == len(found) else None


def _stacks(configs: Iterable[Trained], store: Store, most: int | None) -> list[list[Trained]]:
    """The trainings that are not done, in groups of 2..most that can be one stack."""
    shapes: dict[str, list[Trained]] = {}
    for config in {_key(config): config for config in configs}.values():
        if _to_do(config, store):
            shapes.setdefault(_shape(config), []).append(config)
    found = []
    for alike in shapes.values():
        stacks = -(-len(alike) // _room(alike[0], most))
        found += [alike[at::stacks] for at in range(stacks)]
    return [group for group in found if len(group) > 1]


def _room(config: Trained, most: int | None) -> int:
    """How many models like this one may be in a stack."""
    if most is not None:
        return most
    base = _base(config)
    try:
        with torch.device("meta"):  # to count, not to compute
            model = Transformer(base.model, base.d, base.exemplars)
    except ValueError:
        return 1  # there is no such model: whoever trains it says why
    return MOST if sum(p.numel() for p in model.parameters()) <= LARGEST else 1


def _to_do(config: Trained, store: Store) -> bool:
    if isinstance(config, Finetune) and not isinstance(config.protection, Plain):
        return False
    if _training(config).compile:
        return False
    try:
        parents = _parents(config, store)
        return parents is not None and store.find(run_id(config, parents)) is None
    except UserError:  # damaged: whoever runs it says so
        return False


def _shape(config: Trained) -> str:
    """What must agree between trainings of one stack, as text."""
    base = _base(config)
    return canonical(
        {
            "kind": config.kind,
            "model": base.model.model_dump(mode="json"),
            "generator": base.generator,
            "d": base.d,
            "exemplars": base.exemplars,
            "training": shared(_training(config)).model_dump(mode="json"),
            "device": base.device,
            "threads": config.threads,
        }
    )


class _Part(NamedTuple):
    """A training's place in a stack: its model, its prompts, and what is measured on the way."""

    config: Trained
    model: Transformer
    prompts: PromptStream
    watch: Callable[[], Mapping[str, object]] | None
    watch_at: Sequence[int]


def _part(config: Trained, store: Store) -> _Part:
    base = _base(config)
    model = fit.build(base)
    prompts = fit.stream(base, "train", base.seed)
    match config:
        case Pretrain():
            return _Part(config, model, prompts, None, ())
        case Watched():
            from unskew.regression.experiments.diversity import measure, yardstick

            by = yardstick(config)
            return _Part(config, model, prompts, lambda: measure(model, by), config.watch)
        case Finetune():
            from unskew.regression.finetune import measure as risks
            from unskew.regression.finetune import trajectory_cases

            parent = store.find(run_id(base))
            if parent is None:
                raise UserError("the base model's run is gone", run_id(base))
            model.load_state_dict(parent.read_tensors(fit.MODEL)[0])
            tuned = base.model_copy(update={"prior": config.prior})
            prompts = fit.stream(tuned, "finetune", config.seed)
            cases = trajectory_cases(config)
            ends = (0, config.training.steps)
            looks = (*ends, *config.trajectory)
            return _Part(config, model, prompts, lambda: risks(model, cases), looks)


def _train(
    group: Sequence[Trained],
    store: Store,
    progress: Progress,
    seconds: dict[str, float],
    errors: dict[str, UserError],
) -> None:
    """Train the group, each into its run; note the time of each, and why it ended if it diverged.

    What cannot be opened (another process writes it, it is damaged) is left out.
    """
    begun = time.monotonic()
    prepare(_base(group[0]))
    with ExitStack() as locks:
        parts, folders = [], []
        for config in group:
            try:
                folder = locks.enter_context(store.open(config, _parents(config, store)))
                if folder.finished:
                    continue
                parts.append(_part(config, store))
                folders.append(folder)
            except UserError:
                continue
        if not parts:
            return
        members = [
            _member(part, folder, len(parts)) for part, folder in zip(parts, folders, strict=True)
        ]
        one = parts[0]
        pretraining = not isinstance(one.config, Finetune)
        loss = stacked_loss(
            [part.prompts for part in parts],
            _training(one.config).batch,
            fit.spare_positions(one.model) if pretraining else None,
            _base(one.config).device,
        )
        steps = sum(member.config.steps for member in members)
        with progress.task(f"{len(members)} models at once", steps) as task:
            ends = train_stacked(members, loss, matrices=_hidden, task=task)
    share = (time.monotonic() - begun) / len(parts)
    for part, error in zip(parts, ends, strict=True):
        seconds[_key(part.config)] = share
        if error is not None:
            errors[_key(part.config)] = error


def _hidden(stack: nn.Module) -> list[nn.Parameter]:
    assert isinstance(stack, Transformer)
    return stack.matrices()


def _member(part: _Part, folder: RunFolder, together: int) -> Member:
    training, model = _training(part.config), part.model

    def finish() -> None:
        how = "fine-tuned" if isinstance(part.config, Finetune) else "trained"
        folder.write_tensors(fit.MODEL, model.state_dict(), {"run": folder.id})
        folder.finish({"headline": f"{how} for {training.steps} steps", "together": together})

    return Member(model, training, folder, part.watch, part.watch_at, finish)


def stacked_loss(
    streams: Sequence[PromptStream], batch: int, offsets: int | None, device: str
) -> StackedLoss:
    """`fit.squared_error` of every model of a stack, member m on its own prompts, `streams[m]`."""

    def loss(stack: nn.Module, rows: Sequence[int], steps: Sequence[int]) -> Tensor:
        assert isinstance(stack, Transformer)
        which = [(streams[row], step) for row, step in zip(rows, steps, strict=True)]
        drawn = [prompts.batch(step, batch, device=device) for prompts, step in which]
        x, y = torch.stack([one.x for one in drawn]), torch.stack([one.y for one in drawn])
        firsts = sent(
            torch.tensor([fit.first_position(prompts, step, offsets) for prompts, step in which]),
            x.device,
        )
        return (stack(x, y, firsts) - y).square().mean((1, 2))

    return loss
