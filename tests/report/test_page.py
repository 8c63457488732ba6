"""The page as a file: self-contained, inert whatever its data say, honest about what is missing."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import os
import re
import subprocess
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pydantic import Field

from report.worlds import BUILDERS, table, tables
from unskew.errors import UserError
from unskew.report import markup, page
from unskew.runs.config import Frozen
from unskew.runs.folder import RunFolder

ATTACK = "<script>alert(1)</script>"
EVIL = f"\"'>{ATTACK}</script><!--<script>\u2028${{alert(1)}} {{{{ title }}}}"


class Study(Frozen):
    """As much of a study's configuration as the page reads."""

    kind: str = "regression-study"
    alpha: float = 0.5
    note: str = ""
    seed: int = Field(0, ge=0)


def run(
    root: Path,
    tables: Mapping[str, pd.DataFrame],
    finish: bool = True,
    headline: str | None = None,
    **config: Any,
) -> RunFolder:
    """A run folder with these tables, finished or not."""
    with RunFolder.open(root, Study(**config)) as folder:
        for name, df in tables.items():
            folder.write_table(name, df)
        if finish:
            folder.finish({"headline": headline} if headline else None)
    return folder


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of a study that ran everything."""
    root = tmp_path_factory.mktemp("runs")
    return page.write([run(root, tables())], root / "report.html").read_text(encoding="utf-8")


class Page(HTMLParser):
    """Elements with their attributes, visible text, and the contents of scripts by id."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.text = ""
        self._inside: dict[str, str | None] | None = None
        self._quiet = 0
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "script":
            self._inside = dict(attrs)
            self.scripts.append((self._inside, ""))
        self._quiet += tag == "style"

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self._inside = None
        self._quiet -= tag == "style"

    def handle_data(self, data: str) -> None:
        if self._inside is not None:
            self.scripts[-1] = (self._inside, self.scripts[-1][1] + data)
        elif not self._quiet:
            self.text += data

    def script(self, id: str) -> str:
        [found] = [content for attributes, content in self.scripts if attributes.get("id") == id]
        return found

    def csv(self, id: str) -> str:
        return gzip.decompress(base64.b64decode(self.script(id))).decode()

    def runnable(self) -> list[str]:
        """Scripts that a browser runs (those without a data type)."""
        return [content for attributes, content in self.scripts if "type" not in attributes]


def test_everything_is_there(full: str) -> None:
    seen = Page(full)
    assert "Fine-tuning raised the error on other tasks by 36%; 61% of that comes back" in seen.text
    assert seen.text.count("✓ held") == 9
    assert "Not run" not in seen.text
    assert "Averaged over 4 to 12 exemplars, 24% (95% interval 19% to 29%) comes back" in seen.text
    plots = [a for _, a in seen.elements if "data-panel" in a]
    assert len(plots) >= 24
    assert full.count("vegaEmbed=") < 10, "the drawing library is there once"
    assert len(full.encode()) < 2_500_000


def test_every_table_is_there_once_and_whole(full: str) -> None:
    seen = Page(full)
    for name in BUILDERS:
        assert seen.csv(f"r0-csv-{name}") == table(name).to_csv(index=False, lineterminator="\n")
        buttons = [a for t, a in seen.elements if a.get("data-table") == f"r0-csv-{name}"]
        assert len(buttons) == 2, "one beside the charts, one in the list of tables"


def test_nothing_is_loaded_from_anywhere(full: str) -> None:
    seen = Page(full)
    links = ("src", "href", "srcset", "data", "action", "poster", "background", "ping")
    for tag, attributes in seen.elements:
        for name in links:
            value = attributes.get(name)
            assert value is None or value.startswith("#"), f"<{tag} {name}={value!r}>"
        assert tag not in ("link", "iframe", "object", "embed", "img", "base")
    # Outside the drawing library there is no address at all.
    library = max(seen.runnable(), key=len)
    rest = full.replace(library, "")
    assert "://" not in rest
    assert "url(" not in rest
    assert "@import" not in rest


def test_the_policy_admits_exactly_the_pages_own_scripts(full: str) -> None:
    seen = Page(full)
    [policy] = [
        a["content"] or ""
        for t, a in seen.elements
        if t == "meta" and a.get("http-equiv") == "Content-Security-Policy"
    ]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    hashes = {
        "'sha256-" + base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() + "'"
        for s in seen.runnable()
    }
    assert len(hashes) == 2
    assert set(rules["script-src"].split()) == hashes
    assert "unsafe-eval" not in policy
    order = [t for t, a in seen.elements if t in ("script", "meta")]
    assert order.index("meta") < order.index("script")
    assert not any(name.startswith("on") for _, a in seen.elements for name in a)


