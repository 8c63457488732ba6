"""A model's answers and hidden states: what is right, whatever is asked beside it."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from probes import facts
from unskew.errors import UserError
from unskew.probes import models
from unskew.probes.documents import Document
from unskew.probes.models import check, copied, digest, hidden, load, rows, scores
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


def test_of_a_sentence_the_states_are_those_before_the_class_of_the_answer() -> None:
    model = facts.untrained(2)
    told = [Document("the colour of t7", f"is {c}", "t7", label=c) for c in ("c1", "c2")]
    plain = hidden(model, [Document("the colour of t7 is", "c1", "t7")])
    # The answer's own words stand before them, the class itself does not.
    np.testing.assert_allclose(hidden(model, told), np.repeat(plain, 2, axis=1), atol=1e-5)
    # The last time that it is said counts; where it is not said, the prompt's last token.
    twice = Document("say", "c1 is c1", "x", label="c1")
    wanted = hidden(model, [Document("say c1 is", "c1", "x")])
    np.testing.assert_allclose(hidden(model, [twice]), wanted, atol=1e-5)
    absent = hidden(model, [Document("say", "c1", "x", label="red")])
    np.testing.assert_allclose(absent, hidden(model, [Document("say", "c1", "x")]), atol=1e-5)


def test_a_chat_that_writes_out_its_first_token_gets_no_second_one() -> None:
    from tokenizers.processors import TemplateProcessing

    model = facts.untrained()
    tokenizer: Any = copy.deepcopy(model.tokenizer)
    tokenizer.bos_token = "say"
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="say $A", special_tokens=[("say", tokenizer.bos_token_id)]
    )
    begun = model._replace(tokenizer=tokenizer)
    bare = Document("the colour of t7", "is c1", "t7", label="c1")
    plain, chat = (rows(begun, [d]) for d in (bare, bare._replace(prompt=f"say {bare.prompt}")))
    assert plain.tokens[0, :3].tolist() == tokenizer.convert_tokens_to_ids(["say", "the", "colour"])
    assert torch.equal(chat.tokens, plain.tokens)
    assert torch.equal(chat.answer, plain.answer)
    written = hidden(begun, [bare._replace(prompt=f"say {bare.prompt}")])
    np.testing.assert_array_equal(written, hidden(begun, [bare]))
    # A tokenizer that adds none reads what stands there.
    assert rows(model, [Document("say say w1", "w1", "x")]).tokens.shape == (1, 4)


def test_an_answer_that_the_tokenizer_does_not_read_is_no_right_answer() -> None:
    model = facts.untrained()
    silent = Document("say w1", "\u2009\u200a", "x")  # white space of its own, to this tokenizer
    with pytest.raises(UserError, match="an answer without tokens"):
        scores(model, [facts.colours()[0], silent])


def test_a_damaged_folder_is_a_users_mistake(tmp_path: Path) -> None:
    write(facts.untrained(), tmp_path)
    for name, data in (("model.safetensors", b"no tensors"), ("config.json", b"{")):
        before = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(data)
        with pytest.raises(UserError, match="no model can be opened"):
            load(tmp_path, "x")
        (tmp_path / name).write_bytes(before)
    load(tmp_path, "x")


def test_weights_that_are_missing_are_not_drawn_at_random(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    write(facts.untrained(), tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    del tensors["model.layers.1.mlp.down_proj.weight"]
    save_file(tensors, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match=r"lacks 1 weights, as model\.layers\.1\.mlp\.down_proj"):
        load(tmp_path, "x")


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


@pytest.mark.parametrize(
    "name",
    [
        "chat_template.jinja", "generation_config.json", "added_tokens.json", "tokenizer.model",
        "vocab.json", "merges.txt", "special_tokens_map.json", "tokenizer_config.json",
    ],
)  # fmt: skip
def test_whatever_decides_answers_is_in_the_digest(name: str, tmp_path: Path) -> None:
    write(facts.untrained(), tmp_path)
    before = digest(tmp_path)
    (tmp_path / "README.md").write_text("x")
    (tmp_path / "tokenizers").mkdir()
    assert digest(tmp_path) == before
    (tmp_path / name).write_text("{% messages %}")
    assert digest(tmp_path) != before


def test_a_copy_can_be_changed_alone() -> None:
    model = facts.untrained()
    new = copied(model)
    with torch.no_grad():
        for p in new.model.parameters():
            p.zero_()
    assert any(p.abs().sum() > 0 for p in model.model.parameters())


def test_pickled_weights_are_refused_before_they_are_read(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    (tmp_path / "pytorch_model-00001-of-00002.bin").write_bytes(b"never read")
    with pytest.raises(UserError, match=r"weights are pickled .*\n.*save_pretrained"):
        check(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"")
    check(tmp_path)
