"""The page in a real browser: opens from disk, loads nothing, moves its sliders, fits."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from report.audit_worlds import HOSTILE, WORLD
from report.audit_worlds import run as audited
from report.audit_worlds import tables as audit_tables
from report.test_page import EVIL, page_about, run
from report.worlds import table, tables
from unskew.report import page
from unskew.report.audit_rows import plain

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PHONE, DESKTOP = (390, 844), (1280, 900)

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless system Chromium; without one, skip (or fail, where it is asked for)."""
    required = os.environ.get("UNSKEW_REQUIRE_BROWSER") == "1"
    if CHROMIUM is None:
        reason = "no Chromium on this machine: the page was NOT looked at in a browser"
        pytest.fail(reason) if required else pytest.skip(reason)
    api = pytest.importorskip("playwright.sync_api") if not required else _playwright()
    with api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


def _playwright() -> Any:
    import playwright.sync_api

    return playwright.sync_api


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("runs")
    return page.write([run(root, tables())], root / "report.html")


@pytest.fixture(scope="module")
def audit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of an audit and a study, of 5,000 samples and more."""
    root = tmp_path_factory.mktemp("audits")
    world = (WORLD[0]._replace(name="large"), *WORLD[1:])
    large = audited(root, audit_tables(420, world))
    return page.write([large, run(root, {"converge": table("converge")})], root / "report.html")


class Visit:
    """A page opened in a context of its own, with all it said and asked for."""

    def __init__(self, browser: Any, path: Path, size: tuple[int, int], scheme: str) -> None:
        width, height = size
        self.context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            accept_downloads=True,
        )
        self.page = self.context.new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", lambda dialog: self.said.append(f"dialog {dialog.message}"))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(path.as_uri())
        # Not wait_for_function: it evaluates a string, which the page's policy forbids.
        self.page.wait_for_selector("html[data-drawn]", state="attached", timeout=60_000)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()

    def drawn(self) -> int:
        return int(self.page.evaluate("document.documentElement.dataset.drawn"))

    def curve(self) -> list[float]:
        """Heights on the screen of the moving curve's points in the observer's chart, by k."""
        return self.page.evaluate(
            """() => {
              const plot = document.querySelector('[data-observer] .plot');
              const marks = [...plot.querySelectorAll('.mark-symbol.role-mark path')];
              const top = plot.getBoundingClientRect().y; // the page may have scrolled since
              return marks.map((mark) => mark.getBoundingClientRect().y - top);
            }"""
        )


@pytest.mark.parametrize(
    ("size", "scheme"),
    [
        (PHONE, "light"),
        (PHONE, "dark"),
        (DESKTOP, "light"),
        (DESKTOP, "dark"),
        ((360, 740), "light"),
    ],
    ids=str,
)
def test_opens_quietly_and_fits(
    browser: Any, report: Path, size: tuple[int, int], scheme: str
) -> None:
    with Visit(browser, report, size, scheme) as visit:
        assert visit.said == []
        assert visit.asked == [report.as_uri()]
        plots = visit.page.locator(".plot").count()
        assert visit.drawn() == plots
        assert visit.page.locator(".plot svg").count() == plots
        wide = visit.page.evaluate(
            """() => [...document.querySelectorAll('body *')]
                 .filter((e) => !e.closest('svg, pre, .skip, script, style'))
                 .filter((e) => e.getBoundingClientRect().right > innerWidth + 1)
                 .map((e) => e.outerHTML.slice(0, 80))"""
        )
        assert wide == []
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= size[0]
        clipped = visit.page.evaluate(
            """() => [...document.querySelectorAll('.plot')]
                 .filter((p) => p.querySelector('svg').width.baseVal.value > p.clientWidth + 1)
                 .map((p) => p.dataset.panel)"""
        )
        assert clipped == []
        # Every plot shows marks of data, not only axes.
        bare = visit.page.evaluate(
            """() => [...document.querySelectorAll('.plot')]
                 .filter((p) => p.querySelectorAll('.mark-symbol.role-mark path').length < 2)
                 .map((p) => p.dataset.panel)"""
        )
        assert bare == []


def test_the_theme_follows_the_screen(browser: Any, report: Path) -> None:
    with Visit(browser, report, DESKTOP, "light") as visit:
        colours = "() => getComputedStyle(document.body).backgroundColor"
        blue = "[data-observer] .plot svg [stroke='#6db3f2']"
        light = visit.page.evaluate(colours)
        assert visit.page.locator(blue).count() == 0
        visit.page.emulate_media(color_scheme="dark")
        visit.page.wait_for_selector(blue, state="attached", timeout=60_000)
        assert visit.page.evaluate(colours) != light
        assert visit.said == []


def test_the_sliders_move_the_curve(browser: Any, report: Path) -> None:
    with Visit(browser, report, DESKTOP, "light") as visit:
        sliders = visit.page.get_by_role("slider")
        skew, scale = sliders.nth(0), sliders.nth(1)
        assert visit.page.get_by_role("slider", name="Skew, in nats").count() == 1
        assert visit.page.get_by_role("slider", name="Labels multiplied by γ").count() == 1
        said = visit.page.locator("[data-observer] [role=status]")
        now = visit.page.locator("output.now").first
        assert now.inner_text() == "8 nats"
        before, words = visit.curve(), said.inner_text()
        assert len(before) == 13
        assert "averaged over 1 to 3 exemplars" in words

        skew.focus()
        visit.page.keyboard.press("ArrowRight")
        assert now.inner_text() == "10 nats"
        assert skew.get_attribute("aria-valuetext") == "10 nats"
        visit.page.wait_for_timeout(300)
        worse = visit.curve()
        # More skew, more error, higher up on the screen (y grows downwards).
        assert all(new < old for new, old in zip(worse, before, strict=True))
        assert said.inner_text() != words

        visit.page.keyboard.press("Home")
        assert now.inner_text() == "0 nats"

        scale.fill("3")
        assert visit.page.locator("output.now").nth(1).inner_text() == "× 3"
        visit.page.wait_for_timeout(300)
        better = visit.curve()
        assert all(new > old for new, old in zip(better, worse, strict=True))
        rows = table("observer")
        [row] = rows[
            (rows["delta"] == 0.0) & (rows["gamma"] == 3.0) & (rows["span"] == "1..3")
        ].itertuples()
        assert f"{row.estimate:.3g}" in said.inner_text()
        assert visit.said == []


def test_tables_and_charts_can_be_taken_home(browser: Any, report: Path, tmp_path: Path) -> None:
    with Visit(browser, report, DESKTOP, "light") as visit:
        with visit.page.expect_download() as waiting:
            visit.page.locator("table [data-table$=-converge]").click()
        download = waiting.value
        assert download.suggested_filename.endswith("-converge.csv")
        download.save_as(tmp_path / "converge.csv")
        expected = table("converge").to_csv(index=False, lineterminator="\n")
        assert (tmp_path / "converge.csv").read_text(encoding="utf-8") == expected
        with visit.page.expect_download() as waiting:
            visit.page.locator("button.save").first.click()
        waiting.value.save_as(tmp_path / "chart.svg")
        assert (tmp_path / "chart.svg").read_text(encoding="utf-8").startswith("<svg")
        assert visit.said == []


def test_hostile_text_does_nothing(browser: Any, tmp_path: Path) -> None:
    page_about(EVIL, tmp_path)
    with Visit(browser, tmp_path / "report.html", DESKTOP, "light") as visit:
        assert visit.said == []
        assert visit.asked == [(tmp_path / "report.html").as_uri()]
        assert visit.page.locator("script:not([type])").count() == 2
        # Pointing at a mark shows the hostile label as text.
        mark = visit.page.locator("[id$='-protection'] .mark-symbol.role-mark path").first
        mark.scroll_into_view_if_needed()
        mark.hover(force=True)
        visit.page.wait_for_selector("#vg-tooltip-element.visible")
        assert visit.page.locator("#vg-tooltip-element script").count() == 0
        assert "<script>alert(1)</script>" in visit.page.locator("#vg-tooltip-element").inner_text()
        assert visit.said == []


def near_samples(page: Any) -> Any:
    """The section of the samples, opened by coming near it."""
    section = page.locator("[data-samples]")
    section.scroll_into_view_if_needed()
    section.locator(".card").first.wait_for(timeout=60_000)
    return section


@pytest.mark.parametrize(
    ("size", "scheme"),
    [(PHONE, "light"), (PHONE, "dark"), (DESKTOP, "light"), (DESKTOP, "dark")],
    ids=str,
)
def test_an_audit_opens_quietly_and_fits(
    browser: Any, audit: Path, size: tuple[int, int], scheme: str
) -> None:
    with Visit(browser, audit, size, scheme) as visit:
        assert visit.page.locator(".card").count() == 0, "samples wait until a reader comes near"
        assert visit.drawn() == visit.page.locator(".plot svg").count() > 8
        section = near_samples(visit.page)
        section.locator(".card details summary").first.click()
        visit.page.locator(".task details summary").first.click()
        assert visit.said == []
        assert visit.asked == [audit.as_uri()]
        wide = visit.page.evaluate(
            """() => [...document.querySelectorAll('body *')]
                 .filter((e) => !e.closest('svg, .skip, script, style'))
                 .filter((e) => e.getBoundingClientRect().right > innerWidth + 1)
                 .map((e) => e.outerHTML.slice(0, 80))"""
        )
        assert wide == []
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= size[0]
        # Each badge can be read: its ink against its ground, as WCAG 2 measures contrast.
        faint = visit.page.evaluate(
            """() => {
              const light = (colour) => {
                const [r, g, b] = colour.match(/[0-9.]+/g).map((c) => Number(c) / 255)
                  .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
                return 0.2126 * r + 0.7152 * g + 0.0722 * b;
              };
              return [...document.querySelectorAll('.badge')].filter((badge) => {
                const style = getComputedStyle(badge);
                const [a, b] = [light(style.color), light(style.backgroundColor)];
                return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5;
              }).map((badge) => badge.className);
            }"""
        )
        assert faint == []


def test_samples_are_filtered_and_paged(browser: Any, audit: Path) -> None:
    with Visit(browser, audit, DESKTOP, "light") as visit:
        section = near_samples(visit.page)
        cards, count = section.locator(".card"), section.locator("[role=status]")

        def choose(label: str, option: str) -> None:
            section.get_by_label(label).select_option(label=option)

        # All tasks, each through the conjugation of its verdict; the suppressed ones first.
        assert count.inner_text() == "1 to 20 of 1,680 samples"
        assert cards.count() == 20
        assert cards.first.locator(".badge").inner_text() == "suppressed"
        assert cards.first.locator(".arm .mark").all_inner_texts() == [
            "✓ right",
            "✕ wrong",
            "✓ right",
            "✓ right",
        ]

        choose("Task", "xnli-en")
        choose("Conjugation (s)", "french")
        # Base is right on 315 of 420, tuned on 147; tuned + french on none of those between. Of
        # the samples that are the same, those of the chosen conjugation are kept before these.
        kinds = section.get_by_label("Kind").locator("option")
        section.get_by_text("1 to 20 of 412 samples").wait_for()
        assert kinds.all_inner_texts() == [
            "all (412)",
            "suppressed (0)",
            "lost (168)",
            "same (244)",
        ]
        assert "at most 1,000 samples of a task" in section.locator(".foot").inner_text()
        section.get_by_label("Kind").select_option(index=2)
        section.get_by_text("1 to 20 of 168 samples").wait_for()
        assert set(cards.locator(".badge").all_inner_texts()) == {"lost"}
        section.get_by_role("button", name="Next").click()
        assert count.inner_text() == "21 to 40 of 168 samples"
        section.get_by_role("button", name="Previous").click()
        assert section.get_by_role("button", name="Previous").is_disabled()

        section.get_by_label("Find in prompts and answers").fill("The 200TH word")
        section.get_by_text("1 to 1 of 1 samples").wait_for()
        assert "document 200" in cards.first.inner_text()
        cards.first.locator("summary").click()
        assert "[fr] Finish the sentence." in cards.first.locator(".inside").inner_text()
        section.get_by_label("Find in prompts and answers").fill("nowhere to be found")
        section.get_by_text("No sample is like this.").wait_for()
        assert cards.count() == 0
        assert visit.said == []


def test_hostile_samples_do_nothing(browser: Any, tmp_path: Path) -> None:
    folder = audited(tmp_path, audit_tables(6, text=HOSTILE), template=HOSTILE)
    path = page.write([folder], tmp_path / "report.html")
    with Visit(browser, path, DESKTOP, "light") as visit:
        section = near_samples(visit.page)
        section.locator(".card summary").first.click()
        assert visit.said == []
        assert visit.asked == [path.as_uri()]
        assert visit.page.locator("script:not([type])").count() == 2
        assert visit.page.locator("img").count() == 0
        assert visit.page.locator("[onerror]").count() == 0
        text = visit.page.locator("body").evaluate("(body) => body.textContent")
        assert plain(HOSTILE) in text
        assert not set("\x1b\x00\x9b\u202e\u2066\u2028") & set(text)
        options = section.get_by_label("Task").locator("option").all_inner_texts()
        assert any("<script>alert(1)" in option for option in options)


def test_a_folded_task_opens_from_the_overview(browser: Any, tmp_path: Path) -> None:
    world = tuple(WORLD[2]._replace(name=f"task-{i}") for i in range(9))
    path = page.write([audited(tmp_path, audit_tables(8, world))], tmp_path / "report.html")
    with Visit(browser, path, DESKTOP, "light") as visit:
        last = visit.page.locator("details.task").nth(8)
        assert last.locator(".plot svg").count() == 0
        visit.page.locator(".audit table a").nth(8).click()
        last.locator(".plot svg").first.wait_for(timeout=60_000)
        assert visit.said == []
