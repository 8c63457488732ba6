"""A definition reads what it says it reads: by hand, and against whole-text normal forms."""

import itertools
import re
import unicodedata
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from purple.texts import INVISIBLE, MARKS, definitions, texts
from unskew.errors import UserError
from unskew.purple import ASCII, LATIN, Definition, Forbidden, Foreign, Tier
from unskew.purple.definition import _look_alikes

E, C, N, M, L, S = Tier
SURROGATES = re.compile("[\ud800-\udfff]")

# The first tier at which the text is read to hold "purple"; None where no tier does.
KNOWN = [
    ("purple", E),
    ("a purplepurple b", E),
    ("repurpled", E),
    ("PURPLE", C),
    ("PuRpLe", C),
    ("ｐｕｒｐｌｅ", N),
    ("𝓹𝓾𝓻𝓹𝓵𝓮", N),
    ("Ⓟⓤⓡⓟⓛⓔ", N),
    ("pu\u200brple", N),
    ("p\u200du\u200dr\u200dp\u200dl\u200de", N),
    ("pur\u00adple", N),
    ("\ufeffpurp\u2060le", N),
    ("purp\ufe0fl\U000e0041e", N),
    ("pur\0ple", N),
    ("pu\u034frple", N),
    ("pu" + "\u200b" * 10_000 + "rple", N),
    ("㏚".join(["pu", "ple"]), None),
    ("pu㎰urple", None),
    ("pürplé", M),
    ("p\u0301u\u0323\u0308rple", M),
    ("pu\u0301\u200b\u20ddrple", M),
    ("рurрlе", L),
    ("ρυгρӏε", L),
    ("ΡURΡLΕ", L),
    ("ᴘᴜʀᴘʟᴇ", L),
    ("þurþłe", L),
    ("ᏢᑌᖇᏢᏞᎬ", L),
    ("🅿🆄🆁🅿🅻🅴", L),
    ("🇵🇺🇷🇵🇱🇪", L),
    ("p u r p l e", S),
    ("p-u_r.p'l\u02bce", S),
    ("p\nu\nr\np\nl\ne", S),
    ("⒫⒰⒭⒫⒧⒠", S),
    ("pur 1 ple", S),
    ("spur plenty", S),
    ("", None),
    ("purpl e\u0301tude", S),
    ("purpl", None),
    ("purlpe", None),
    ("purp1e", None),
    ("elprup", None),
    ("cHVycGxl", None),
    ("violet", None),
]


@pytest.mark.parametrize(("text", "first"), KNOWN, ids=[ascii(text)[:40] for text, _ in KNOWN])
def test_the_first_tier_that_finds_it(text: str, first: Tier | None) -> None:
    found = [tier for tier in Tier if not Definition(tier=tier).allows(text)]
    assert found == ([] if first is None else list(Tier)[first:])


def test_a_word_is_read_as_the_text_is() -> None:
    for word in ("PÜRPLE", "purple", "рurple", "pur\u00adple"):
        assert not Definition((word,)).allows("a purple hat")
    assert Definition(("Purple",), E).allows("purple")
    assert not Definition(("straße",), C).allows("STRASSE")
    assert not Definition(("ice cream",), S).allows("Rice! Creams.")


def test_where_and_what() -> None:
    two = Definition(("hat", "purple", "ple"), alphabet=ASCII)
    assert two.violation("a purple hat") == Forbidden("purple", 7)
    assert two.violation("a pur-ple hat") == Forbidden("ple", 8)
    assert two.violation("a hat\u200b, purple") == Forbidden("hat", 4)
    assert two.violation("pu\u200brple") == Foreign("\u200b", 2)
    assert two.violation("ha\uff54") == Foreign("\uff54", 2)  # which would complete the word, too
    assert str(Foreign("\u200b", 2)) == "U+200B, character 2, is outside the alphabet"
    assert str(Forbidden("hat", 4)) == "'hat' is complete at character 4"
    assert Definition(("Hat", "hat")).violation("hat") == Forbidden("Hat", 2)


