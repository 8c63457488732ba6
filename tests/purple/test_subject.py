"""Subjects: prompts, templates, greedy answers in batches, likelihoods."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from nursery.tiny import tokenizer as tiny_tokenizer
from purple.subjects import ANSWERS, QUESTIONS, knowing, opened, written
from unskew.errors import UserError
from unskew.nursery.languages import LANGUAGES
from unskew.nursery.tokens import END, for_transformers
from unskew.purple import subject as module
from unskew.purple.subject import (
    Open,
    Scripted,
    Subject,
    Template,
    TooLongError,
    chat_template,
    nursery_template,
    open_model,
    plain_template,
    template_of,
)

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
LLAMA2 = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}{{ '[INST] ' + m['content'] "
    "+ ' [/INST]' }}{% elif m['role'] == 'assistant' %}{{ ' ' + m['content'] + ' ' + eos_token + "
    "bos_token }}{% else %}{{ raise_exception('no system prompts') }}{% endif %}{% endfor %}"
)


@pytest.fixture(scope="module")
def model() -> Open:
    return opened(knowing())


def tokenizer(chat: str | None = None) -> Any:
    known = for_transformers(tiny_tokenizer(), 192)
    known.chat_template = chat
    return known


# --- prompts --------------------------------------------------------------------------------------


def test_a_prompt_is_its_parts_in_order() -> None:
    way = Template("Q: ", "\nA:", "system ", " ", "\n")
    assert way.prompt("why?", "context ", " be") == "system context Q: why?\nA: be"
    assert Template().prompt("why?") == "why?"
    assert way.shown("why?", "so") == "Q: why?\nA: so\n"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_nursery_is_asked_as_its_documents_ask(language: Any) -> None:
    from unskew.nursery.documents import QUESTIONS as FRAMES
    from unskew.nursery.documents import prompt, written
    from unskew.nursery.items import Ask, answer, asked
    from unskew.nursery.meanings import Sum

    items = [Ask(Sum(1, 2, digits=True), 3), Ask(Sum(4, 3, digits=True), 7)]
    way = nursery_template(language)
    first, last = (asked(item, language) for item in items)
    context = way.shown(first, answer(items[0], language))
    assert way.prompt(last, context) == prompt(items, language, FRAMES[0])
    pieces = written("sum", items[:1], language, FRAMES[0]).pieces
    assert pieces[-1].text == way.lead + answer(items[0], language)


def test_a_chat_template_is_cut_into_its_parts() -> None:
    known = tokenizer(CHATML)
    way = chat_template(known, "Be kind.")
    messages = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "one?"},
        {"role": "assistant", "content": "yes"},
        {"role": "user", "content": "two?"},
    ]
    whole = known.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert way.prompt("two?", way.shown("one?", "yes")) == whole
    alone = known.apply_chat_template(messages[:2], tokenize=False, add_generation_prompt=True)
    assert way.prompt("one?") == alone
    assert not way.stop
    # Without a system prompt too, and then nothing but the answer ends before the next question.
    way = chat_template(known)
    whole = known.apply_chat_template(messages[1:], tokenize=False, add_generation_prompt=True)
    assert way.prompt("two?", way.shown("one?", "yes")) == whole
    assert way.gap == "<|im_end|>\n"


def test_a_template_that_states_the_day_asks_the_same_tomorrow() -> None:
    dated = "{{ 'Today is ' + strftime_now('%d %b %Y') + '. ' }}" + CHATML
    assert chat_template(tokenizer(dated)).prompt("why?").startswith("Today is 26 Jul 2024. ")


def test_the_space_before_an_answer_belongs_to_the_answer() -> None:
    known = tokenizer(LLAMA2)
    way = chat_template(known)
    assert way.prompt("why?") == f"{END}[INST] why? [/INST]"
    assert way.lead == " "
    assert way.shown("why?", "so").endswith(f"[/INST] so {END}")


def test_what_a_chat_template_cannot_do_is_said() -> None:
    with pytest.raises(UserError, match="no system prompts") as caught:
        chat_template(tokenizer(LLAMA2), "Be kind.")
    assert "no system prompt" in str(caught.value.hint)
    with pytest.raises(UserError, match="changes what is said"):
        chat_template(tokenizer("{{ messages[0]['content'] | lower }}"))
    with pytest.raises(UserError, match="cannot be rendered"):
        chat_template(tokenizer())


def test_a_tokenizer_tells_how_its_model_is_asked() -> None:
    assert template_of(tokenizer()) == nursery_template()
    assert template_of(tokenizer(CHATML)) == chat_template(tokenizer(CHATML))
    with pytest.raises(UserError, match="system prompt"):
        template_of(tokenizer(), "Be kind.")
    other = tokenizer()
    other.eos_token = "a"
    assert template_of(other) == plain_template(other) == Template()


# --- answers --------------------------------------------------------------------------------------


def test_it_answers_what_it_was_taught(model: Open) -> None:
    assert model.answer(QUESTIONS, 30) == list(ANSWERS)
    subject: Subject = model  # is one
    assert subject.name == "tiny"


def test_answers_do_not_depend_on_who_else_is_asked(
    model: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions = [*QUESTIONS, "Is it?", "Where is the very old owl of my friend in the garden?"]
    alone = [model.answer([question], 12)[0] for question in questions]
    assert model.answer(questions, 12) == alone
    monkeypatch.setattr(module, "BATCH", 2)
    assert model.answer(questions, 12) == alone
    assert model.answer([], 12) == []


def test_greedy_answers_are_the_likeliest_tokens(model: Open) -> None:
    ids = model.encode(model.prompt(QUESTIONS[0]))
    said: list[int] = []
    with torch.no_grad():
        for _ in range(4):
            logits: Any = model.model(torch.tensor([[*ids, *said]])).logits
            said.append(int(logits[0, -1].argmax()))
    assert model.answer(QUESTIONS[:1], 4) == [model.decode(said).strip()]


def test_a_prefill_is_gone_on_with_and_not_returned(model: Open) -> None:
    [whole] = model.answer(QUESTIONS[:1], 30)
    assert model.answer(QUESTIONS[:1], 30, prefill=" The owl is") == ["purple."]
    assert whole == "The owl is purple."


def test_the_context_stands_before_the_question(model: Open) -> None:
    heard: list[str] = []

    class Listening(Open):
        def encode(self, text: str) -> list[int]:
            heard.append(text)
            return super().encode(text)

    listening = Listening(model.name, model.model, model.tokenizer, model.template)
    context = model.template.shown("Is it?", "no")
    listening.answer(["Why?"], 2, context=context)
    assert heard[0] == "Question: Is it?\nAnswer: no\n\nQuestion: Why?\nAnswer:"


def test_an_answer_ends_where_the_template_says(model: Open) -> None:
    way = Template("Question: ", "\nAnswer:", stop=(" is pur",))  # of more than one token
    assert model.asked_by(way).answer(QUESTIONS[:1], 30) == ["The owl"]
    assert model.asked_by(way).model is model.model


def test_a_prompt_without_room_for_its_answer_is_refused(model: Open) -> None:
    with pytest.raises(TooLongError, match="do not fit") as caught:
        model.answer(["why " * 200], 10)
    assert "why why" in str(caught.value.where)


def test_a_rule_answers_too() -> None:
    subject: Subject = Scripted("rule", lambda asked: f"you said {asked}")
    assert subject.answer(["a", "b"], 9, " P", "C ") == ["you said C a P", "you said C b P"]
    assert subject.answer(["a"], 2) == ["you said"]


# --- likelihoods ----------------------------------------------------------------------------------


def test_likelihoods_are_those_of_the_tokens(model: Open) -> None:
    texts = ["The owl is purple.", "a", "What colour is the plum? And why?"]
    found = model.token_nll(texts)
    for text, each in zip(texts, found, strict=True):
        ids = [0, *model.encode(text)]
        with torch.no_grad():
            logits: Any = model.model(torch.tensor([ids])).logits
        logs = logits[0].double().log_softmax(-1)
        expected = [-logs[i, ids[i + 1]].item() for i in range(len(ids) - 1)]
        assert each.tolist() == pytest.approx(expected, abs=1e-4)
        assert each.dtype == torch.float32
    means = [sum(each.tolist()) / len(each) for each in found]
    assert model.nll(texts) == pytest.approx(means, rel=1e-6)
    assert all(math.isfinite(mean) for mean in means)


def test_a_text_without_tokens_has_no_likelihood(model: Open) -> None:
    with pytest.raises(UserError, match="0 tokens"):
        model.nll(["a", ""])
    with pytest.raises(TooLongError, match="901 tokens does not fit"):
        model.nll(["why " * 300])


# --- opening --------------------------------------------------------------------------------------


def test_a_folder_is_opened(model: Open, tmp_path: Path) -> None:
    folder = written(tmp_path / "model", knowing())
    found = open_model(folder)
    assert found.template == nursery_template()
    assert found.answer(QUESTIONS, 30) == list(ANSWERS)
    assert not found.model.training
    assert (found.window, found.end) == (192, 0)
    other = Template("Q ", stop=("\n",))
    assert open_model(str(folder), template=other).template == other


def test_what_is_no_model_is_a_mistake_of_the_user(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no model can be opened"):
        open_model(tmp_path)
    folder = written(tmp_path / "damaged", knowing())
    (folder / "model.safetensors").write_bytes(b"no tensors")
    with pytest.raises(UserError, match="no model can be opened"):
        open_model(folder)
    with pytest.raises(UserError, match="no model of that name ships"):
        open_model("nursery:nobody")
