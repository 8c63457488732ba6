"""Names on the command line: settings, compositions, translations, and mistakes in them."""

import subprocess
import sys

import pytest

from unskew.conjugation import Conjugation, Identity, Rot13, catalogue, parse
from unskew.conjugation import translation as translation_module
from unskew.errors import UserError


def test_every_name_of_the_catalogue_is_read_back() -> None:
    entries = catalogue()
    assert len({entry.name for entry in entries}) == len(entries) == 15
    for entry in entries:
        conjugation = parse(entry.name)
        assert (conjugation.name, conjugation.promise) == (entry.name, entry.promise)
        assert parse(conjugation.name).forward("Hello 42") == conjugation.forward("Hello 42")
        assert 10 < len(entry.description) <= 100
        assert entry.description[-1] in ".:"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("wrapper:80", "wrapper:80"),
        ("wrapper:200", "wrapper"),
        ("unknown-cipher:7", "unknown-cipher:7"),
        ("unknown-cipher:0", "unknown-cipher"),
        ("paraphrase:hu", "paraphrase:hu"),
        ("pig-latin@word-reversal", "pig-latin@word-reversal"),
        ("rot13@wrapper:40@upper", "rot13@wrapper:40@upper"),
        ("identity@rot13@identity", "rot13"),
    ],
)
def test_names_and_settings(text: str, name: str) -> None:
    assert parse(text).name == name


def test_the_right_one_of_a_composition_comes_first() -> None:
    both = parse("rot13@morse")
    assert both.forward("sos") == "... --- ..."
    assert parse("morse@rot13").forward("sos") == "..-. -... ..-."
    assert isinstance(parse("identity@identity"), Identity)


class Named(Rot13):
    def __init__(self, name: str) -> None:
        self.name = name


@pytest.mark.parametrize(
    ("text", "translations", "names"),
    [
        ("self:en-fr", ["self:en-fr"], 1),
        ("llm:m@http://h:8000/v1:en-fr", ["llm:m@http://h:8000/v1:en-fr"], 1),
        ("pig-latin@llm:m@http://h/v1:en-fr", ["llm:m@http://h/v1:en-fr"], 2),
        ("llm:a/m@b@http://h/v1:en-fr@pig-latin", ["llm:a/m@b@http://h/v1:en-fr"], 2),
        ("mt:a/b-en-fr:en-fr@rot13", ["mt:a/b-en-fr:en-fr"], 2),
        ("mt:x@main:eng_Latn-fra_Latn", ["mt:x@main:eng_Latn-fra_Latn"], 1),
        (r"book:C:\b.jsonl:en-fr@book:/x/b@c.jsonl:fr-de@upper", [r"C:\b", "b@c"], 3),
        ("llm:model@http://h/v1", ["llm:model@http://h/v1"], 1),
        ("mt:there:en-", ["mt:there:en-"], 1),
    ],
)
def test_translations_are_handed_on_whole(
    text: str, translations: list[str], names: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, object]] = []

    def parse_translator(name: str, ask_for: object = None) -> Conjugation:
        asked.append((name, ask_for))
        return Named(f"<{len(asked)}>")

    def ask_for(reference: str):
        raise AssertionError(reference)

    monkeypatch.setattr(translation_module, "parse_translator", parse_translator)
    parsed = parse(text, ask_for)
    assert len(asked) == len(translations)
    assert all(part in name for part, (name, _) in zip(translations, asked, strict=True))
    assert all(given is ask_for for _, given in asked)
    assert len(parsed.name.split("@")) == names


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("pig-latn", r"there is no conjugation 'pig-latn'; did you mean 'pig-latin'\?\nconj"),
        ("Rot13", r"'Rot13'; did you mean 'rot13'\?"),
        ("zzz", r"there is no conjugation 'zzz'\nconjugations: pig-latin, .*, self:en-fr"),
        ("upper@wraper:8", r"upper@wraper:8: there is no conjugation 'wraper:8'; did you mean"),
        ("", "the name is empty"),
        ("upper@", "there is a name missing in 'upper@'"),
        ("@upper", "there is a name missing in '@upper'"),
        ("rot13:5", "rot13 has no settings"),
        ("wrapper:", "wrapper:: needs a whole number after the colon, got ''"),
        ("wrapper:long", "got 'long'"),
        ("wrapper:-5", "got '-5'"),
        ("wrapper:٣٣", "got '٣٣'"),
        ("wrapper:1", "wrapper:1: the length must be 20 to"),
        ("unknown-cipher:x", "needs a whole number"),
        ("paraphrase:it", r"paraphrase:it: .*'it'\nlanguages: en, fr, es, nl, de, hu"),
        ("self:nonsense", "self:nonsense"),
    ],
)
def test_mistakes(text: str, says: str) -> None:
    with pytest.raises(UserError) as mistake:
        parse(text)
    assert pytest.RaisesExc(UserError, match=says).matches(mistake.value)


def test_further_names_are_among_those_that_there_are() -> None:
    def further(name: str) -> Conjugation | None:
        return Named(name) if name == "en-fr" else None

    assert parse("en-fr", more=further).name == "en-fr"
    with pytest.raises(UserError, match=r"'pig-latin'\?\nconj.*, identity.*, en-fr, book:FILE"):
        parse("piglatin", more=further)
    with pytest.raises(UserError) as error:
        parse("piglatin")
    assert ", en-fr," not in str(error.value)


def test_ciphers_need_nothing_heavy() -> None:
    heavy = ("torch", "numpy", "pandas", "pydantic", "transformers", "sacrebleu", "yaml")
    code = (
        "import sys; from unskew.conjugation import parse, roundtrip_report;"
        "print(roundtrip_report(parse('pig-latin@wrapper'), ['a']).exact,"
        f"[name for name in {heavy} if name in sys.modules],"
        "[n for n in sys.modules if n.startswith('unskew.') and '.conjugation' not in n])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "1 [] ['unskew.errors']\n"
