"""Power curves and levels of the audit's verdicts: `python tools/power.py` (minutes, one core).

Scripted audits with known truth, seeded. Writes results/power/{power,levels,bounds}.parquet and
docs/figures/power.svg, which docs/VERDICTS.md quotes. What is simulated stands below.
"""

from pathlib import Path
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from unskew.audit.contrasts import Arms
from unskew.audit.crossfit import choose
from unskew.audit.finding import Finding, Kind, judge
from unskew.audit.rules import Rules
from unskew.audit.simulate import BOUNDARIES, World, draw
from unskew.audit.verdict import settle
from unskew.report import theme
from unskew.statistics import clustered_means

ROOT = Path(__file__).parents[1]
SEED = 2024
TRIALS = {"power": 200, "levels": 300, "bounds": 4000}
DOCUMENTS = {"power": (60, 120, 250, 500, 1000), "levels": (120, 300)}
CLUSTERED: dict[str, Any] = {"sizes": (1, 5), "icc": 0.4}

_USELESS = {"leetspeak": (0.5, 0.3), "rot13": (0.3, 0.2)}
WORLDS: dict[str, tuple[World, Kind]] = {
    "no drop": (World(0.8, 0.8, {}, 0.25), "retained"),
    "no drop, clusters of 1-5": (World(0.8, 0.8, {}, 0.25, **CLUSTERED), "retained"),
    "drop 30, all back": (World(0.8, 0.5, {"s": (0.8, 0.8)}, 0.25), "suppressed"),
    "drop 30, all back, one of three": (
        World(0.8, 0.5, {"s": (0.8, 0.8), **_USELESS}, 0.25),
        "suppressed",
    ),
    "drop 30, all back, clusters of 1-5": (
        World(0.8, 0.5, {"s": (0.8, 0.8)}, 0.25, **CLUSTERED),
        "suppressed",
    ),
    "drop 30, half back": (World(0.8, 0.5, {"s": (0.7, 0.65)}, 0.25), "suppressed"),
    "drop 15, all back": (World(0.8, 0.65, {"s": (0.8, 0.8)}, 0.25), "suppressed"),
    "drop 30, nothing back": (World(0.8, 0.5, {"s": (0.7, 0.45)}, 0.25), "not recovered"),
    "drop 30, nothing back, three": (
        World(0.8, 0.5, {"s": (0.7, 0.45), **_USELESS}, 0.25),
        "not recovered",
    ),
}


def power() -> pd.DataFrame:
    """How often each world gets its verdict, in an audit of one task."""
    rows = []
    for name, (world, kind) in WORLDS.items():
        for n in DOCUMENTS["power"]:
            found = []
            for trial in range(TRIALS["power"]):
                rules = Rules(resamples=999, seed=trial)
                given = draw(world, n, np.random.default_rng([SEED, n, trial]))
                found.append(settle({"t": judge(given, rules)}, rules)["t"].verdict)
            rate = float(np.mean([verdict == kind for verdict in found]))
            decided = [verdict for verdict in found if verdict not in (kind, "inconclusive")]
            rows.append(
                {
                    "world": name,
                    "verdict": kind,
                    "n": n,
                    "rate": rate,
                    "other_verdict": len(decided) / len(found),
                    "trials": len(found),
                }
            )
            print(rows[-1], flush=True)
    return pd.DataFrame(rows)


def levels() -> pd.DataFrame:
    """How often each boundary gets a false verdict, and how often without paying for the choice."""
    rows = []
    for name, (world, kinds) in BOUNDARIES.items():
        for n in DOCUMENTS["levels"]:
            for how in ({}, CLUSTERED):
                hits = dict.fromkeys(kinds, 0)
                free = dict.fromkeys(kinds, 0)
                for trial in range(TRIALS["levels"]):
                    rules = Rules(resamples=399, seed=trial)
                    given = draw(world._replace(**how), n, np.random.default_rng([SEED, n, trial]))
                    finding = judge(given, rules)
                    plain = _free(given, finding, rules)
                    for kind in kinds:
                        hits[kind] += _cleared(finding, kind)
                        free[kind] += _cleared(plain, kind)
                for kind in kinds:
                    rows.append(
                        {
                            "boundary": name,
                            "verdict": kind,
                            "n": n,
                            "clusters": "1-5" if how else "1",
                            "rate": hits[kind] / TRIALS["levels"],
                            "rate_choice_not_paid": free[kind] / TRIALS["levels"],
                            "trials": TRIALS["levels"],
                        }
                    )
                    print(rows[-1], flush=True)
    return pd.DataFrame(rows)


def _cleared(finding: Finding, kind: Kind) -> bool:
    return max(hurdle.test.p for hurdle in finding.hurdles[kind]) <= 0.05