def page_about(text: str, root: Path) -> str:
    """The page of a run whose id, configuration, environment and labels all say `text`."""
    named = {}
    for name in ("protection", "controls", "task-inference", "diversity"):
        df = table(name)
        df["note"], df["conditional_on"] = text, text
        if name != "task-inference":
            df["arm"] = text
        named[name] = df
    folder = run(root, named, note=text)
    folder.id = f"run-{text}"
    (folder.path / "environment.json").write_text(json.dumps({"note": text}))
    return page.write([folder], root / "report.html").read_text(encoding="utf-8")


def test_data_cannot_become_markup(tmp_path: Path) -> None:
    source = page_about(EVIL, tmp_path / "evil")
    seen, harmless = Page(source), Page(page_about("harmless", tmp_path / "harmless"))
    assert ATTACK not in source
    assert [tag for tag, _ in seen.elements] == [tag for tag, _ in harmless.elements]
    assert seen.runnable() == harmless.runnable()
    # It is all there, as the text that it is.
    assert f"run-{EVIL}" in seen.text
    assert f"Intervals are conditional on: {EVIL}." in seen.text
    assert json.dumps(EVIL, ensure_ascii=False) in seen.text
    assert EVIL in seen.csv("r0-csv-protection").replace('""', '"')
    [panel, *_] = json.loads(seen.script("r0-protection-spec"))
    items = {row["item"] for rows in panel["datasets"].values() for row in rows if "item" in row}
    assert items == {" ".join(EVIL.split())}


def test_what_was_not_run_is_said(tmp_path: Path) -> None:
    folder = run(tmp_path, {"converge": table("converge")})
    seen = Page(page.write([folder], tmp_path / "p.html").read_text(encoding="utf-8"))
    assert seen.text.count("– not run") == 7
    assert seen.text.count("✓ held") == 2
    assert "Not run" in seen.text
    for title in ("Conjugate prompting: bringing it back", "The ideal skewed observer"):
        assert title in seen.text
    assert "No experiment on fine-tuning has been run yet" in seen.text


def test_a_run_without_tables_has_a_page_too(tmp_path: Path) -> None:
    seen = Page(page.write([run(tmp_path, {})], tmp_path / "p.html").read_text(encoding="utf-8"))
    assert "None of the claims can be read from this run" in seen.text
    assert "No experiment on fine-tuning has been run yet" in seen.text


def test_a_run_without_main_finetuning_keeps_its_own_headline(tmp_path: Path) -> None:
    folder = run(tmp_path, {"controls": table("controls")}, headline="8 fine-tunings compared")
    seen = Page(page.write([folder], tmp_path / "p.html").read_text(encoding="utf-8"))
    assert "8 fine-tunings compared." in seen.text
    assert "Controls: fine-tuning on something else" in seen.text


def test_an_unfinished_run_says_so(tmp_path: Path, full: str) -> None:
    folder = run(tmp_path, {"converge": table("converge")}, finish=False)
    source = page.write([folder], tmp_path / "p.html").read_text(encoding="utf-8")
    assert "This run is not finished" in source
    assert "This run is not finished" not in full


def test_a_run_of_no_experiment_shows_its_sentence_and_its_tables(tmp_path: Path) -> None:
    asked = {"answers": pd.DataFrame({"probe": ["colour"], "right": [True]})}
    folder = run(tmp_path, asked, headline="80% of 10 are right", kind="nursery-answers")
    seen = Page(page.write([folder], tmp_path / "p.html").read_text(encoding="utf-8"))
    assert "80% of 10 are right." in seen.text
    assert "What held" not in seen.text
    assert pd.read_csv(io.StringIO(seen.csv("r0-csv-answers")))["probe"].tolist() == ["colour"]


def test_null_is_inconclusive_and_empty_not_zero(tmp_path: Path) -> None:
    changed = {"conjugate": table("conjugate", recovery=None, contrast=(0.1, -0.1))}
    seen = Page(
        page.write([run(tmp_path, changed)], tmp_path / "p.html").read_text(encoding="utf-8")
    )
    assert "how much of that comes back when the labels are multiplied by 2 is incon" in seen.text
    assert "? inconclusive" in seen.text
    csv = pd.read_csv(io.StringIO(seen.csv("r0-csv-conjugate")))
    assert csv.loc[csv["metric"] == "net_recovery", "estimate"].isna().sum() > 5
    empty = {"converge": table("converge").iloc[:0], "observer": table("observer").iloc[:0]}
    source = page.write([run(tmp_path, empty, seed=1)], tmp_path / "q.html").read_text("utf-8")
    assert "The table holds no rows to draw." in source


