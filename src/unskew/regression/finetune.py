"""Fine-tune a base model on another prior, plainly or with a protection, and log its trajectory.

Protections: replay of pretraining prompts, a penalty towards the base weights, a low-rank change.
All keep the training loop and the data of the plain fine-tuning, so that arms stay comparable.
"""

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from unskew.regression import fit
from unskew.regression.config import Finetune
from unskew.regression.measure import Case, answer, errors, mean_over
from unskew.regression.priors import Continuous, Discrete, Mixture, philox, uniform
from unskew.regression.prompts import PromptStream
from unskew.regression.protections import Anchor, LowRank, Plain, Replay
from unskew.regression.transformer import Matrices, Transformer
from unskew.runs.folder import RunFolder
from unskew.runs.progress import Task
from unskew.statistics import mean_interval
from unskew.training import train

TRAJECTORY_PROMPTS = 2048


def families(config: Finetune) -> tuple[Continuous, Discrete]:
    """The two families of tasks that the base model was pretrained on a mixture of.

    Raises: ValueError where it was pretrained on something else.
    """
    match config.base.prior:
        case Mixture(discrete=discrete, continuous=continuous):
            return continuous, discrete
        case other:
            raise ValueError(f"the base model's prior is {other.kind}, not a mixture")


def finetune(
    config: Finetune, base: Transformer, folder: RunFolder | None, task: Task | None = None
) -> Transformer:
    """Train a copy of `base` as `config` says, into `folder` if given, and finish that run.

    The log holds, at the steps of config.trajectory and both ends, excess_continuous and
    excess_discrete as [estimate, low, high] over TRAJECTORY_PROMPTS prompts, mean over all k.
    """
    model = fit.build(config.base)
    model.load_state_dict(base.state_dict())
    prompts = _stream(config)
    penalty = None
    match config.protection:
        case Replay(share=share):
            loss = _replayed(config, model, prompts, share)
        case Plain() | Anchor() | LowRank():
            loss = fit.squared_error(
                model, prompts, config.training.batch, None, config.base.device
            )
    match config.protection:
        case Anchor(strength=strength):
            penalty = _anchor(model, base, strength)
        case LowRank(rank=rank):
            _freeze_but_low_rank(model, rank, config.seed)
        case Plain() | Replay():
            pass

    def total(step: int) -> Tensor:
        return loss(step) if penalty is None else loss(step) + penalty()

    cases = trajectory_cases(config)
    steps = {0, config.training.steps, *config.trajectory}
    train(
        model,
        total,
        config.training,
        matrices=model.matrices() if not isinstance(config.protection, LowRank) else (),
        folder=folder,
        task=task,
        watch=lambda step: measure(model, cases),
        watch_at=steps,
    )
    if isinstance(config.protection, LowRank):
        _merge(model)
    if folder is not None:
        folder.write_tensors(fit.MODEL, model.state_dict(), {"run": folder.id})
        folder.finish({"headline": f"fine-tuned for {config.training.steps} steps"})
    return model


def _stream(config: Finetune) -> PromptStream:
    return PromptStream(
        prior=config.prior,
        dim=config.base.d,
        exemplars=config.base.exemplars,
        sigma=config.base.sigma,
        seed=config.seed,
        stream="finetune",
        generator=config.base.generator,
    )


def trajectory_cases(config: Finetune) -> dict[str, Case]:
    """Evaluation prompts of both families, apart from all training prompts by their stream."""
    continuous, discrete = families(config)
    cases = {}
    for family, prior in (("continuous", continuous), ("discrete", discrete)):
        stream = fit.stream(
            config.base.model_copy(update={"prior": prior, "generator": "philox-numpy"}),
            "trajectory",
            config.base.seed,
        )
        batch = stream.batch(0, TRAJECTORY_PROMPTS)
        tasks = discrete.tasks(config.base.d)
        cases[family] = Case(batch, tasks, config.base.sigma, continuous.tau)
    return cases


def measure(model: Transformer, cases: dict[str, Case]) -> dict[str, object]:
    """Excess risk on each family, mean over k, as [estimate, low, high], and n."""
    found: dict[str, object] = {}
    for family, case in cases.items():
        risk = errors(answer(model, case.prompts.x, case.prompts.y), case)
        interval = mean_interval(mean_over(risk, range(case.counts)))
        found[f"excess_{family}"] = [interval.estimate, interval.low, interval.high]
        found["n"] = interval.n
    return found


def _replayed(config: Finetune, model: Transformer, prompts: PromptStream, share: float):
    """The loss on batches in which each prompt is a pretraining one with probability `share`."""
    old = fit.stream(config.base, "replay", config.seed)

    def loss(step: int) -> Tensor:
        device = config.base.device
        new = prompts.batch(step, config.training.batch, device=device)
        before = old.batch(step, config.training.batch, device=device)
        coin = uniform(philox("replay", config.seed, step=step), config.training.batch) < share
        coin = coin.to(new.x.device)
        x = torch.where(coin[:, None, None], before.x, new.x)
        y = torch.where(coin[:, None], before.y, new.y)
        return (model(x, y) - y).square().mean()

    return loss


def _anchor(model: Transformer, base: Transformer, strength: float):
    """strength / 2 times the squared distance of all weights to the base model's."""
    pairs = [
        (p, q.detach().to(p.device).clone())
        for p, q in zip(model.parameters(), base.parameters(), strict=True)
    ]

    def penalty() -> Tensor:
        return 0.5 * strength * torch.stack([(p - q).square().sum() for p, q in pairs]).sum()

    return penalty


class _LowRankChange(nn.Module):
    """W -> W + B A with B zero at first: (count, rows, columns), rank r (Hu et al. 2021)."""

    def __init__(self, weight: Tensor, rank: int, generator: torch.Generator) -> None:
        super().__init__()
        count, rows, columns = weight.shape
        a = torch.randn(count, rank, columns, generator=generator) / columns**0.5
        self.a = nn.Parameter(a.to(weight))
        self.b = nn.Parameter(torch.zeros(count, rows, rank).to(weight))

    def forward(self, weight: Tensor) -> Tensor:
        return weight + self.b @ self.a


def _freeze_but_low_rank(model: Transformer, rank: int, seed: int) -> None:
    """Freeze `model` and give each hidden matrix a trainable low-rank change."""
    generator = torch.Generator().manual_seed(seed % 2**32)
    model.requires_grad_(False)
    for module in list(model.modules()):
        if isinstance(module, Matrices):
            change = _LowRankChange(module.weight, rank, generator)
            parametrize.register_parametrization(module, "weight", change)


def _merge(model: Transformer) -> None:
    """Write the low-rank changes into the weights they change."""
    for module in list(model.modules()):
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight")
