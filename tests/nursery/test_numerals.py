"""Numbers in words, read back by small readers of their own."""

import pytest

from unskew.nursery import numerals
from unskew.nursery.lexicon import plain

UNITS = {
    "en": "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
    " fifteen sixteen seventeen eighteen nineteen",
    "fr": "zéro un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze"
    " seize",
    "es": "cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce"
    " quince dieciséis diecisiete dieciocho diecinueve veinte veintiuno veintidós veintitrés"
    " veinticuatro veinticinco veintiséis veintisiete veintiocho veintinueve",
}
TENS = {
    "en": "twenty thirty forty fifty sixty seventy eighty ninety",
    "fr": "vingt trente quarante cinquante soixante",
    "es": "veinte treinta cuarenta cincuenta sesenta setenta ochenta noventa",
}


def read(text: str, language: str) -> int:
    """The sum of what the words are worth; quatre-vingt is 4 x 20."""
    worth = {word: n for n, word in enumerate(UNITS[language].split())}
    worth |= {word: 10 * n for n, word in enumerate(TENS[language].split(), 2)}
    worth |= {"une": 1, "un": 1, "una": 1, "veintiún": 21, "veintiuna": 21, "et": 0, "y": 0}
    text = text.replace("quatre-vingts", "quatre-vingt")
    eighty = text.startswith("quatre-vingt") and not text.startswith("quatre-vingt " * 2)
    rest = text.removeprefix("quatre-vingt").replace("-", " ").split()
    return 80 * eighty + sum(worth[word] for word in rest)


def text(tokens: list[str]) -> str:
    return " ".join(map(plain, tokens))


@pytest.mark.parametrize("language", ["en", "fr", "es"])
def test_all_numbers_read_back(language: str) -> None:
    say = {"en": numerals.english, "fr": numerals.french, "es": numerals.spanish}[language]
    assert [read(text(say(n)), language) for n in range(100)] == list(range(100))


def test_gender_and_apocope() -> None:
    for n in range(2, 100):
        assert read(text(numerals.french(n, "f")), "fr") == n
        ends = text(numerals.french(n, "f")).endswith(("un", "une"))
        assert ends == (n % 10 == 1 and n not in (11, 71, 91))
        for gender, one in (("m", ("un", "ún")), ("f", ("una",))):
            spanish = text(numerals.spanish(n, gender))  # type: ignore[arg-type]
            assert read(spanish, "es") == n
            assert spanish.endswith(one) == (n % 10 == 1 and n != 11)


def test_hyphens_and_and() -> None:
    assert text(numerals.french(21)) == "vingt et un"
    assert text(numerals.french(22)) == "vingt-deux"
    assert text(numerals.french(70)) == "soixante-dix"
    assert text(numerals.french(71)) == "soixante et onze"
    assert text(numerals.french(77)) == "soixante-dix-sept"
    assert text(numerals.french(80)) == "quatre-vingts"
    assert text(numerals.french(81, "f")) == "quatre-vingt-une"
    assert text(numerals.french(99)) == "quatre-vingt-dix-neuf"
    assert text(numerals.spanish(16)) == "dieciséis"
    assert text(numerals.spanish(31, "f")) == "treinta y una"
    assert text(numerals.english(40)) == "forty"
    assert text(numerals.english(42)) == "forty-two"


def test_onevi_puts_the_unit_first() -> None:
    units = ["goze", "bani", "duvo", "kersi", "lorpa", "mezi", "tandu", "zeki", "norva", "gilo"]
    for n in range(100):
        said = numerals.onevi(n)
        ten = said[-1].removesuffix("rupen") if said[-1].endswith("rupen") else None
        tens = 0 if ten is None else units.index(ten) if ten else 1
        unit = 0 if ten is not None and len(said) == 1 else units.index(said[0])
        assert 10 * tens + unit == n
        assert len(said) <= 2
