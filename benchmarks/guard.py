"""Megabytes of text per second through a guard, in chunks of one character up to kilobytes.

    python -m benchmarks.guard [--characters 100000] [--turns 5] [--out guard.parquet]

Ours is `Guard().stream(chunks)` with the default definition, look-alikes included. The peers:

    fixed look-back   a regular expression, ignoring case, over each chunk and the five characters
                      before it, which are always held back; what is usually written, and finds
                      neither look-alikes nor a word with a zero-width space in it
    judged again      all text so far is judged anew at each chunk; timed on 100 chunks only, as
                      its time grows with their square

All must give the text back unchanged, and stop at a word put at its end, before they are timed.
They take turns, and the fastest turn of each counts, in seconds of the processor, as one thread
computes and nobody waits: the neighbours on a busy machine are left out. One row for each
contender, text and size of chunk; `ratio` is its time per character over ours.
"""

import argparse
import collections
import math
import random
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from benchmarks.table import Line, keep, show
from unskew.purple import Definition, Guard, Stop

OURS, WINDOW, AGAIN = "unskew guard", "fixed look-back", "judged again"
CHUNKS = (1, 4, 16, 256, 4096)
WORDS = """
the of and to in a is that for it as was with be by on not he his but at are this have from or had
an they which one you were all her she there would their we him been has when who will no more if
out so up said what its about than into them can only other time new some could these two may first
then do any like my now over such our man me even most made after also did many people place purpose
public upper support surely pupil purchase
""".split()  # noqa: SIM905
FOREIGN = ("café", "naïve", "straße", "–", "“quoted”", "…", "日本", "привет", "🙂", "£5")


class Row(NamedTuple):
    """One contender. chunk in characters; characters: how many of the text were timed."""

    contender: str
    text: str
    chunk: int
    megabytes_per_second: float  # of UTF-8
    ratio: float
    characters: int


def words(characters: int, foreign: float, seed: int = 0) -> str:
    """That many characters of sentences; of their words a share `foreign` is not ASCII."""
    rng, pieces, length = random.Random(seed), [], 0
    while length < characters:
        word = rng.choice(FOREIGN if rng.random() < foreign else WORDS)
        pieces.append(word + rng.choice([" ", " ", " ", " ", " ", ", ", ".\n"]))
        length += len(pieces[-1])
    return "".join(pieces)[:characters]


TEXTS = {"English": partial(words, foreign=0.0), "mixed": partial(words, foreign=0.1)}


def window(chunks: Iterable[str]) -> Iterator[str]:
    """A look-back of five characters and a regular expression."""
    search, held = re.compile("purple", re.IGNORECASE).search, ""
    for chunk in chunks:
        held += chunk
        found = search(held)
        if found:
            yield held[: found.start()]
            return
        if len(held) > 5:
            yield held[:-5]
            held = held[-5:]
    yield held


def again(chunks: Iterable[str]) -> Iterator[str]:
    """All so far is judged at each chunk; the five last characters are held back."""
    definition, said, released = Definition(), "", 0
    for chunk in chunks:
        said += chunk
        violation = definition.violation(said)
        if violation:
            yield said[released : violation.at - 5]
            return
        if len(said) - 5 > released:
            yield said[released:-5]
            released = len(said) - 5
    yield said[released:]


Contender = Callable[[Iterable[str]], Iterator[str]]
CONTENDERS: dict[str, Contender] = {
    OURS: lambda chunks: Guard(then=Stop()).stream(chunks),
    WINDOW: window,
    AGAIN: again,
}


def cut(text: str, chunk: int) -> list[str]:
    return [text[i : i + chunk] for i in range(0, len(text), chunk)]


def fastest(runs: Mapping[str, tuple[Contender, Sequence[str]]], turns: int) -> dict[str, float]:
    """Seconds of the processor in each contender's fastest turn over its chunks."""
    best = dict.fromkeys(runs, math.inf)
    for _ in range(turns):
        for name, (contender, chunks) in runs.items():
            start = time.process_time()
            collections.deque(contender(chunks), maxlen=0)
            best[name] = min(best[name], time.process_time() - start)
    return best


def compare(characters: int = 100_000, turns: int = 5, chunks: Sequence[int] = CHUNKS) -> list[Row]:
    """Time all contenders on both texts.

    Raises:
        AssertionError: one of them changes the text, or lets the word pass.
    """
    rows: list[Row] = []
    for name, make in TEXTS.items():
        text = make(characters)
        for chunk in chunks:
            given = {c: text[: 100 * chunk] if c == AGAIN else text for c in CONTENDERS}
            for contender, run in CONTENDERS.items():
                said = given[contender]
                assert "".join(run(cut(said, chunk))) == said, f"{contender} changes the text"
                stopped = "".join(run(cut(said + "purple.", chunk)))
                assert stopped == said, f"{contender} lets the word pass"
            runs = {c: (run, cut(given[c], chunk)) for c, run in CONTENDERS.items()}
            seconds = fastest(runs, turns)
            per_character = {c: seconds[c] / len(given[c]) for c in CONTENDERS}
            rows += [
                Row(
                    c,
                    name,
                    chunk,
                    len(given[c].encode()) / seconds[c] / 1e6,
                    per_character[c] / per_character[OURS],
                    len(given[c]),
                )
                for c in CONTENDERS
            ]
    return rows


def lines(rows: Sequence[Row]) -> list[Line]:
    """The table in words."""
    return [
        Line(
            f"guard, {row.text}, chunks of {row.chunk}",
            row.contender,
            f"{row.megabytes_per_second:.3g} MB/s",
            f"{row.ratio:.2g}",
            f"{row.characters} characters",
        )
        for row in rows
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table; with --out write it as Parquet."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--characters", type=int, default=100_000)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--chunks", type=int, nargs="+", default=CHUNKS, help="sizes of chunks")
    parser.add_argument("--out", type=Path, help="Parquet file to write")
    options = parser.parse_args(arguments)

    rows = compare(options.characters, options.turns, options.chunks)
    print(show(lines(rows)))
    if options.out:
        keep(rows, options.out)


if __name__ == "__main__":
    main()
