"""The idea: a translator and its way back make a conjugation, though not an exact one.

A text is translated line by line, so line k stays line k; white space at the edges of a line,
labels and template delimiters are set aside first (`Glossary`), what was translated once is looked
up (`Cache`). What comes back damaged (a placeholder lost, several lines for one, nothing at all) is
refused, never repaired. How much of a text the round trip keeps is measured, not promised.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import urlsplit

from unskew.conjugation.base import Conjugation, NotAdmissible, Promise
from unskew.conjugation.cache import Cache, Result, cache_folder
from unskew.conjugation.delimiters import SPAN
from unskew.conjugation.glossary import LINE_BREAK, Glossary, Masked
from unskew.conjugation.languages import LANGUAGES
from unskew.errors import UserError

Ask = Callable[[Sequence[str]], list[str]]
"""Prompts to answers, one for each. An attribute `identity` (str) may say what the model behind it
is; translations are kept on disk under it."""


class Translator(Protocol):
    """Turns single lines without white space at their edges from one language into another.

    Attributes:
        name, version: two translators that share both give the same translations.
        source, target: language codes of the way there.
    """

    name: str
    version: str
    source: str
    target: str

    def translate(self, texts: Sequence[str], source: str, target: str) -> Sequence[Result]:
        """One translation for each text, in order; or, where there is none, a refusal."""
        ...


class Translation(Conjugation):
    """Into the target language of `there`, and back by `back`.

    Args:
        name: as it is written on the command line.
        there: the translator of forward.
        back: that of inverse; None where `there` goes both ways.
        glossary: what stays as it is; by default template delimiters only.
        cache: None keeps translations in memory.
    """

    version = 1

    def __init__(
        self,
        name: str,
        there: Translator,
        back: Translator | None = None,
        glossary: Glossary | None = None,
        cache: Cache | None = None,
    ) -> None:
        self.name, self.there, self.back = name, there, back or there
        self.source, self.target = there.source, there.target
        self.glossary = glossary or Glossary()
        self.cache = cache or Cache()
        self.promise = Promise(
            exact=False,
            domain="texts whose lines and kept words survive the translator",
            newlines=True,
            edges=True,
            numbers=self.glossary.numbers,
            boundaries="lines",
        )

    @property
    def record(self) -> Mapping[str, Any]:
        """What decides the translations, as plain JSON; its digest tells two of one name apart."""
        told: dict[str, Any] = {
            "kind": "translation",
            "source": self.source,
            "target": self.target,
            "there": {"name": self.there.name, "version": self.there.version},
            "back": {"name": self.back.name, "version": self.back.version},
            "keep": list(self.glossary.keep),
            "numbers": self.glossary.numbers,
        }
        return {**told, "digest": hashlib.sha256(json.dumps(told).encode()).hexdigest()}

    def forward(self, text: str) -> str:
        return _only(self.forward_all([text]))

    def inverse(self, text: str) -> str:
        return _only(self.inverse_all([text]))

    def forward_all(self, texts: Sequence[str]) -> list[Result]:
        return self._carry(texts, self.there, self.source, self.target)

    def inverse_all(self, texts: Sequence[str]) -> list[Result]:
        return self._carry(texts, self.back, self.target, self.source)

    def _carry(
        self, texts: Sequence[str], translator: Translator, source: str, target: str
    ) -> list[Result]:
        """Every line of every text in one call, each different one once."""
        lines = {line: self.glossary.mask(line) for text in texts for line in _lines(text)}
        cores = dict.fromkeys(
            masked.core for masked in lines.values() if masked.speaks and _encodes(masked.core)
        )
        results = self.cache.through(
            (translator.name, translator.version),
            (source, target),
            list(cores),
            lambda some: translator.translate(some, source, target),
        )
        known = dict(zip(cores, results, strict=True))
        return [self._assembled(text, lines, known) for text in texts]

    def _assembled(
        self, text: str, lines: Mapping[str, Masked], known: Mapping[str, Result]
    ) -> Result:
        out: list[str] = []
        breaks = [*LINE_BREAK.findall(text), ""]
        for number, (line, end) in enumerate(zip(_lines(text), breaks, strict=True), 1):
            try:
                out.append(self._line(lines[line], known) + end)
            except NotAdmissible as refusal:
                where = f"line {number}: " if len(breaks) > 1 else ""
                return NotAdmissible(self.name, where + refusal.why)
        return "".join(out)

    def _line(self, masked: Masked, known: Mapping[str, Result]) -> str:
        if not masked.speaks:
            return self.glossary.restore(masked.core, masked, self.name)
        result = known.get(masked.core)
        if result is None:
            raise NotAdmissible(self.name, "half a surrogate pair is no text to translate")
        if isinstance(result, NotAdmissible):
            raise result
        result = result.strip()
        if not result:
            raise NotAdmissible(self.name, "the translation is empty")
        if LINE_BREAK.search(result):
            raise NotAdmissible(self.name, "the translation has several lines")
        if SPAN.search(result):
            raise NotAdmissible(self.name, "the translator wrote a template delimiter")
        return self.glossary.restore(result, masked, self.name)


PROMPT = (
    "Translate the text below from {source} to {target}. Answer with the translation only, on one "
    "line. Leave anything like [1] as it is.\n\n{source}: {text}\n{target}:"
)
_QUOTES = {'"': '"', "'": "'", "“": "”", "„": "“", "«": "»", "‘": "’", "»": "«", "「": "」"}
_APOSTROPHE = re.compile(r"(?<=\w)['’](?=\w)")
READING = 2
"""How an answer is read; raised where it is read otherwise, as what was kept was read before."""


class Asked:
    """A language model as translator: asked by a prompt, believed in its first line.

    Args:
        ask: prompts to answers. What decides the answers besides the prompt (sampling, a budget
            of tokens) is its own affair; greedy answers are best, as a translation is kept.
        name: names the model; together with the version it must tell models apart.
        source, target: language codes; the prompt has their English names, or, for a language
            that we have no name for, the code.
        prompt: has {text}, and {source} and {target} if it likes.

    Raises:
        UserError: a prompt without {text}, or with other fields.
    """

    def __init__(self, ask: Ask, name: str, source: str, target: str, prompt: str = PROMPT) -> None:
        self.ask, self.name, self.source, self.target = ask, name, source, target
        self.prompt = prompt
        try:
            told = prompt.format(source="s", target="t", text="\0")
        except (KeyError, IndexError, ValueError) as error:
            raise UserError(f"cannot be filled in: {error!r}", "translation prompt") from error
        if "\0" not in told:
            raise UserError("has no {text}", "translation prompt")
        digest = hashlib.sha256(prompt.encode()).hexdigest()[:12]
        who = getattr(ask, "identity", "model as named")
        self.version = f"prompt {digest}, reading {READING}; {who}"

    def translate(self, texts: Sequence[str], source: str, target: str) -> list[Result]:
        names = {"source": _called(source), "target": _called(target)}
        answers = self.ask([self.prompt.format(text=text, **names) for text in texts])
        return [self._first(a, t) for a, t in zip(answers, texts, strict=True)]

    def _first(self, answer: str, text: str) -> Result:
        line = next((line.strip() for line in LINE_BREAK.split(answer) if line.strip()), "")
        close, inside = _QUOTES.get(line[:1]), line[1:-1]
        quoted = len(line) > 1 and close == line[-1] and not text.startswith(tuple(_QUOTES))
        # Of several quotations, as in «Oui» ou «non», the marks at the edges are no pair.
        if quoted and not {line[0], line[-1]} & set(_APOSTROPHE.sub("", inside)):
            line = inside.strip()
        return line or NotAdmissible(self.name, "the model answered nothing")


def parse_translator(
    text: str,
    ask_for: Callable[[str], Ask] | None = None,
    glossary: Glossary | None = None,
    cache: Cache | None = None,
) -> Conjugation:
    """The translation that a command line names.

    - `book:FILE.jsonl:en-fr`: a phrase book, exact;
    - `mt:ID_OR_FOLDER:en-fr`: NLLB, M2M-100 or Marian. A Marian model goes one way: the way back
      is the model whose name has the languages swapped, or `mt:THERE::BACK:en-fr`;
    - `llm:MODEL@BASE_URL:en-fr`: a model behind an OpenAI-compatible server;
    - `self:en-fr`: the audited model.

    Read from the right, as a path may have colons.

    Args:
        ask_for: from "MODEL@BASE_URL" or "self" to who answers. Translations of a `self` whose ask
            has no `identity` are kept in memory only: they are another model's next time.
        glossary: what stays as it is; a phrase book needs none.
        cache: by default the one in `cache_folder()`.

    Raises:
        UserError: not of this form, or what it names cannot be had.
    """
    kind, _, rest = text.partition(":")
    body, _, pair = rest.rpartition(":")
    languages = re.fullmatch(r"([a-z]{2,3}(?:_[A-Za-z]+)*)-([a-z]{2,3}(?:_[A-Za-z]+)*)", pair)
    if languages is None or languages[1] == languages[2]:
        raise UserError(
            f"ends in {pair!r}, which is no pair of two languages such as en-fr", text, _FORMS
        )
    source, target = languages.groups()
    if kind not in _KINDS or (body == "") != (kind == "self"):
        raise UserError("is no translation", text, _FORMS)
    if kind == "book":
        from unskew.conjugation.books import PhraseBook

        return PhraseBook.read(body, source, target, text)
    cache = cache or Cache(cache_folder())
    if kind == "mt":
        from unskew.conjugation.seq2seq import both_ways

        return Translation(text, *both_ways(body, source, target), glossary, cache)
    reference = "self" if kind == "self" else _server(body, text)
    if ask_for is None:
        raise UserError(
            "there is no model here to be asked for a translation",
            text,
            "give it to an audit, or translate by book:FILE.jsonl:en-fr or mt:ID_OR_FOLDER:en-fr",
        )
    ask = ask_for(reference)
    if kind == "self" and getattr(ask, "identity", None) is None:
        cache = Cache()
    name = "self" if kind == "self" else f"llm:{reference}"
    return Translation(text, Asked(ask, name, source, target), None, glossary, cache)


_KINDS = ("book", "mt", "llm", "self")
_FORMS = (
    "translations: book:FILE.jsonl:en-fr, mt:ID_OR_FOLDER:en-fr, llm:MODEL@BASE_URL:en-fr, "
    "self:en-fr"
)


def _server(body: str, where: str) -> str:
    """MODEL@BASE_URL; a URL with a password or key in it would end up in every record."""
    form = re.fullmatch(r"(.+?)@(https?://\S+)", body)
    if form is None:
        raise UserError("the model and its server are written MODEL@http://HOST:PORT/v1", where)
    url = urlsplit(form[2])
    if url.username is not None or url.password is not None or url.query or url.fragment:
        hide = f"llm:{form[1]}@..."
        raise UserError("no key or password in the URL: they come from the environment", hide)
    return body


def _called(language: str) -> str:
    return LANGUAGES[language][0] if language in LANGUAGES else language


def _lines(text: str) -> list[str]:
    return LINE_BREAK.split(text)


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _only(results: Sequence[Result]) -> str:
    (result,) = results
    if isinstance(result, NotAdmissible):
        raise result
    return result
