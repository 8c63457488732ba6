"""What must hold, read from the tables: each claim with its figure, interval and verdict.

Thresholds are the ones fixed beforehand (README): a claim *held* when its interval is clear of
its threshold on the right side, *did not hold* when it is clear on the wrong side, and is
*inconclusive* in between or where the table says null. No row, no verdict: *not run*.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, NamedTuple

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
    widest,
)
from unskew.report.words import control, interval, spoken, story

if TYPE_CHECKING:
    import pandas as pd

Verdict = Literal["held", "did not hold", "inconclusive", "not run"]
CLOSE_TO_BAYES = 1.1
ERROR = "net_numerator"
NOTHING_LOST = "fine-tuning has not clearly raised the error, so there is nothing to bring back"


class Claim(NamedTuple):
    """One claim. experiment: the table it is read from; text, evidence: plain words."""

    experiment: str
    text: str
    verdict: Verdict
    evidence: str


def claims(tables: Tables, alpha: float | None = None) -> list[Claim]:
    """Every claim, in the order of the experiments. alpha: the base model looked at closely."""
    near = {name: at_alpha(table, alpha) for name, table in tables.items()}
    return [
        _converged(tables.get("converge"), "pure"),
        _converged(tables.get("converge"), "mixed"),
        _rise(near.get("conjugate"), "discrete", -1),
        _rise(near.get("conjugate"), "continuous", +1),
        _slope(near.get("where-it-hurts")),
        _skew(near.get("task-inference")),
        _rivals(near.get("task-inference")),
        _recovery(near.get("conjugate")),
        _controls(near.get("conjugate")),
    ]


def _sign(found: Figure | None, side: int, one_sided: bool = False) -> Verdict:
    """Whether an interval is clear of 0 on the given side; one-sided bounds leave one open."""
    if found is None:
        return "not run"
    if not found.known:
        return "inconclusive"
    low, high = found.low, found.high
    if one_sided:
        # A one-sided t bound lies as far from the estimate as the bound of the other side would.
        low = 2 * found.estimate - high if math.isnan(low) else low
        high = 2 * found.estimate - low if math.isnan(high) else high
    elif math.isnan(low) or math.isnan(high):
        return "inconclusive"  # an unknown bound bounds nothing
    if low > 0:
        return "held" if side > 0 else "did not hold"
    if high < 0:
        return "held" if side < 0 else "did not hold"
    return "inconclusive"


def _said(found: Figure | None, what: str) -> str:
    if found is None:
        return ""
    text = f"{what}: {interval(found)}"
    return f"{text}, {spoken(found.span)}" if found.span else text


def _over(table: pd.DataFrame | None, pick: str = "inside", **wanted: object) -> Figure | None:
    """The pooled row that has the wanted values, over the inner or the widest span."""
    if table is None:
        return None
    rows = pooled(settled(choose(table, **wanted)))
    span = inside(rows) if pick == "inside" else widest(rows)
    return None if span is None else first(choose(rows, span=span))


def _converged(table: pd.DataFrame | None, trained: Literal["pure", "mixed"]) -> Claim:
    """Claim 1 on the models of one family, and the same asked of those of a mixture: there it is
    what allows a rise of g to be read as skew. Decided by the estimates, averaged over k."""
    text = {
        "pure": "Trained on one family alone, the model is its Bayes predictor (within 10%)",
        "mixed": "Trained on a mixture, it is within 10% of Bayes on both families",
    }[trained]
    if table is None:
        return Claim("converge", text, "not run", "")
    rows = settled(table)
    rows = rows[rows["metric"].str.startswith("ratio_to_bayes_")]
    if rows.empty:
        return Claim("converge", text, "not run", "")
    found = []
    for index in range(len(rows)):
        row, one = rows.iloc[index], first(rows.iloc[index : index + 1])
        family = "D_cont" if str(row["metric"]).endswith("continuous") else "D_disc"
        if row["alpha"] == {"D_cont": 1.0, "D_disc": 0.0}[family]:
            continue  # never trained on such prompts: there is no optimum to converge to
        if (row["alpha"] in (0.0, 1.0)) != (trained == "pure"):
            continue
        if one is None or not one.known:
            return Claim("converge", text, "inconclusive", "a ratio is null in the table")
        found.append((one, f"trained with α = {row['alpha']:g}, on {family}"))
    if not found:
        return Claim("converge", text, "not run", "")
    worst, where = max(found, key=lambda pair: pair[0].estimate)
    close = sum(one.estimate <= CLOSE_TO_BAYES for one, _ in found)
    evidence = (
        f"{close} of {len(found)} ratios are at most {CLOSE_TO_BAYES}; "
        f"the largest, {where}: {interval(worst)}"
    )
    return Claim("converge", text, "held" if close == len(found) else "did not hold", evidence)


def _rise(table: pd.DataFrame | None, family: str, side: int) -> Claim:
    verb, where = (
        ("raises", "other tasks (D_cont)")
        if side > 0
        else ("lowers", "the tasks it trains on (D_disc)")
    )
    found = _over(table, "widest", metric=f"rise_{family}", arm="tuned")
    return Claim(
        "conjugate",
        f"Fine-tuning {verb} the error on {where}",
        _sign(found, side),
        _said(found, "change of error"),
    )


def _slope(table: pd.DataFrame | None) -> Claim:
    found = _over(table, metric="slope")
    return Claim(
        "where-it-hurts",
        "It hurts where a skew of task inference says it should",
        _sign(found, +1),
        _said(found, "slope of observed on predicted rise"),
    )


def _skew(table: pd.DataFrame | None) -> Claim:
    found = _over(table, metric="skew_rise")
    evidence = _said(found, "rise in nats")
    if found is not None and found.note:
        evidence += f"; {found.note}"
    return Claim(
        "task-inference",
        "Fine-tuning skews task inference towards its own tasks",
        _sign(found, +1),
        evidence,
    )


def _rivals(table: pd.DataFrame | None) -> Claim:
    text = "That skew foretells the answers to scaled labels better than each rival story"
    if table is None:
        return Claim("task-inference", text, "not run", "")
    errors = settled(choose(table, metric="held_out_error"))
    every = settled(choose(table, metric="skew_advantage"))
    rows = every[every["gamma"].isna()]
    names = list(dict.fromkeys(n for n in errors["arm"] if n != "rival:skew"))
    names += [n for n in dict.fromkeys(rows["arm"]) if n not in names]
    if not names:
        return Claim("task-inference", text, "not run", "")
    verdicts, said = [], []
    for name in names:
        found = first(choose(rows, arm=name))
        verdicts.append("inconclusive" if found is None else _sign(found, +1))
        shown = "no comparison" if found is None else interval(found)
        single = every[(every["arm"] == name) & every["gamma"].notna()]
        behind = [f"{gamma:g}" for gamma in single.loc[single["high"] < 0, "gamma"]]
        # The mean over gammas can hide that the skew loses at some of them.
        also = f", behind at labels × {', '.join(behind)}" if behind else ""
        said.append(f"{story(name)}: {shown}{also}")
    return Claim(
        "task-inference", text, _all(verdicts), "excess distance to the answers. " + "; ".join(said)
    )


def _recovery(table: pd.DataFrame | None) -> Claim:
    text = "Conjugate prompting brings back more than 40% of the loss"
    if table is None:
        return Claim("conjugate", text, "not run", "")
    metrics = sorted(
        m for m in table["metric"].unique() if m.startswith("contrast_") and m != "contrast_null"
    )
    if not metrics:
        return Claim("conjugate", text, "not run", "")
    # A run asked for another floor says so in the metric's name.
    floor = float(metrics[0].removeprefix("contrast_"))
    text = f"Conjugate prompting brings back more than {100 * floor:g}% of the loss"
    found = _over(table, metric=metrics[0], arm="tuned")
    share = _over(table, metric="net_recovery", arm="tuned")
    evidence = _said(found, f"error recovered less {100 * floor:g}% of the rise")
    if share is not None:
        evidence += f"; net recovery {interval(share, as_percent=True)}"
    if not _lost(table):
        return Claim("conjugate", text, "inconclusive", f"{NOTHING_LOST}; {evidence}")
    return Claim("conjugate", text, _sign(found, +1, one_sided=True), evidence)


def _controls(table: pd.DataFrame | None) -> Claim:
    text = "What should bring nothing back brings nothing back"
    if table is None:
        return Claim("conjugate", text, "not run", "")
    rows = settled(choose(table, metric="contrast_null"))
    rows = rows[rows["arm"].str.startswith("control:")]
    if rows.empty:
        return Claim("conjugate", text, "not run", "")
    verdicts, said = [], []
    names = list(dict.fromkeys(rows["arm"]))
    # Over training seeds controls have no shares: the error itself is said.
    shares = not choose(pooled(table), metric="net_recovery", arm=names).empty
    metric, what = ("net_recovery", "net recovery") if shares else (ERROR, "error brought back")
    for name in names:
        verdicts.append(_sign(first(choose(rows, arm=name)), -1, one_sided=True))
        found = figure(pooled(table), metric=metric, arm=name)
        shown = "no ratio" if found is None else interval(found, as_percent=shares)
        said.append(f"{control(name)}: {shown}")
    note = first(rows)
    margin = f" ({note.note})" if note is not None and note.note else ""
    evidence = f"{what}. " + "; ".join(said) + margin
    if not _lost(table):
        return Claim("conjugate", text, "inconclusive", f"{NOTHING_LOST}; {evidence}")
    return Claim("conjugate", text, _all(verdicts), evidence)


def _lost(table: pd.DataFrame) -> bool:
    """Whether fine-tuning raised the error at all where its recovery is asked: of what fell, a
    share that comes back would be a share of a gain, and thresholds at such shares turn around."""
    rise = _over(table, metric="rise_continuous", arm="tuned")
    return rise is not None and rise.above


def _all(verdicts: list[Verdict]) -> Verdict:
    """A claim about each of several holds when each does, and fails when one fails."""
    order: tuple[Verdict, ...] = ("did not hold", "inconclusive", "not run")
    for worst in order:
        if worst in verdicts:
            return worst
    return "held"
