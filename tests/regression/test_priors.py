"""Priors: what they draw has the law they name, and depends on nothing but what they are given."""

import pickle
from collections.abc import Callable

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from scipy import stats

from statistical import assert_counts, assert_law, assert_mean, share
from unskew.regression import Continuous, Discrete, Mixture, Prior, sample
from unskew.regression.priors import Rng, hashed_bits, philox

RNGS: dict[str, Callable[[int], Rng]] = {
    "numpy": np.random.default_rng,
    "torch": lambda seed: torch.Generator().manual_seed(seed),
}


def test_continuous_weights_are_normal() -> None:
    level = share("continuous weights are normal", comparisons=3)
    w = sample(Continuous(tau=1.7), np.random.default_rng(1), 20_000, 3).w
    assert w.shape == (20_000, 3)
    assert w.dtype == torch.float64
    assert_law(w, stats.norm(0, 1.7).cdf, level)
    assert_mean(w[:, 0] * w[:, 1], 0.0, level)
    assert_mean(w[:, 1] ** 2, 1.7**2, level)


def test_discrete_weights_are_uniform_over_the_pool() -> None:
    prior = Discrete(n=7, tau=0.5, seed=3)
    w, is_discrete = sample(prior, np.random.default_rng(2), 20_000, 4)
    matches = (w[:, None] == prior.tasks(4)).all(-1)
    assert bool((matches.sum(1) == 1).all())
    assert bool(is_discrete.all())
    level = share("discrete weights are uniform over the pool")
    assert_counts(matches.sum(0), np.full(7, 1 / 7), level)


def test_the_pool_is_normal() -> None:
    level = share("discrete pool is normal", comparisons=2)
    tasks = Discrete(n=5_000, tau=2.0, seed=11).tasks(6)
    assert_law(tasks, stats.norm(0, 2.0).cdf, level)
    other = Discrete(n=5_000, tau=2.0, seed=12).tasks(6)
    assert_mean(tasks * other, 0.0, level)


def test_the_pool_is_a_pure_function() -> None:
    prior = Discrete(n=5, seed=3)
    tasks = prior.tasks(4)
    assert tasks.shape == (5, 4)
    assert torch.equal(tasks, Discrete(n=5, seed=3).tasks(4))
    tasks.zero_()  # the caller's own copy
    assert bool(prior.tasks(4).all())
    assert not torch.equal(prior.tasks(4), Discrete(n=5, seed=4).tasks(4))


def test_pools_are_nested_and_scale_with_tau() -> None:
    small, large = Discrete(n=8, seed=1).tasks(3), Discrete(n=64, seed=1).tasks(3)
    assert torch.equal(small, large[:8])
    assert torch.equal(Discrete(n=8, seed=1, tau=2.0).tasks(3), 2 * small)


def test_mixture_tosses_a_fair_alpha_coin() -> None:
    level = share("mixture tosses a fair alpha coin", comparisons=2)
    for alpha in (0.2, 0.5):
        is_discrete = sample(Mixture(alpha=alpha), np.random.default_rng(4), 20_000, 2).is_discrete
        share_discrete = int(is_discrete.sum())
        assert_counts([share_discrete, 20_000 - share_discrete], [alpha, 1 - alpha], level)


def test_mixture_kinds_have_their_own_laws() -> None:
    prior = Mixture(alpha=0.4, discrete=Discrete(n=3, tau=2.0), continuous=Continuous(tau=0.5))
    w, is_discrete = sample(prior, np.random.default_rng(5), 20_000, 2)
    matches = (w[:, None] == prior.discrete.tasks(2)).all(-1)
    assert torch.equal(matches.any(1), is_discrete)
    level = share("mixture kinds have their own laws", comparisons=2)
    assert_law(w[~is_discrete], stats.norm(0, 0.5).cdf, level)
    assert_counts(matches[is_discrete].sum(0), np.full(3, 1 / 3), level)


@pytest.mark.parametrize("kind", RNGS)
def test_mixture_ends_are_the_pure_priors(kind: str) -> None:
    continuous = sample(Continuous(tau=0.7), RNGS[kind](6), 50, 3).w
    none = sample(Mixture(alpha=0, continuous=Continuous(tau=0.7)), RNGS[kind](6), 50, 3)
    assert torch.equal(none.w, continuous)
    assert not bool(none.is_discrete.any())
    assert bool(sample(Mixture(alpha=1), RNGS[kind](6), 50, 3).is_discrete.all())


def test_mixtures_of_one_seed_are_coupled() -> None:
    low, high = (sample(Mixture(alpha=a), np.random.default_rng(7), 500, 3) for a in (0.3, 0.6))
    assert bool(high.is_discrete[low.is_discrete].all())
    same = low.is_discrete == high.is_discrete
    assert torch.equal(low.w[same], high.w[same])


def test_torch_generators_draw_the_same_laws() -> None:
    level = share("torch generators draw the same laws", comparisons=3)
    prior = Mixture(alpha=0.4, discrete=Discrete(n=4))
    w, is_discrete = sample(prior, RNGS["torch"](8), 20_000, 2)
    matches = (w[:, None] == prior.discrete.tasks(2)).all(-1)[is_discrete]
    assert_law(w[~is_discrete], stats.norm(0, 1).cdf, level)
    assert_counts(matches.sum(0), np.full(4, 1 / 4), level)
    count = int(is_discrete.sum())
    assert_counts([count, 20_000 - count], [0.4, 0.6], level)


@pytest.mark.parametrize("kind", RNGS)
def test_sampling_leaves_the_global_generators_alone(kind: str) -> None:
    torch_state, numpy_state = torch.get_rng_state(), pickle.dumps(np.random.get_state())  # noqa: NPY002
    first = sample(Mixture(), RNGS[kind](9), 20, 3)
    torch.rand(1)
    torch.set_rng_state(torch_state)
    assert torch.equal(first.w, sample(Mixture(), RNGS[kind](9), 20, 3).w)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert pickle.dumps(np.random.get_state()) == numpy_state  # noqa: NPY002


def test_names_of_generators_do_not_run_together() -> None:
    assert len({hashed_bits(*n) for n in [("a", "b"), ("ab",), ("a", "b", ""), (1,), ("1",)]}) == 5
    draws = {
        float(philox(*name, part=part, step=step).standard_normal())
        for name in (("a",), ("b",))
        for part in range(3)
        for step in range(4)
    }
    assert len(draws) == 24


@pytest.mark.parametrize(
    ("doc", "key"),
    [
        ({"kind": "mixture", "alpha": 1.5}, "alpha"),
        ({"kind": "mixture", "alpha": float("nan")}, "alpha"),
        ({"kind": "discrete", "n": 0}, "n"),
        ({"kind": "discrete", "seed": -1}, "seed"),
        ({"kind": "continuous", "tau": 0.0}, "tau"),
        ({"kind": "continuous", "n": 4}, "n"),
        ({"kind": "mixture", "discrete": {"n_taskz": 4}}, "n_taskz"),
    ],
)
def test_wrong_configs_name_the_key(doc: dict[str, object], key: str) -> None:
    with pytest.raises(ValidationError) as error:
        TypeAdapter(Prior).validate_python(doc)
    assert error.value.errors()[0]["loc"][-1] == key
