"""Bayes predictors against slow references, and at their edges."""

import numpy as np
import pytest
import torch

from regression.problems import (
    agree,
    both,
    close,
    discrete_reference,
    log_normal,
    problem,
    ridge_reference,
)
from regression.references import brute_mixture_weight, exact_discrete, exact_ridge, logit
from unskew.errors import UserError
from unskew.regression import (
    Continuous,
    Discrete,
    Mixture,
    bayes_predict,
    discrete,
    mixture,
    posterior,
    predictors,
    ridge,
)

# --- against independent references -------------------------------------------------------------


@pytest.mark.parametrize("sigma", [0.1, 0.5, 1.0, 3.0])
@pytest.mark.parametrize("tau", [0.5, 1.0, 4.0])
def test_ridge_against_brute_force(sigma: float, tau: float) -> None:
    p = problem(1, sigma=sigma, tau=tau)
    agree(ridge(p.x, p.y, sigma, tau), ridge_reference(p))


@pytest.mark.parametrize("sigma", [0.1, 0.5, 1.0, 3.0])
def test_discrete_against_brute_force(sigma: float) -> None:
    p = problem(2, sigma=sigma)
    reference = discrete_reference(p)
    agree(discrete(p.x, p.y, p.tasks, sigma), reference)


@pytest.mark.parametrize("alpha", [0.0, 0.2, 0.9, 1.0])
@pytest.mark.parametrize("delta", [-3.0, 0.0, 7.0])
def test_mixture_against_brute_force(alpha: float, delta: float) -> None:
    p = problem(3)
    d_pred, d_ev = discrete_reference(p)
    c_pred, c_ev = ridge_reference(p)
    if 0 < alpha < 1:
        g = brute_mixture_weight(d_ev, c_ev, logit(alpha) + delta)
    else:
        g = np.full_like(d_ev, alpha)
    result = mixture(both(p), alpha, delta)
    np.testing.assert_allclose(result.g.numpy(), g, rtol=1e-9, atol=0)
    expected = g * d_pred + (1 - g) * c_pred
    np.testing.assert_allclose(result.prediction.numpy(), expected, rtol=1e-9, atol=0)


def test_the_papers_size_against_brute_force() -> None:
    p = problem(4, batch=4, exemplars=40, dim=20, n=64, sigma=1.0)
    agree(ridge(p.x, p.y, 1.0, 1.0), ridge_reference(p))
    agree(discrete(p.x, p.y, p.tasks, 1.0), discrete_reference(p))


