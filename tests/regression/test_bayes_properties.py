"""Bayes predictors: evidence by a second route, what the equations imply, and calibration."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

from regression.problems import (
    Problem,
    both,
    close,
    discrete_reference,
    log_normal,
    problems,
)
from statistical import assert_law, assert_mean, share
from unskew.regression import (
    Continuous,
    Discrete,
    Mixture,
    discrete,
    mixture,
    ridge,
    sample,
)

# --- evidence by a second route -----------------------------------------------------------------


@given(problems)
def test_discrete_evidence_is_the_chain_of_its_predictive_densities(p: Problem) -> None:
    answers = p.x @ p.tasks.T  # (B, P, n)
    density = log_normal(p.y[..., None], answers, p.sigma**2)
    log_weight = torch.full_like(density[:, 0], -np.log(len(p.tasks)))
    chain = [torch.zeros(len(p.x), dtype=torch.float64)]
    for k in range(p.x.shape[1] - 1):
        joint = log_weight + density[:, k]
        chain.append(chain[-1] + joint.logsumexp(1))
        log_weight = joint.log_softmax(1)
    evidence = discrete(p.x, p.y, p.tasks, p.sigma).log_evidence
    close(evidence, torch.stack(chain, 1))


@given(problems)
def test_ridge_evidence_is_the_joint_gaussian(p: Problem) -> None:
    points = p.x.shape[1]
    evidence = ridge(p.x, p.y, p.sigma, p.tau).log_evidence
    covariance = p.tau**2 * p.x @ p.x.mT + p.sigma**2 * torch.eye(points, dtype=torch.float64)
    for k in range(1, points):
        joint = torch.distributions.MultivariateNormal(
            torch.zeros(k, dtype=torch.float64), covariance[:, :k, :k]
        )
        close(evidence[:, k], joint.log_prob(p.y[:, :k]))
    assert not bool(evidence[:, 0].any())


@given(problems, st.floats(0.05, 0.95))
def test_mixture_evidence_is_the_chain_of_mixed_densities(p: Problem, alpha: float) -> None:
    parts = both(p)
    g = mixture(parts, alpha).g[:, :-1]
    step_d, step_c = parts.discrete.log_evidence.diff(), parts.continuous.log_evidence.diff()
    chain = torch.logaddexp(g.log() + step_d, (1 - g).log() + step_c).cumsum(1)
    whole = torch.logaddexp(
        np.log(alpha) + parts.discrete.log_evidence,
        np.log1p(-alpha) + parts.continuous.log_evidence,
    )
    close(whole[:, 1:], chain, atol=1e-8)
    close(whole[:, 0], torch.zeros_like(whole[:, 0]))


# --- what the equations imply -------------------------------------------------------------------


@given(problems, st.integers(0, 2**32 - 1))
def test_rotations_change_nothing(p: Problem, seed: int) -> None:
    rng = np.random.default_rng(seed)
    turn = torch.from_numpy(np.linalg.qr(rng.standard_normal((p.x.shape[2],) * 2))[0])
    turned = p._replace(x=p.x @ turn, tasks=p.tasks @ turn)
    for before, after in zip(both(p), both(turned), strict=True):
        close(before.prediction, after.prediction)
        close(before.log_evidence, after.log_evidence)


@given(problems, st.randoms(use_true_random=False))
def test_the_order_of_the_pool_changes_nothing(p: Problem, random) -> None:
    order = random.sample(range(len(p.tasks)), len(p.tasks))
    before = discrete(p.x, p.y, p.tasks, p.sigma)
    after = discrete(p.x, p.y, p.tasks[order], p.sigma)
    close(before.prediction, after.prediction)
    close(before.log_evidence, after.log_evidence)


@given(problems, st.randoms(use_true_random=False))
def test_the_order_of_the_exemplars_does_not_reach_the_query(p: Problem, random) -> None:
    last = p.x.shape[1] - 1
    order = [*random.sample(range(last), last), last]
    for before, after in zip(
        both(p), both(p._replace(x=p.x[:, order], y=p.y[:, order])), strict=True
    ):
        close(before.prediction[:, last], after.prediction[:, last])
        close(before.log_evidence[:, last], after.log_evidence[:, last])


@given(problems, st.data())
def test_nothing_later_is_seen(p: Problem, data: st.DataObject) -> None:
    """Bit for bit, and even if what comes later is no number."""
    k = data.draw(st.integers(0, p.x.shape[1] - 1))
    x, y = p.x.clone(), p.y.clone()
    x[:, k + 1 :] = torch.nan
    y[:, k:] = torch.nan
    for before, after in zip(both(p), both(p._replace(x=x, y=y)), strict=True):
        assert torch.equal(before.prediction[:, : k + 1], after.prediction[:, : k + 1])
        assert torch.equal(before.log_evidence[:, : k + 1], after.log_evidence[:, : k + 1])


@given(problems, st.floats(-5, 5))
def test_ridge_is_linear_in_the_labels(p: Problem, gamma: float) -> None:
    scaled = ridge(p.x, gamma * p.y, p.sigma, p.tau).prediction
    close(scaled, gamma * ridge(p.x, p.y, p.sigma, p.tau).prediction)


@given(problems, st.floats(0.2, 5))
def test_only_the_ratio_of_scales_matters_to_ridge(p: Problem, scale: float) -> None:
    plain = ridge(p.x, p.y, p.sigma, p.tau)
    scaled = ridge(p.x, scale * p.y, scale * p.sigma, scale * p.tau)
    close(scaled.prediction, scale * plain.prediction)
    units = torch.arange(p.x.shape[1], dtype=torch.float64) * np.log(scale)
    close(scaled.log_evidence, plain.log_evidence - units, atol=1e-8)


@given(problems, st.data())
def test_duplicated_tasks_count_as_often_as_they_stand(p: Problem, data: st.DataObject) -> None:
    n = len(p.tasks)
    counts = np.array(data.draw(st.lists(st.integers(1, 3), min_size=n, max_size=n)))
    pool = p.tasks.repeat_interleave(torch.from_numpy(counts), dim=0)
    reference = discrete_reference(p, counts / counts.sum())
    result = discrete(p.x, p.y, pool, p.sigma)
    close(result.prediction, torch.from_numpy(reference[0]))
    close(result.log_evidence, torch.from_numpy(reference[1]))


@given(problems, st.floats(0.01, 0.99), st.floats(-20, 20), st.floats(0.1, 20))
def test_skew_pulls_towards_the_discrete_prior(
    p: Problem, alpha: float, delta: float, more: float
) -> None:
    parts = both(p)
    low, high = mixture(parts, alpha, delta), mixture(parts, alpha, delta + more)
    assert bool((high.g >= low.g).all())
    inside = (low.g > 1e-6) & (high.g < 1 - 1e-6)
    moved = (high.g.logit() - low.g.logit())[inside]
    close(moved, torch.full_like(moved, more), atol=1e-8)


# --- sampling against inference -----------------------------------------------------------------


def drawn(seed: int, size: int = 20_000) -> tuple[Problem, Tensor, Tensor]:
    """Prompts from a mixture (alpha 0.4, 3 tasks, d = 2, K = 4), their kind and clean labels."""
    rng = np.random.default_rng(seed)
    prior = Mixture(alpha=0.4, discrete=Discrete(n=3), continuous=Continuous(tau=1.2))
    w, is_discrete = sample(prior, rng, size, 2)
    x = torch.from_numpy(rng.standard_normal((size, 5, 2)))
    clean = (x * w[:, None]).sum(-1)
    y = clean + 0.8 * torch.from_numpy(rng.standard_normal(clean.shape))
    return Problem(x, y, prior.discrete.tasks(2), 0.8, 1.2), is_discrete, clean


def test_the_posterior_weight_is_calibrated() -> None:
    level = share("posterior weight g is calibrated", comparisons=10)
    p, is_discrete, _ = drawn(1)
    g = mixture(both(p), 0.4).g
    for k in range(5):
        error = is_discrete.double() - g[:, k]
        assert_mean(error, 0.0, level)
        assert_mean(error * g[:, k], 0.0, level)


def test_bayes_errors_are_orthogonal_to_what_is_known() -> None:
    level = share("bayes errors are orthogonal to predictions", comparisons=15)
    p, _, clean = drawn(2)
    parts = both(p)
    best = mixture(parts, 0.4).prediction
    for k in range(5):
        error = clean[:, k] - best[:, k]
        for known in (best, parts.continuous.prediction, parts.discrete.prediction):
            if bool(known[:, k].any()):  # ridge without exemplars predicts 0, a constant
                assert_mean(error * known[:, k], 0.0, level)


def test_ridge_residuals_have_the_predictive_law() -> None:
    """Whitened by the predictive variance that the evidence implies, they are standard normal."""
    level = share("ridge residuals have the predictive law")
    p, is_discrete, _ = drawn(3)
    p = p._replace(x=p.x[~is_discrete], y=p.y[~is_discrete])
    result = ridge(p.x, p.y, p.sigma, p.tau)
    # Of log N(y; m, a) at y = m only log a is left; ask for it with labels that hit the prediction.
    hit = result.prediction[:, 3]
    at_mean = ridge(p.x, torch.cat([p.y[:, :3], hit[:, None], p.y[:, 4:]], 1), p.sigma, p.tau)
    log_density = at_mean.log_evidence[:, 4] - at_mean.log_evidence[:, 3]
    deviation = torch.exp(-log_density) / np.sqrt(2 * np.pi)
    assert_law((p.y[:, 3] - hit) / deviation, stats.norm().cdf, level)
