"""Muon against torch's own and against the SVD; the schedule; state that survives a round trip."""

from typing import Any

import pytest
import torch
from torch import nn

from unskew.training import Adam, Muon, learning_rate_factor, orthogonalise
from unskew.training.optimisers import (
    MuonMatrices,
    build,
    load_state_tensors,
    set_learning_rate,
    state_tensors,
)


def draw(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@pytest.mark.parametrize("shape", [(16, 16), (8, 24), (24, 8), (3, 8, 24)])
def test_orthogonalise_pushes_singular_values_towards_one(shape: tuple[int, ...]):
    g = draw(*shape, dtype=torch.float64)
    o = orthogonalise(g, 8)
    singular = torch.linalg.svdvals(o)
    assert ((singular > 0.6) & (singular < 1.3)).all()
    # same singular vectors: U' O V is diagonal
    u, _, vh = torch.linalg.svd(g, full_matrices=False)
    inner = u.mT @ o @ vh.mT
    off = inner - torch.diag_embed(inner.diagonal(dim1=-2, dim2=-1))
    assert off.abs().max() < 1e-10


def test_orthogonalise_of_zero_is_zero():
    assert torch.equal(orthogonalise(torch.zeros(4, 6)), torch.zeros(4, 6))


@pytest.mark.parametrize("shape", [(16, 16), (8, 24), (24, 8)])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_muon_is_torchs_muon(
    shape: tuple[int, int], weight_decay: float, monkeypatch: pytest.MonkeyPatch
):
    """Same trajectory over ten steps with changing gradients. torch's rounds to bfloat16; with that
    taken out of it the two agree to rounding, and without it to what bfloat16's 8 bits allow."""

    def trajectory(optimiser: torch.optim.Optimizer, p: nn.Parameter) -> torch.Tensor:
        for step in range(10):
            p.grad = draw(*shape, seed=step + 1, dtype=torch.float64)
            optimiser.step()
        return p.detach()

    def ours(dtype: torch.dtype) -> torch.Tensor:
        p = nn.Parameter(draw(*shape, dtype=torch.float64))
        config = Muon(lr=0.05, weight_decay=weight_decay, momentum=0.9)
        return trajectory(MuonMatrices([p], config, dtype=dtype), p)

    def theirs() -> torch.Tensor:
        p = nn.Parameter(draw(*shape, dtype=torch.float64))
        muon = torch.optim.Muon([p], lr=0.05, weight_decay=weight_decay, momentum=0.9)
        return trajectory(muon, p)

    rounded = theirs()
    moved = (rounded - draw(*shape, dtype=torch.float64)).norm()
    assert (ours(torch.bfloat16) - rounded).norm() < 0.05 * moved
    assert (ours(torch.float32) - rounded).norm() < 0.05 * moved
    monkeypatch.setattr(torch.Tensor, "bfloat16", torch.Tensor.double)
    assert (ours(torch.float64) - theirs()).abs().max() < 1e-10


def test_leading_axes_are_separate_matrices():
    config = Muon(lr=0.1)
    stacked = nn.Parameter(draw(3, 8, 12, dtype=torch.float64))
    alone = [nn.Parameter(m.clone()) for m in stacked.detach()]
    gradient = draw(3, 8, 12, seed=1, dtype=torch.float64)
    stacked.grad = gradient
    for p, g in zip(alone, gradient, strict=True):
        p.grad = g.clone()
    MuonMatrices([stacked], config).step()
    MuonMatrices(alone, config).step()
    assert torch.allclose(stacked, torch.stack([p.detach() for p in alone]), atol=1e-12)


def test_muon_refuses_vectors_and_missing_gradients():
    with pytest.raises(ValueError, match="matrices"):
        MuonMatrices([nn.Parameter(torch.zeros(3))], Muon())
    with pytest.raises(RuntimeError, match="gradient"):
        MuonMatrices([nn.Parameter(torch.zeros(3, 3))], Muon()).step()


def test_every_parameter_has_exactly_one_optimiser():
    model: Any = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 4))
    matrices = [model[1].weight]
    for config in (Adam(), Muon()):
        owned = [
            p for o in build(config, model, matrices) for g in o.param_groups for p in g["params"]
        ]
        assert sorted(map(id, owned)) == sorted(map(id, model.parameters()))


def test_schedule():
    def factor(step: int, warmup: int = 0, decay: float = 0.5) -> float:
        return learning_rate_factor(step, 100, warmup, decay)

    assert factor(0) == factor(50) == 1.0
    assert factor(75) == pytest.approx(0.5)
    assert factor(99) == pytest.approx(0.02)
    assert factor(0, warmup=9) == pytest.approx(0.1)
    assert factor(99, decay=0.0) == 1.0
    model = nn.Linear(2, 2)
    optimisers = build(Adam(lr=0.5), model, ())
    for share in (0.5, 0.25):  # relative to the full rate, not to the last one
        set_learning_rate(optimisers, share)
        assert optimisers[0].param_groups[0]["lr"] == pytest.approx(0.5 * share)


@pytest.mark.parametrize("config", [Adam(), Muon()], ids=["adam", "muon"])
def test_state_round_trip(config: Adam | Muon):
    def fresh() -> tuple[nn.Module, list[torch.optim.Optimizer]]:
        model: Any = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 4))
        for i, p in enumerate(model.parameters()):
            p.data = draw(*p.shape, seed=i)
        return model, build(config, model, [model[0].weight, model[1].weight])

    def step(model: nn.Module, optimisers: list[torch.optim.Optimizer], seed: int) -> None:
        for i, p in enumerate(model.parameters()):
            p.grad = draw(*p.shape, seed=seed + i)
        for optimiser in optimisers:
            optimiser.step()

    one, other = fresh(), fresh()
    for seed in (10, 20):
        step(*one, seed)
    saved = {name: t.clone() for name, t in state_tensors(*one).items()}
    load_state_tensors(saved, *other)
    for pair in (one, other):
        step(*pair, 30)
    for p, q in zip(one[0].parameters(), other[0].parameters(), strict=True):
        assert torch.equal(p, q)