# Both sides of the noise level at which ridge changes its update, and far beyond it.
@pytest.mark.parametrize("sigma", [0.1, 0.0301, 0.0299, 1e-3, 1e-6])
def test_small_noise_against_fifty_digits(sigma: float) -> None:
    p = problem(5, batch=2, exemplars=12, dim=4, sigma=sigma)
    result = both(p)
    for b in range(2):
        x, y, tasks = p.x[b].numpy(), p.y[b].numpy(), p.tasks.numpy()
        for mine, exact in (
            (result.continuous, exact_ridge(x, y, sigma, p.tau)),
            (result.discrete, exact_discrete(x, y, tasks, sigma)),
        ):
            prediction, evidence = (np.array([float(v) for v in part]) for part in exact)
            np.testing.assert_allclose(mine.prediction[b].numpy(), prediction, rtol=1e-9, atol=1e-9)
            np.testing.assert_allclose(mine.log_evidence[b].numpy(), evidence, rtol=1e-9, atol=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("sigma", [1.0, 0.05, 1e-3])
def test_large_sizes_stay_finite_and_g_exact(sigma: float, dtype: torch.dtype) -> None:
    """n = 4096, d = 64, k = 128. At these sizes g is 0 or 1 almost everywhere, which would hide
    any error. So each prefix gets the skew that puts the exact g at one half, where an error of
    the evidence shows most."""
    p = problem(6, batch=2, exemplars=128, dim=64, n=4096, sigma=sigma)
    x, y = p.x.to(dtype), p.y.to(dtype)
    result = predictors(x, y, p.tasks, sigma, p.tau)
    for part in (*result.continuous, *result.discrete):
        assert bool(part.isfinite().all())
    assert result.continuous.log_evidence.dtype == torch.float64
    for b in range(2):
        inputs, labels = x[b].double().numpy(), y[b].double().numpy()
        exact_c = exact_ridge(inputs, labels, sigma, p.tau)
        exact_d = exact_discrete(inputs, labels, p.tasks.numpy(), sigma)
        lean = [float(c - d) for c, d in zip(exact_c[1], exact_d[1], strict=True)]
        g = mixture(result, alpha=0.5, delta=torch.tensor(lean, dtype=torch.float64)).g[b]
        assert float((g - 0.5).abs().max()) < 1e-3
        tolerance = 1e-5 if dtype == torch.float32 else 1e-8
        for mine, exact in ((result.continuous, exact_c), (result.discrete, exact_d)):
            expected = np.array([float(v) for v in exact[0]])
            np.testing.assert_allclose(
                mine.prediction[b].double().numpy(), expected, rtol=tolerance, atol=tolerance
            )


# --- edges --------------------------------------------------------------------------------------


def test_no_exemplars() -> None:
    p = problem(7, exemplars=0)
    parts = both(p)
    assert parts.continuous.prediction.shape == (4, 1)
    assert not bool(parts.continuous.prediction.any())
    close(parts.discrete.prediction[:, 0], p.x[:, 0] @ p.tasks.mean(0))
    for part in parts:
        assert not bool(part.log_evidence.any())
    close(mixture(parts, 0.3).g, torch.full((4, 1), 0.3, dtype=torch.float64))


def test_one_exemplar_in_closed_form() -> None:
    p = problem(8, exemplars=1, sigma=0.7, tau=1.3)
    x0, x1, y0 = p.x[:, 0], p.x[:, 1], p.y[:, 0]
    variance = 1.3**2 * (x0**2).sum(1) + 0.7**2
    result = ridge(p.x, p.y, 0.7, 1.3)
    close(result.prediction[:, 1], 1.3**2 * (x0 * x1).sum(1) * y0 / variance)
    close(result.log_evidence[:, 1], log_normal(y0, torch.zeros_like(y0), variance))


def test_one_task_is_known_from_the_start() -> None:
    p = problem(9, n=1)
    result = discrete(p.x, p.y, p.tasks, p.sigma)
    close(result.prediction, p.x @ p.tasks[0])
    steps = log_normal(p.y, p.x @ p.tasks[0], p.sigma**2).cumsum(1)[:, :-1]
    close(result.log_evidence[:, 1:], steps)


def test_alpha_zero_and_one_are_exact() -> None:
    parts = both(problem(10))
    for delta in (-50.0, 0.0, 50.0):
        none, all_ = mixture(parts, 0.0, delta), mixture(parts, 1.0, delta)
        assert bool((none.g == 0).all())
        assert bool((all_.g == 1).all())
        assert torch.equal(none.prediction, parts.continuous.prediction)
        assert torch.equal(all_.prediction, parts.discrete.prediction)


def test_hopeless_likelihoods_stay_finite() -> None:
    """Labels a thousand noise units from every task: no weight may become 0/0."""
    p = problem(11, sigma=1e-3)
    result = discrete(p.x, p.y + 100, p.tasks, 1e-3)
    assert bool(result.prediction.isfinite().all())
    assert bool(result.log_evidence.isfinite().all())


def test_skews_and_alphas_broadcast() -> None:
    parts = both(problem(12))
    deltas = torch.tensor([-1.0, 0.0, 4.0], dtype=torch.float64)
    wide = mixture(parts, 0.5, deltas[:, None, None])
    assert wide.prediction.shape == wide.g.shape == (3, 4, 13)
    for i, delta in enumerate(deltas):
        close(wide.g[i], mixture(parts, 0.5, float(delta)).g)
    grid = mixture(parts, torch.tensor([0.0, 0.5])[:, None, None, None], deltas[:, None, None])
    assert grid.g.shape == (2, 3, 4, 13)
    close(grid.g[1], wide.g)
    assert not bool(grid.g[0].any())


def test_skew_can_be_differentiated() -> None:
    parts = both(problem(13))
    delta = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda d: tuple(mixture(parts, 0.4, d)), (delta,))


