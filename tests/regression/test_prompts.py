"""Prompts: a pure function of (seed, stream, step, size), with the law they claim."""

import pickle

import numpy as np
import pytest
import torch
from scipy import stats

from statistical import assert_law, assert_mean, share
from unskew.errors import UserError
from unskew.regression import Continuous, Discrete, Mixture, Prior, PromptStream

BOTH = Mixture(alpha=0.5, discrete=Discrete(n=4))


def stream(
    prior: Prior = BOTH, name: str = "train", seed: int = 0, sigma: float = 0.5, exemplars: int = 4
) -> PromptStream:
    return PromptStream(prior, dim=3, exemplars=exemplars, sigma=sigma, seed=seed, stream=name)


def same(a: tuple[torch.Tensor, ...], b: tuple[torch.Tensor, ...]) -> bool:
    return all(torch.equal(s, t) for s, t in zip(a, b, strict=True))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_shapes_and_dtypes(dtype: torch.dtype) -> None:
    x, y, clean, w = stream().batch(0, 8, dtype=dtype)
    assert (x.shape, y.shape, clean.shape, w.shape) == ((8, 5, 3), (8, 5), (8, 5), (8, 3))
    assert {t.dtype for t in (x, y, clean, w)} == {dtype}
    assert stream(exemplars=0).batch(0, 2).x.shape == (2, 1, 3)


def test_labels_are_clean_plus_noise() -> None:
    x, y, clean, w = stream().batch(3, 64, dtype=torch.float64)
    torch.testing.assert_close(clean, torch.einsum("bpd,bd->bp", x, w), rtol=1e-12, atol=1e-12)
    silent = stream(sigma=0.0).batch(3, 64, dtype=torch.float64)
    assert torch.equal(silent.y, clean)
    louder = stream(sigma=1.0).batch(3, 64, dtype=torch.float64)
    torch.testing.assert_close(louder.y - clean, 2 * (y - clean), rtol=1e-12, atol=1e-12)


def test_a_batch_does_not_depend_on_the_calls_before_it() -> None:
    forward = [stream().batch(step, 8) for step in range(4)]
    other = stream()
    backward = [other.batch(step, 8) for step in reversed(range(4))][::-1]
    assert all(same(a, b) for a, b in zip(forward, backward, strict=True))


def test_seeds_streams_steps_and_sizes() -> None:
    reference = stream().batch(5, 8)
    assert same(reference, stream().batch(5, 8))
    changed = [
        stream().batch(6, 8),
        stream(seed=1).batch(5, 8),
        stream(name="evaluate").batch(5, 8),
    ]
    for other in changed:
        assert not bool(torch.isin(other.x, reference.x).any())
    # A pure function of its size too, and x and noise of a smaller batch start a larger one.
    larger = stream(Continuous()).batch(5, 16)
    smaller = stream(Continuous()).batch(5, 8)
    assert all(torch.equal(a[:8], b) for a, b in zip(larger, smaller, strict=True))


def test_streams_that_differ_in_the_prior_share_inputs_and_noise() -> None:
    a, b = (stream(p).batch(2, 32, dtype=torch.float64) for p in (Continuous(), Discrete(n=2)))
    assert torch.equal(a.x, b.x)
    torch.testing.assert_close(a.y - a.clean, b.y - b.clean, rtol=0, atol=1e-14)


def test_the_numbers_are_pinned() -> None:
    """Results of old runs are only comparable while this batch stays what it is."""
    x, y, _, w = stream(Mixture(alpha=0.5)).batch(7, 1, dtype=torch.float64)
    torch.testing.assert_close(x[0, 0], torch.tensor(PINNED_X, dtype=torch.float64))
    torch.testing.assert_close(y[0, :2], torch.tensor(PINNED_Y, dtype=torch.float64))
    torch.testing.assert_close(w[0], torch.tensor(PINNED_W, dtype=torch.float64))


