"""Translators become conjugations: line by line, kept words safe, nothing asked twice."""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unskew.conjugation.base import NotAdmissible
from unskew.conjugation.books import PhraseBook
from unskew.conjugation.cache import Cache, Result
from unskew.conjugation.glossary import LINE_BREAK, Glossary
from unskew.conjugation.translation import PROMPT, Asked, Translation, parse_translator
from unskew.errors import UserError


class Scripted:
    """A translator by rule, which remembers what it was asked."""

    name, version, source, target = "scripted", "1", "en", "fr"

    def __init__(self, rule: Callable[[str], Result] = lambda text: text.swapcase()) -> None:
        self.rule, self.asked = rule, []

    def translate(self, texts: Sequence[str], source: str, target: str) -> list[Result]:
        self.asked += [(source, target, text) for text in texts]
        return [self.rule(text) for text in texts]


def made(rule: Callable[[str], Result], **options) -> Translation:
    return Translation("t", Scripted(rule), **options)


def test_line_by_line_with_edges_labels_and_delimiters_kept() -> None:
    there = Scripted()
    conjugation = Translation("t", there, glossary=Glossary(("Input:", "True")))
    text = "  Input: is it True? \r\n\n<|im_start|>Yes</s>\u2028\t 12 \n"
    french = conjugation.forward(text)
    assert french == "  Input: IS IT True? \r\n\n<|im_start|>yES</s>\u2028\t 12 \n"
    assert [asked[2] for asked in there.asked] == ["is it [1]?", "Yes"]
    assert conjugation.inverse(french) == text
    assert there.asked[2:] == [("fr", "en", "IS IT [1]?"), ("fr", "en", "yES")]


def test_each_line_is_asked_once_in_one_call() -> None:
    there = Scripted()
    conjugation = Translation("t", there)
    texts = ["a\nb\na", "b", " c ", "", "12 + 3"]
    assert conjugation.forward_all(texts) == ["A\nB\nA", "B", " C ", "", "12 + 3"]
    assert [text for _, _, text in there.asked] == ["a", "b", "c"]
    conjugation.forward_all(texts)
    assert len(there.asked) == 3


def test_two_translators_one_for_each_direction() -> None:
    there, back = Scripted(lambda text: text + " x"), Scripted(lambda text: text.removesuffix(" x"))
    conjugation = Translation("t", there, back)
    assert conjugation.forward("a") == "a x"
    assert conjugation.inverse("a x") == "a"
    assert [asked[:2] for asked in back.asked] == [("fr", "en")]


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        (lambda text: text.replace("[1]", ""), "line 2: the translator lost the placeholder"),
        (lambda text: text + text, "line 2: the translator doubled the placeholder"),
        (lambda text: "", "line 2: the translation is empty"),
        (lambda text: " \t ", "line 2: the translation is empty"),
        (lambda text: text + "\nor so", "line 2: the translation has several lines"),
        (lambda text: text + "\x85.", "line 2: the translation has several lines"),
        (lambda text: "<s> " + text, "line 2: the translator wrote a template delimiter"),
        (lambda text: NotAdmissible("inner", "too long"), "line 2: too long"),
    ],
)
def test_a_damaged_translation_refuses_its_text_alone(rule, why: str) -> None:
    conjugation = made(
        lambda text: rule(text) if "spoil" in text else text.upper(), glossary=Glossary(("True",))
    )
    results = conjugation.forward_all(["fine", "fine\nspoil True it", "also fine"])
    assert [results[0], results[2]] == ["FINE", "ALSO FINE"]
    refusal = results[1]
    assert isinstance(refusal, NotAdmissible)
    assert refusal.conjugation == "t"
    assert refusal.why.startswith(why)
    with pytest.raises(NotAdmissible, match=re.escape(why)):
        conjugation.forward("x\nspoil True")


def test_a_text_of_one_line_is_refused_without_a_number() -> None:
    [refusal] = made(lambda text: "").forward_all(["spoil"])
    assert isinstance(refusal, NotAdmissible)
    assert refusal.why == "the translation is empty"


def test_half_a_surrogate_pair_never_reaches_the_translator() -> None:
    there = Scripted()
    results = Translation("t", there).forward_all(["a \ud800", "b"])
    assert isinstance(results[0], NotAdmissible)
    assert results[1] == "B"
    assert there.asked == [("en", "fr", "b")]


