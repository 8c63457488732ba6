"""Relearning: deterministic, never of the model itself, summed up over log steps."""

from typing import Any

import numpy as np
import pytest
import torch

from probes import facts
from unskew.probes.documents import parts
from unskew.probes.models import Model, copied, scores
from unskew.probes.relearning import Curve, area, draw, hidden_matrices, relearn, steps_of
from unskew.training import Adam, Training

TRAINING = Training(steps=12, batch=10, decay=0.0, optimiser=Adam(lr=2e-3))


def test_the_area_by_hand() -> None:
    flat = Curve((0, 1, 3), np.full((3, 2), 0.4))
    np.testing.assert_allclose(area(flat), [0.4, 0.4])
    rising = Curve((0, 1, 3), np.array([[0.0], [1.0], [1.0]]))
    # log(1 + step) is 0, log 2, 2 log 2: the first half rises from 0 to 1, the second stays.
    np.testing.assert_allclose(area(rising), [0.75])
    np.testing.assert_allclose(area(Curve((0,), np.array([[0.3, 1.0]]))), [0.3, 1.0])


def test_steps() -> None:
    assert steps_of(Training(steps=0)) == (0,)
    assert steps_of(Training(steps=12)) == (0, 1, 2, 5, 10, 12)
    assert steps_of(Training(steps=10)) == (0, 1, 2, 5, 10)


def test_a_batch_is_a_function_of_seed_and_step_and_uses_all_before_any_again() -> None:
    documents = facts.colours()[:7]
    drawn = [d for step in range(7) for d in draw(documents, 3, 5, step)]
    for turn in range(3):
        assert sorted(drawn[7 * turn : 7 * turn + 7]) == sorted(documents)
    assert draw(documents, 3, 5, 4) == drawn[12:15]
    assert [d for step in range(7) for d in draw(documents, 3, 6, step)] != drawn


def test_a_suppressed_model_relearns_what_it_is_not_shown_and_an_oracle_does_not() -> None:
    family = facts.family()
    taught, asked = parts(facts.colours(), 0.25, 0)
    before = {k: p.clone() for k, p in family["refuse"].model.named_parameters()}
    refuse, oracle = (
        relearn(family[name], taught, asked, TRAINING, seed=0) for name in ("refuse", "oracle")
    )
    assert refuse.steps == (0, 1, 2, 5, 10, 12)
    assert refuse.scores.shape == (6, len(asked))
    np.testing.assert_array_equal(refuse.scores[0], scores(family["refuse"], asked))
    assert refuse.scores[0].mean() < 0.35
    assert refuse.scores[-1].mean() > 0.6
    assert oracle.scores[-1].mean() < 0.4
    for name, p in family["refuse"].model.named_parameters():
        assert torch.equal(p, before[name]), name
    assert not family["refuse"].model.training
    again = relearn(family["refuse"], taught, asked, TRAINING, seed=0)
    np.testing.assert_array_equal(again.scores, refuse.scores)
    with pytest.raises(ValueError, match="nothing to teach"):
        relearn(family["refuse"], [], asked, TRAINING, seed=0)


def dropping() -> Model:
    """A model that drops half of everything in training, whose positions have embeddings."""
    from transformers import GPT2Config, GPT2LMHeadModel

    size = len(facts.tokenizer())
    config = GPT2Config(
        n_embd=16, n_layer=1, n_head=2, vocab_size=size, n_positions=32, resid_pdrop=0.5,
        embd_pdrop=0.5, attn_pdrop=0.5, bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Model("gpt2", GPT2LMHeadModel(config).eval(), facts.tokenizer())


def test_nothing_is_dropped_at_random_whatever_the_global_seed_is() -> None:
    model = dropping()
    taught, asked = facts.colours()[:8], facts.colours()[8:16]
    found = []
    for seed in (1, 2):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            found.append(relearn(model, taught, asked, TRAINING, seed=0, how="probability"))
            assert torch.initial_seed() == seed
    np.testing.assert_array_equal(found[0].scores, found[1].scores)


def test_every_point_of_a_curve_is_asked_in_the_models_own_precision(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[bool] = []

    def asking(model: Model, *_: object) -> np.ndarray:
        seen.append(torch.is_autocast_enabled("cpu"))
        return np.zeros(1)

    monkeypatch.setattr("unskew.probes.relearning.scores", asking)
    taught, asked = facts.colours()[:8], facts.colours()[8:16]
    low = TRAINING.model_copy(update={"precision": "bfloat16", "steps": 2})
    relearn(dropping(), taught, asked, low, seed=0, how="probability")
    assert seen == [False] * 3


def test_muon_gets_no_embedding() -> None:
    net = dropping().model
    found = {id(p) for p in hidden_matrices(dropping()._replace(model=net))}
    assert found
    assert id(net.transformer.wpe.weight) not in found
    assert id(net.transformer.wte.weight) not in found

    model = copied(facts.untrained())
    net: Any = model.model
    ends = (net.get_input_embeddings(), net.get_output_embeddings())
    found = {id(p) for p in hidden_matrices(model)}
    assert len(found) == 2 * 7
    assert not found & {id(end.weight) for end in ends}
