"""Blocks of the page: figures, the observer with its sliders, downloads."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from unskew.report.claims import Claim
from unskew.report.headline import Headline
from unskew.report.markup import Safe, el, embed_json
from unskew.report.rows import choose, inside, pooled
from unskew.report.words import spoken

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd


class Shown(NamedTuple):
    """What the page shows of one run folder."""

    key: str
    id: str
    config: dict[str, Any]
    environment: str | None
    finished: bool
    tables: dict[str, pd.DataFrame]
    alpha: float | None
    head: Headline
    claims: list[Claim]


def data(id: str, value: Any) -> Safe:
    """Data for the page's script, found by `id`."""
    return el("script", embed_json(value), type="application/json", id=id)


def spec_of(draw: Callable[[], alt.ConcatChart]) -> dict[str, Any]:
    """A chart as a specification. Tests check our charts against the schema; checking each part
    again on every page would take half of the time that a page takes."""
    from altair.utils.schemapi import debug_mode

    with debug_mode(False):
        return draw().to_dict(validate=False)


def figure(id: str, spec: dict[str, Any], name: str) -> Safe:
    """The panels of a concatenation, each laid out by the page; the specs as one JSON."""
    # Charts carry their data as JSON in a string; here it is part of the page's own JSON.
    datasets = {
        key: json.loads(value) if isinstance(value, str) else value
        for key, value in spec.get("datasets", {}).items()
    }
    panels, holders = [], []
    # One with a line below its title gives all of them one, so plots in a row stand level.
    titles = [panel.get("title") for panel in spec["concat"]]
    subtitled = any(isinstance(title, dict) and "subtitle" in title for title in titles)
    for index, panel in enumerate(spec["concat"]):
        heading = panel.pop("title", None) or {}
        if "data" in spec:  # panels that share their data leave it to the whole
            panel.setdefault("data", spec["data"])
        used = {key: datasets[key] for key in sorted(_named(panel)) if key in datasets}
        panel["params"] = [*panel.get("params", []), *spec.get("params", [])]
        panel["datasets"] = used
        panels.append({key: value for key, value in panel.items() if value})
        label = heading.get("text", name) if isinstance(heading, dict) else str(heading)
        subtitle = heading.get("subtitle") if isinstance(heading, dict) else None
        panels[-1]["description"] = f"{name}: {label}"
        holders.append(
            el(
                "div",
                el(
                    "div",
                    el("h3", label),
                    el(
                        "button",
                        "SVG",
                        type="button",
                        class_="save",
                        aria_label=f"Save {label} as SVG",
                    ),
                    class_="bar",
                ),
                el("p", subtitle or Safe("&nbsp;"), class_="sub") if subtitled else None,
                el("div", class_="plot", data_panel=f"{id}:{index}"),
                class_="panel",
            )
        )
    layout = spec.get("usermeta", {})
    columns, lead = min(layout.get("columns", 1), len(holders)), layout.get("lead", False)
    return el(
        "figure",
        *holders,
        data(f"{id}-spec", panels),
        class_=f"panels columns-{columns}" + (" lead-wide" if lead else ""),
        aria_label=name,
    )


def _named(node: Any) -> set[str]:
    """Names of the datasets that a spec refers to."""
    match node:
        case {"data": {"name": str(name)}, **rest}:
            return {name} | _named(rest)
        case dict():
            return set().union(*(_named(value) for value in node.values()))
        case list():
            return set().union(*(_named(value) for value in node)) if node else set()
        case _:
            return set()


def observer(run: Shown) -> Safe | None:
    from unskew.report import sliders

    table = run.tables.get("observer")
    if table is None:
        return None
    deltas, gammas = sliders.grid(table)
    if not deltas or not gammas:
        return None
    skew, scale = sliders.start(table)
    spec = spec_of(lambda: sliders.observer(table, bind=False))
    id = f"{run.key}-observer"
    title = "Try it: a predictor that is wrong only in its prior"
    state = {
        "deltas": deltas,
        "gammas": gammas,
        "skew": deltas.index(skew),
        "scale": gammas.index(scale),
        **_means(table, deltas, gammas),
    }

    def slider(name: str, label: str, hint: str, count: int, at: int) -> Safe:
        field = f"{id}-{name}"
        return el(
            "div",
            el("label", label, for_=field),
            el("output", for_=field, class_="now", id=f"{field}-now"),
            el(
                "input",
                type="range",
                id=field,
                min=0,
                max=count - 1,
                step=1,
                value=at,
                aria_describedby=f"{field}-hint",
                data_name=name,
            ),
            el("p", hint, id=f"{field}-hint", class_="hint"),
            class_="slider",
        )

    return el(
        "section",
        el("h2", title),
        el(
            "p",
            "No training here: this is the exact Bayes predictor, except that it finds the few "
            "fine-tuning tasks more probable than they are, by the skew. That alone costs error on "
            "all other tasks (orange). Multiply the labels by γ and divide its answer by γ, and "
            "the same predictor is nearly right again (green).",
            class_="lead",
        ),
        el(
            "div",
            slider(
                "skew",
                "Skew, in nats",
                "How much too probable it finds the fine-tuning tasks: their odds times e to this.",
                len(deltas),
                deltas.index(skew),
            ),
            slider(
                "scale",
                "Labels multiplied by γ",
                "1 leaves the prompt as it is.",
                len(gammas),
                gammas.index(scale),
            ),
            class_="sliders",
        ),
        el("p", role="status", aria_live="polite", class_="said", id=f"{id}-said"),
        figure(id, spec, title),
        data(f"{id}-state", state),
        el(
            "p",
            "The green band is the 95% interval over prompts. ",
            download(run, "observer", "Numbers (CSV)"),
            class_="foot",
        ),
        class_="wrap observer",
        id=id,
        data_observer=True,
    )


def _means(table: pd.DataFrame, deltas: list[float], gammas: list[float]) -> dict[str, Any]:
    """The pooled errors that the live text under the sliders reads, as [delta][gamma] rows."""
    rows = pooled(choose(table, metric="excess_continuous"))
    span = inside(rows)
    if span is None:
        return {"span": "", "error": None, "ridge": None}
    rows = choose(rows, span=span)

    columns = ["arm", "delta", "gamma", "estimate", "low", "high"]
    known = {
        (arm, None if arm == "ridge" else (delta, gamma)): [estimate, low, high]
        for arm, delta, gamma, estimate, low, high in rows[columns].itertuples(index=False)
    }
    error = [[known.get(("observer", (d, g))) for g in gammas] for d in deltas]
    return {"span": spoken(span), "error": error, "ridge": known.get(("ridge", None))}


def download(run: Shown, name: str, label: str) -> Safe:
    return el(
        "button",
        label,
        type="button",
        class_="download",
        data_table=f"{run.key}-csv-{name}",
        data_file=f"{run.id}-{name}.csv",
    )


def charted(run: Shown, table: str, title: str, caption: str, spec: dict[str, Any]) -> Safe:
    """A section: a chart of a table, with what it says and the numbers to take away."""
    id = f"{run.key}-{table}"
    return el(
        "section",
        el("h2", title),
        el("p", caption, class_="lead"),
        figure(id, spec, title),
        el("p", download(run, table, "Numbers (CSV)"), class_="foot"),
        class_="wrap experiment",
        id=id,
    )