TEXTS = st.lists(
    st.one_of(
        st.text(max_size=4),
        st.sampled_from(["Input:", "[1]", "3", "-4.5", "<s>", "\n", "\r\n", " ", "word", "B2"]),
    )
).map("".join)


@given(TEXTS, st.booleans())
def test_the_promise_holds_whatever_the_text(text: str, numbers: bool) -> None:
    # ASCII capitals only: other letters may change their number, or lose their case for good.
    conjugation = made(
        lambda s: re.sub(r"[a-zA-Z]", lambda m: m.group().swapcase(), s),
        glossary=Glossary(("Input:",), numbers),
    )
    french = conjugation.forward(text)
    assert conjugation.inverse(french) == text
    assert LINE_BREAK.findall(french) == LINE_BREAK.findall(text)
    for a, b in zip(french.splitlines(), text.splitlines(), strict=True):
        assert len(a) - len(a.lstrip()) == len(b) - len(b.lstrip())
        assert len(a) - len(a.rstrip()) == len(b) - len(b.rstrip())
    assert re.findall(r"\d", french) == re.findall(r"\d", text)
    for i in (m.end() for m in re.finditer("\n", text)):
        assert conjugation.forward(text[:i]) + conjugation.forward(text[i:]) == french
    assert not conjugation.promise.exact
    assert conjugation.promise.numbers == numbers


def test_the_record_tells_translators_and_glossaries_apart() -> None:
    one, same = made(str.upper).record, made(str.lower).record
    assert one == same  # a translator is its name and version
    assert json.loads(json.dumps(one)) == one
    assert one["there"] == {"name": "scripted", "version": "1"}
    newer = Scripted()
    newer.version = "2"
    others = [
        made(str.upper, glossary=Glossary(("a",))).record,
        made(str.upper, glossary=Glossary(numbers=True)).record,
        Translation("t", Scripted(), newer).record,
    ]
    assert len({record["digest"] for record in [one, *others]}) == 4


# --- asking a model -----------------------------------------------------------------------------


def asked(*answers: str) -> tuple[Asked, list[str]]:
    prompts: list[str] = []

    def ask(some: Sequence[str]) -> list[str]:
        prompts.extend(some)
        return list(answers)

    return Asked(ask, "llm:m@http://h/v1", "en", "fr"), prompts


def test_the_prompt_names_the_languages_and_holds_the_text() -> None:
    model, prompts = asked("Bonjour.")
    assert model.translate(["Good {morning}."], "en", "fr") == ["Bonjour."]
    assert prompts == [
        "Translate the text below from English to French. Answer with the translation only, on one "
        "line. Leave anything like [1] as it is.\n\nEnglish: Good {morning}.\nFrench:"
    ]
    model.translate(["a"], "hu", "xx")
    assert prompts[1].endswith("Hungarian: a\nxx:")


@pytest.mark.parametrize(
    ("answer", "translation"),
    [
        (" Bonjour.\nEnglish: next", "Bonjour."),
        ("\n\n  Bonjour.", "Bonjour."),
        ('"Bonjour."', "Bonjour."),
        ("« Bonjour. »", "Bonjour."),
        ("„Guten Tag.“", "Guten Tag."),
        ("l'eau", "l'eau"),
        ("'", "'"),
        ('"Oui", dit-il', '"Oui", dit-il'),
        ('"Oui" ou "non"', '"Oui" ou "non"'),
        ("« Oui » ou « non »", "« Oui » ou « non »"),
        ("'J'ai faim.'", "J'ai faim."),
    ],
)
def test_the_first_line_without_its_quotes(answer: str, translation: str) -> None:
    assert asked(answer)[0].translate(["Hello."], "en", "fr") == [translation]


def test_quotes_of_the_text_itself_stay_and_nothing_is_refused() -> None:
    model, _ = asked('"Bonjour."', " \n", '""')
    kept, nothing, empty = model.translate(['"Hello."', "a", "b"], "en", "fr")
    assert kept == '"Bonjour."'
    for refusal in (nothing, empty):
        assert isinstance(refusal, NotAdmissible)
        assert refusal.why == "the model answered nothing"