WHOLE = [
    ("purple", 5),
    ("Purple!", 5),
    ("so purple, so", 8),
    ("purples", None),
    ("repurple", None),
    ("repurpled purple", 15),
    ("purple7", None),
    ("_purple_", 6),
    ("purple\u0301", 5),  # a mark is read as nothing here: it ends the word
    ("purple\u200bs", 5),
    ("s\u200bpurple", None),  # and does not begin one
    ("-\u200bpurple", 7),
    ("purpleﬁ", None),  # read "fi": letters only
    ("purple½", 5),  # read "1⁄2"
    ("purple℀", 5),  # read "a/c"
    ("½purple", None),
    ("⒫urple", None),  # read "(p)urple"
]


@pytest.mark.parametrize(("text", "at"), WHOLE, ids=[ascii(text) for text, _ in WHOLE])
def test_whole_words(text: str, at: int | None) -> None:
    definition = Definition(whole_words=True)
    assert definition.violation(text) == (None if at is None else Forbidden("purple", at))


def test_whole_words_of_several_parts() -> None:
    definition = Definition(("purple haze", "don't"), whole_words=True)
    assert not definition.allows("Purple haze.")
    assert not definition.allows("I DON'T know")
    for text in ("purple", "purple hazel", "apurple haze", "haze", "don'ts"):
        assert definition.allows(text)


def test_alphabets() -> None:
    plain = Definition((), alphabet=ASCII)
    assert plain.allows("".join(map(chr, range(32, 127))) + "\t\n")
    for c in ("\r", "\x08", "\x1b", "\x7f", "é", "\u200b", "\ud800"):
        assert plain.violation(f"ab{c}") == Foreign(c, 2)
    western = Definition((), alphabet=LATIN)
    assert western.allows("“Où est l’été ?” – ça, là… straße, £5, §2, ½")
    for c in ("\u00ad", "\u0301", "р", "\u200b", "\x85"):
        assert western.violation(c) == Foreign(c, 0)
    assert Definition((), alphabet=frozenset("ab\ud800")).violation("ab\ud800") == Foreign(
        "\ud800", 2
    )


@pytest.mark.parametrize("tier", Tier)
def test_halves_of_a_character_are_outside_every_alphabet(tier: Tier) -> None:
    """An encoder may join them: these two are the bold p of "𝐩urple"."""
    assert Definition(tier=tier).violation("\ud835\udc29urple") == Foreign("\ud835", 0)
    assert Definition(tier=tier).allows("🙂")


# --- laws -----------------------------------------------------------------------------------------


@settings(max_examples=200)
@given(definitions, texts, texts)
def test_a_text_may_be_cut_anywhere(definition: Definition, a: str, b: str) -> None:
    assert definition.read(a + b) == definition.read(a) + definition.read(b)


@settings(max_examples=300)
@given(texts, st.sampled_from(["purple", "pu", "fi", "ss", "naïve", "hat", "haze"]))
def test_tiers_are_nested(text: str, word: str) -> None:
    text = SURROGATES.sub("\ufffd", text)
    found = [not Definition((word,), tier).allows(text) for tier in Tier]
    assert found == sorted(found)


@settings(max_examples=300)
@given(texts, st.sampled_from(["purple", "ss", "fi", "sun", "k", "pu", "ps"]))
def test_what_normal_forms_of_the_whole_text_find_is_found(text: str, word: str) -> None:
    """For words of plain letters. (Not the other way round: NFKC makes one letter of e and a mark
    after it, a reading does not.)"""
    text = SURROGATES.sub("\ufffd", text)

    def found(tier: Tier) -> bool:
        return not Definition((word,), tier).allows(text)

    assert found(E) == (word in text)
    assert found(C) == (word in text.casefold())
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    dropped = "".join(c for c in folded if unicodedata.category(c) != "Cf")
    if word in folded or word in dropped:
        assert found(N)
    bare = unicodedata.normalize("NFKD", text).casefold()
    bare = "".join(c for c in bare if unicodedata.category(c) not in ("Mn", "Cf"))
    if word in bare:
        assert found(M)


@pytest.mark.parametrize("tier", Tier)
def test_what_was_read_is_read_as_itself(tier: Tier) -> None:
    definition = Definition(tier=tier)
    for code in itertools.chain(range(0x3400), range(0xA000, 0x1_2000), range(0x1_D000, 0x1_FA00)):
        reading = definition.read(chr(code))
        assert definition.read(reading) == reading, hex(code)


