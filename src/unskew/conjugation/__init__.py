"""Conjugations of text: pairs (s, s_inv) that keep the question and change its look.

`parse("pig-latin")` gives one by its name, `a @ b` composes two, `roundtrip_report` says how well
one can be undone on given texts. Nothing here imports anything of ours but `unskew.errors`.
"""

from unskew.conjugation.base import Composition, Conjugation, Identity, NotAdmissible, Promise
from unskew.conjugation.ciphers import (
    Leetspeak,
    LeetspeakCommon,
    LetterReversal,
    Rot13,
    Upper,
    WordReversal,
)
from unskew.conjugation.controls import Paraphrase, UnknownCipher, Wrapper
from unskew.conjugation.names import Entry, catalogue, parse
from unskew.conjugation.piglatin import PigLatin, PigLatinCommon
from unskew.conjugation.roundtrip import Failure, RoundTrip, roundtrip_report
from unskew.conjugation.spelling import Base64, Morse, Nato

__all__ = [
    "Base64",
    "Composition",
    "Conjugation",
    "Entry",
    "Failure",
    "Identity",
    "Leetspeak",
    "LeetspeakCommon",
    "LetterReversal",
    "Morse",
    "Nato",
    "NotAdmissible",
    "Paraphrase",
    "PigLatin",
    "PigLatinCommon",
    "Promise",
    "Rot13",
    "RoundTrip",
    "UnknownCipher",
    "Upper",
    "WordReversal",
    "Wrapper",
    "catalogue",
    "parse",
    "roundtrip_report",
]