def test_the_version_has_the_prompt_and_the_model() -> None:
    class Ask:
        identity = "model 1"

        def __call__(self, prompts: Sequence[str]) -> list[str]:
            return list(prompts)

    class Other(Ask):
        identity = "model 2"

    versions = [
        Asked(ask, "self", "en", "fr", prompt).version
        for ask in (Ask(), Other(), lambda prompts: list(prompts))
        for prompt in (PROMPT, "{text} in {target}:")
    ]
    assert len(set(versions)) == 6
    assert Asked(Other(), "self", "fr", "en").version == versions[2]
    for wrong in ("{source}", "{txt} {text}", "{text", "{0} {text}"):
        with pytest.raises(UserError, match="translation prompt"):
            Asked(Ask(), "self", "en", "fr", wrong)


# --- names --------------------------------------------------------------------------------------


def shouting(references: list[str]) -> Callable[[str], Callable[[Sequence[str]], list[str]]]:
    def ask_for(reference: str) -> Callable[[Sequence[str]], list[str]]:
        references.append(reference)
        return lambda prompts: [p.splitlines()[-2].split(": ", 1)[1].swapcase() for p in prompts]

    return ask_for


def test_models_that_are_asked_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNSKEW_CACHE", str(tmp_path))
    references: list[str] = []
    for name in ("llm:org/m:free@http://localhost:8000/v1:en-fr", "self:en-fr"):
        conjugation = parse_translator(name, shouting(references))
        assert conjugation.name == name
        assert conjugation.forward("Good day\n") == "gOOD DAY\n"
        assert conjugation.inverse("gOOD DAY\n") == "Good day\n"
    assert references == ["org/m:free@http://localhost:8000/v1", "self"]
    # Another model is `self` in the next audit, so only the named one is kept.
    (file,) = (tmp_path / "translations").iterdir()
    assert file.name.startswith("llm-org-m-free-http-localhost-8000-v1")


def test_a_self_that_says_who_it_is_is_kept(tmp_path: Path) -> None:
    asked: list[str] = []

    class Ask:
        def __init__(self, identity: str) -> None:
            self.identity = identity

        def __call__(self, prompts: Sequence[str]) -> list[str]:
            asked.append(self.identity)
            return [self.identity for _ in prompts]

    for identity in ("base", "tuned", "base"):
        conjugation = parse_translator(
            "self:en-fr", lambda _, who=identity: Ask(who), cache=Cache(tmp_path)
        )
        assert conjugation.forward("a") == identity
    assert asked == ["base", "tuned"]


def test_books_by_name(tmp_path: Path) -> None:
    path = tmp_path / "a:b.jsonl"
    path.write_text('{"en": "Good day.", "fr": "Bonjour."}\n')
    book = parse_translator(f"book:{path}:en-fr")
    assert isinstance(book, PhraseBook)
    assert book.name == f"book:{path}:en-fr"
    assert book.forward("Good day.") == "Bonjour."
    assert parse_translator(f"book:{path}:fr-en").forward("Bonjour.") == "Good day."


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("book:a.jsonl", "is no pair of two languages"),
        ("book:a.jsonl:en-en", "is no pair of two languages"),
        ("book:a.jsonl:english-french", "is no pair of two languages"),
        ("book::en-fr", "is no translation"),
        ("self:x:en-fr", "is no translation"),
        ("mt::en-fr", "is no translation"),
        ("nt:a:en-fr", "is no translation"),
        ("llm:m:en-fr", "are written MODEL@http://"),
        ("llm:m@localhost:8000:en-fr", "are written MODEL@http://"),
        ("llm:m@http://h/v1:en-fr", "no model here to be asked"),
        ("self:en-fr", "no model here to be asked"),
        ("book:nowhere.jsonl:en-fr", "there is no such phrase book"),
    ],
)
def test_names_that_lead_nowhere(name: str, message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        parse_translator(name)


@pytest.mark.parametrize("url", ["https://me:hush@h/v1", "http://hush@h", "http://h/v1?key=hush"])
def test_a_secret_in_a_name_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(UserError, match="from the environment") as mistake:
        parse_translator(f"llm:m@{url}:en-fr", shouting([]))
    assert "hush" not in str(mistake.value)
