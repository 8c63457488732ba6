"""What the laboratory's tables say: verdicts are those of `report.claims`, figures their rows."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from unskew.paper.findings import NOT_RUN, Finding, judged, shown
from unskew.paper.shelf import Place
from unskew.report.claims import claims
from unskew.report.rows import (
    Figure,
    at_alpha,
    choose,
    first,
    inside,
    pooled,
    settled,
    widest,
)
from unskew.report.words import control, story
from unskew.runs.tables import COLUMNS

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ORDER", "TABLES", "diversity", "study"]

TABLES = ("converge", "where-it-hurts", "task-inference", "conjugate")
ORDER = (
    "bayes", "bayes-mixture", "trade-off-gain", "trade-off-loss", "closest", "skew",
    "skew-rivals", "conjugate", "conjugate-controls",
)  # fmt: skip
"""The claims of `report.claims.claims`, by our ids, in its order."""

Shown = tuple[Figure | None, str]


def study(name: str) -> Callable[[Place], Finding]:
    """The finding of one of ORDER, from a study or from one over several training seeds."""

    def read(place: Place) -> Finding:
        tables = {n: place.table(n, COLUMNS) for n in TABLES if place.has(n)}
        given = place.config.get("study", place.config).get("alpha")
        alpha = None if given is None else float(given)
        every = place.once("said", lambda: claims(tables, alpha))
        said = every[ORDER.index(name)]
        if said.experiment not in tables or said.verdict == "not run":
            return NOT_RUN
        table = tables[said.experiment]
        near = table if said.experiment == "converge" else at_alpha(table, alpha)
        figure, text = FIGURES[name](near)
        return judged(said.verdict, figure, text, said.evidence)

    return read


def diversity(place: Place) -> Finding:
    """Whether a pool of tasks finds ridge in fewer steps than D_cont does, whose steps are null
    where the training ended before."""
    rows = settled(place.table("diversity", COLUMNS))
    rows = choose(rows, metric="steps_to_ridge")
    pools, every = rows[rows["arm"] != "continuous"], choose(rows, arm="continuous")
    theirs = first(every)
    if theirs is None or pools.empty:
        return NOT_RUN
    ours = {str(arm): first(choose(pools, arm=arm)) for arm in dict.fromkeys(pools["arm"])}
    bounds = [(_steps(one.low), _steps(one.high)) for one in ours.values() if one is not None]
    soonest = min(high for _, high in bounds)
    if soonest < _steps(theirs.low):
        word = "held"
    elif min(low for low, _ in bounds) > _steps(theirs.high):
        word = "did not hold"
    else:
        word = "inconclusive"
    known = {arm: one for arm, one in ours.items() if one is not None and one.known}
    said = [f"{_pool(arm)}: {_reached(one)}" for arm, one in known.items()]
    said = said or ["no pool of tasks comes so close"]
    never = (theirs.note or "never").removeprefix("censored: ")
    said.append(f"D_cont: {_reached(theirs) if theirs.known else never}")
    return judged(word, theirs, "; ".join(said))


# Each claim's figure of merit -----------------------------------------------------------------


def _ratio(pure: bool) -> Callable[[pd.DataFrame], Shown]:
    """The largest ratio to Bayes, of models of one family or of mixtures, on what they learnt."""

    def of(table: pd.DataFrame) -> Shown:
        rows = settled(table)
        rows = rows[rows["metric"].str.startswith("ratio_to_bayes_") & rows["estimate"].notna()]
        never = {"ratio_to_bayes_continuous": 1.0, "ratio_to_bayes_discrete": 0.0}
        rows = rows[rows["alpha"] != rows["metric"].map(never)]
        rows = rows[rows["alpha"].isin([0.0, 1.0]) == pure].sort_values("estimate")
        worst = first(rows.iloc[-1:])
        if worst is None:
            return None, ""
        row = rows.iloc[-1]
        family = "D_cont" if str(row["metric"]).endswith("continuous") else "D_disc"
        return worst, f"{shown(worst)} at α = {row['alpha']:g} on {family}"

    return of


def _over(pick: Callable[[pd.DataFrame], str | None], unit: str = "", **wanted: object):
    """A pooled row over one span: "0.65 (0.61 to 0.69)", or in percent."""

    def of(table: pd.DataFrame) -> Shown:
        rows = pooled(settled(choose(table, **wanted)))
        span = pick(rows)
        found = None if span is None else first(choose(rows, span=span))
        if found is None:
            return None, ""
        return found, shown(found, unit == "%") + (f" {unit}" if unit not in ("", "%") else "")

    return of


def _rival(table: pd.DataFrame) -> Shown:
    """The rival that comes closest, over all label scales."""
    rows = settled(choose(table, metric="skew_advantage"))
    rows = rows[rows["gamma"].isna()].sort_values("low", na_position="first")
    found = first(rows)
    if found is None:
        return None, ""
    return found, f"{shown(found)} against {story(str(rows.iloc[0]['arm']))}"


def _control(table: pd.DataFrame) -> Shown:
    """The control that may bring back most: whose interval ends highest. As a share; over training
    seeds, where controls have no share, as what comes back of the error itself."""
    asked = settled(choose(table, metric="contrast_null"))
    names = [arm for arm in dict.fromkeys(asked["arm"]) if arm.startswith("control:")]
    rows = pooled(settled(choose(table, metric="net_recovery", arm=names)))
    rows = rows[rows["high"].notna()].sort_values("high")
    found = first(rows.iloc[-1:])
    if found is None:
        return _control_error(table, names)
    # The end decides, and 9.7 must not read as 10.
    name, end = control(str(rows.iloc[-1]["arm"])), f"{100 * found.high:.1f}%".replace("-", "−")
    return found, f"{shown(found, as_percent=True)}, {name}, whose interval ends highest ({end})"


def _control_error(table: pd.DataFrame, names: list[str]) -> Shown:
    rows = pooled(settled(choose(table, metric="net_numerator", arm=names)))
    rows = rows[(rows["span"] == inside(rows)) & rows["high"].notna()].sort_values("high")
    found = first(rows.iloc[-1:])
    lost = pooled(settled(choose(table, metric="rise_continuous", arm="tuned")))
    rise = first(choose(lost, span=inside(rows))) if len(rows) else None
    if found is None or rise is None:
        return None, ""
    name = control(str(rows.iloc[-1]["arm"]))
    return found, f"{shown(found)} of {rise.estimate:.2f} lost, {name}, whose interval ends highest"


FIGURES: dict[str, Callable[[pd.DataFrame], Shown]] = {
    "bayes": _ratio(pure=True),
    "bayes-mixture": _ratio(pure=False),
    "trade-off-gain": _over(widest, metric="rise_discrete", arm="tuned"),
    "trade-off-loss": _over(widest, metric="rise_continuous", arm="tuned"),
    "closest": _over(inside, metric="slope"),
    "skew": _over(inside, "nats", metric="skew_rise"),
    "skew-rivals": _rival,
    "conjugate": _over(inside, "%", metric="net_recovery", arm="tuned"),
    "conjugate-controls": _control,
}


def _steps(bound: float) -> float:
    """A bound that was never reached lies beyond every step."""
    return math.inf if math.isnan(bound) else bound


def _reached(found: Figure) -> str:
    ends = ["never" if math.isnan(end) else f"{end:.0f}" for end in (found.low, found.high)]
    return f"{found.estimate:.0f} steps ({ends[0]} to {ends[1]})"


def _pool(arm: str) -> str:
    return arm.replace("discrete-", "") + " tasks"
