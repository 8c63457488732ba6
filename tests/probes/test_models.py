"""A model's answers and hidden states: what is right, whatever is asked beside it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from probes import facts
from unskew.errors import UserError
from unskew.probes import models
from unskew.probes.documents import Document
from unskew.probes.models import copied, digest, hidden, load, rows, scores
from unskew.purple.unlearning import write


def test_a_right_answer_is_what_greedy_decoding_says() -> None:
    model = facts.untrained(4)
    net: Any = model.model
    for prompt in ("the colour of t3 is", "say w1", "of t9"):
        ids = model.tokenizer(prompt, return_tensors="pt").input_ids
        out = net.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=3, do_sample=False,
            eos_token_id=None, pad_token_id=0,
        )  # fmt: skip
        words = str(model.tokenizer.decode(out[0, ids.shape[1] :])).split()
        right = Document(prompt, " ".join(words[:2]), "x")
        wrong = right._replace(answer=f"{words[0]} {'the' if words[1] != 'the' else 'of'}")
        assert scores(model, [right, wrong]).tolist() == [1.0, 0.0]


def test_the_probability_is_the_geometric_mean_over_tokens() -> None:
    model = facts.untrained(5)
    document = Document("the colour of t3 is", "c1 the c2", "x")
    net: Any = model.model
    ids = model.tokenizer(f"{document.prompt} {document.answer}", return_tensors="pt").input_ids
    with torch.no_grad():
        logs = net(ids).logits[0].double().log_softmax(-1)
    each = [logs[i - 1, ids[0, i]].item() for i in range(ids.shape[1] - 3, ids.shape[1])]
    found = scores(model, [document], "probability")
    np.testing.assert_allclose(found, [np.exp(np.mean(each))], rtol=1e-5)


@pytest.mark.parametrize("at_once", [1, 3, 64])
def test_what_is_asked_beside_a_document_changes_nothing(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = facts.untrained(1)
    asked = [*facts.benign()[:4], *facts.colours()[:5]]
    alone = np.concatenate([scores(model, [d], "probability") for d in asked])
    states = np.concatenate([hidden(model, [d]) for d in asked], axis=1)
    monkeypatch.setattr(models, "AT_ONCE", at_once)
    np.testing.assert_allclose(scores(model, asked, "probability"), alone, rtol=1e-4)
    np.testing.assert_allclose(hidden(model, asked), states, atol=1e-5)


def test_hidden_states_are_those_of_the_last_token_of_the_prompt() -> None:
    model = facts.untrained(2)
    document = facts.colours()[7]
    net: Any = model.model
    ids = model.tokenizer(document.prompt, return_tensors="pt").input_ids
    with torch.no_grad():
        said = net(ids, output_hidden_states=True).hidden_states
    assert len(said) == 3  # the embeddings and two layers
    wanted = torch.stack([s[0, -1] for s in said]).numpy()
    # The answer comes after: a causal model cannot have seen it.
    np.testing.assert_allclose(hidden(model, [document])[:, 0], wanted, atol=1e-5)


def test_the_end_belongs_to_the_answer_where_it_is_wanted() -> None:
    model = facts.untrained()
    batch = rows(model, [facts.benign()[0], facts.colours()[0]], ended=True)
    assert batch.answer.sum(1).tolist() == [2, 2]
    assert [batch.tokens[i][batch.answer[i].bool()][-1].item() for i in (0, 1)] == [0, 0]
    assert batch.mask.sum(1).tolist() == [4, 7]
    assert rows(model, facts.benign()[:1]).answer.sum(1).tolist() == [1]


def test_a_document_that_is_too_long_is_named() -> None:
    long = Document("the " * 40, "c1", "x")
    with pytest.raises(UserError, match=r"41 tokens, the model reads 32"):
        scores(facts.untrained(), [long])


def test_a_folder_gives_the_same_model_and_its_digest_tells_models_apart(tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        write(facts.untrained(seed), tmp_path / name)
    asked = facts.colours()[:5]
    again = load(tmp_path / "a", "a")
    wanted = scores(facts.untrained(0), asked, "probability")
    np.testing.assert_allclose(scores(again, asked, "probability"), wanted, rtol=1e-6)
    assert digest(tmp_path / "a") == digest(tmp_path / "b") != digest(tmp_path / "c")
    (tmp_path / "empty").mkdir()
    for call in (lambda p: load(p, "x"), digest):
        with pytest.raises(UserError, match="empty"):
            call(tmp_path / "empty")


def test_a_copy_can_be_changed_alone() -> None:
    model = facts.untrained()
    new = copied(model)
    with torch.no_grad():
        for p in new.model.parameters():
            p.zero_()
    assert any(p.abs().sum() > 0 for p in model.model.parameters())
