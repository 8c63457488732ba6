"""The command `unskew conjugate`: standard input through a conjugation to standard output."""

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from unskew import streams
from unskew.errors import UserError

if TYPE_CHECKING:
    from unskew.conjugation import Conjugation

USAGE = "Usage: unskew conjugate NAME [--inverse | --check] < FILE"
EXAMPLES = """
Examples:
  unskew conjugate pig-latin < prompt.txt
  unskew conjugate pig-latin --inverse < answer.txt
  unskew conjugate pig-latin@word-reversal < prompt.txt
  unskew conjugate book:phrases.jsonl:en-fr --check < prompts.txt
  unskew conjugate --list
"""


def conjugate(
    name: Annotated[
        str | None, Parameter(help="a conjugation, as --list names it; a@b is b first, then a")
    ] = None,
    /,
    *,
    inverse: Annotated[bool, Parameter(negative="", help="carry a text back")] = False,
    check: Annotated[
        bool, Parameter(negative="", help="only say which lines come back exactly")
    ] = False,
    list_: Annotated[
        bool, Parameter(name="--list", negative="", help="list the conjugations and their promises")
    ] = False,
) -> int:
    """Transform text by a conjugation, from standard input to standard output."""
    from unskew.audit.names import conjugation as named
    from unskew.conjugation import NotAdmissible

    if list_:
        _list()
        return 0
    if name is None:
        raise UserError("which conjugation?", hint="`unskew conjugate --list` lists them")
    if inverse and check:
        raise UserError("--inverse and --check exclude one another", where="conjugate")
    conjugation = named(name)
    text = streams.read()
    if check:
        _check(conjugation, text)
        return 0
    change = conjugation.inverse if inverse else conjugation.forward
    try:
        _write(change(text))
    except NotAdmissible as refusal:
        raise _located(refusal, conjugation, text, inverse) from None
    return 0


def _write(text: str) -> None:
    try:
        data = text.encode("utf-8")
    except UnicodeEncodeError:
        raise UserError("the result has a lone surrogate, which UTF-8 cannot write") from None
    streams.write(data)


def _located(refusal, conjugation: "Conjugation", text: str, inverse: bool) -> UserError:
    """The refusal with the first line that is refused on its own, if there is one."""
    lines = text.splitlines()
    transform = conjugation.inverse_all if inverse else conjugation.forward_all
    for number, result in enumerate(transform(lines), start=1):
        if not isinstance(result, str):
            return UserError(str(result), where=f"line {number}")
    return UserError(str(refusal))


def _check(conjugation: "Conjugation", text: str) -> None:
    from unskew.conjugation import roundtrip_report

    numbered = [(k, line) for k, line in enumerate(text.splitlines(), start=1) if line.strip()]
    found = roundtrip_report(conjugation, [line for _, line in numbered])
    share = "" if found.share is None else f" ({100 * found.share:.1f}%)"
    print(f"lines:       {found.n}")
    print(f"admissible:  {found.admissible}")
    print(f"exact:       {found.exact}{share}")
    print(f"chrF:        {'none' if found.chrf is None else f'{found.chrf:.1f}'}")
    for failure in found.failures:
        what = failure.why if failure.back is None else f"came back as {_shown(failure.back)}"
        print(f"line {numbered[failure.at][0]}: {_shown(failure.text)}: {what}")


def _list() -> None:
    from unskew.conjugation.names import TRANSLATIONS, catalogue

    entries = catalogue()
    width = max(len(entry.name) for entry in entries) + 2
    for entry in entries:
        promise = entry.promise
        kept = {"lines": promise.newlines, "edges": promise.edges, "numbers": promise.numbers}
        words = [
            f"exact on {promise.domain}" if promise.exact else "lossy",
            f"keeps {', '.join(word for word, is_kept in kept.items() if is_kept) or 'nothing'}",
        ]
        if promise.boundaries != "none":
            words.append(f"splits at {promise.boundaries}")
        _beside(f"{entry.name:{width}}", entry.description)
        _beside(" " * width, "; ".join(words))
    print("translations, here from English into French:")
    for name, about in TRANSLATIONS.items():
        _beside(f"  {name:{max(map(len, TRANSLATIONS))}}  ", about)


def _beside(left: str, text: str) -> None:
    """A text in the column that begins behind `left`."""
    import textwrap

    print(
        textwrap.fill(
            text, streams.columns(), initial_indent=left, subsequent_indent=" " * len(left),
            break_long_words=False, break_on_hyphens=False,
        )
    )  # fmt: skip


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:59]}…")