def test_several_runs_stand_side_by_side(tmp_path: Path) -> None:
    first = run(tmp_path, {"conjugate": table("conjugate")})
    second = run(tmp_path, {"conjugate": table("conjugate", rise=(0.12, 0.03))}, seed=1)
    seen = Page(page.write([first, second], tmp_path / "p.html").read_text(encoding="utf-8"))
    assert "2 runs side by side" in seen.text
    assert seen.text.count("by 36%") == 2, "in the overview and in its own part"
    assert seen.text.count("by 12%") == 2
    ids = [a["id"] for _, a in seen.elements if "id" in a]
    assert len(ids) == len(set(ids))
    assert len(seen.runnable()) == 2


def test_the_page_is_a_function_of_the_run(tmp_path: Path) -> None:
    folder = run(tmp_path, {"observer": table("observer"), "tradeoff": table("tradeoff")})
    first = page.write([folder], tmp_path / "a.html").read_bytes()
    assert page.write([folder], tmp_path / "deep" / "b.html").read_bytes() == first


def test_users_mistakes(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="at least one run"):
        page.write([], tmp_path / "p.html")
    folder = run(tmp_path, {})
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write the page"):
        page.write([folder], tmp_path / "file" / "p.html")
    before = sorted(tmp_path.iterdir())
    for place in (tmp_path, Path(), Path("/")):
        with pytest.raises(UserError, match="a folder, and no page"):
            page.write([folder], place)
    assert sorted(tmp_path.iterdir()) == before  # nothing half written is left


def test_a_link_is_followed_and_a_pipe_is_written_to(tmp_path: Path) -> None:
    folder = run(tmp_path, {"observer": table("observer")})
    (tmp_path / "real.html").write_text("old")
    (tmp_path / "link.html").symlink_to("real.html")
    assert page.write([folder], tmp_path / "link.html") == tmp_path / "link.html"
    assert (tmp_path / "link.html").is_symlink()
    said = (tmp_path / "real.html").read_text(encoding="utf-8")
    assert said.startswith("<!doctype html>")
    pipe, heard = tmp_path / "pipe", tmp_path / "heard"
    os.mkfifo(pipe)
    with subprocess.Popen(["cp", pipe, heard]) as reader:
        page.write([folder], pipe)
        assert reader.wait(timeout=60) == 0
    assert heard.read_text(encoding="utf-8") == said


def test_a_pipe_that_is_read_no_further_is_no_mistake(tmp_path: Path) -> None:
    """As of `| head`: the command ends quietly, by the error that says so."""
    folder = run(tmp_path, {})
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with (
        subprocess.Popen(["head", "-c", "10", pipe], stdout=subprocess.DEVNULL),
        pytest.raises(BrokenPipeError),  # a page is longer than what a pipe holds
    ):
        page.write([folder], pipe)


def test_headings_and_labels(full: str) -> None:
    seen = Page(full)
    assert [t for t, _ in seen.elements].count("h1") == 1
    labels = {a.get("for") for t, a in seen.elements if t == "label"}
    ranges = [a for t, a in seen.elements if t == "input"]
    assert len(ranges) == 2
    for field in ranges:
        assert field["type"] == "range"
        assert field["id"] in labels
    assert re.search(r'<html lang="en">', full)


def test_embedded_json_cannot_end_its_element() -> None:
    source = markup.embed_json({"a": [EVIL, float("nan"), float("inf")], "b": ("&", 1)})
    assert not set("<>&\u2028") & set(source)
    assert json.loads(source) == {"a": [EVIL, None, None], "b": ["&", 1]}


def test_markup_escapes_all_but_its_own() -> None:
    made = markup.el("a", EVIL, markup.el("b", "x"), None, title=EVIL, hidden=True, role=None)
    assert ATTACK not in made
    assert made.endswith("<b>x</b></a>")
    [(_, attributes), _] = Page(made).elements
    assert attributes["title"] == EVIL
    assert "role" not in attributes
    script, _ = markup.script("'</script><!--'")
    assert script.count("</script") == 1
    assert "<!--" not in script
