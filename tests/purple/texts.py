"""Definitions, texts that try to get past them, and ways to cut a text into chunks."""

from hypothesis import strategies as st

from unskew.purple import ASCII, LATIN, Definition, Tier

INVISIBLE = [
    "\u200b", "\u200c", "\u200d", "\u00ad", "\ufeff", "\u2060", "\u034f", "\ufe0f", "\U000e0070",
    "\U000e0100", "\x00", "\x08", "\u3164", "\u180e",
]  # fmt: skip
MARKS = ["\u0301", "\u0323", "\u0308", "\u20dd", "\u0363"]
APART = [" ", "-", "\n", ".", "_", "'", "\u02bc", "1", "\u2800", "\u3000"]
# Each way to write a letter of "purple", and what is read as several characters.
LETTERS = {
    "p": ["p", "P", "ｐ", "𝐩", "Ⓟ", "р", "ρ", "Ꮲ", "ƥ", "🅿", "ᵖ", "ṕ", "㏗", "㎰", "⒫"],
    "u": ["u", "U", "ｕ", "ü", "ս", "υ", "ᴜ", "𝘶"],
    "r": ["r", "R", "ｒ", "г", "ʀ", "ŗ", "ᖇ"],
    "l": ["l", "L", "ｌ", "ӏ", "ł", "ⅼ", "ℓ", "ⅬⅬ"],
    "e": ["e", "E", "ｅ", "е", "ε", "é", "℮", "ℯ"],
}
EXPANSIONS = ["ß", "ẞ", "İ", "ŉ", "ﬁ", "ﬃ", "ǰ", "½", "℀", "㏚", "Ǆ", "ſ", "K", "한", "ﷺ", "ΐ", "…"]
SURROGATES = ["\ud835", "\udc29", "\ud800"]

DEFINITIONS = [
    *[Definition(tier=tier) for tier in Tier],
    *[Definition(tier=tier, whole_words=True) for tier in Tier if tier < Tier.LETTERS],
    Definition(alphabet=ASCII),
    Definition(alphabet=LATIN, tier=Tier.MARKS),
    Definition((), alphabet=ASCII),
    Definition(("purple", "pur", "urpl", "rep", "lele")),
    Definition(("ss", "ffi", "ff", "sun", "1⁄2", "a/c", "c", "ps"), Tier.COMPATIBLE),
    Definition(("purple haze", "spurple", "purple", "le pu", "purplefish"), whole_words=True),
    Definition(("a", "ab", "c", "cat", "p s"), Tier.COMPATIBLE, whole_words=True),
    Definition(("pupu", "upup", "ppp"), Tier.LETTERS),
]
definitions = st.sampled_from(DEFINITIONS)


def named(definition: Definition) -> str:
    """A test's name: the same in every process, as the order of an alphabet is not."""
    words = "+".join(definition.words) or "nothing"
    closed = "" if definition.alphabet is None else f"-of-{len(definition.alphabet)}"
    return f"{words}-{definition.tier.name.lower()}{closed}{'-whole' * definition.whole_words}"


letters = st.sampled_from([way for ways in LETTERS.values() for way in ways])
noise = st.sampled_from([*INVISIBLE, *MARKS, *APART])
dressed = st.tuples(
    *[
        st.tuples(st.sampled_from(LETTERS[letter]), st.one_of(st.just(""), st.just(""), noise))
        for letter in "purple"
    ]
).map(lambda pairs: "".join(map("".join, pairs)))
"""The word, each letter in some way, with something in between."""
begun = st.builds(lambda text, n: text[:n], dressed, st.integers(1, 9))
runs = st.builds(lambda c, n: c * n, noise, st.sampled_from([2, 63, 64, 65, 66, 140]))
pieces = st.one_of(
    dressed,
    begun,
    letters,
    noise,
    runs,
    st.sampled_from([*EXPANSIONS, *SURROGATES]),
    st.sampled_from(
        ["purple", "purples", "Purple haze", "spur plenty", "fish", "cat", "sun", "a b"]
    ),
    st.text(max_size=3),
    st.text("purle absPL\u200b\u0301", max_size=6),
)
texts = st.lists(pieces, max_size=6).map("".join)
"""Any text, lone surrogates included; often with the word in it, or its beginning."""


@st.composite
def chunked(draw: st.DrawFn) -> list[str]:
    """A text in chunks, some of them empty."""
    text = draw(texts)
    kind = draw(st.sampled_from(["characters", "any", "whole"]))
    if kind == "characters":
        return list(text)
    if kind == "whole":
        return [text]
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=8)))
    return [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
