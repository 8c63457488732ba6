"""What the models of a nursery can do, as text: 80 columns suffice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unskew.report.audit_rows import plain

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ability_table"]

TITLE = "right answers, %"
SHORT = {"pig-latin": "pig", "leetspeak": "leet"}


def ability_table(table: pd.DataFrame) -> str:
    """Right answers in percent: a block per probe, a line per model, a column per language.

    table: columns model, probe, language, estimate.
    """
    languages = list(dict.fromkeys(table["language"]))
    cells = table.set_index(["probe", "model", "language"])["estimate"]
    models = list(dict.fromkeys(table["model"]))
    width = max(len(plain(model)) for model in models) + 2
    head = "".join(f"{plain(SHORT.get(name, name)):>6}" for name in languages)
    width = max(width, len(TITLE))
    lines = [f"{TITLE:{width}}{head}"]
    for probe in dict.fromkeys(table["probe"]):
        lines.append(plain(str(probe)))
        for model in models:
            numbers = [cells.get((probe, model, language)) for language in languages]
            said = "".join(
                f"{'–' if n is None or n != n else f'{100 * n:.0f}':>6}" for n in numbers
            )
            lines.append(f"  {plain(model):{width - 2}}{said}")
    return "\n".join(lines)
