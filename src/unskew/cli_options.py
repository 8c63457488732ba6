"""What several commands share: their options, each with one meaning and one help text."""

import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter, Token

from unskew.errors import UserError


def _whole(_: Any, tokens: Sequence[Token]) -> int:
    # Cyclopts alone would round: two threads for 1.5.
    try:
        return int(tokens[0].value)
    except ValueError:
        raise ValueError(f"{tokens[0].value!r} is no whole number") from None


Whole = Annotated[int | None, Parameter(converter=_whole)]
Runs = Annotated[Path, Parameter(name="--runs", help="the folder that holds the runs")]
Threads = Annotated[Whole, Parameter(help="CPU threads to compute with")]
Words = Annotated[
    tuple[str, ...], Parameter(consume_multiple=True, negative="", show_default=False)
]
"""`--option a b c`."""


def check_runs(runs: Path) -> None:
    """Raises UserError where the folder of runs is a file."""
    if runs.exists() and not runs.is_dir():
        raise UserError("this is a file, and no folder of runs", str(runs))


def check_preset_first(command: str, given: Sequence[str]) -> None:
    """Raises UserError where a setting stands in the place of the preset."""
    if re.match(r"[\w.]+=", given[0]) and not Path(given[0]).is_file():
        hint = f"as in: {shlex.join(['unskew', command, 'demo', *given])}"
        raise UserError("the preset comes first, then settings", given[0], hint)


def listed(words: Sequence[str]) -> list[str]:
    """`a b` and `a,b` both give two names."""
    return [name for word in words for name in word.split(",") if name]