def test_float32_inputs_cost_only_the_rounding_of_the_answer() -> None:
    p = problem(14, sigma=0.01)
    single = both(p._replace(x=p.x.float(), y=p.y.float()))
    double = both(p._replace(x=p.x.float().double(), y=p.y.float().double()))
    for low, high in zip(single, double, strict=True):
        assert low.prediction.dtype == torch.float32
        assert low.log_evidence.dtype == torch.float64
        assert torch.equal(low.prediction, high.prediction.float())
        assert torch.equal(low.log_evidence, high.log_evidence)
    output = mixture(single, 0.5)
    assert (output.prediction.dtype, output.g.dtype) == (torch.float32, torch.float64)


@pytest.mark.parametrize("dim", [3, 64])
def test_prompts_do_not_see_each_other(dim: int) -> None:
    """Also where a batch is cut into blocks, and whatever the layout of the inputs."""
    p = problem(15, batch=150, exemplars=6, dim=dim, n=2000)
    whole = both(p)
    for b in (0, 63, 64, 149):
        alone = both(p._replace(x=p.x[b : b + 1], y=p.y[b : b + 1]))
        for mine, other in zip(whole, alone, strict=True):
            close(mine.prediction[b], other.prediction[0])
            close(mine.log_evidence[b], other.log_evidence[0])
    strided = p._replace(x=p.x.mT.contiguous().mT, y=p.y.t().contiguous().t())
    for mine, other in zip(whole, both(strided), strict=True):
        assert torch.equal(mine.prediction, other.prediction)


def test_inputs_are_left_alone_and_may_carry_gradients() -> None:
    p = problem(16)
    x, y = p.x.clone().requires_grad_(), p.y.clone().requires_grad_()
    parts = both(p._replace(x=x, y=y))
    assert torch.equal(x, p.x)
    assert torch.equal(y, p.y)
    assert not parts.continuous.prediction.requires_grad
    with torch.inference_mode():
        assert torch.equal(both(p).discrete.prediction, parts.discrete.prediction)


def test_each_prior_has_its_predictor() -> None:
    p = problem(17)
    prior = Mixture(alpha=0.3, discrete=Discrete(n=5, seed=2), continuous=Continuous(tau=1.5))
    parts = predictors(p.x, p.y, prior.discrete.tasks(5), p.sigma, 1.5)
    for one, expected in ((prior.continuous, parts.continuous), (prior.discrete, parts.discrete)):
        assert torch.equal(bayes_predict(one, p.x, p.y, p.sigma), expected.prediction)
    result = posterior(prior, p.x, p.y, p.sigma)
    assert torch.equal(result.prediction, mixture(parts, 0.3).prediction)
    whole = torch.logaddexp(
        np.log(0.3) + parts.discrete.log_evidence, np.log(0.7) + parts.continuous.log_evidence
    )
    close(result.log_evidence, whole)
    for alpha, part in ((0.0, parts.continuous), (1.0, parts.discrete)):
        end = posterior(prior.model_copy(update={"alpha": alpha}), p.x, p.y, p.sigma)
        assert torch.equal(end.log_evidence, part.log_evidence)


def test_wrong_inputs_are_the_users_error() -> None:
    p = problem(18)
    with pytest.raises(UserError, match="do not fit"):
        ridge(p.x, p.y[:, 1:], 1.0, 1.0)
    with pytest.raises(UserError, match="do not fit"):
        discrete(p.x, p.y, p.tasks[:, 1:], 1.0)
    with pytest.raises(UserError, match="do not fit"):
        discrete(p.x, p.y, p.tasks[:0], 1.0)
    for sigma in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(UserError, match="sigma"):
            both(p._replace(sigma=sigma))
    with pytest.raises(UserError, match="tau"):
        ridge(p.x, p.y, 1.0, 0.0)
    for alpha in (-0.1, 1.1, float("nan")):
        with pytest.raises(UserError, match="alpha"):
            mixture(both(p), alpha)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("sigma", [0.5, 1e-3])
def test_gpu_and_cpu_agree(sigma: float) -> None:
    p = problem(19, sigma=sigma)
    on_gpu = both(p._replace(x=p.x.cuda(), y=p.y.cuda()))
    for mine, other in zip(both(p), on_gpu, strict=True):
        close(mine.prediction, other.prediction.cpu())
        close(mine.log_evidence, other.log_evidence.cpu())
