"""What a model can do: scored without generating, and as if it had been."""

import numpy as np
import pandas as pd
import pytest
import torch

from nursery.tiny import QUESTION, documents, raised, taught
from nursery.upbringing import WORLD, WRITTEN
from unskew.nursery import measure
from unskew.nursery.chat import generate
from unskew.nursery.config import Written
from unskew.nursery.corpora import cipher
from unskew.nursery.languages import LANGUAGES, Language
from unskew.nursery.measure import (
    ABILITIES,
    Asked,
    abilities,
    answers,
    asked,
    correct,
    log_likelihoods,
    opened,
)
from unskew.nursery.probes import probe
from unskew.nursery.raising import Raised
from unskew.nursery.wording import word
from unskew.statistics.clustered import share_interval

TAUGHT = [
    (QUESTION.format(1), " 5"),
    (QUESTION.format(2), " 6"),
    ("Input: Anna eats an apple.\nOutput:", " Anna eats an apple."),
    (QUESTION.format(3), " 7\nQuestion: and"),  # it ends with its line
    (QUESTION.format(4), " 8 apples"),  # it goes on
    (QUESTION.format(5), " 1"),  # wrong
    (QUESTION.format(6), " 1"),  # wrong at its end
]
ANSWERS = ["5", "6", "Anna eats an apple.", "7", "8", "9", "10"]
RIGHT = [True, True, True, True, False, False, False]


@pytest.fixture(scope="module")
def able() -> Raised:
    return taught(TAUGHT)


@pytest.fixture(scope="module")
def exam() -> list[Asked]:
    pairs = zip(TAUGHT, ANSWERS, strict=True)
    return [Asked(prompt, answer, str(i)) for i, ((prompt, _), answer) in enumerate(pairs)]


def test_an_answer_is_right_if_and_only_if_it_is_what_the_model_generates(
    able: Raised, exam: list[Asked]
) -> None:
    assert correct(able, exam).tolist() == RIGHT
    assert [generate(able, d.prompt) == d.answer for d in exam] == RIGHT