def test_every_look_alike_is_read_as_its_letter() -> None:
    """An entry that an earlier step changes would never be met."""
    table, marks = _look_alikes(), Definition(tier=M)
    assert len(table) > 300
    for sign, latin in table.items():
        assert marks.read(sign) == sign, ascii(sign)
        assert re.fullmatch("[a-z]{1,2}", latin)
        assert Definition(tier=L).read(sign) == latin
    assert {latin for latin in table.values() if len(latin) == 1} == set(
        "abcdefghijklmnopqrstuvwxyz"
    )


def test_plain_letters_are_read_as_themselves() -> None:
    for tier in Tier:
        read = Definition(tier=tier).read
        assert read("abcxyz") == "abcxyz"
        assert read("PUR-ple 1\n") == ("PUR-ple 1\n", *["pur-ple 1\n"] * 4, "purple")[tier]


def test_what_is_read_as_nothing() -> None:
    for c in INVISIBLE:
        assert [Definition(tier=t).read(c) == "" for t in Tier] == [False, False, *[True] * 4]
    for c in MARKS:
        assert [Definition(tier=t).read(c) == "" for t in Tier] == [False] * 3 + [True] * 3
    # Marks that take room of their own, as in Devanagari and music, and the blank of Braille.
    for c in "\u0903\u302e\U0001d165":
        assert [Definition(tier=t).read(c) == "" for t in Tier] == [False] * 3 + [True] * 3
    assert [Definition(tier=t).read("\u2800") == "" for t in Tier] == [False, False, *[True] * 4]
    for c in " \t\n\v\f\r\x85":
        assert [Definition(tier=t).read(c) == "" for t in Tier] == [False] * 5 + [True]


# --- mistakes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Definition("purple"), "not a tuple"),  # type: ignore[arg-type]
        (lambda: Definition((b"purple",)), "not a tuple"),  # type: ignore[arg-type]
        (lambda: Definition([b"purple"]), "not a tuple"),  # type: ignore[arg-type]
        (lambda: Definition(()), "nothing is forbidden"),
        (lambda: Definition(tier="confusable"), "there is no tier 'confusable'"),  # type: ignore[arg-type]
        (lambda: Definition(tier=9), "there is no tier 9"),  # type: ignore[arg-type]
        (lambda: Definition(tier=None), "there is no tier None"),  # type: ignore[arg-type]
        (lambda: Definition(("purple", "")), "word '' at Tier.CONFUSABLES: is read as nothing"),
        (lambda: Definition(("\u200b",)), "read as nothing"),
        (lambda: Definition(("--",), S), "read as nothing"),
        (lambda: Definition(("agent7",), S), "is read as 'agent', without '7'"),
        (lambda: Definition(alphabet="abc"), "not a frozenset"),  # type: ignore[arg-type]
        (lambda: Definition(alphabet=frozenset({"ab"})), "not a frozenset"),
        (lambda: Definition(tier=S, whole_words=True), "exclude each other"),
        (lambda: Definition(("wow!",), whole_words=True), "begins and ends with a letter"),
        (lambda: Definition(("-a",), whole_words=True), "begins and ends with a letter"),
        (lambda: Definition(("café",), N, whole_words=True), "Tier.MARKS where the end is an"),
    ],
)
def test_mistakes_are_named(make, message: str) -> None:
    with pytest.raises(UserError) as error:
        make()
    assert message in str(error.value)
    assert error.value.hint


def test_a_tier_is_taken_by_number_or_name_and_words_as_a_list() -> None:
    made: Any = Definition
    for tier in Tier:
        for told in (tier.value, tier.name, tier.name.lower()):
            found = made(["purple", "violet"], told)
            assert found == Definition(("purple", "violet"), tier)
            assert hash(found) == hash(Definition(("purple", "violet"), tier))
            assert found.tier is tier
    with pytest.raises(UserError, match=r"Tiers: Tier.EXACT, .*, Tier.LETTERS\."):
        made(tier="confusable")


def test_equal_definitions_are_one() -> None:
    a, b = Definition(), Definition(("purple",), L)
    assert a.patterns == {"purple": "purple"}  # computed, and no part of what it is
    assert (a, hash(a)) == (b, hash(b))
    assert a != Definition(whole_words=True)
