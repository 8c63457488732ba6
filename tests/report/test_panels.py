"""What panels share: the figures in heat maps can be read, whatever the theme and the width."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
import vl_convert

from report.test_purple import ROWS
from unskew.purple.cells import CELLS
from unskew.report import nursery, purple, theme
from unskew.runs.tables import typed

ABILITIES = pd.DataFrame(
    [("base", "sum", language, 1.0, 0.9, 1.0, 60) for language in ("en", "fr", "es")],
    columns=["model", "probe", "language", "estimate", "low", "high", "n"],
)
MAPS = {
    "purple": lambda: purple.heat(typed(ROWS, CELLS)),
    "nursery": lambda: nursery.abilities(ABILITIES),
}
Colour = list[float]


def rgb(colour: str) -> Colour:
    return [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]


def between(one: Colour, other: Colour, share: float) -> Colour:
    return [a + share * (b - a) for a, b in zip(one, other, strict=True)]


def luminance(colour: Colour) -> float:
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: Colour, other: Colour) -> float:
    """As WCAG 2 measures it."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("ground", ["#fbfbfc", "#14171c"])
@pytest.mark.parametrize("name", MAPS)
def test_a_figure_stands_out_from_its_cell_in_both_themes(name: str, ground: str) -> None:
    swap: dict[str, str] = theme.DARK_OF if ground == "#14171c" else {}

    def shade(colour: str) -> Colour:
        return rgb(swap.get(colour, colour))

    [panel, *_] = MAPS[name]().to_dict()["concat"]
    cells, figures = (layer["encoding"] | layer["mark"] for layer in panel["layer"])
    ramp = cells["color"].get("scale", {}).get("range") or [cells["color"]["value"]]
    first, last = shade(ramp[0]), shade(ramp[-1])
    least, most = cells["opacity"]["scale"]["range"]
    ink = shade(figures["color"])
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        cell = between(first, last, share)
        shown = between(rgb(ground), cell, least + share * (most - least))
        assert contrast(ink, shown) >= 4.5


def drawn(spec: dict[str, Any], width: int) -> dict[str, float]:
    """What a page draws of the first panel: the sizes of the figures in its cells."""
    from xml.etree import ElementTree

    panel = spec["concat"][0] | {"$schema": spec["$schema"], "datasets": spec["datasets"]}
    panel |= {"data": spec["data"]} if "data" in spec else {}
    panel |= {"width": width, "config": theme.config()}
    texts = ElementTree.fromstring(vl_convert.vegalite_to_svg(panel)).iter()
    inked = [text for text in texts if text.get("fill") == theme.INK and text.text]
    return {str(text.text): float(str(text.get("font-size")).removesuffix("px")) for text in inked}


def test_a_figure_is_no_wider_than_its_cell() -> None:
    spec = purple.heat(typed(ROWS, CELLS)).to_dict()
    assert {drawn(spec, 600)[text] for text in ("100", "22*", "–")} == {11.5}
    narrow = drawn(spec, 3 * 18)  # three defences: 18 pixels for each, as of many on a phone
    for text in ("100", "22*"):
        assert 6 <= narrow[text] <= 18 / (0.6 * len(text))
