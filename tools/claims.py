"""Write the tables of claims into README.md and docs/RESULTS.md: `python tools/claims.py`.

They are read from results/ alone, as `unskew paper` reads them where there are no runs.
"""

from contextlib import chdir
from pathlib import Path

from unskew.paper import show
from unskew.paper.documents import answers
from unskew.paper.shelf import Shelf

ROOT = Path(__file__).parents[1]
PAGES = {"README.md": show.brief, "docs/RESULTS.md": show.full}


def pages() -> dict[str, str]:
    """The pages as they are to be, by their paths."""
    with chdir(ROOT):
        found = answers(Shelf(None, Path("results")))
    return {
        name: show.within((ROOT / name).read_text(encoding="utf-8"), table(found))
        for name, table in PAGES.items()
    }


def main() -> None:
    for name, page in pages().items():
        (ROOT / name).write_text(page, encoding="utf-8")
        print(f"written: {name}")


if __name__ == "__main__":
    main()
