"""The page: finished or running studies in one self-contained file that opens offline.

`write(folders, out)` reads the tidy tables of run folders and puts charts, claims, configuration
and the tables themselves into one HTML file. It loads nothing: styles, scripts and data are
inside, and its content policy admits exactly its own two scripts by their hashes and no
connection at all. Labels and text from data are escaped (`markup`), and nothing is computed here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unskew.errors import UserError
from unskew.report import audit, nursery, purple, removal, theme
from unskew.report.audit_rows import plain
from unskew.report.blocks import Shown, data, download, figure, observer, spec_of
from unskew.report.claims import claims
from unskew.report.headline import Headline, conditional, headline
from unskew.report.markup import Safe, el, embed_text, join, script
from unskew.report.remarks import remark
from unskew.report.sections import Section, sections
from unskew.runs import writing

if TYPE_CHECKING:
    from unskew.runs.folder import RunFolder


def write(folders: Sequence[RunFolder], out: Path) -> Path:
    """Write the page of these runs to `out` and return it.

    Raises UserError where there is no run, a table is damaged, or `out` cannot be written;
    BrokenPipeError where it is a pipe that is read no further.
    """
    target = Path(out)
    if not folders:
        raise UserError("a page needs at least one run")
    if target.is_dir():
        hint = f"give the page's name, as in: {target / 'report.html'}"
        raise UserError("this is a folder, and no page", str(target), hint)
    runs = [_read(folder, f"r{index}") for index, folder in enumerate(folders)]
    page = _page(runs)
    try:
        if target.exists() and not target.is_file():  # a pipe, /dev/stdout
            target.write_text(page, encoding="utf-8")
        else:
            writing.replace(target.resolve(), lambda new: new.write_text(page, encoding="utf-8"))
    except BrokenPipeError:  # whoever reads it has seen enough
        raise
    except OSError as error:
        raise UserError(f"cannot write the page: {error.strerror}", where=str(target)) from error
    return target


def _read(folder: RunFolder, key: str) -> Shown:
    tables = {name: folder.read_table(name) for name in folder.tables()}
    environment = folder.path / "environment.json"
    # Replications keep the study's settings under `study`.
    alpha = (folder.config.get("study") or folder.config).get("alpha")
    alpha = float(alpha) if isinstance(alpha, int | float) else None
    audited, raised, removed = (name in tables for name in ("verdicts", "abilities", "removal"))
    fought, own = "cells" in tables, folder.extra.get("headline") if folder.finished else None
    said = str(own or folder.id)
    studied = _studied(folder.config) and not (audited or raised or removed or fought)
    if removed:
        head = removal.head(tables)
    elif fought:
        head = purple.head(tables, said)
    elif raised:
        head = nursery.head(tables, said)
    elif audited:
        head = audit.head(tables)
    elif studied:
        head = headline(tables, alpha)
    else:  # a training, or a model that was asked: its own sentence and its tables
        head = Headline(plain(said), [], "")
    if own and not audited and not head.tiles:
        # A run that holds no main fine-tuning (comparisons, say) knows better what it is.
        head = head._replace(sentence=str(own))
    return Shown(
        key=key,
        id=folder.id,
        config=folder.config,
        environment=environment.read_text(encoding="utf-8") if environment.exists() else None,
        finished=folder.finished,
        tables=tables,
        alpha=alpha,
        head=head,
        claims=claims(tables, alpha) if studied else [],
    )


def _studied(config: Mapping[str, Any]) -> bool:
    """Whether a run is one of the laboratory's, whose tables are read by experiment."""
    return str(config.get("kind")).startswith("regression")


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


def _page(runs: list[Shown]) -> str:
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
        "themes": data("themes", themes),
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


def _overview(runs: list[Shown]) -> Safe:
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


