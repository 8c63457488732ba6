"""The seam with the harness: under the identity nothing changes, under s all goes through it."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from audit import tiny, worlds
from unskew.audit import engine, loading
from unskew.audit.asking import Asker
from unskew.conjugation.base import Conjugation, Identity, NotAdmissible, Promise
from unskew.errors import UserError

TEMPLATE = "{% for m in messages %}<{{m.role}}>{{m.content}}</{{m.role}}>{% endfor %}"


class Upper(Conjugation):
    """Swaps the case of letters: exact, boundaries anywhere; knows no 7."""

    name, version = "swap", 1
    promise = Promise(True, "texts without a 7", True, True, True, "characters")

    def forward(self, text: str) -> str:
        if "7" in text:
            raise NotAdmissible(self.name, "there is a 7")
        return text.swapcase()

    def inverse(self, text: str) -> str:
        return text.swapcase()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save(tmp_path_factory.mktemp("model"), seed=1, template=TEMPLATE)


@pytest.fixture(scope="module")
def model(folder: Path) -> engine.Harnessed:
    return engine.hugging_face(str(folder), record={"kind": "hf"}, batch=4)


@pytest.fixture(scope="module")
def bare(folder: Path) -> Any:
    from lm_eval.models.huggingface import HFLM

    loader: Any = HFLM
    with engine.hushed():
        return loader(str(folder), batch_size=4, device="cpu", dtype="float32")


@pytest.fixture
def tasks(tmp_path: Path) -> list[loading.Loaded]:
    names = ["toy_generate", "toy_choose", "toy_score"]
    return loading.load(names, [worlds.tasks(tmp_path / "tasks")])


@pytest.mark.parametrize("chat", [False, True])
def test_identity_equals_the_bare_model_exactly(
    tasks: list[loading.Loaded], model: engine.Harnessed, bare: Any, chat: bool
):
    expected = engine.evaluate(bare, tasks, chat=chat, system="Be brief." if chat else None)
    lm = engine.Conjugated(Asker(model), Identity())
    found = engine.evaluate(lm, tasks, chat=chat, system="Be brief." if chat else None)
    for task in expected:
        for one, other in zip(expected[task], found[task], strict=True):
            left_out = ("arguments", "prompt_hash") if chat else ()  # chats are rendered later
            assert {k: v for k, v in one.items() if k not in left_out} == {
                k: v for k, v in other.items() if k not in left_out
            }
    assert any(trace.raw for trace in lm.traces.values())


def test_everything_goes_through_the_conjugation(
    tasks: list[loading.Loaded], model: engine.Harnessed
):
    lm = engine.Conjugated(Asker(model), Upper())
    samples = engine.evaluate(lm, tasks)
    sevens = {doc for _, doc, _ in lm.traces if doc == 7}
    assert sevens
    for (task, doc, _), trace in lm.traces.items():
        plain = next(s for s in samples[task] if s["doc_id"] == doc)["arguments"][0][0]
        if "7" in plain:
            assert trace.refused == "there is a 7"
            assert trace.prompt == ""
        else:
            assert trace.prompt == plain.swapcase()
            assert trace.exact
    # The answer that the harness scored is the one carried back.
    for sample in samples["toy_generate"]:
        assert sample["resps"] == [[lm.traces["toy_generate", sample["doc_id"], 0].answer]]


def test_messages_are_transformed_before_the_template_is_rendered(
    tasks: list[loading.Loaded], model: engine.Harnessed
):
    heard: list[Any] = []

    class Listening(Asker):
        def generate(self, prompts: Any, stop: Any, max_tokens: int) -> Any:
            heard.extend(prompts)
            return super().generate(prompts, stop, max_tokens)

    lm = engine.Conjugated(Listening(model), Upper())
    engine.evaluate(lm, tasks[:1], chat=True)
    roles = [message["role"] for message in heard[0]]
    assert roles == ["user", "assistant", "user", "assistant", "user"]
    assert heard[0][0]["content"].startswith("q: THE CAT SEES")
    assert model.render(heard[0]).startswith("<user>q: THE CAT SEES")


def test_exemplars_are_the_same_for_every_arm(tasks: list[loading.Loaded], model: engine.Harnessed):
    first = engine.Conjugated(Asker(model), Identity())
    again = engine.Conjugated(Asker(model), Identity())
    engine.evaluate(first, tasks)
    engine.evaluate(again, tasks)
    assert first.traces == again.traces


def test_a_cut_answer_and_a_truncated_prompt_are_told(folder: Path, tasks: list[loading.Loaded]):
    model = engine.hugging_face(str(folder), record={}, batch=4)
    answers = model.generate(["Q: a\nA:", "Q: b\nA:"], ["\n"], 8)
    texts = model.generate(["Q: a\nA:"], ["\n", answers[0].text[0]], 8)
    assert answers[0].cut
    assert texts[0] == ("", False)
    long = "x" * (model.window or 0)
    lm = engine.Conjugated(Asker(model), Identity())
    trace = lm.under.generate([engine.Question(long, ("\n",), 8)])[0]
    assert trace.truncated in ("prompt", "both")
    choice = lm.under.score([(long, " yes")])[0]
    assert choice.truncated == "prompt"


def test_answers_are_told_as_they_arrive(model: engine.Harnessed):
    told: dict[int, Any] = {}
    prompts = [f"Q: {i}{'x' * i}\nA:" for i in range(9)] + ["Q: 3xxx\nA:"]
    answers = model.generate(prompts, ["\n"], 6, lambda i, answer: told.__setitem__(i, answer))
    assert [told[i] for i in range(len(prompts))] == answers
    pairs = [(f"Is {i}?", word) for i in range(5) for word in (" yes", " no")]
    heard: dict[int, Any] = {}
    scores = model.score(pairs, lambda i, score: heard.__setitem__(i, score))
    assert [heard[i] for i in range(len(pairs))] == scores


def test_what_cannot_be_audited_is_refused(tmp_path: Path):
    include = [worlds.tasks(tmp_path / "tasks")]
    with pytest.raises(UserError, match="perplexity cannot be audited"):
        loading.load(["toy_roll"], include)
    with pytest.raises(UserError, match=r"no task 'unskew_icl_enn'; did you mean 'unskew_icl_en'"):
        loading.load(["unskew_icl_enn"], include)


@pytest.mark.slow
def test_the_whole_catalogue_works_by_name(tmp_path: Path):
    include = [worlds.tasks(tmp_path / "tasks")]
    with pytest.raises(UserError, match=r"no task 'toy_generat'; did you mean 'toy_generate'"):
        loading.load(["toy_generat"], include)
    with pytest.raises(UserError, match="arc_easy: its data cannot be loaded"):
        loading.load(["arc_easy"])  # known by name; its data are not on this machine


def test_data_that_is_not_there_is_a_users_mistake(tmp_path: Path):
    include = worlds.tasks(tmp_path / "tasks")
    (include / "toy.jsonl").unlink()
    with pytest.raises(UserError, match=r"the task 'toy_generate' cannot be loaded: .*toy\.jsonl"):
        loading.load(["toy_generate"], [include])


def test_a_folder_that_is_no_model_is_a_users_mistake(tmp_path: Path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match="cannot be loaded"):
        engine.hugging_face(str(tmp_path), record={})


# peft asks transformers by a name that transformers has since changed.
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
def test_an_adapter_is_a_model(folder: Path, tmp_path: Path):
    """A PEFT adapter on the base answers as the merged model does."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with engine.hushed():
        base: Any = AutoModelForCausalLM.from_pretrained(folder)
    adapted: Any = get_peft_model(
        base, LoraConfig(r=2, target_modules=["c_attn"], fan_in_fan_out=True)
    )
    with torch.no_grad():
        for name, weight in adapted.named_parameters():
            if "lora_B" in name:
                weight.fill_(0.3)
    adapted.save_pretrained(str(tmp_path / "adapter"))
    merged = adapted.merge_and_unload()
    merged.save_pretrained(tmp_path / "merged")
    AutoTokenizer.from_pretrained(folder).save_pretrained(tmp_path / "merged")
    one = engine.hugging_face(str(folder), record={}, adapter=str(tmp_path / "adapter"))
    two = engine.hugging_face(str(tmp_path / "merged"), record={})
    plain = engine.hugging_face(str(folder), record={})
    pairs = [("Is it so?", " yes"), ("Is it so?", " no")]
    a, b, c = ([score.logprob for score in model.score(pairs)] for model in (one, two, plain))
    assert a == pytest.approx(b, abs=1e-4)
    assert a != pytest.approx(c, abs=1e-2)


def test_chance_is_the_mean_over_documents_and_not_over_kinds_of_them() -> None:
    task = SimpleNamespace(
        OUTPUT_TYPE="multiple_choice",
        get_config=lambda name: None,
        doc_to_choice=lambda doc: ["a"] * doc,
        eval_docs=[4] * 95 + [3] * 3 + [5] * 2,
    )
    loaded = loading._checked("toy", task)
    assert loaded.chance == pytest.approx((95 / 4 + 3 / 3 + 2 / 5) / 100)
