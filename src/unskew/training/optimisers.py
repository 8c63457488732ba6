"""Optimisers and the schedule.

Muon steps each weight matrix along the (approximately) orthogonalised momentum: the singular values
of the update are pushed towards 1 by a quintic Newton-Schulz iteration. Ours differs from
`torch.optim.Muon` in three ways: it works in float32 on a CPU (bfloat16 is slow there), it stacks
all matrices of one shape into one batched product, and parameters may have leading axes (..., m, n)
whose entries are separate matrices, so that stacked query/key/value weights, or a stack of whole
models, need no special case.

Models trained as one (`stacked`) have parameters (M, ...) and, model by model, a learning rate, a
weight decay and a step count: tensors (M,) where one model has a number.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from unskew.training.config import Adam, Muon, Optimiser

# Quintic coefficients of Jordan et al. 2024: largest slope at 0 that keeps singular values near 1.
COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def orthogonalise(matrices: Tensor, iterations: int = 5) -> Tensor:
    """Newton-Schulz (Jordan et al. 2024) towards the nearest semi-orthogonal matrix, (..., m, n).

    Works in the dtype of its argument. A zero matrix stays zero. Singular values land in about
    [0.7, 1.2], not at 1: that is the published iteration's trade of accuracy for speed.
    """
    a, b, c = COEFFICIENTS
    tall = matrices.shape[-2] > matrices.shape[-1]
    h = matrices.mT if tall else matrices
    h = h / torch.linalg.matrix_norm(h, keepdim=True).clamp(min=1e-7)
    for _ in range(iterations):
        gram = h @ h.mT
        h = a * h + (b * gram + c * (gram @ gram)) @ h
    return h.mT if tall else h


class MuonMatrices(torch.optim.Optimizer):
    """Muon for parameters of shape (..., m, n); see the module docstring.

    Args:
        dtype: of the Newton-Schulz products; default float32 on CPU, bfloat16 on CUDA.

    Raises: ValueError for a parameter with fewer than two axes.
    """

    def __init__(
        self, params: Iterable[nn.Parameter], config: Muon, dtype: torch.dtype | None = None
    ) -> None:
        params = list(params)
        for p in params:
            if p.ndim < 2:
                raise ValueError(f"Muon works on matrices; got a parameter of shape {(*p.shape,)}")
        super().__init__(params, {"lr": config.lr, "weight_decay": config.weight_decay})
        self.config, self.dtype = config, dtype
        shapes: dict[tuple[int, int], list[Tensor]] = {}
        for p in params:
            m, n = p.shape[-2:]
            shapes.setdefault((min(m, n), max(m, n)), []).append(p)
        self.stacks = list(shapes.values())

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        group, config = self.param_groups[0], self.config
        for params in self.stacks:
            grads = [p.grad for p in params if p.grad is not None]
            if len(grads) != len(params):
                raise RuntimeError("Muon needs a gradient for every matrix")
            buffers = []
            for p in params:
                if not self.state[p]:
                    self.state[p]["momentum"] = torch.zeros_like(p)
                buffers.append(self.state[p]["momentum"])
            torch._foreach_lerp_(buffers, grads, 1 - config.momentum)
            updates = torch._foreach_lerp(grads, buffers, config.momentum)  # Nesterov
            wide = [u.mT if u.shape[-2] > u.shape[-1] else u for u in updates]
            sizes = [math.prod(u.shape[:-2]) for u in wide]
            dtype = self.dtype or (torch.bfloat16 if params[0].is_cuda else torch.float32)
            if params[0].dtype == torch.float64 and self.dtype is None:
                dtype = torch.float64
            stack = torch.cat([u.flatten(0, -3) if u.ndim > 2 else u[None] for u in wide]).to(dtype)
            steps = orthogonalise(stack, config.iterations).split(sizes)
            _decay(params, group)
            for p, u in zip(params, steps, strict=True):
                rows, columns = p.shape[-2:]
                u = (u.mT if rows > columns else u).reshape(p.shape).to(p.dtype)
                rate = group["lr"] * math.sqrt(max(1.0, rows / columns))
                if isinstance(rate, Tensor):
                    p.sub_(u.mul_(of_each(rate, p)))
                else:
                    p.add_(u, alpha=-rate)


class AdamOfMany(torch.optim.Optimizer):
    """AdamW for parameters (M, ...) of M models, as `torch.optim.AdamW` would step each alone.

    The state has torch's names, a model's part of it being entry m: `step` (M,), `exp_avg` and
    `exp_avg_sq` (M, ...). Learning rate and weight decay are tensors (M,).
    """

    def __init__(
        self, params: Iterable[nn.Parameter], config: Adam, lr: Tensor, weight_decay: Tensor
    ) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})
        self.config, self.eps = config, 1e-8

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        group = self.param_groups[0]
        beta1, beta2 = self.config.beta1, self.config.beta2
        params = [p for p in group["params"] if p.grad is not None]
        _decay(params, group)
        for p in params:
            state = self.state[p]
            if not state:
                state["step"] = torch.zeros(len(p), device=p.device)
                state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(p), torch.zeros_like(p)
            state["step"] += 1
            count = state["step"].double()
            state["exp_avg"].lerp_(p.grad, 1 - beta1)
            state["exp_avg_sq"].mul_(beta2).addcmul_(p.grad, p.grad, value=1 - beta2)
            spread = (state["exp_avg_sq"] / of_each(1 - beta2**count, p)).sqrt_().add_(self.eps)
            rate = of_each(group["lr"] / (1 - beta1**count), p)
            p.sub_((state["exp_avg"] / spread).mul_(rate))


def of_each(values: Tensor, p: Tensor) -> Tensor:
    """`values` (M,) as a factor of `p` (M, ...), in its dtype."""
    return values.to(p.dtype).view(-1, *[1] * (p.ndim - 1))


def _decay(params: list[Tensor], group: Mapping[str, Any]) -> None:
    """Decoupled weight decay: p <- (1 - lr * weight_decay) p."""
    rate, decay = group["lr"], group["weight_decay"]
    if isinstance(decay, Tensor):
        for p in params:
            p.mul_(of_each(1 - rate * decay, p))
    elif decay:
        torch._foreach_mul_(params, 1 - rate * decay)


def build(
    config: Optimiser, model: nn.Module, matrices: Iterable[nn.Parameter]
) -> list[torch.optim.Optimizer]:
    """The optimisers of `model`, each parameter in exactly one; `matrices` are Muon's."""

    def adam(params: list[nn.Parameter], a: Adam) -> torch.optim.Optimizer:
        betas = (a.beta1, a.beta2)
        return torch.optim.AdamW(
            params, lr=a.lr, betas=betas, weight_decay=a.weight_decay, fused=True
        )

    trainable = [p for p in model.parameters() if p.requires_grad]
    match config:
        case Adam():
            return [adam(trainable, config)]
        case Muon():
            hidden = [p for p in matrices if p.requires_grad]
            ids = {id(p) for p in hidden}
            rest = [p for p in trainable if id(p) not in ids]
            both: list[torch.optim.Optimizer] = [MuonMatrices(hidden, config)] if hidden else []
            return [*both, adam(rest, config.other)] if rest else both


