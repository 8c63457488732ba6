"""From words to a written sentence: spaces, the first capital, the marks at the ends."""

from __future__ import annotations

from collections.abc import Sequence

from unskew.nursery.lexicon import plain


def written(tokens: Sequence[str]) -> str:
    """A fragment: words with spaces between them, nothing else."""
    return " ".join(map(plain, tokens))


def sentence(tokens: Sequence[str], end: str = ".", begin: str = "") -> str:
    """A sentence: first letter in upper case, between `begin` and `end`."""
    text = written(tokens)
    return f"{begin}{text[0].upper()}{text[1:]}{end}"


def begins_with(form: str, letters: str) -> bool:
    """Whether a form begins with the sound of one of `letters`: its first letter says so, unless
    it is marked as an exception."""
    return (plain(form)[0].lower() in letters) != form.startswith("*")
