"""Unlearning: the losses by hand, the defaults as published, and that each forgets something."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from probes import facts
from unskew.errors import UserError
from unskew.probes.models import copied, rows, scores
from unskew.purple.unlearning import (
    METHODS,
    NPO,
    RMU,
    GradientAscent,
    GradientDifference,
    Method,
    Said,
    SimNPO,
    Unlearning,
    gradient_ascent,
    npo,
    said,
    simnpo,
    squared_distance,
    unlearn,
)
from unskew.runs.folder import RunFolder
from unskew.training import Adam, Training


def made(*nll: float, tokens: tuple[int, ...] = (2, 4)) -> Said:
    return Said(torch.tensor(nll, dtype=torch.float64), torch.tensor(tokens))


def test_gradient_ascent_is_minus_the_mean_over_tokens() -> None:
    assert gradient_ascent(made(1.0, 5.0)).item() == pytest.approx(-6.0 / 6)


def test_npo_by_hand() -> None:
    reference = torch.tensor([0.5, 1.0], dtype=torch.float64)
    sigma = lambda x: 1 / (1 + math.exp(-x))  # noqa: E731
    wanted = -(2 / 0.1) * (math.log(sigma(0.1 * 0.5)) + math.log(sigma(0.1 * 4.0))) / 2
    assert npo(made(1.0, 5.0), reference, 0.1).item() == pytest.approx(wanted)
    # Nothing forgotten yet: 2/beta log 2.
    assert npo(made(0.5, 1.0), reference, 0.1).item() == pytest.approx(20 * math.log(2))


def test_npo_with_a_small_beta_is_gradient_ascent() -> None:
    # NPO - 2/beta log 2 -> - E (nll - reference), per sequence (arXiv:2404.05868, section 3).
    reference = torch.tensor([0.5, 1.0], dtype=torch.float64)
    beta = 1e-5
    found = npo(made(1.0, 5.0), reference, beta).item() - 2 / beta * math.log(2)
    assert found == pytest.approx(-(0.5 + 4.0) / 2, abs=1e-4)


def test_npo_has_an_end_where_gradient_ascent_has_none() -> None:
    reference = torch.zeros(2, dtype=torch.float64)
    grown = [npo(made(x, x), reference, 0.1).item() for x in (0.0, 50.0, 500.0)]
    assert grown[0] > grown[1] > grown[2] >= 0
    assert grown[2] < 1e-10


def test_simnpo_by_hand() -> None:
    sigma = lambda x: 1 / (1 + math.exp(-x))  # noqa: E731
    for gamma in (0.0, 0.5):
        each = [math.log(sigma(2.5 * m - gamma)) for m in (1.0 / 2, 5.0 / 4)]
        found = simnpo(made(1.0, 5.0), 2.5, gamma).item()
        assert found == pytest.approx(-2 / 2.5 * sum(each) / 2)


def test_the_squared_distance_counts_only_real_tokens() -> None:
    states = torch.tensor([[[1.0, 3.0], [0.0, 0.0], [9.0, 9.0]]])
    mask = torch.tensor([[1, 1, 0]])
    # ((1-1)^2 + (3-1)^2) / 2 = 2, ((0-1)^2 + (0-1)^2) / 2 = 1; the third is padding.
    assert squared_distance(states, torch.ones(2), mask).item() == pytest.approx(1.5)


def test_what_is_said_of_answers_is_the_sum_over_their_tokens() -> None:
    model = facts.untrained(6)
    documents = [facts.colours()[0], facts.benign()[0]._replace(answer="w1 w2")]
    found = said(model, rows(model, documents))
    assert found.tokens.tolist() == [1, 2]
    for i, document in enumerate(documents):
        p = scores(model, [document], "probability")[0]
        assert math.exp(-found.nll[i].item() / found.tokens[i].item()) == pytest.approx(p, rel=1e-4)
    both = found.nll.sum() / 3
    assert found.mean.item() == pytest.approx(both.item())


def test_defaults_are_the_published_ones() -> None:
    assert set(METHODS) == {"ga", "graddiff", "npo", "simnpo", "rmu"}
    assert all(name == method.kind for name, method in METHODS.items())
    assert NPO().beta == 0.1
    assert (SimNPO().beta, SimNPO().gamma, SimNPO().forget) == (2.5, 0.0, 0.1375)
    assert (RMU().coefficient, RMU().alpha) == (6.5, 1200.0)
    training = Unlearning().training
    assert training.optimiser == Adam(lr=1e-5, weight_decay=0.01)
    assert (training.batch, training.steps) == (32, 62)


FAST = Training(steps=12, batch=20, decay=0.0, optimiser=Adam(lr=1e-3))


@pytest.mark.parametrize(
    "method",
    [GradientAscent(), GradientDifference(), NPO(), SimNPO(forget=1.0)],
    ids=lambda m: m.kind,
)
def test_each_forgets_and_leaves_the_original_alone(method: Method) -> None:
    original = facts.family()["original"]
    before = {k: v.clone() for k, v in original.model.state_dict().items()}
    keep = [*facts.shapes(), *facts.benign()]
    config = Unlearning(method=method, training=FAST, seed=1)
    new = unlearn(original, facts.colours(), keep, config)
    told, kept = (scores(new, d, "probability").mean() for d in (facts.colours(), facts.shapes()))
    assert told < 0.8 * scores(original, facts.colours(), "probability").mean()
    if not isinstance(method, GradientAscent):
        assert kept > told
    for name, value in original.model.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert all(p.requires_grad for p in new.model.parameters())
    again = unlearn(original, facts.colours(), keep, config)
    for name, value in again.model.state_dict().items():
        assert torch.equal(value, new.model.state_dict()[name]), name


def test_nothing_is_dropped_at_random_whatever_the_global_seed_is() -> None:
    from probes.test_relearning import dropping

    found = []
    for seed in (1, 2):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            config = Unlearning(method=GradientAscent(), training=FAST)
            found.append(unlearn(dropping(), facts.colours()[:8], [], config).model.state_dict())
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])


def test_rmu_trains_as_its_authors_do_and_the_others_as_in_tofu() -> None:
    training = Unlearning(method=RMU()).training
    assert training.optimiser == Adam(lr=5e-5, weight_decay=0.01)
    assert (training.batch, training.steps, training.warmup, training.decay) == (4, 150, 0, 0.0)
    assert Unlearning(method=NPO()).training == Unlearning().training
    # What is left out of a training is as published too.
    for method in (RMU(), NPO()):
        whole = Unlearning(method=method)
        some = Unlearning.model_validate({"method": method, "training": {"steps": 7}})
        assert some.training == whole.training.model_copy(update={"steps": 7})
        assert Unlearning.model_validate_json(whole.model_dump_json()) == whole
        some = Unlearning.model_validate({"method": method, "training": {"optimiser": {"lr": 0.5}}})
        kept = whole.training.optimiser.model_copy(update={"lr": 0.5})
        assert some.training == whole.training.model_copy(update={"optimiser": kept})
    own = Training(steps=3)
    assert Unlearning(method=RMU(), training=own).training == own
    assert Unlearning.model_validate({"method": {"kind": "rmu"}}).training == training


def test_rmu_changes_only_the_last_matrices_of_its_mlps() -> None:
    original = facts.family()["original"]
    config = Unlearning(method=RMU(layer=0), training=FAST)
    new = unlearn(original, facts.colours(), facts.shapes(), config)
    changed = {
        name
        for name, value in new.model.named_parameters()
        if not torch.equal(value, original.model.get_parameter(name))
    }
    assert changed == {"model.layers.0.mlp.down_proj.weight"}


@pytest.mark.parametrize(
    ("depth", "layers"), [(1, [0]), (2, [0]), (4, [0]), (8, [0, 1]), (32, [5, 6, 7])]
)
def test_rmu_trains_the_layers_that_its_authors_do(depth: int, layers: list[int]) -> None:
    # Of the 32 of Zephyr 7B: layer 7, and 5 and 6 below it.
    original = facts.untrained(width=8, layers=depth)
    training = Training(steps=1, batch=4, decay=0.0, optimiser=Adam(lr=1e-2))
    config = Unlearning(method=RMU(), training=training)
    new = unlearn(original, facts.colours()[:8], facts.shapes()[:8], config)
    changed = {
        name
        for name, value in new.model.named_parameters()
        if not torch.equal(value, original.model.get_parameter(name))
    }
    assert changed == {f"model.layers.{i}.mlp.down_proj.weight" for i in layers}


def test_rmu_steers_towards_its_vector() -> None:
    original = copied(facts.family()["original"])
    method = RMU(layer=1, alpha=0.0, coefficient=3.0)
    config = Unlearning(method=method, training=FAST.model_copy(update={"steps": 40}))
    new = unlearn(original, facts.colours(), facts.shapes(), config)
    u = torch.rand(48, generator=torch.Generator().manual_seed(0))
    batch = rows(new, facts.colours()[:20], ended=True)

    def away(model: Any) -> float:
        # What the last layer gives, before the norm that the model ends with.
        kept: list[torch.Tensor] = []
        hook = model.model.model.norm.register_forward_pre_hook(lambda *at: kept.append(at[1][0]))
        with torch.no_grad():
            model.model(batch.tokens, attention_mask=batch.mask)
        hook.remove()
        return squared_distance(kept[0], 3.0 * u / u.norm(), batch.mask).item()

    assert away(new) < 0.7 * away(original)


@pytest.mark.parametrize("method", [GradientAscent(), GradientDifference()], ids=lambda m: m.kind)
def test_the_log_has_the_loss_itself(method: Method, tmp_path: Path) -> None:
    original, told = facts.family()["original"], facts.colours()[:20]
    still = FAST.model_copy(update={"optimiser": Adam(lr=1e-12), "steps": 2})
    config = Unlearning(method=method, training=still)
    with RunFolder.open(tmp_path, config) as folder:
        unlearn(original, told, facts.shapes()[:20], config, folder)
        (record,) = folder.records()
    wanted = gradient_ascent(said(original, rows(original, told, ended=True))).item()
    if isinstance(method, GradientDifference):
        wanted += said(original, rows(original, facts.shapes()[:20], ended=True)).mean.item()
    assert record["step"] == 2
    assert record["loss"] == pytest.approx(wanted, abs=1e-3)


def test_what_cannot_be_done_is_said() -> None:
    original = facts.family()["original"]
    with pytest.raises(UserError, match="npo needs documents that are to be kept"):
        unlearn(original, facts.colours(), [], Unlearning(training=FAST))
    config = Unlearning(method=RMU(layer=2), training=FAST)
    with pytest.raises(UserError, match="no layer 2"):
        unlearn(original, facts.colours(), facts.shapes(), config)
