"""The page: finished or running studies in one self-contained file that opens offline.

`write(folders, out)` reads the tidy tables of run folders and puts charts, claims, configuration
and the tables themselves into one HTML file. It loads nothing: styles, scripts and data are
inside, and its content policy admits exactly its own two scripts by their hashes and no
connection at all. Labels and text from data are escaped (`markup`), and nothing is computed here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from unskew.errors import UserError
from unskew.report import theme
from unskew.report.claims import Claim, claims
from unskew.report.headline import Headline, conditional, headline
from unskew.report.markup import Safe, el, embed_json, embed_text, join, script
from unskew.report.remarks import remark
from unskew.report.rows import choose, inside, pooled
from unskew.report.sections import Section, sections
from unskew.report.words import spoken

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

    from unskew.runs.folder import RunFolder


class _Run(NamedTuple):
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


def write(folders: Sequence[RunFolder], out: Path) -> Path:
    """Write the page of these runs to `out` and return it.

    Raises UserError where there is no run, a table is damaged, or `out` cannot be written.
    """
    if not folders:
        raise UserError("a page needs at least one run")
    runs = [_read(folder, f"r{index}") for index, folder in enumerate(folders)]
    page = _page(runs)
    target = Path(out)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.tmp")
        temporary.write_text(page, encoding="utf-8")
        temporary.replace(target)
    except OSError as error:
        raise UserError(f"cannot write the page: {error.strerror}", where=str(target)) from error
    return target


def _read(folder: RunFolder, key: str) -> _Run:
    tables = {name: folder.read_table(name) for name in folder.tables()}
    environment = folder.path / "environment.json"
    alpha = folder.config.get("alpha")
    alpha = float(alpha) if isinstance(alpha, int | float) else None
    return _Run(
        key=key,
        id=folder.id,
        config=folder.config,
        environment=environment.read_text(encoding="utf-8") if environment.exists() else None,
        finished=folder.finished,
        tables=tables,
        alpha=alpha,
        head=headline(tables, alpha),
        claims=claims(tables, alpha),
    )


@lru_cache(maxsize=1)
def _vega() -> str:
    """Vega, Vega-Lite and Vega-Embed in one script; the same for every page."""
    import vl_convert

    # The libraries as globals: what the default does, said so because the signature asks for it.
    return vl_convert.javascript_bundle(
        "window.vegaEmbed = vegaEmbed; window.vega = vega; window.vegaLite = vegaLite;"
    )


def _asset(name: str) -> str:
    return (resources.files("unskew.report") / "assets" / name).read_text(encoding="utf-8")


def _page(runs: list[_Run]) -> str:
    vega, vega_hash = script(_vega())
    ours, our_hash = script(_asset("page.js"))
    policy = (
        f"default-src 'none'; script-src {vega_hash} {our_hash}; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )
    themes = {"light": theme.config(), "dark": theme.config(dark=True), "swap": theme.DARK_OF}
    title = runs[0].head.sentence if len(runs) == 1 else f"{len(runs)} runs side by side"
    body = join(
        _overview(runs) if len(runs) > 1 else None,
        *(_article(run, alone=len(runs) == 1) for run in runs),
    )
    document = _asset("page.html")
    parts = {
        "policy": el("meta", http_equiv="Content-Security-Policy", content=policy),
        "title": join(title, " · unskew"),
        "style": Safe(_asset("page.css")),
        "body": body,
        "themes": _data("themes", themes),
        "vega": vega,
        "script": ours,
    }
    # One pass over our own template: what is put in is never looked at again.
    pieces = document.split("{{")
    shown = [pieces[0]]
    for piece in pieces[1:]:
        name, _, rest = piece.partition("}}")
        shown += [parts[name.strip()], rest]
    return "".join(shown)


def _data(id: str, value: Any) -> Safe:
    return el("script", embed_json(value), type="application/json", id=id)


def _overview(runs: list[_Run]) -> Safe:
    items = [
        el("li", el("a", run.id, href=f"#{run.key}"), el("p", run.head.sentence)) for run in runs
    ]
    return el(
        "nav",
        el("h1", f"{len(runs)} runs side by side"),
        el("ol", *items, class_="runs"),
        class_="wrap overview",
        aria_label="Runs on this page",
    )


def _article(run: _Run, alone: bool) -> Safe:
    drawn = sections()
    present = [s for s in drawn if s.name in run.tables]
    absent = [s for s in drawn if s.name not in run.tables]
    return el(
        "article",
        _head(run, alone),
        _verdicts(run),
        _observer(run),
        *(_experiment(run, section) for section in present),
        _absent(absent, "observer" not in run.tables),
        _downloads(run),
        _settings(run),
        id=run.key,
    )


def _head(run: _Run, alone: bool) -> Safe:
    tiles = [
        el(
            "div",
            el("dt", tile.what),
            el("dd", el("span", tile.value, class_="value"), el("span", tile.detail)),
            class_=f"tile {tile.role}",
        )
        for tile in run.head.tiles
    ]
    level = "h1" if alone else "h2"
    return el(
        "header",
        el("p", run.id, class_="eyebrow"),
        el(level, run.head.sentence + "."),
        None
        if run.finished
        else el(
            "p", "This run is not finished: the page shows what is there so far.", class_="note"
        ),
        el("dl", *tiles, class_="tiles") if tiles else None,
        el("p", run.head.condition, class_="soft") if run.head.condition else None,
        class_="wrap head",
    )


MARKS = {"held": "✓", "did not hold": "✕", "inconclusive": "?", "not run": "–"}


def _badge(verdict: str) -> Safe:
    mark = el("span", MARKS[verdict], aria_hidden="true")
    return el("span", mark, " ", verdict, class_="badge " + verdict.replace(" ", "-"))


def _verdicts(run: _Run) -> Safe:
    items = [
        el(
            "li",
            _badge(claim.verdict),
            el(
                "div",
                el("strong", claim.text),
                el("span", claim.evidence) if claim.evidence else None,
            ),
        )
        for claim in run.claims
    ]
    return el(
        "section",
        el("h2", "What held"),
        el(
            "p",
            "The claims and their thresholds were fixed beforehand. Each is decided by its "
            "interval alone; one that cannot be decided is inconclusive.",
            class_="lead",
        ),
        el("ul", *items, class_="claims"),
        class_="wrap",
    )


def _experiment(run: _Run, section: Section) -> Safe:
    table = run.tables[section.name]
    id = f"{run.key}-{section.name}"
    try:
        spec = _spec(lambda: section.draw(table, run.alpha))
    except ValueError:
        figure = el("p", "The table holds no rows to draw.", class_="note")
    else:
        figure = _figure(id, spec, section.title)
    said = remark(section.name, table, run.alpha)
    conditions = sorted({str(c) for c in table["conditional_on"].dropna().unique()})
    about = " ".join(["Bands and bars are 95% intervals.", *map(conditional, conditions)])
    return el(
        "section",
        el("h2", section.title),
        el("p", section.caption, class_="lead"),
        figure,
        el("p", said, class_="remark") if said else None,
        el("p", about, " ", _download(run, section.name, "Numbers (CSV)"), class_="foot"),
        class_="wrap experiment",
        id=id,
    )


def _spec(draw: Callable[[], alt.ConcatChart]) -> dict[str, Any]:
    """A chart as a specification. Tests check our charts against the schema; checking each part
    again on every page would take half of the time that a page takes."""
    from altair.utils.schemapi import debug_mode

    with debug_mode(False):
        return draw().to_dict(validate=False)


def _figure(id: str, spec: dict[str, Any], name: str) -> Safe:
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
    columns = min(spec.get("usermeta", {}).get("columns", 1), len(holders))
    return el(
        "figure",
        *holders,
        _data(f"{id}-spec", panels),
        class_=f"panels columns-{columns}",
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


def _observer(run: _Run) -> Safe | None:
    from unskew.report import sliders

    table = run.tables.get("observer")
    if table is None:
        return None
    deltas, gammas = sliders.grid(table)
    if not deltas or not gammas:
        return None
    skew, scale = sliders.start(table)
    spec = _spec(lambda: sliders.observer(table, bind=False))
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
        _figure(id, spec, title),
        _data(f"{id}-state", state),
        el(
            "p",
            "The green band is the 95% interval over prompts. ",
            _download(run, "observer", "Numbers (CSV)"),
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


def _absent(absent: list[Section], observer: bool) -> Safe | None:
    titles = [*(["The ideal skewed observer"] if observer else []), *(s.title for s in absent)]
    if not titles:
        return None
    return el(
        "section",
        el("h2", "Not run"),
        el("p", "This run holds no table for:", class_="lead"),
        el("ul", *(el("li", title) for title in titles), class_="absent"),
        class_="wrap",
    )


def _download(run: _Run, name: str, label: str) -> Safe:
    return el(
        "button",
        label,
        type="button",
        class_="download",
        data_table=f"{run.key}-csv-{name}",
        data_file=f"{run.id}-{name}.csv",
    )


def _downloads(run: _Run) -> Safe | None:
    if not run.tables:
        return None
    rows, blobs = [], []
    for name, table in run.tables.items():
        rows.append(
            el(
                "tr",
                el("th", name, scope="row"),
                el("td", f"{len(table):,}"),
                el("td", _download(run, name, "Download CSV")),
            )
        )
        csv = embed_text(table.to_csv(index=False, lineterminator="\n"))
        blobs.append(el("script", csv, type="text/plain", id=f"{run.key}-csv-{name}"))
    head = el("tr", *(el("th", label, scope="col") for label in ("Table", "Rows", "File")))
    return el(
        "section",
        el("h2", "The numbers"),
        el(
            "p",
            "Every number on this page is a row of one of these tables: experiment, arm, alpha, "
            "gamma, k, metric, estimate, 95% interval, n. An empty field is null: unknown, not 0.",
            class_="lead",
        ),
        el("table", el("thead", head), el("tbody", *rows)),
        *blobs,
        class_="wrap",
    )


def _settings(run: _Run) -> Safe:
    shown = json.dumps(run.config, indent=2, ensure_ascii=False)
    return el(
        "section",
        el("h2", "How it was made"),
        el("details", el("summary", "Configuration"), el("pre", shown, tabindex=0)),
        el("details", el("summary", "Environment"), el("pre", run.environment, tabindex=0))
        if run.environment
        else None,
        class_="wrap",
    )