PINNED_X = [-0.6740198398351519, 0.5226853188207943, -0.0553717245505411]
PINNED_Y = [1.0151597594778925, 3.050388042529044]
PINNED_W = [-1.708816273461167, 0.5668228794361763, -0.28012306722915414]


def test_inputs_and_noise_are_standard_normal() -> None:
    level = share("inputs and noise are standard normal", comparisons=2)
    x, y, clean, _ = stream().batch(0, 4_000, dtype=torch.float64)
    assert_law(x, stats.norm().cdf, level)
    assert_law(y - clean, stats.norm(0, 0.5).cdf, level)


def test_parts_of_a_prompt_are_independent() -> None:
    level = share("parts of a prompt are independent", comparisons=5)
    x, y, clean, w = stream(Continuous()).batch(1, 20_000, dtype=torch.float64)
    noise = y - clean
    for product in (
        x[:, 0, 0] * x[:, 0, 1],
        x[:, 0, 0] * x[:, 1, 0],
        x[:, 0, 0] * w[:, 0],
        x[:, 0, 0] * noise[:, 0],
        w[:, 0] * noise[:, 0],
    ):
        assert_mean(product, 0.0, level)


def test_streams_and_steps_are_independent() -> None:
    level = share("streams and steps are independent", comparisons=3)
    x = stream().batch(0, 4_000, dtype=torch.float64).x
    for other in (stream().batch(1, 4_000), stream(name="b").batch(0, 4_000)):
        assert_mean(x * other.x, 0.0, level)
    first = torch.stack([stream(Continuous()).batch(s, 1).x[0, 0] for s in range(4_000)])
    assert_law(first.double(), stats.norm().cdf, level)


def test_the_global_generators_are_neither_read_nor_moved() -> None:
    torch_state, numpy_state = torch.get_rng_state(), pickle.dumps(np.random.get_state())  # noqa: NPY002
    reference = stream().batch(0, 8)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert pickle.dumps(np.random.get_state()) == numpy_state  # noqa: NPY002
    with torch.random.fork_rng():
        torch.manual_seed(123)
        assert same(stream().batch(0, 8), reference)


@pytest.mark.parametrize(
    "wrong",
    [{"dim": 0}, {"exemplars": -1}, {"sigma": -1.0}, {"sigma": float("nan")}, {"generator": "mt"}],
)
def test_wrong_settings_are_the_users_error(wrong: dict[str, object]) -> None:
    right = {"prior": BOTH, "dim": 3, "exemplars": 4, "sigma": 1.0, "seed": 0, "stream": "train"}
    with pytest.raises(UserError):
        PromptStream(**(right | wrong))  # pyright: ignore[reportArgumentType]


def test_wrong_requests_are_the_users_error() -> None:
    with pytest.raises(UserError, match="negative"):
        stream().batch(-1, 8)
    with pytest.raises(UserError, match="negative"):
        stream().batch(0, -8)
    on_gpu = PromptStream(BOTH, 3, 4, 1.0, seed=0, stream="train", generator="philox-cuda")
    with pytest.raises(UserError, match="GPU"):
        on_gpu.batch(0, 8, device="cpu")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_prompts_made_on_the_gpu() -> None:
    on_gpu = PromptStream(BOTH, 3, 4, 0.5, seed=0, stream="train", generator="philox-cuda")
    state = torch.cuda.get_rng_state()
    first = on_gpu.batch(5, 64, device="cuda")
    on_gpu.batch(6, 64, device="cuda")
    assert same(first, on_gpu.batch(5, 64, device="cuda"))
    assert not bool(torch.isin(on_gpu.batch(6, 64, device="cuda").x, first.x).any())
    assert torch.equal(torch.cuda.get_rng_state(), state)
    torch.testing.assert_close(
        first.clean, torch.einsum("bpd,bd->bp", first.x, first.w), rtol=1e-4, atol=1e-4
    )
