"""Numbers as text: short, with their interval, and with "null" never turned into a number."""

from __future__ import annotations

import math

from unskew.report.rows import Figure


def number(value: float, digits: int = 3) -> str:
    """Three significant digits, without exponent where that stays short."""
    if math.isnan(value):
        return "unknown"
    if value == 0:
        return "0"
    size = math.floor(math.log10(abs(value)))
    if size >= 6 or size < -4:
        return f"{value:.{digits - 1}e}".replace("-", "−")
    return f"{round(value, digits - 1 - size):.{max(0, digits - 1 - size)}f}".replace("-", "−")


def percent(share: float) -> str:
    """0.361 -> "36%"; below 10% one decimal; a minus sign that is one."""
    if math.isnan(share):
        return "unknown"
    value = 100 * share
    text = f"{value:.0f}" if abs(value) >= 9.95 or value == 0 else f"{value:.1f}"
    return f"{text}%".replace("-", "−")


def interval(found: Figure, as_percent: bool = False) -> str:
    """ "0.45 (95% interval 0.41 to 0.49)"; says so where a bound or the number is unknown."""
    show = percent if as_percent else number
    if not found.known:
        return "inconclusive (null)"
    low, high = found.low, found.high
    if math.isnan(low) and math.isnan(high):
        return f"{show(found.estimate)} (interval unknown)"
    if math.isnan(high):
        return f"{show(found.estimate)} (one-sided 95%: at least {show(low)})"
    if math.isnan(low):
        return f"{show(found.estimate)} (one-sided 95%: at most {show(high)})"
    return f"{show(found.estimate)} (95% interval {show(low)} to {show(high)})"


def spoken(text: object) -> str:
    """A span in words: "1..3" -> "averaged over 1 to 3 exemplars"; nothing for null."""
    if not isinstance(text, str) or not text:
        return ""
    low, dots, high = text.partition("..")
    if not dots:
        return f"averaged over {text}"
    return f"averaged over {low} to {high} exemplars"


def scale(gamma: float) -> str:
    """ "2" for 2.0, "1.25" for 1.25: a label scale as people write it."""
    return f"{gamma:g}".replace("-", "−")
