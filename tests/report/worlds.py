"""Hand-made tidy tables for every experiment: smooth curves, no training, no randomness."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import pandas as pd

from unskew.runs.tables import tidy

DIM, EXEMPLARS = 3, 12
INSIDE, BEYOND, ALL = f"1..{DIM}", f"{DIM + 1}..{EXEMPLARS}", f"0..{EXEMPLARS}"
GAMMAS = (-1.0, 0.5, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0)
CHECKPOINT = {"conditional_on": "checkpoint", "n": 4096, "seed": 0}


def around(estimate: float, half: float) -> dict[str, float]:
    return {"estimate": estimate, "low": estimate - half, "high": estimate + half}


def ridge_error(k: int) -> float:
    return 3.0 * math.exp(-0.55 * k) + 0.75 / (k + 3)


def _risks(arm: str, metric: str, level: float, **labels: Any) -> list[dict[str, Any]]:
    rows = [
        {"arm": arm, "metric": metric, "k": k, **around(level * ridge_error(k), 0.03), **labels}
        for k in range(EXEMPLARS + 1)
    ]
    for span in (INSIDE, BEYOND, ALL):
        low, _, high = span.partition("..")
        counts = range(int(low), int(high) + 1)
        mean = level * sum(map(ridge_error, counts)) / len(counts)
        rows.append({"arm": arm, "metric": metric, "span": span, **around(mean, 0.02), **labels})
    return [{**CHECKPOINT, **row} for row in rows]


def converge() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for alpha in (0.0, 0.2, 0.5, 0.8, 1.0):
        for family in ("continuous", "discrete"):
            # Far from anything trained on, a ratio says nothing and may be anything.
            untrained = (alpha, family) in ((0.0, "discrete"), (1.0, "continuous"))
            level = (1.0 + 0.35 * alpha) if family == "continuous" else (0.55 - 0.3 * alpha)
            metric = f"excess_{family}"
            rows += _risks("bayes", metric, level, alpha=alpha)
            rows += _risks("base", metric, level * 1.04, alpha=alpha)
            rows.append(
                {"arm": "base", "alpha": alpha, "metric": f"ratio_to_bayes_{family}", "span": ALL}
                | {**CHECKPOINT, **around(7.0 if untrained else 1.02 + 0.05 * alpha, 0.015)}
            )
    return rows


def tradeoff() -> list[dict[str, Any]]:
    rows = []

    def both(arm: str, share: float, worse: float = 0.0, **labels: Any) -> None:
        for metric, value in (
            ("excess_continuous", 0.8 + 0.9 * share**2 + worse),
            ("excess_discrete", 0.22 + 0.75 * (1 - share) ** 2 + worse),
        ):
            row = {"arm": arm, "metric": metric, "span": ALL, **around(value, 0.02)}
            rows.append(CHECKPOINT | row | labels)

    for alpha in (0.0, 0.2, 0.5, 0.8, 1.0):
        both("bayes", alpha, alpha=alpha)
        both("base", alpha, worse=0.03, alpha=alpha, step=0)
    for step, share in ((25, 0.55), (50, 0.62), (100, 0.7), (200, 0.78), (400, 0.86)):
        both("tuned", share, worse=0.04, alpha=0.5, step=step)
    for delta in range(-10, 21, 2):
        both("observer", 1 / (1 + math.exp(-delta / 5)), worse=-0.01, alpha=0.5, delta=delta)
    return rows


def where_it_hurts() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for k in range(1, EXEMPLARS + 1):
        for bin in range(10):
            rise = 0.9 * math.exp(-0.25 * k) * math.exp(-(((bin - 6.5) / 3) ** 2))
            at = {"k": k, "bin": bin, "alpha": 0.5, **CHECKPOINT, "n": 410}
            shown = {"metric": "rise_continuous"}
            rows.append(at | shown | {"arm": "tuned", **around(rise, 0.05)})
            rows.append(at | shown | {"arm": "observer", **around(1.1 * rise, 0.02)})
            likelihood = {"arm": "tuned", "metric": "log_likelihood", **around(-9 + bin, 0.3)}
            rows.append(at | likelihood)
    slope = {"arm": "tuned", "metric": "slope", "alpha": 0.5, **CHECKPOINT}
    rows += [slope | {"k": k, **around(0.9 - 0.03 * k, 0.08)} for k in range(1, EXEMPLARS + 1)]
    return [*rows, slope | {"span": INSIDE, **around(0.83, 0.03)}]


def task_inference(note: str = "base within 1.1 x Bayes on both families") -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    common = {"alpha": 0.5, **CHECKPOINT}
    for k in range(EXEMPLARS + 1):
        for gamma in GAMMAS:
            for arm, level in (("base", 0.45), ("tuned", 0.8), ("bayes", 0.42)):
                g = level * math.exp(-0.08 * k) / max(1.0, gamma)
                rows.append(
                    common | {"arm": arm, "metric": "g", "k": k, "gamma": gamma, **around(g, 0.015)}
                )
    for at in [*({"k": k} for k in range(1, EXEMPLARS + 1)), {"span": INSIDE}]:
        for arm, skew in (("base", 1.9), ("tuned", 9.4)):
            drift = 0.1 * at["k"] if "k" in at else 0.0
            found = {"arm": arm, "metric": "skew", "gamma": 1.0, "note": note, **at}
            rows.append(common | found | around(skew - drift, 0.4))
    rise = {"arm": "tuned", "metric": "skew_rise", "span": INSIDE, "note": note}
    rows.append(common | rise | around(7.5, 0.5))
    levels = {"skew": 0.02, "ridge-lambda": 0.09, "shrinkage": 0.12, "partial-tasks": 0.05}
    for name, level in levels.items():
        arm = {"arm": f"rival:{name}", "metric": "held_out_error", "span": INSIDE}
        for gamma in (0.5, 1.25, 1.5, 2.0, 3.0, 4.0):
            distance = level * (1 + abs(math.log(gamma)))
            rows.append(common | arm | {"gamma": gamma, **around(distance, 0.004)})
        rows.append(common | arm | around(level * 1.7, 0.003))
        if name != "skew":
            better = {"arm": f"rival:{name}", "metric": "skew_advantage", "span": INSIDE}
            rows.append(common | better | around((level - 0.02) * 1.7, 0.004))
    for span in (INSIDE, ALL):
        for metric, value in (
            ("total_rise", 0.45),
            ("inference_part", 0.39),
            ("ability_part", 0.06),
        ):
            row = {"arm": "tuned", "metric": metric, "span": span, **around(value, 0.02)}
            rows.append(common | row)
    return rows


def conjugate(
    rise: tuple[float, float] = (0.361, 0.03),
    recovery: tuple[float, float] | None = (0.61, 0.05),
    contrast: tuple[float, float] = (0.11, 0.08),
    falls: float = -0.08,
) -> list[dict[str, Any]]:
    """rise, recovery: (estimate, half width), None for null; contrast: (estimate, lower bound);
    falls: change of the error on D_disc."""
    rows: list[dict[str, Any]] = []
    common = {"alpha": 0.5, **CHECKPOINT}
    for gamma in GAMMAS:
        back = 0.0 if gamma < 1 else 1 - math.exp(-1.2 * (gamma - 1))
        worse = 0.2 if gamma == 0.5 else 0.0
        for arm, skewed in (("base", 1.05), ("tuned", 1.36 + worse), ("observer", 1.33 + worse)):
            level = skewed - (skewed - 1.02) * 0.8 * back
            rows += [
                common | row
                for row in _risks(arm, "excess_continuous", level, gamma=gamma, alpha=0.5)
            ]
    rows += _risks("ridge", "excess_continuous", 1.0, alpha=0.5)
    tuned = common | {"arm": "tuned"}
    for span in (INSIDE, BEYOND, ALL):
        rows += [
            tuned | {"metric": "rise_continuous", "span": span} | around(rise[0] * 1.2, rise[1]),
            tuned | {"metric": "rise_discrete", "span": span} | around(falls, 0.02),
            tuned | {"metric": "relative_rise_continuous", "span": span} | around(*rise),
            tuned | {"metric": "relative_rise_discrete", "span": span} | around(falls, 0.02),
        ]
    chosen = {"metric": "gamma_chosen", "estimate": 2.0, "span": INSIDE, "low": None, "high": None}
    rows.append(tuned | chosen)
    for arm, scale in (("tuned", 1.0), ("observer", 1.3)):
        at = common | {"arm": arm, "gamma": 2.0, "metric": "net_recovery"}
        for span in (INSIDE, BEYOND, ALL):
            rows.append(at | {"span": span} | _null_or(recovery, scale if span == INSIDE else 0.4))
        rows += [
            at | {"k": k} | _null_or(recovery, scale * math.exp(-0.08 * k))
            for k in range(1, EXEMPLARS + 1)
        ]
    floor = {"metric": "contrast_0.4", "span": INSIDE, "gamma": 2.0, "high": None}
    rows.append(tuned | floor | {"estimate": contrast[0], "low": contrast[1]})
    for name, share in (
        ("gamma=-1", 0.01),
        ("gamma=0.5", -0.42),
        ("rotated-x", 0.0),
        ("permuted-exemplars", 0.02),
    ):
        arm = common | {"arm": f"control:{name}", "span": INSIDE}
        rows.append(arm | {"metric": "net_recovery"} | around(share, 0.03))
        null = {"metric": "contrast_null", "estimate": share - 0.1, "low": None, "high": -0.02}
        rows.append(arm | null | {"note": "one-sided 95% upper bound; margin 0.1 of the rise"})
    for row in controls():
        rows += [row, {**row, "metric": "net_recovery"}] if row.get("gamma") else [row]
    cost = {"arm": "control:discrete-prompts", "metric": "cost_discrete", "span": INSIDE}
    rows.append(common | cost | around(0.04, 0.01))
    return rows


def _null_or(value: tuple[float, float] | None, factor: float) -> dict[str, float | None]:
    if value is None:
        return {"estimate": None, "low": None, "high": None}
    return dict(around(value[0] * factor, value[1]))


def controls() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for name, rise in (("on-mix", 0.01), ("on-continuous", -0.02), ("on-other-tasks", 0.4)):
        at = {"arm": f"control:finetuned-{name}", "alpha": 0.5, "span": INSIDE, **CHECKPOINT}
        rows.append(at | {"metric": "rise_continuous", **around(rise, 0.03)})
        rows.append(at | {"metric": "rise_discrete", **around(0.3 * rise + 0.02, 0.02)})
        for gamma in (1.5, 2.0, 3.0):
            gain = {"metric": "gain_continuous", "gamma": gamma, **around(0.5 * rise, 0.03)}
            rows.append(at | gain)
    return rows


def diversity() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    at = {"span": ALL, **CHECKPOINT}
    steps = (0, 10, 30, 100, 300, 1000, 3000, 10000)
    paces = {"discrete-32": 0.0, "discrete-256": 1 / 150, "discrete-4096": 1 / 600}
    for arm, pace in {**paces, "continuous": 1 / 650}.items():
        for step in steps:
            apart = 2.0 * math.exp(-step * pace)
            for metric, value in (("excess_continuous", 1 + apart), ("distance_to_ridge", apart)):
                found = around(value + 0.06, 0.04)
                rows.append(at | {"arm": arm, "metric": metric, "step": step, **found})
        reached = {"arm": arm, "metric": "steps_to_ridge"}
        if pace:
            first = {"estimate": 3 / pace, "low": 2.5 / pace, "high": 4 / pace}
            rows.append(at | reached | first | {"note": "first of 8 measured steps"})
        else:
            rows.append(at | reached | {"note": "censored: not by step 10000"})
    ridge = at | {"arm": "ridge", "metric": "excess_continuous"}
    return rows + [ridge | {"step": step, **around(1.0, 0.02)} for step in steps]


def length() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    growths = {"learned": 0.5, "rotary": 0.1, "learned-random-offset": 0.03, "ridge": 0.0}
    for arm, growth in growths.items():
        for k in range(2 * EXEMPLARS):
            error = ridge_error(k) * (1 + growth * max(0, k - EXEMPLARS))
            row = {"arm": arm, "metric": "excess_continuous", "k": k, **CHECKPOINT}
            rows.append(row | around(error, 0.01))
        if arm != "ridge":
            for span, ratio in ((ALL, 1.02), ("13..23", 1 + 4 * growth)):
                row = {"arm": arm, "metric": "ratio_to_ridge", "span": span, **CHECKPOINT}
                rows.append(row | around(ratio, 0.05))
    return rows


def protection() -> list[dict[str, Any]]:
    arms = {
        "base": (0.40, 0.90),
        "tuned": (0.30, 1.34),
        "replay:0.1": (0.31, 1.10),
        "replay:0.5": (0.35, 0.98),
        "anchor:0.01": (0.33, 1.15),
        "low-rank:4": (0.32, 1.25),
        "interpolation:0.5": (0.35, 1.02),
        "conjugate:gamma=2": (0.34, 1.06),
        "bayes": (0.36, 0.88),
    }
    rows: list[dict[str, Any]] = []
    for arm, errors in arms.items():
        for family, error, before in zip(
            ("discrete", "continuous"), errors, arms["base"], strict=True
        ):
            metrics = {f"excess_{family}": error}
            if arm not in ("base", "bayes"):
                metrics[f"rise_{family}"] = error - before
            for span in (ALL, INSIDE):
                at = {"arm": arm, "span": span, "alpha": 0.5, **CHECKPOINT}
                rows += [at | {"metric": m, **around(v, 0.02)} for m, v in metrics.items()]
    return rows


def observer(
    deltas: tuple[float, ...] = (0.0, 2.0, 4.0, 6.0, 8.0, 10.0),
    gammas: tuple[float, ...] = (0.5, 1.0, 2.0, 3.0),
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    common = {"alpha": 0.5, "seed": 0, "n": 4096}

    def skewed(k: int, delta: float, gamma: float) -> float:
        return ridge_error(k) * (1 + 0.04 * (delta + 1.0) / gamma**2)

    for arm, delta, gamma in [
        *(("observer", d, g) for d in deltas for g in gammas),
        ("ridge", None, None),
    ]:
        at = common | {"arm": arm, "delta": delta, "gamma": gamma}
        values = [
            ridge_error(k) if delta is None or gamma is None else skewed(k, delta, gamma)
            for k in range(EXEMPLARS + 1)
        ]
        error = at | {"metric": "excess_continuous"}
        rows += [error | {"k": k, **around(v, 0.03)} for k, v in enumerate(values)]
        rows.append(error | {"span": INSIDE, **around(sum(values[1:4]) / 3, 0.02)})
        rows.append(error | {"span": ALL, **around(sum(values) / len(values), 0.02)})
        if delta is not None and gamma is not None:
            weight = at | {"metric": "g"}
            rows += [
                weight | {"k": k, **around(min(0.98, (0.3 + delta / 25) / max(1, gamma)), 0.01)}
                for k in range(EXEMPLARS + 1)
            ]
    return rows


BUILDERS = {
    "observer": observer,
    "converge": converge,
    "tradeoff": tradeoff,
    "where-it-hurts": where_it_hurts,
    "task-inference": task_inference,
    "conjugate": conjugate,
    "controls": controls,
    "diversity": diversity,
    "length": length,
    "protection": protection,
}


def table(name: str, **changed: Any) -> pd.DataFrame:
    """The tidy table of one experiment, the caller's own; `changed` goes to its builder."""
    if not changed:
        return _plain(name).copy(deep=True)
    return tidy({"experiment": name, **row} for row in BUILDERS[name](**changed))


@lru_cache
def _plain(name: str) -> pd.DataFrame:
    return tidy({"experiment": name, **row} for row in BUILDERS[name]())


def tables(**replaced: pd.DataFrame) -> Mapping[str, pd.DataFrame]:
    """All tables by name; keyword arguments replace some ("task_inference" for its dash)."""
    changed = {name.replace("_", "-"): value for name, value in replaced.items()}
    return {name: changed.get(name, table(name)) for name in BUILDERS}
