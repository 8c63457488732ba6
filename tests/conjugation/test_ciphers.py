"""Every cipher keeps every word of its promise, on any text; known examples written out by hand."""

import itertools

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from conjugation.hard_texts import NEAR_SPANS, SPANS, WORDS, texts, texts_in
from conjugation.promises import holds
from unskew.conjugation import (
    Base64,
    Conjugation,
    Leetspeak,
    LeetspeakCommon,
    LetterReversal,
    Morse,
    Nato,
    NotAdmissible,
    PigLatin,
    PigLatinCommon,
    Rot13,
    Upper,
    WordReversal,
)
from unskew.conjugation.delimiters import SPAN

ANY_TEXT = [
    PigLatin(),
    PigLatinCommon(),
    Leetspeak(),
    LeetspeakCommon(),
    Rot13(),
    WordReversal(),
    LetterReversal(),
    Upper(),
    Base64(),
]
ALPHABETS = [
    (Morse(), "abcxyzABCXYZ0189.,?'!/()&:;=+-_\"$@àäçèéñöüÀÄÇÈÉÑÖÜ"),
    (Nato(), "".join(map(chr, range(33, 127)))),
]
every = pytest.mark.parametrize("cipher", ANY_TEXT, ids=lambda cipher: cipher.name)


@every
def test_promises_on_words_and_delimiters(cipher: Conjugation) -> None:
    for text in [*SPANS, *NEAR_SPANS, *WORDS]:
        holds(cipher, text)
        holds(cipher, f" {text}\r\n{text}<s>{text}-{text}  ")
    for a, b in itertools.product([*SPANS, *NEAR_SPANS], repeat=2):
        holds(cipher, a + b)


@every
@settings(max_examples=100)
@given(text=texts)
@example(text="")
def test_promises_on_any_text(cipher: Conjugation, text: str) -> None:
    holds(cipher, text)


@pytest.mark.parametrize(("cipher", "alphabet"), ALPHABETS, ids=["morse", "nato"])
@settings(max_examples=100)
@given(data=st.data())
def test_promises_of_spelling(cipher: Conjugation, alphabet: str, data: st.DataObject) -> None:
    holds(cipher, data.draw(texts_in(alphabet)))


@pytest.mark.parametrize("cipher", [Morse(), Nato()], ids=["morse", "nato"])
@settings(max_examples=80)
@given(text=texts)
def test_spelling_refuses_what_it_cannot_spell(cipher: Morse | Nato, text: str) -> None:
    signs = {" ", *cipher.codes()}
    cores = [line.strip() for piece in SPAN.split(text) for line in piece.splitlines()]
    if all(c in signs for core in cores for c in core):
        holds(cipher, text)
    else:
        with pytest.raises(NotAdmissible, match="has no sign for"):
            cipher.forward(text)


@every
@settings(max_examples=50)
@given(text=texts)
def test_inverses_answer_any_text_or_refuse(cipher: Conjugation, text: str) -> None:
    try:
        assert isinstance(cipher.inverse(text), str)
    except NotAdmissible:
        assert isinstance(cipher, Base64)


def test_all_short_texts_in_the_signs_of_leetspeak() -> None:
    leet, images = Leetspeak(), set()
    short = ["".join(word) for n in range(5) for word in itertools.product("aA42^#n", repeat=n)]
    for text in short:
        image = leet.forward(text)
        assert leet.inverse(image) == text
        images.add(image)
    assert len(images) == len(short)


def test_all_short_texts_in_the_signs_of_pig_latin() -> None:
    pig = PigLatin()
    for n in range(5):
        for word in itertools.product("aby-wA¦", repeat=n):
            text = "".join(word)
            assert pig.inverse(pig.forward(text)) == text


# Known examples -----------------------------------------------------------------------------------

