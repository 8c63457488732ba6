"""0..99 in words. French as before 1990 (vingt et un, soixante et onze), as said in France.

Before a noun some agree: vingt et une pommes, veintiuna manzanas, veintiún libros. A word with
`*` is not elided against, as in `lexicon` (que *huit).
"""

from __future__ import annotations

from unskew.nursery.lexicon import Gender

_EN = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
    " fifteen sixteen seventeen eighteen nineteen"
)
_EN_TENS = "- - twenty thirty forty fifty sixty seventy eighty ninety"
_FR = (
    "zéro un deux trois quatre cinq six sept *huit neuf dix *onze douze treize quatorze quinze"
    " seize dix-sept dix-huit dix-neuf"
)
_FR_TENS = "- - vingt trente quarante cinquante soixante soixante quatre-vingt quatre-vingt"
_ES = (
    "cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince"
    " dieciséis diecisiete dieciocho diecinueve veinte veintiuno veintidós veintitrés"
    " veinticuatro veinticinco veintiséis veintisiete veintiocho veintinueve"
)
_ES_TENS = "- - - treinta cuarenta cincuenta sesenta setenta ochenta noventa"
_QON = "goze bani duvo kersi lorpa mezi tandu zeki norva gilo"
_QON_TEN = "rupen"


def _word(words: str, n: int) -> str:
    return words.split()[n]


def english(n: int) -> list[str]:
    """twenty-one, as one token."""
    if n < 20:
        return [_word(_EN, n)]
    ten, unit = divmod(n, 10)
    return [_word(_EN_TENS, ten) + (f"-{_word(_EN, unit)}" if unit else "")]


def french(n: int, gender: Gender = "m") -> list[str]:
    """vingt et un; with the gender of what is counted, vingt et une."""
    one = "une" if gender == "f" else "un"
    if n < 20:
        return [one if n == 1 else _word(_FR, n)]
    ten, unit = divmod(n, 10)
    tens = _word(_FR_TENS, ten)
    if ten in (7, 9):
        unit += 10
    if n == 80:
        return ["quatre-vingts"]
    if unit == 0:
        return [tens]
    word = one if unit == 1 else _word(_FR, unit).removeprefix("*")
    if unit in (1, 11) and ten < 8:
        return [tens, "et", word]
    return [f"{tens}-{word}"]


def spanish(n: int, before: Gender | None = None) -> list[str]:
    """veintiuno, treinta y uno; before a noun of this gender veintiún or veintiuna, and so on."""
    ten, unit = divmod(n, 10)
    if before is not None and n == 21:
        return ["veintiuna" if before == "f" else "veintiún"]
    if n < 30:
        return [_word(_ES, n)]
    one = {"m": "un", "f": "una", None: "uno"}[before]
    units = ["y", one if unit == 1 else _word(_ES, unit)] if unit else []
    return [_word(_ES_TENS, ten), *units]


def onevi(n: int) -> list[str]:
    """kersi duvorupen: three, two-tens."""
    ten, unit = divmod(n, 10)
    tens = [_word(_QON, ten) + _QON_TEN if ten > 1 else _QON_TEN] if ten else []
    return [_word(_QON, unit), *tens] if unit or not tens else tens
