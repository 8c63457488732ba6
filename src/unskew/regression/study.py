"""Run any configuration of the laboratory: find what is done, train what is missing, measure.

`execute` dispatches on the kind of run. Every run is a folder of its own, so a study that is
interrupted continues where it was: finished trainings are found, an unfinished one continues from
its checkpoint, finished tables are kept. A run's identity holds the hashes of the weights that it
starts from, so parents are obtained first.
"""

from collections.abc import Callable

from unskew.regression import fit
from unskew.regression.config import (
    Comparisons,
    Diversity,
    Experiment,
    Finetune,
    Length,
    Pretrain,
    Protections,
    Replications,
    Study,
    Watched,
    World,
    spelt,
)
from unskew.runs.folder import RunFolder
from unskew.runs.identity import run_id
from unskew.runs.progress import Progress
from unskew.runs.store import Store
from unskew.training.machine import prepare

WEIGHTS = f"{fit.MODEL}.safetensors"


def execute(config: Experiment, store: Store, progress: Progress) -> RunFolder:
    """Run `config`, or continue it, or return the finished run.

    Raises:
        UserError: a run is damaged or being written by another process, a training diverged.
        KeyboardInterrupt: interrupted, everything saved; the same call continues.
    """
    from unskew.regression import further, studies

    config = placed(config)
    prepare(config)
    parents = {role: _weights(parent, store, progress) for role, parent in needs(config).items()}
    match config:
        case Pretrain() | Finetune() | Watched():
            work: Callable[..., None] = _train
        case Comparisons():
            work = studies.comparisons
        case Study():
            work = studies.study
        case Replications():
            work = further.replications
        case Diversity():
            work = further.diversity
        case Length():
            work = further.length
        case Protections():
            work = further.protections
    with store.open(config, parents) as folder:
        if not folder.finished:
            work(config, folder, store, progress)
        return folder


def placed(config: Experiment) -> Experiment:
    """The configuration, with its base model where it itself is to run."""
    where = {"device": getattr(config, "device", "cpu"), "threads": config.threads}
    match config:
        case Finetune(base=base):
            return config.model_copy(update={"base": base.model_copy(update=where)})
        case Watched(pretrain=base):
            return config.model_copy(update={"pretrain": base.model_copy(update=where)})
        case _:
            return config


def needs(config: Experiment) -> dict[str, Pretrain | Watched]:
    """The pretrained models that a run starts from, by role."""
    match config:
        case Pretrain() | Watched():
            return {}
        case Finetune():
            return {"base": config.base}
        case Comparisons():
            return _bases(config, {config.alpha, *config.alphas})
        case Study():
            asked = set(config.experiments)
            if asked & {"converge", "tradeoff", "conjugate"}:
                return _bases(config, {config.alpha, *config.alphas})
            return _bases(config, {config.alpha} if asked - {"observer"} else set())
        case Protections():
            return {f"base-{spelt(config.alpha)}": config.pretrain(config.alpha)}
        case Replications():
            first = [of_seed[0] for of_seed in config.studies()]
            return {
                f"seed-{one.seed}-{role}": parent
                for one in first
                for role, parent in needs(one).items()
            }
        case Diversity() | Length():
            return dict(config.arms())


def _bases(config: World, alphas: set[float]) -> dict[str, Pretrain | Watched]:
    return {f"base-{spelt(alpha)}": config.pretrain(alpha) for alpha in sorted(alphas)}


def identify(config: Experiment, store: Store) -> tuple[str | None, list[str]]:
    """The run's id and, where that is not known yet, the ids of the models to be trained first."""
    parents, missing = {}, []
    for role, parent in needs(config).items():
        done = store.find(run_id(parent))
        if done is None:
            missing.append(run_id(parent))
        else:
            parents[role] = done.sha256(WEIGHTS)
    return (None if missing else run_id(config, parents)), missing


def _weights(parent: Pretrain | Watched, store: Store, progress: Progress) -> str:
    """SHA-256 of a parent's weights, trained now if it is not found."""
    return execute(parent, store, progress).sha256(WEIGHTS)


def _train(
    config: Pretrain | Finetune | Watched, folder: RunFolder, store: Store, progress: Progress
) -> None:
    match config:
        case Watched(pretrain=pretrain):
            from unskew.regression.experiments.diversity import measure, yardstick

            by = yardstick(config)
            name = f"pretraining {pretrain.prior.kind}"
            with progress.task(name, pretrain.training.steps) as task:
                fit.pretrain(pretrain, folder, task, lambda m: measure(m, by), config.watch)
        case Pretrain():
            with progress.task(f"pretraining {config.prior.kind}", config.training.steps) as task:
                fit.pretrain(config, folder, task)
        case Finetune():
            from unskew.regression.finetune import finetune

            base = fit.load(config.base, execute(config.base, store, progress))
            with progress.task(
                f"fine-tuning on {config.prior.kind}", config.training.steps
            ) as task:
                finetune(config, base, folder, task)
