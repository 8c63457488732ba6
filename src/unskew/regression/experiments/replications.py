"""Several training seeds: what the tables of one study say, said for training in general.

A study's intervals hold its weights fixed. Here each row that all studies share becomes one row
whose interval comes from a hierarchical bootstrap over training seeds, fine-tunings within a seed,
and prompts within a model; the prompts enter by the standard error that the study's own interval
states. Ratios of risks (net recovery, relative rise) are not averaged but taken of averages, so
they are computed again from the models' answers (`ratios`).
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from unskew.regression.experiments.conjugate import DENOMINATOR, NUMERATOR, Risks
from unskew.regression.experiments.names import CONJUGATE
from unskew.regression.measure import label, row
from unskew.runs.tables import tidy
from unskew.statistics import Interval, RunSummary, hierarchical_bootstrap, run_summary
from unskew.statistics.student import student_quantile

if TYPE_CHECKING:
    import pandas as pd

SEEDS = "training seeds"
KEY = ("experiment", "arm", "alpha", "gamma", "k", "metric", "span", "step", "bin", "delta")
RATIOS = ("net_recovery", "gross_recovery", "relative_rise_continuous", "relative_rise_discrete")
AT_CHOSEN = ("net_numerator", "contrast_", "cost_discrete")  # rows at each study's own gamma
RESAMPLES = 4000

Row = Mapping[str, Any]
Nested = Sequence[Sequence[Any]]  # [seed][fine-tuning]


def across(tables: "Sequence[Sequence[pd.DataFrame]]", seed: int = 0) -> "pd.DataFrame":
    """The tables of one experiment, [training seed][fine-tuning], as one table for training seeds.

    A row that a study lacks or has as null is null, with a note that says in how many. One-sided
    rows stay one-sided, at the same 95%. n is the number of training seeds.
    """
    studies = [[_rows(table) for table in of_seed] for of_seed in tables]
    every = [study for of_seed in studies for study in of_seed]
    keys = dict.fromkeys(key for study in every for key in study)
    return tidy(_pooled(key, studies, len(every), seed) for key in keys)


def _rows(table: "pd.DataFrame") -> dict[tuple[Any, ...], Row]:
    """Rows that have a standard error, by what they are about; and gamma_chosen, which has none."""
    found = {}
    for record in table.to_dict("records"):
        item: dict[str, Any] = {
            str(name): None if _missing(value) else value for name, value in record.items()
        }
        metric = item["metric"]
        if metric in RATIOS:
            continue
        if metric.startswith(AT_CHOSEN) and not item["arm"].startswith("control:gamma="):
            item["gamma"] = None
        found[tuple(item[name] for name in KEY)] = item
    return found


def _pooled(key: tuple[Any, ...], studies: Nested, count: int, seed: int) -> dict[str, Any]:
    """One row for training seeds out of the studies' rows of one key."""
    labels = dict(zip(KEY, key, strict=True)) | {"conditional_on": SEEDS}
    rows = [[study.get(key) for study in of_seed] for of_seed in studies]
    there = [item for of_seed in rows for item in of_seed if item and item["estimate"] is not None]
    if len(there) < count:
        return labels | {"note": f"null or absent in {count - len(there)} of {count} runs"}
    labels["note"] = _note([item["note"] for item in there])
    if labels["metric"] == "gamma_chosen":
        chosen = sorted({item["estimate"] for item in there})
        one = chosen[0] if len(chosen) == 1 else None
        if one is None:
            labels["note"] = f"differs by run: {', '.join(f'{gamma:g}' for gamma in chosen)}"
        return labels | {"estimate": one, "n": len(studies)}
    sides = {(item["low"] is not None, item["high"] is not None) for item in there}
    if len(sides) > 1 or sides == {(False, False)}:
        return labels | {"note": "no standard error in some runs"}
    ((has_low, has_high),) = sides
    both = has_low and has_high
    summaries = [[_summary(item) for item in of_seed] for of_seed in rows]
    level = 0.95 if both else 0.90  # one end of a 90% interval is a one-sided 95% bound
    found = hierarchical_bootstrap(summaries, seed, resamples=RESAMPLES, level=level)
    unknown = float("nan")
    shown = found._replace(
        low=found.low if has_low else unknown, high=found.high if has_high else unknown
    )
    return row(shown) | labels


def _summary(item: Row) -> RunSummary:
    """A row as a mean with its standard error, read back from its 95% interval."""
    low, high, estimate = item["low"], item["high"], item["estimate"]
    freedom = max((item["n"] or 2) - 1, 1)
    if low is not None and high is not None:
        error = (high - low) / (2.0 * student_quantile(0.975, freedom))
    else:
        error = abs((high if low is None else low) - estimate) / student_quantile(0.95, freedom)
    return RunSummary(np.array([estimate], dtype=np.float64), np.array([[error**2]]))


def _note(notes: Sequence[str | None]) -> str | None:
    """What the notes say, without the numbers in brackets that differ from run to run."""
    said = [note.partition(" (")[0] for note in notes if note]
    kinds = {kind: said.count(kind) for kind in dict.fromkeys(said)}
    if len(kinds) == 1 and len(said) == len(notes):
        return said[0]
    if not 1 <= len(kinds) <= 3:
        return None
    return "; ".join(f"{times} of {len(notes)} runs: {kind}" for kind, times in kinds.items())


def ratios(
    risks: Sequence[Sequence[Risks]], spans: Sequence[range], alpha: float, seed: int = 0
) -> "pd.DataFrame":
    """Rows net_recovery, gross_recovery and relative_rise_continuous over each span.

    Args:
        risks: [training seed][fine-tuning] -> squared errors (N, P) on D_cont prompts of base and
            tuned model, plain and at that study's chosen gamma.

    Both parts of a ratio are averaged over seeds, then divided. A ratio is null where the
    denominator is not clearly above 0: a share of what fell is no share.
    """
    rows = []
    for span in spans:
        columns = [[run.over(span) for run in of_seed] for of_seed in risks]
        summaries = [[run_summary(four) for four in of_seed] for of_seed in columns]
        rise, before = DENOMINATOR, np.array([1.0, 0.0, 0.0, 0.0])
        gross = np.array([0.0, 1.0, 0.0, -1.0])
        parts = {
            "net_recovery": (NUMERATOR, rise),
            "gross_recovery": (gross, rise),
            "relative_rise_continuous": (rise, before),
        }
        for metric, (top, bottom) in parts.items():
            labels = {
                "experiment": CONJUGATE,
                "arm": "tuned",
                "alpha": alpha,
                "metric": metric,
                "span": label(span),
                "conditional_on": SEEDS,
            }
            below = hierarchical_bootstrap(
                summaries, seed, lambda m, bottom=bottom: float(m @ bottom), RESAMPLES
            )
            if not below.low > 0.0:
                note = "the denominator is not clearly above 0"
                rows.append(labels | {"n": below.n, "note": note})
                continue
            found: Interval = hierarchical_bootstrap(
                summaries,
                seed,
                lambda m, top=top, bottom=bottom: float((m @ top) / (m @ bottom)),
                RESAMPLES,
            )
            rows.append(row(found) | labels | {"note": "ratio of means over seeds"})
    return tidy(rows)


def _missing(value: Any) -> bool:
    import pandas as pd

    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))