def _free(given: Arms, finding: Finding, rules: Rules) -> Finding:
    """The finding of the same cross-fitted scores, taken as if they were one conjugation's."""
    if len(finding.tried) < 2:
        return finding
    choice = choose(given.base, given.tuned, given.conjugated, given.cluster, given.chance, rules)
    rows = np.arange(given.base.size)
    base_s, tuned_s = (
        np.stack([given.conjugated[name][arm] for name in choice.names])[choice.pick, rows]
        for arm in (0, 1)
    )
    return judge(given._replace(conjugated={"s": (base_s, tuned_s)}), rules)


def bounds() -> pd.DataFrame:
    """How often bounds that should hold in 95% of samples miss, against the usual ones.

    Two hard places: the upper bound of min(A, B) where A = B, and the lower bound of a mean of
    0/1 scores near 1.
    """
    rng = np.random.default_rng(SEED)
    trials, rows = TRIALS["bounds"], []

    def add(place: str, method: str, n: int, missed: int) -> None:
        missed = int(missed)  # counts of numpy booleans
        rows.append(
            {
                "place": place,
                "method": method,
                "n": n,
                "misses": missed / trials,
                "trials": trials,
            }
        )
        print(rows[-1], flush=True)

    for n in (60, 300):
        missed = dict.fromkeys(("percentile of the resampled minimum", "both at 95%", "ours"), 0)
        for trial in range(trials):
            a = rng.choice([-1.0, 0.0, 1.0], n, p=[0.25, 0.5, 0.25])
            b = a - rng.choice([-1.0, 0.0, 1.0], n, p=[0.25, 0.5, 0.25])
            both = np.stack([a, b], axis=1)
            weights = rng.multinomial(n, np.full(n, 1 / n), 399) / n
            resampled = (weights @ both).min(axis=1)
            ends = [[-1, 1], [-2, 2]]
            means = clustered_means(both, np.arange(n), ends, trial, 399)
            missed["percentile of the resampled minimum"] += np.quantile(resampled, 0.95) < 0
            missed["both at 95%"] += min(means.high(j, 0.05) for j in (0, 1)) < 0
            missed["ours"] += min(means.high(j, 0.025) for j in (0, 1)) < 0
        for method, count in missed.items():
            add("upper bound of min(A, B), A = B", method, n, count)
        missed = dict.fromkeys(("bootstrap-t", "Student's t", "ours"), 0)
        for trial in range(trials):
            x = (rng.random(n) < 0.97).astype(float)
            mean, error = x.mean(), x.std(ddof=1) / n**0.5
            drawn = rng.multinomial(n, np.full(n, 1 / n), 399) @ x / n
            # Of 0/1 scores the spread follows from the mean. A resample without spread is
            # infinitely far from the sample's mean; a sample without spread is its own bound.
            spread = np.sqrt(np.maximum(drawn * (1 - drawn), 0.0) / (n - 1))
            with np.errstate(divide="ignore", invalid="ignore"):
                t = (drawn - mean) / spread
            up = float(np.quantile(np.where(np.isnan(t), 0.0, t), 0.95, method="higher"))
            low = mean - up * error if error > 0.0 else mean
            missed["bootstrap-t"] += low > 0.97
            missed["Student's t"] += mean - 1.66 * error > 0.97
            means = clustered_means(x[:, None], np.arange(n), [[0, 1]], trial, 399)
            missed["ours"] += means.low(0, 0.05) > 0.97
        for method, count in missed.items():
            add("lower bound of a share of 0.97", method, n, count)
    return pd.DataFrame(rows)


def figure(table: pd.DataFrame) -> alt.TopLevelMixin:
    """Power against the number of documents, a panel per verdict."""
    panels = []
    for kind in ("retained", "suppressed", "not recovered"):
        part = table[table["verdict"] == kind]
        lines = alt.Chart(part).mark_line(point=True)
        panels.append(
            lines.encode(
                x=alt.X(
                    "n:Q",
                    title="documents",
                    scale=alt.Scale(type="log", domain=[50, 1000], nice=False),
                    axis=alt.Axis(values=list(DOCUMENTS["power"])),
                ),
                y=alt.Y("rate:Q", title="share of audits", scale=alt.Scale(domain=[0, 1])),
                color=alt.Color(
                    "world:N",
                    title=None,
                    legend=alt.Legend(orient="bottom", direction="vertical", labelLimit=260),
                ),
            ).properties(title=kind, width=240, height=200)
        )
    shown = alt.hconcat(*panels).resolve_scale(color="independent")
    return shown.properties(background="white", padding=12)


def main() -> None:
    folder = ROOT / "results" / "power"
    folder.mkdir(parents=True, exist_ok=True)
    table = power()
    table.to_parquet(folder / "power.parquet", index=False)
    levels().to_parquet(folder / "levels.parquet", index=False)
    bounds().to_parquet(folder / "bounds.parquet", index=False)
    theme.save(figure(table), ROOT / "docs" / "figures" / "power.svg")


if __name__ == "__main__":
    main()