KNOWN = [
    (PigLatin(), "hello world", "ellohay orldway"),
    (PigLatin(), "Hello, World!", "Ellohay, Orldway!"),
    (PigLatin(), "I eat 12 apples.", "Iway eatway 12 applesway."),
    (PigLatin(), "The QUICK brown fox", "Ethay ICKQUAY ownbray oxfay"),
    (PigLatin(), "my yellow rhythm", "ymay ellowyay ythm-rhay"),
    (PigLatin(), "don't stop, he's", "on'tday opstay, e'shay"),
    (PigLatin(), "tops", "ops-tay"),
    (PigLatin(), "was it as good?", "asway itway as-ay oodgay?"),
    (PigLatin(), "hmm", "hmmay"),
    (PigLatin(), "cafe\u0301 École", "afe\u0301cay Écoleway"),
    (PigLatin(), "hEllo McDonald", "¦hEllo onald-McDay"),
    (PigLatin(), "foo_bar(x=3)", "oofay_arbay(xay=3)"),
    (PigLatin(), "привет, 世界", "привет, 世界"),
    (PigLatin(), "<|im_start|>user\nhi<|im_end|>", "<|im_start|>userway\nihay<|im_end|>"),
    (PigLatinCommon(), "tops stop as was", "opstay opstay asway asway"),
    (Leetspeak(), "hello world", "h3ll0 w0rld"),
    (Leetspeak(), "The answer is 42.", "^7h3 4n5w3r 15 #42."),
    (Leetspeak(), "Is it 29, or 5s?", "^15 17 29, 0r #5#5?"),
    (Leetspeak(), "C#4 and x^a, #1", "C###4 4nd x^^4, ###1"),
    (LeetspeakCommon(), "The answer is 42.", "7h3 4n5w3r 15 42."),
    (Rot13(), "Hello, Wörld 1", "Uryyb, Jöeyq 1"),
    (Rot13(), "<s> <f> <\\f>", "<s> <\\s> <\\\\s>"),
    (WordReversal(), "to be  or not\n to see.", "not or  be to\n see. to"),
    (WordReversal(), "[INST] a b [/INST] c d", "[INST] b a [/INST] d c"),
    (LetterReversal(), "Hello, don't 42!", "olleH, nod't 42!"),
    (LetterReversal(), "e\u0301te\u0301 <sob>", "e\u0301te\u0301 <\\bos>"),
    (LetterReversal(), "ne\u0301 привет", "e\u0301n тевирп"),
    (Upper(), "Hi, it's 5 [inst] [INST]", "HI, IT'S 5 [\\INST] [INST]"),
    (Base64(), " hello \nπ\n", " aGVsbG8= \nz4A=\n"),
    (Base64(), "<s>hi there</s>", "<s>aGkgdGhlcmU=</s>"),
    (Morse(), "sos, it works!\n", "... --- ... --..-- / .. - / .-- --- .-. -.- ... -.-.--\n"),
    (Morse(), "Hi  é", "^.... .. / / ..-.."),
    (Nato(), "Hi you 9?", "HOTEL India / Yankee Oscar Uniform / nine query"),
]


@pytest.mark.parametrize(("cipher", "text", "image"), KNOWN)
def test_known_examples(cipher: Conjugation, text: str, image: str) -> None:
    assert cipher.forward(text) == image
    if cipher.promise.exact:
        assert cipher.inverse(image) == text


@pytest.mark.parametrize(
    ("cipher", "answer", "read"),
    [
        # As everyday pig latin is written, with what models mix into it.
        (PigLatinCommon(), "Ethay atcay atsay onway ethay atmay.", "The cat sat on the mat."),
        (PigLatinCommon(), "Appleay anyway 42 Paris", "Apple any 42 Paris"),
        (PigLatinCommon(), "atscay ookslay eadingray elatedray", "cats looks reading related"),
        (PigLatin(), "Ethay answerway isway Paris, elloh", "The answer is Paris, elloh"),
        (LeetspeakCommon(), "7h3 4n5w3r: 42, P4R15", "the answer: 42, PARIS"),
        (Leetspeak(), "^29 #^4 4^#5", "^29 #^a a^#s"),
        (Upper(), "PARIS. IT IS B.\nI KNOW", "Paris. It is B.\nI know"),
        (Nato(), "alpha BRAVO Juliet X-Ray", "aBjx"),
        (Morse(), ".-   -...  / -.-.", "ab c"),
        (Base64(), "IGhp\nPHM+", " hi\n<s>"),  # we write white space and delimiters as they are
    ],
)
def test_answers_are_read_as_people_mean_them(cipher: Conjugation, answer: str, read: str) -> None:
    assert cipher.inverse(answer) == read


@pytest.mark.parametrize(
    ("cipher", "text", "says"),
    [
        (Morse(), "ab\nπ", "'π'"),
        (Morse(), "a\tb", r"'\\t'"),
        (Nato(), "é ü", "'é' 'ü'"),
        (Nato(), "αβγδεζ", r"\.\.\. \(it has printable ASCII\)"),
    ],
)
def test_refusals_name_the_signs(cipher: Conjugation, text: str, says: str) -> None:
    with pytest.raises(NotAdmissible, match=f"^{cipher.name}: .*{says}"):
        cipher.forward(text)


@pytest.mark.parametrize(
    ("cipher", "text"),
    [
        (Morse(), ".- ........"),
        (Morse(), "hello"),
        (Nato(), "Hotel Elephant"),
        (Base64(), "Paris"),
        (Base64(), "aGVs bG8="),
        (Base64(), "aGVsbG9="),  # its last bits are no part of a letter
        (Base64(), "/w=="),  # not UTF-8
        (Base64(), "π"),
    ],
)
def test_what_spells_nothing_is_refused(cipher: Conjugation, text: str) -> None:
    with pytest.raises(NotAdmissible):
        cipher.inverse(text)


def test_spelling_alphabets_are_whole_and_distinct() -> None:
    for cipher, alphabet in ALPHABETS:
        codes = cipher.codes()
        assert set(alphabet) <= set(codes)
        assert len(set(codes.values())) == len(codes)
        assert not any(set(code) & set("/ ") for code in codes.values())
    assert set("abcdefghijklmnopqrstuvwxyz0123456789") <= set(Morse().codes())
