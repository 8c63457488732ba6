"""Write the tables of results into README.md, docs/ and benchmarks/README.md.

    python tools/claims.py

They are read from results/ alone, as `unskew paper` reads them where there are no runs.
"""

import sys
from contextlib import chdir
from pathlib import Path

import pandas as pd

from unskew.nursery.claims import untold
from unskew.paper import show
from unskew.paper.documents import answers
from unskew.paper.parts import parts
from unskew.paper.shelf import Shelf
from unskew.purple.grid_claims import worst
from unskew.report.audit_rows import records

ROOT = Path(__file__).parents[1]
NURSERY = Path("results/nursery/tables/claims.parquet")
FRESH = Path("results/nursery-fresh")
DOSES = {".": "", "worlds-6-7": "", "lora": ", LoRA", "until": ", until"}
MEASURED = Path("results/benchmarks")
PAGES = {"README.md": show.brief, "docs/RESULTS.md": show.full}


def pages() -> dict[str, str]:
    """The pages as they are to be, by their paths."""
    with chdir(ROOT):
        found = answers(Shelf(None, Path("results")))
        tables = {name: table(found) for name, table in PAGES.items()}
        tables["docs/NURSERY.md"] = by_seed(pd.read_parquet(NURSERY))
        fresh = by_seed(in_fresh_worlds())
        (grid, *_) = parts()["grid", "small"].places(Shelf(None, Path("results")))[""]
        tables["docs/PURPLE.md"] = by_defence(grid.table("cells", ("subject",)))
        tables["benchmarks/README.md"] = by_part(MEASURED / "ablation.parquet")
        speed = by_contender(MEASURED)
    found = {
        name: show.within((ROOT / name).read_text(encoding="utf-8"), table)
        for name, table in tables.items()
    }
    found["docs/NURSERY.md"] = show.within(found["docs/NURSERY.md"], fresh, "fresh")
    found["benchmarks/README.md"] = show.within(found["benchmarks/README.md"], speed, "measured")
    return found


def by_seed(claims: pd.DataFrame) -> str:
    """A row for each claim of the nursery, a column for each seed."""
    seeds = sorted(set(claims["seed"]))
    head = ["model", "claim", "threshold", *(f"seed {seed}" for seed in seeds), "held"]
    rows = [head, ["---"] * len(head)]
    for (model, claim), of in claims.groupby(["model", "claim"], sort=False):
        found = of.set_index("seed")["found"].str.partition("; below")[0]
        holds = of["holds"].dropna().astype(bool)
        nothing = "not asked" if of["found"].map(untold).all() else "undecided"
        held = f"{holds.sum()} of {len(holds)}" if len(holds) else nothing
        cells = [
            f"`{model}`",
            str(claim).replace("-", " ").replace("_", " "),
            of["threshold"].iloc[0],
        ]
        rows.append([*cells, *(found.get(seed, "–") for seed in seeds), held])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def in_fresh_worlds() -> pd.DataFrame:
    """What is claimed of `instruct` in fresh worlds, at three doses."""
    found = []
    for place, dose in DOSES.items():
        claims = pd.read_parquet(FRESH / place / "tables" / "claims.parquet")
        found.append(claims[claims["model"] == "instruct"].assign(model=f"instruct{dose}"))
    return pd.concat(found, ignore_index=True)


def by_defence(cells: pd.DataFrame) -> str:
    """A row for each subject and defence: the worst attack, and what the defence costs."""
    head = ["subject", "defence", "plain", "worst attack", "by", "benign refused", "utility lost"]
    rows = [head, ["---"] * len(head)]
    plain = cells[cells["attack"] == "none"].set_index(["subject", "defence"])["dsr"]
    for row in records(worst(cells)):
        low, high = (f"{100 * row[name]:.0f}" for name in ("low", "high"))
        lost = "–" if row["defence"] == "none" else f"{100 * row['lost']:.1f} points"
        rows.append(
            [
                f"`{row['subject']}`",
                row["defence"],
                f"{100 * plain[row['subject'], row['defence']]:.0f}%",
                f"{100 * row['dsr']:.0f}% ({low} to {high})",
                row["attack"],
                f"{100 * row['false_positives']:.0f}%",
                lost.replace("-", "−"),
            ]
        )
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def by_part(path: Path) -> str:
    """A row for each change of the recipe; in its cells a figure for each seed, bounds as such."""
    table = pd.read_parquet(path)
    seeds = ", ".join(str(seed) for seed in table["seed"].unique())
    head = ["part", "changed to", f"seconds, seeds {seeds}", "/ the recipe's", "x ridge at its end"]
    lines = [head, ["---"] * len(head)]
    for _, rows in table.groupby(["part", "choice"], sort=False):
        of = records(rows)
        bounds = ["" if row["reached"] else "> " for row in of]
        lines.append(
            [
                of[0]["part"],
                of[0]["choice"] or "–",
                ", ".join(f"{b}{row['seconds']:.0f}" for b, row in zip(bounds, of, strict=True)),
                ", ".join(f"{b}{row['ratio']:.2f}" for b, row in zip(bounds, of, strict=True)),
                ", ".join(f"{row['worst']:.2f}" for row in of),
            ]
        )
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def by_contender(folder: Path) -> str:
    """What `python -m benchmarks` prints, of the parts that are kept."""
    sys.path.append(str(ROOT))  # the benchmarks are no package that is installed
    from benchmarks.__main__ import parts as comparisons

    rows = [["comparison", "contender", "figure", "time / ours", "remark"], ["---"] * 5]
    for name, part in comparisons(0).items():
        path = folder / f"{name}.parquet"
        if path.exists():
            kept = pd.read_parquet(path).to_dict("records")  # NaN stays what it is
            found = [part.row(**{str(key): value for key, value in row.items()}) for row in kept]
            rows += [[*line] for line in part.lines(found)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def main() -> None:
    for name, page in pages().items():
        (ROOT / name).write_text(page, encoding="utf-8")
        print(f"written: {name}")


if __name__ == "__main__":
    main()
