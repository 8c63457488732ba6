"""Texts that are hard to take back: all of Unicode, mixed with what ciphers write themselves."""

from hypothesis import strategies as st

SPANS = [
    "<|im_start|>",
    "<|im_end|>",
    "<|eot_id|>",
    "<s>",
    "</s>",
    "<bos>",
    "<start_of_turn>",
    "[INST]",
    "[/INST]",
    "<<SYS>>",
    "<</SYS>>",
    "<｜User｜>",
]
# What rot13, reversal, upper case or leetspeak could turn into a delimiter, and escaped ones.
NEAR_SPANS = [
    "<f>",
    "</f>",
    "<sob>",
    "[inst]",
    "[TSNI]",
    "[VAFG]",
    "<<FLF>>",
    "<<sys>>",
    "<sys>>",
    "<|^|>",
    "<\\s>",
    "<\\\\s>",
    "[\\INST]",
    "[\\\\/INST]",
    "<",
    "<<",
    "</",
    "<|",
    "[",
    "[/",
    "|>",
    ">",
    "]",
    "s>",
    "INST]",
    "\\",
]
SPACES = [" ", "  ", "\t", "\n", "\r\n", "\r", "\x0b", "\x1c", "\x85", "\u2028", "\xa0", "\u3000"]
WORDS = [
    *[
        "hello",
        "World",
        "HELLO",
        "I",
        "a",
        "was",
        "as",
        "way",
        "ay",
        "stop",
        "tops",
        "opstay",
        "my",
    ],
    *[
        "eBay",
        "McDonald",
        "hEllo",
        "x-ray",
        "well-b",
        "ops-tay",
        "b-ay",
        "don't",
        "l’heure",
        "y'all",
    ],
    *[
        "école",
        "E\u0301cole",
        "ÀAY",
        "straße",
        "ẞ",
        "İ",
        "ı",
        "ŉay",
        "ǆ",
        "ﬁsh",
        "ſh",
        "привет",
        "日本語",
    ],
    *[
        "كتاب",
        "क्षत्रिय",
        "한국어",
        "ΣΑΣ",
        "🙂",
        "👩‍👩‍👧",
        "large",
        "Big",
        "QUESTION",
        "éBIG",
        "big\u0301",
    ],
    *[
        "5th",
        "42",
        "2024",
        "3.14",
        "29",
        "#2",
        "^a",
        "^A",
        "^^4",
        "##",
        "#5#5",
        "¦",
        "¦¦",
        "-",
        "--",
    ],
    *[
        "'",
        "’",
        "_",
        "x²",
        "٣",
        "\0",
        "\ud800",
        "\udfff",
        "\ud83d\ude00",
        "\u0301",
        "\u200d",
        "\ufeff",
    ],
]

pieces = st.one_of(
    st.sampled_from([*SPANS, *NEAR_SPANS, *SPACES, *WORDS]),
    st.text(st.characters(exclude_categories=()), max_size=4),
    st.text("aeiostwyhqunAEIOSTWYHQUN0123456789^#¦-'\\", max_size=6),
)
texts = st.lists(pieces, max_size=8).map("".join)
"""Any text, lone surrogates included."""


def texts_in(alphabet: str) -> st.SearchStrategy[str]:
    """Texts of these characters, delimiters, and white space that is kept at the edges of lines."""
    signs = st.text(alphabet, min_size=1, max_size=6)
    piece = st.one_of(
        signs,
        st.builds(" ".join, st.lists(signs, max_size=3)),
        st.sampled_from([*SPANS, "\n", "\r\n", "  \n\t", " "]),
    )
    return st.lists(piece, max_size=8).map("".join)