def build_of_many(
    configs: Sequence[Optimiser], stack: nn.Module, matrices: Iterable[nn.Parameter]
) -> list[torch.optim.Optimizer]:
    """The optimisers of `stack`, whose parameters (M, ...) are M models', `configs` theirs.

    Raises: ValueError where the models' optimisers differ in more than `lr` and `weight_decay`.
    """
    if any(shared(config) != shared(configs[0]) for config in configs):
        raise ValueError("models of one stack may differ in lr and weight_decay only")
    device = next(stack.parameters()).device

    def each(parts: Sequence[Adam | Muon], name: str) -> Tensor:
        values = [getattr(part, name) for part in parts]
        return torch.tensor(values, dtype=torch.float64, device=device)

    def adam(params: list[nn.Parameter], parts: Sequence[Adam]) -> torch.optim.Optimizer:
        return AdamOfMany(params, parts[0], each(parts, "lr"), each(parts, "weight_decay"))

    everything = list(stack.parameters())
    muons = [config for config in configs if isinstance(config, Muon)]
    if not muons:
        return [adam(everything, [config for config in configs if isinstance(config, Adam)])]
    hidden = list(matrices)
    ids = {id(p) for p in hidden}
    rest = [p for p in everything if id(p) not in ids]
    found: list[torch.optim.Optimizer] = []
    if hidden:
        muon = MuonMatrices(hidden, muons[0])
        muon.param_groups[0].update(lr=each(muons, "lr"), weight_decay=each(muons, "weight_decay"))
        found.append(muon)
    return [*found, adam(rest, [muon.other for muon in muons])] if rest else found


def shared(config: Optimiser) -> Optimiser:
    """What must agree between the optimisers of models that train as one: all but learning rates
    and weight decays, which are set to one value here."""
    same = {"lr": 1.0, "weight_decay": 0.0}
    match config:
        case Adam():
            return config.model_copy(update=same)
        case Muon(other=other):
            return config.model_copy(update={**same, "other": other.model_copy(update=same)})


def learning_rate_factor(step: int, steps: int, warmup: int, decay: float) -> float:
    """Share of the full learning rate at `step` (0-based): linear rise over `warmup` steps, flat,
    linear fall over the last `decay` share of `steps`, reaching 0 one step after the last."""
    rise = min(1.0, (step + 1) / (warmup + 1))
    falling = decay * steps
    fall = min(1.0, (steps - step) / falling) if falling > 0 else 1.0
    return rise * fall


def set_learning_rate(optimisers: list[torch.optim.Optimizer], factor: float | Tensor) -> None:
    """Scale every group's learning rate relative to the one it was built with; `factor` is (M,)
    for the optimisers of M models."""
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group.setdefault("full_lr", group["lr"])
            group["lr"] = group["full_lr"] * factor


def state_tensors(model: nn.Module, optimisers: list[torch.optim.Optimizer]) -> dict[str, Tensor]:
    """All that training needs to go on, flat: `model/<name>` and `optimiser/<name>/<slot>`."""
    names = {id(p): name for name, p in model.named_parameters()}
    flat = {f"model/{name}": t.detach() for name, t in model.state_dict().items()}
    for optimiser in optimisers:
        for p, slots in optimiser.state.items():
            for slot, value in slots.items():
                flat[f"optimiser/{names[id(p)]}/{slot}"] = value
    return flat


def load_state_tensors(
    flat: Mapping[str, Tensor], model: nn.Module, optimisers: list[torch.optim.Optimizer]
) -> None:
    """Inverse of `state_tensors`, in place. Raises KeyError where a parameter is missing."""
    parameters = dict(model.named_parameters())
    model.load_state_dict(
        {k.removeprefix("model/"): v for k, v in flat.items() if k.startswith("model/")}
    )
    owner = {id(p): o for o in optimisers for g in o.param_groups for p in g["params"]}
    for key, value in flat.items():
        if key.startswith("optimiser/"):
            name, slot = key.removeprefix("optimiser/").rsplit("/", 1)
            p = parameters[name]
            # the step count of fused Adam stays where torch keeps it; everything else is p's twin
            device = value.device if value.ndim == 0 and not p.is_cuda else p.device
            owner[id(p)].state[p][slot] = value.to(device).clone()
