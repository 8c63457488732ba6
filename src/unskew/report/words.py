"""Numbers as text: short, with their interval, and with "null" never turned into a number."""

from __future__ import annotations

import math
from collections.abc import Callable

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


def fixed(value: float, digits: int = 0) -> str:
    """So many decimals, a minus sign that is one, and none on what rounds to nothing."""
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")


def percent(share: float) -> str:
    """0.361 -> "36%"; below 10% one decimal."""
    if math.isnan(share):
        return "unknown"
    value = 100 * share
    return f"{fixed(value, 0 if abs(value) >= 9.95 or value == 0 else 1)}%"


def interval(found: Figure, as_percent: bool = False) -> str:
    """ "0.45 (95% interval 0.41 to 0.49)"; says so where a bound or the number is unknown."""
    if not found.known:
        return "inconclusive (null)"
    show = _shared(found, as_percent)
    return f"{show(found.estimate)} ({bounds(found, as_percent)})"


def bounds(found: Figure, as_percent: bool = False) -> str:
    """The interval without its estimate: "95% interval 0.41 to 0.49"."""
    show = _shared(found, as_percent)
    low, high = found.low, found.high
    if not found.known:
        return "inconclusive (null)"
    if math.isnan(low) and math.isnan(high):
        return "interval unknown"
    if math.isnan(high):
        return f"one-sided 95%: at least {show(low)}"
    if math.isnan(low):
        return f"one-sided 95%: at most {show(high)}"
    return f"95% interval {show(low)} to {show(high)}"


def _shared(found: Figure, as_percent: bool) -> Callable[[float], str]:
    """One number of decimals for estimate and bounds: as many as the interval's width supports."""
    factor = 100.0 if as_percent else 1.0
    ends = [end for end in (found.low, found.high) if not math.isnan(end)]
    reach = max((factor * abs(end - found.estimate) for end in ends), default=math.nan)
    if math.isnan(reach) or reach == 0.0:
        return percent if as_percent else number
    size = math.floor(math.log10(reach))
    decimals = -size + (1 if reach / 10**size < 2.95 else 0)
    if not 0 <= decimals <= 6:
        decimals = min(6, max(0, decimals))

    def show(value: float) -> str:
        text = fixed(factor * value, decimals)
        return f"{text}%" if as_percent else text

    return show


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


STORIES = {
    "skew": "skewed inference",
    "ridge-lambda": "ridge with another λ",
    "shrinkage": "shrunk answers",
    "partial-tasks": "partly learnt tasks",
}
CONTROLS = {
    "gamma=-1": "labels × −1",
    "gamma=0.5": "labels × 0.5",
    "rotated-x": "rotated inputs",
    "permuted-exemplars": "reordered exemplars",
    "finetuned-on-mix": "tuned on the same mixture",
    "finetuned-on-continuous": "tuned on D_cont",
    "finetuned-on-other-tasks": "tuned on other few tasks",
    "alpha-0-base": "base that never saw D_disc",
}


def story(arm: str) -> str:
    """A rival of experiment 4 in words; an unknown one by its own name."""
    name = arm.removeprefix("rival:")
    return STORIES.get(name, name)


def control(arm: str) -> str:
    """A control of experiment 5 in words; an unknown one by its own name."""
    name = arm.removeprefix("control:")
    return CONTROLS.get(name, name)


def protected(arm: str) -> str:
    """An arm of experiment 8 in words: "replay:0.1" -> "replay, 0.1"."""
    kind, _, strength = arm.partition(":")
    names = {
        "base": "base model",
        "tuned": "unprotected",
        "anchor": "penalty",
        "low-rank": "low rank",
        "conjugate": "conjugate",
        "bayes": "Bayes optimum",
    }
    said = names.get(kind, kind)
    return f"{said}, {strength.replace('gamma=', 'γ = ').replace('-', '−')}" if strength else said
