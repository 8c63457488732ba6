"""docs/RESULTS.md, figure by figure: no claim is missing, every chart is one of ours.

Its commands are tried with those of all pages (test_docs_site.py).
"""

import re

import pytest

from pages import ROOT
from unskew.paper.documents import claims
from unskew.report.sections import sections

PAGE = (ROOT / "docs" / "RESULTS.md").read_text(encoding="utf-8")
(LIST,) = re.findall(r"^## Figure by figure$(.*?)^## ", PAGE, re.DOTALL | re.MULTILINE)
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in LIST.splitlines()
        if line.startswith("| ") and not line.startswith("| in the documents")]  # fmt: skip
VARIANT = re.compile(r"-(?:fresh|each|sft|drops)$")  # the same claim, asked in another way
BY_ID = {claim.id: claim for claim in claims()}


def test_every_claim_of_the_documents_judges_one_of_their_figures() -> None:
    named = [id for row in ROWS for id in re.findall(r"`([\w-]+)`", row[3])]
    assert len(named) == len(set(named))
    assert set(named) <= set(BY_ID)
    ours = {id for id, claim in BY_ID.items() if claim.documents == "control"}
    wanted = {id for id in BY_ID if VARIANT.sub("", id) == id} - ours
    assert wanted <= set(named)
    assert set(named) - wanted <= ours


def test_charts_have_the_titles_that_pages_give_them() -> None:
    named = {title for row in ROWS for title in re.findall(r"\*([^*]+)\*", row[1])} - {"guard"}
    assert len(named) >= 10
    page = "".join(p.read_text("utf-8") for p in (ROOT / "src/unskew/report").glob("*.py"))
    titles = {section.title for section in sections()}
    for title in named - titles - {"not remade"}:
        assert f'"{title}' in page, title
    assert titles - named == {"What protects, and how it compares"}


@pytest.mark.parametrize("row", ROWS, ids=[row[0][:40] for row in ROWS])
def test_what_is_not_remade_says_why_and_all_else_is_made_by_a_command(row: list[str]) -> None:
    _, here, command, judged = row
    assert judged
    if here.startswith("**not remade**"):
        assert "benign" in here
    else:
        assert command.startswith(("`unskew ", "raised here: `unskew "))