def _article(run: Shown, alone: bool) -> Safe:
    if "verdicts" in run.tables:
        numbers = _downloads(audit.small(run), audit.NUMBERS)
        parts = [_head(run, alone), *audit.sections(run), numbers, _settings(run, plain)]
        return el("article", *parts, id=run.key)
    if "removal" in run.tables:
        parts = [_head(run, alone), *removal.sections(run), _downloads(run, removal.NUMBERS)]
        return el("article", *parts, _settings(run, plain), id=run.key)
    if "cells" in run.tables:
        numbers = _downloads(run, purple.NUMBERS)
        parts = [_head(run, alone), *purple.sections(run), numbers, _settings(run, plain)]
        return el("article", *parts, id=run.key)
    if "abilities" in run.tables:
        parts = [_head(run, alone), *nursery.sections(run), _downloads(run, nursery.NUMBERS)]
        return el("article", *parts, _settings(run), id=run.key)
    if not _studied(run.config):
        parts = [_head(run, alone), _downloads(run, nursery.NUMBERS), _settings(run)]
        return el("article", *parts, id=run.key)
    drawn = sections()
    present = [s for s in drawn if s.name in run.tables]
    # A study shows its controls with experiment 5; as a table they are of a run of their own.
    absent = [s for s in drawn if s.name not in run.tables and s.name != "controls"]
    return el(
        "article",
        _head(run, alone),
        _verdicts(run),
        observer(run),
        *(_experiment(run, section) for section in present),
        _absent(absent, "observer" not in run.tables),
        _downloads(run),
        _settings(run),
        id=run.key,
    )


def _head(run: Shown, alone: bool) -> Safe:
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


def _verdicts(run: Shown) -> Safe:
    if all(claim.verdict == "not run" for claim in run.claims):
        said = "None of the claims can be read from this run: it holds none of their tables."
        return el("section", el("h2", "What held"), el("p", said, class_="lead"), class_="wrap")
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
            "The claims and their thresholds were fixed beforehand. Closeness to Bayes is decided "
            "by the estimate, every other by its interval; one that cannot be decided is "
            "inconclusive.",
            class_="lead",
        ),
        el("ul", *items, class_="claims"),
        class_="wrap",
    )


def _experiment(run: Shown, section: Section) -> Safe:
    table = run.tables[section.name]
    id = f"{run.key}-{section.name}"
    try:
        spec = spec_of(lambda: section.draw(table, run.alpha))
    except ValueError:
        drawn = el("p", "The table holds no rows to draw.", class_="note")
    else:
        drawn = figure(id, spec, section.title)
    said = remark(section.name, table, run.alpha)
    conditions = sorted({str(c) for c in table["conditional_on"].dropna().unique()})
    about = " ".join(["Bands and bars are 95% intervals.", *map(conditional, conditions)])
    return el(
        "section",
        el("h2", section.title),
        el("p", section.caption, class_="lead"),
        drawn,
        el("p", said, class_="remark") if said else None,
        el("p", about, " ", download(run, section.name, "Numbers (CSV)"), class_="foot"),
        class_="wrap experiment",
        id=id,
    )


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


NUMBERS = (
    "Every number on this page is a row of one of these tables: experiment, arm, alpha, "
    "gamma, k, metric, estimate, 95% interval, n. An empty field is null: unknown, not 0."
)


def _downloads(run: Shown, said: str = NUMBERS) -> Safe | None:
    if not run.tables:
        return None
    rows, blobs = [], []
    for name, table in run.tables.items():
        rows.append(
            el(
                "tr",
                el("th", name, scope="row"),
                el("td", f"{len(table):,}"),
                el("td", download(run, name, "Download CSV")),
            )
        )
        csv = embed_text(table.to_csv(index=False, lineterminator="\n"))
        blobs.append(el("script", csv, type="text/plain", id=f"{run.key}-csv-{name}"))
    head = el("tr", *(el("th", label, scope="col") for label in ("Table", "Rows", "File")))
    return el(
        "section",
        el("h2", "The numbers"),
        el("p", said, class_="lead"),
        el("table", el("thead", head), el("tbody", *rows)),
        *blobs,
        class_="wrap",
    )


def _settings(run: Shown, clean: Callable[[str], str] = str) -> Safe:
    shown = clean(json.dumps(run.config, indent=2, ensure_ascii=False))
    return el(
        "section",
        el("h2", "How it was made"),
        el("details", el("summary", "Configuration"), el("pre", shown, tabindex=0)),
        el("details", el("summary", "Environment"), el("pre", clean(run.environment), tabindex=0))
        if run.environment
        else None,
        class_="wrap",
    )
