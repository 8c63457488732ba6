"""The headline in plain language, made of table rows only.

Three statements: what fine-tuning did to the error on other tasks, how much of it comes back, and
how far task inference moved. Each says what its interval allows: a rise, a fall, or that it
cannot be told from nothing. A null stays null ("inconclusive"), and what was not run is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from unskew.report.rows import (
    Figure,
    Tables,
    at_alpha,
    choose,
    figure,
    first,
    inside,
    pooled,
    settled,
)
from unskew.report.words import bounds, interval, number, percent, scale, spoken

if TYPE_CHECKING:
    import pandas as pd


class Tile(NamedTuple):
    """A figure of the headline: its value large, what it is, and its interval in words."""

    value: str
    what: str
    detail: str
    role: str


class Headline(NamedTuple):
    """sentence: one line, also for terminals; tiles: its figures; condition: what for."""

    sentence: str
    tiles: list[Tile]
    condition: str


class _Read(NamedTuple):
    rise: Figure | None
    recovery: Figure | None
    gamma: float | None
    before: Figure | None
    after: Figure | None
    moved: Figure | None


def headline(tables: Tables, alpha: float | None = None) -> Headline:
    """What the tables say, in a sentence; alpha names the base model looked at closely."""
    read = _read(tables, alpha)
    parts = [part for part in (_rise(read), _back(read), _skew(read)) if part is not None]
    if not parts:
        return Headline("No experiment on fine-tuning has been run yet", [], "")
    sentence = "; ".join(text for text, _ in parts)
    tiles = [tile for _, tile in parts]
    return Headline(sentence[0].upper() + sentence[1:], tiles, _condition(read))


def _read(tables: Tables, alpha: float | None) -> _Read:
    def table(name: str) -> pd.DataFrame | None:
        found = tables.get(name)
        return None if found is None else at_alpha(found, alpha)

    def over(rows: pd.DataFrame | None, **wanted: object) -> Figure | None:
        if rows is None:
            return None
        some = pooled(settled(choose(rows, **wanted)))
        span = inside(some)
        return None if span is None else first(choose(some, span=span))

    conjugate, inference = table("conjugate"), table("task-inference")
    gamma = figure(conjugate, metric="gamma_chosen")
    return _Read(
        rise=over(conjugate, metric="relative_rise_continuous", arm="tuned"),
        recovery=over(conjugate, metric="net_recovery", arm="tuned"),
        gamma=gamma.estimate if gamma is not None and gamma.known else None,
        before=over(inference, metric="skew", arm="base"),
        after=over(inference, metric="skew", arm="tuned"),
        moved=over(inference, metric="skew_rise"),
    )


def _rise(read: _Read) -> tuple[str, Tile] | None:
    rise = read.rise
    if rise is None:
        return None
    what = "error on other tasks"
    if not rise.known:
        text = f"what fine-tuning did to the {what} is inconclusive"
        return text, Tile("?", f"change of the {what}", interval(rise, True), "tuned")
    if rise.above:
        text = f"fine-tuning raised the {what} by {percent(rise.estimate)}"
    elif rise.below:
        text = f"fine-tuning lowered the {what} by {percent(-rise.estimate)}"
    else:
        text = f"fine-tuning changed the {what} by an amount that cannot be told from 0"
    sign = "+" if rise.estimate > 0 else ""
    tile = Tile(sign + percent(rise.estimate), what, bounds(rise, True), "tuned")
    return text, tile


def _back(read: _Read) -> tuple[str, Tile] | None:
    back = read.recovery
    if back is None:
        return None
    how = "when the labels are scaled"
    if read.gamma is not None:
        how = f"when the labels are multiplied by {scale(read.gamma)}"
    value = percent(back.estimate) if back.known else "?"
    tile = Tile(value, f"of that comes back {how}", bounds(back, True), "back")
    if read.rise is not None and read.rise.known and not read.rise.above:
        return f"with no clear rise, there is nothing to bring back {how}", tile
    if not back.known:
        return f"how much of that comes back {how} is inconclusive", tile
    if back.above:
        return f"{percent(back.estimate)} of that comes back {how}", tile
    if back.below:
        return f"none of that comes back {how}: it gets worse", tile
    return f"whether any of that comes back {how} is inconclusive", tile


def _skew(read: _Read) -> tuple[str, Tile] | None:
    if read.before is None or read.after is None:
        return None
    what = "nats of skew towards the fine-tuning tasks"
    if not read.before.known or not read.after.known:
        return "the skew is inconclusive", Tile("?", what, "inconclusive (null)", "observer")
    change = f"{number(read.before.estimate, 2)} → {number(read.after.estimate, 2)}"
    text = f"skew {change} nats"
    detail = ""
    if read.moved is not None:
        detail = f"rise {interval(read.moved)}"
        if not (read.moved.above or read.moved.below):
            text += " (a change that cannot be told from 0)"
    return text, Tile(change, what, detail, "observer")


def _condition(read: _Read) -> str:
    """What the intervals of the headline are conditional on, in words."""
    for found in (read.rise, read.recovery, read.moved):
        if found is not None and found.conditional_on:
            about = spoken(found.span)
            prefix = f"{about[0].upper()}{about[1:]}. " if about else ""
            return prefix + conditional(found.conditional_on)
    return ""


def conditional(on: str) -> str:
    """What an interval speaks for, in words."""
    match on:
        case "checkpoint":
            return (
                "Intervals are conditional on these trained weights: they say what other prompts "
                "would change, not what another training run would."
            )
        case "training seeds":
            return "Intervals speak for training seeds: other weights, trained the same way."
        case other:
            return f"Intervals are conditional on: {other}."