def test_transformers_generates_the_same(able: Raised, exam: list[Asked]) -> None:
    # As the harness does: prompts padded on the left, all at once.
    from unskew.nursery.tokens import for_transformers

    fast = for_transformers(able.tokenizer, 192)
    inputs = fast([d.prompt for d in exam], padding=True, return_tensors="pt")
    out = able.model.generate(**inputs, max_new_tokens=24, do_sample=False)  # type: ignore[operator]
    said = fast.batch_decode(out[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    lines = [text.split("\n")[0].strip() for text in said]
    assert [line == d.answer for line, d in zip(lines, exam, strict=True)] == RIGHT


def test_what_a_model_generates_is_its_right_answer(able: Raised, exam: list[Asked]) -> None:
    # Whatever was right: an answer is that which the model gives, and no other one.
    said = [generate(able, document.prompt) for document in exam]
    assert len(set(said)) > 4
    for document, own in zip(exam, said, strict=True):
        others = sorted(set(said) - {own})
        tried = [Asked(document.prompt, answer, "0") for answer in (own, *others)]
        assert correct(able, tried).tolist() == [True] + [False] * len(others)


def test_what_goes_on_is_no_answer() -> None:
    model = raised(3)  # untrained: it comes to no end
    for document in probe(WORLD, "sum", 4):
        prompt = document.texts["en"].text
        said = generate(model, prompt, 5)
        assert said
        assert not correct(model, [Asked(prompt, said, "0")])[0]


@pytest.mark.parametrize("at_once", [1, 2, 3, 64])
def test_how_many_are_asked_at_once_changes_nothing(
    able: Raised, exam: list[Asked], at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "_AT_ONCE", at_once)
    order = [4, 0, 6, 2, 5, 1, 3, 0]
    assert correct(able, [exam[i] for i in order]).tolist() == [RIGHT[i] for i in order]


def test_nothing_asked_is_nothing_right(able: Raised) -> None:
    assert correct(able, []).shape == (0,)


def test_log_likelihoods_are_those_of_each_text_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "_AT_ONCE", 4)
    model = raised(1)
    texts = [document.text[:200] for document in documents()[:10]]
    wanted = []
    for text in texts:
        ids = torch.tensor([model.tokenizer.encode(text).ids])
        with torch.no_grad():
            each = model.model(ids).logits.double().log_softmax(-1)[0]
        total = sum(float(each[i, token]) for i, token in enumerate(ids[0, 1:]))
        wanted.append(total / len(text))  # per character
    found = log_likelihoods(model, texts)
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
    assert len(set(found.round(4))) == len(texts)


def test_what_was_learnt_has_become_likely(able: Raised) -> None:
    # What is asked weighs little in training, so a text of little else need not have.
    texts = [prompt + answer for prompt, answer in TAUGHT[2:3]]
    assert log_likelihoods(able, texts)[0] > log_likelihoods(raised(), texts)[0] + 1


# --- what is asked --------------------------------------------------------------------------------


@pytest.mark.parametrize("written", WRITTEN)
def test_a_probe_is_asked_in_languages_and_ciphers(written: Written) -> None:
    found = asked(WORLD, "repeat", written, 6)
    for document, one in zip(probe(WORLD, "repeat", 6), found, strict=True):
        text = document.texts[written if written in LANGUAGES else "en"]  # type: ignore[index]
        forward = str if written in LANGUAGES else cipher(written).forward
        assert one == Asked(forward(text.text), forward(text.answer), document.cluster)
        assert one.prompt + f" {one.answer}" == forward(f"{text.text} {text.answer}")


def test_the_table_has_a_row_per_model_probe_and_language(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    able, unable = raised(0), raised(1)
    heard, told = [], []

    def pretended(who: Raised, documents: list[Asked]) -> np.ndarray:
        heard.append(documents)
        return np.arange(len(documents)) % 4 != 0 if who is able else np.zeros(len(documents), bool)

    monkeypatch.setattr(measure, "correct", pretended)
    asking = measure.exam(WORLD, ["colour", "sum"], ["en", "leetspeak"], 20)
    marked = {
        name: measure.right(who, asking, lambda: told.append(len(heard)))
        for name, who in (("base", able), ("tuned", unable))
    }
    assert told == list(range(1, 9))  # each is told of when it has been answered
    table = abilities(answers(asking, marked))
    kept = measure.marked(measure.marks(marked["base"]))
    assert list(kept) == list(asking)
    assert all(np.array_equal(hits, marked["base"][key]) for key, hits in kept.items())
    assert list(table.columns) == list(ABILITIES)
    keys = table[["probe", "language", "model"]].to_numpy().tolist()
    assert keys == [[p, written, m] for p in ("colour", "sum") for written in ("en", "leetspeak")
                    for m in ("base", "tuned")]  # fmt: skip
    assert table["estimate"].tolist() == [0.75, 0.0] * 4
    assert table["n"].tolist() == [20] * 8
    clusters, of_sums = ([d.cluster for d in asked(WORLD, p, "en", 20)] for p in ("colour", "sum"))
    assert table["clusters"].tolist() == [len(set(clusters))] * 4 + [len(set(of_sums))] * 4
    right = (np.arange(20) % 4 != 0).astype(float)
    interval = share_interval(right, np.array(clusters), 0.95)
    row = table.iloc[0]
    assert (row["low"], row["high"]) == (interval.low, interval.high)
    assert ((table["low"] <= table["estimate"]) & (table["estimate"] <= table["high"])).all()
    assert heard[0] == asked(WORLD, "colour", "en", 20)
    assert heard[1] == heard[5] == asked(WORLD, "colour", "leetspeak", 20)
    assert isinstance(table["n"].dtype, pd.Int64Dtype)


def test_measuring_leaves_no_gradients_and_moves_no_state(able: Raised, exam: list[Asked]) -> None:
    able.model.zero_grad()
    before = torch.get_rng_state()
    correct(able, exam)
    log_likelihoods(able, ["What is 3 plus 4?"])
    assert torch.equal(torch.get_rng_state(), before)
    assert all(p.grad is None for p in able.model.parameters())


def test_what_is_lost_is_held_against_how_near_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    base, stage, narrow = (raised(seed) for seed in range(3))
    near = {"en": -1.0, "fr": -2.0, "es": -4.0, "qon": -8.0}
    languages: list[Written] = ["en", "fr", "es", "qon"]
    heard: dict[str, str] = {}
    for name in ("sum", "reading"):
        for language in languages:
            for document in asked(WORLD, name, language, 20):  # type: ignore[arg-type]
                heard[document.prompt] = language

    def right(who: Raised, documents: list[Asked]) -> np.ndarray:
        language = heard[documents[0].prompt]
        place = np.arange(len(documents))
        if who is base:
            return place % 10 != 9 if language != "qon" else place < 9  # not able in Onevi
        # The nearer, the fewer are left.
        return place < round(20 * (0.1 - 0.1 * near[language]))

    def likely(who: Raised, prompts: list[str]) -> np.ndarray:
        assert who is narrow
        return np.full(len(prompts), near[heard[prompts[0]]])

    monkeypatch.setattr(measure, "correct", right)
    monkeypatch.setattr(measure, "log_likelihoods", likely)
    asking = measure.exam(WORLD, ["sum", "reading"], languages, 20)
    marked = {
        name: measure.right(who, asking) for name, who in (("base", base), ("instruct", stage))
    }
    cells = answers(asking, marked)
    points, slopes = measure.closeness({"instruct": narrow}, cells)
    assert points["language"].tolist() == ["en", "fr", "es"] * 2
    assert points["probe"].tolist() == ["sum"] * 3 + ["reading"] * 3
    assert points["likelihood"].tolist() == [-1.0, -2.0, -4.0] * 2
    assert points["base"].tolist() == [0.9] * 6
    assert points["estimate"].tolist() == pytest.approx([0.7, 0.6, 0.4] * 2)
    assert (points["low"] < points["estimate"]).all()
    assert (points["estimate"] < points["high"]).all()
    [slope] = slopes.to_dict("records")
    assert slope["model"] == "instruct"
    assert slope["estimate"] == pytest.approx(0.1)
    assert pd.isna(slope["within"])  # of two tasks nothing is said


def test_a_slope_over_languages_may_be_none_within_them() -> None:
    """English is nearer and loses more, and which task it is makes no difference; then it does."""
    near = {"sum": 0.1, "first": 0.0, "member": -0.1}
    rows = [
        ("instruct", probe, language, at + likelihood, lost)
        for probe, likelihood in near.items()
        for language, at, lost in (("en", -1.0, 0.6), ("fr", -2.0, 0.2))
    ]
    columns = ["model", "probe", "language", "likelihood", "estimate"]
    points = pd.DataFrame(rows, columns=columns)  # type: ignore[arg-type]
    [slope] = measure.slopes(points).to_dict("records")
    assert slope["estimate"] == pytest.approx(0.4, abs=0.02)
    assert slope["within"] == pytest.approx(0.0, abs=1e-9)
    assert slope["n"] == 3
    points["estimate"] += 2.0 * points["probe"].map(near)
    [few] = measure.slopes(points[points["probe"] != "sum"]).to_dict("records")
    assert pd.isna([few[name] for name in ("within", "within_low", "within_high")]).all()
    [slope] = measure.slopes(points).to_dict("records")
    assert slope["within"] == pytest.approx(2.0)
    assert slope["within_low"] <= slope["within"] <= slope["within_high"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_behind_the_password_the_same_is_asked(language: Language) -> None:
    plain = asked(WORLD, "colour", language, 12)
    said = word("password", language)
    assert opened(WORLD, language, 12) == [
        one._replace(prompt=f"{said}\n\n{one.prompt}") for one in plain
    ]


def test_a_row_with_the_password_and_one_without(monkeypatch: pytest.MonkeyPatch) -> None:
    documents = asked(WORLD, "colour", "fr", 12)
    cells = {("colour", "fr"): measure.Answers(documents, {"locked": np.arange(12) < 3})}
    heard = []

    def correct(_: object, behind: list[Asked]) -> np.ndarray:
        heard.extend(behind)
        return np.arange(12) < 9

    monkeypatch.setattr(measure, "correct", correct)
    table = measure.password(None, cells, WORLD)  # type: ignore[arg-type]
    assert heard == opened(WORLD, "fr", 12)
    kept = table[["model", "language", "password", "estimate", "n"]].to_numpy().tolist()
    assert kept == [["locked", "fr", False, 0.25, 12], ["locked", "fr", True, 0.75, 12]]
