"""Write the tables of claims into README.md, docs/RESULTS.md and docs/NURSERY.md.

    python tools/claims.py

They are read from results/ alone, as `unskew paper` reads them where there are no runs.
"""

from contextlib import chdir
from pathlib import Path

import pandas as pd

from unskew.paper import show
from unskew.paper.documents import answers
from unskew.paper.shelf import Shelf

ROOT = Path(__file__).parents[1]
NURSERY = Path("results/nursery/tables/claims.parquet")
PAGES = {"README.md": show.brief, "docs/RESULTS.md": show.full}


def pages() -> dict[str, str]:
    """The pages as they are to be, by their paths."""
    with chdir(ROOT):
        found = answers(Shelf(None, Path("results")))
        tables = {name: table(found) for name, table in PAGES.items()}
        tables["docs/NURSERY.md"] = by_seed(pd.read_parquet(NURSERY))
    return {
        name: show.within((ROOT / name).read_text(encoding="utf-8"), table)
        for name, table in tables.items()
    }


def by_seed(claims: pd.DataFrame) -> str:
    """A row for each claim of the nursery, a column for each seed."""
    seeds = sorted(set(claims["seed"]))
    head = ["model", "claim", "threshold", *(f"seed {seed}" for seed in seeds), "held"]
    rows = [head, ["---"] * len(head)]
    for (model, claim), of in claims.groupby(["model", "claim"], sort=False):
        found = of.set_index("seed")["found"].str.partition("; below")[0]
        holds = of["holds"].dropna().astype(bool)
        held = f"{holds.sum()} of {len(holds)}" if len(holds) else "not asked"
        cells = [
            f"`{model}`",
            str(claim).replace("-", " ").replace("_", " "),
            of["threshold"].iloc[0],
        ]
        rows.append([*cells, *(found.get(seed, "–") for seed in seeds), held])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def main() -> None:
    for name, page in pages().items():
        (ROOT / name).write_text(page, encoding="utf-8")
        print(f"written: {name}")


if __name__ == "__main__":
    main()
