"""One more sentence under some experiments: figures that the charts show but do not say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unskew.report.rows import Figure, at_alpha, choose, first, inside, pooled, settled, widest
from unskew.report.words import interval, number, spoken

if TYPE_CHECKING:
    import pandas as pd


def remark(name: str, table: pd.DataFrame, alpha: float | None = None) -> str | None:
    """A sentence on the table of experiment `name`, from its rows only; None where there is none
    to make."""
    rows = settled(at_alpha(table, alpha))
    match name:
        case "task-inference":
            return _parts(rows)
        case "conjugate":
            said = [_beyond(rows), _cost(rows)]
            return " ".join(one for one in said if one is not None) or None
        case _:
            return None


def _parts(rows: pd.DataFrame) -> str | None:
    """How much of the rise one skew explains, over every span, and whether it is one skew."""
    parts = pooled(choose(rows, metric=["total_rise", "inference_part", "ability_part"]))
    spans = [str(span) for span in dict.fromkeys(parts["span"].dropna())]
    if not spans:
        return None
    said = [_split(choose(parts, span=span), span) for span in spans]
    drift = first(choose(pooled(rows), metric="skew_drift", arm="tuned"))
    if drift is not None and drift.known and drift.low > 0:
        said.append(
            "It is not one shift of the prior alone: the skew that fits best grows with the number "
            f"of exemplars, by {interval(drift)} nats from the first to the d-th."
        )
    return " ".join(dict.fromkeys(said))


def _split(parts: pd.DataFrame, span: str) -> str:
    total, inference, ability = (
        first(choose(parts, metric=metric))
        for metric in ("total_rise", "inference_part", "ability_part")
    )
    if total is None or inference is None or ability is None:
        return "No skew could be fitted, so the rise cannot be split into its parts."
    if not (total.known and inference.known and ability.known):
        return "How the rise splits into inference and ability is inconclusive."
    return (
        f"Of the rise of {number(total.estimate)} ({spoken(span)}), the shift of task inference "
        f"makes {interval(inference)}; {interval(ability)} is not explained by it."
    )


def _beyond(rows: pd.DataFrame) -> str | None:
    """What comes back beyond d exemplars, and what theory predicts for the same skew."""
    shares = pooled(choose(rows, metric="net_recovery", arm=["tuned", "observer"]))
    named = {inside(shares), widest(shares)}
    others = [str(span) for span in shares["span"].dropna().unique() if span not in named]
    if not others:
        return None
    found, theory = (
        first(choose(shares, span=others[0], arm=arm)) for arm in ("tuned", "observer")
    )
    if found is None:
        return None
    about = spoken(others[0])
    text = f"{about[0].upper()}{about[1:]}, {_share(found)} comes back"
    if theory is not None:
        text += f"; of an ideal observer with the same skew, {_share(theory)} would"
    return text + "."


def _cost(rows: pd.DataFrame) -> str | None:
    """What scaling costs where the fine-tuning is right: on prompts of its own tasks."""
    found = first(choose(rows, metric="cost_discrete"))
    if found is None:
        return None
    return (
        "On prompts of the fine-tuning tasks themselves the same scaling changes the error by "
        f"{interval(found)}."
    )


def _share(found: Figure) -> str:
    if not found.known:
        return "an amount that is inconclusive"
    return interval(found, as_percent=True)
