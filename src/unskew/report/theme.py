"""Colours and type for every chart, light and dark, and `save` to a file.

One role, one colour, everywhere: the base model is blue, the fine-tuned one vermilion, what
conjugation brings back green, the ideal observer violet, a reference grey. The hues keep their
distance under the common colour-vision deficiencies, and each role also has its own dash or
mark. Charts are drawn in the light colours; the page swaps them by `DARK_OF` for dark screens,
which is why no two roles share a colour.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from unskew.errors import UserError

if TYPE_CHECKING:
    import altair as alt

INK = "#1d2129"
"""Of what must be read on any ground, as a figure inside a mark."""
BASE, TUNED, BACK, OBSERVER, REFERENCE = "#1f6fb5", "#c2500c", "#0a8560", "#7a55b3", "#69707d"
RAMP = (
    "#9cc3e6",
    "#7cacda",
    "#5b95cd",
    "#4480be",
    "#2d6aae",
    "#245a98",
    "#1c4a83",
    "#14396a",
    "#0c2850",
)
OTHERS = (BASE, TUNED, BACK, OBSERVER, "#a8841a", "#b13a6e", "#3c8f9e", REFERENCE)

DARK_OF = {
    INK: "#e8eaee",
    BASE: "#6db3f2",
    TUNED: "#ff9a5c",
    BACK: "#43cf9d",
    OBSERVER: "#c1a5f7",
    REFERENCE: "#9ba3b0",
    "#9cc3e6": "#2c5a90",
    "#7cacda": "#3a6ea8",
    "#5b95cd": "#4881c0",
    "#4480be": "#5c94d2",
    "#2d6aae": "#71a7e4",
    "#245a98": "#8bb8ed",
    "#1c4a83": "#a5caf6",
    "#14396a": "#c0dafa",
    "#0c2850": "#dceaff",
    "#a8841a": "#e3c04f",
    "#b13a6e": "#f283b1",
    "#3c8f9e": "#74cfe0",
}


def shades(count: int) -> list[str]:
    """`count` shades of blue, light to dark, for things in an order."""
    last = len(RAMP) - 1
    return [RAMP[round(i * last / max(1, count - 1))] for i in range(count)]


FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


def config(dark: bool = False) -> dict[str, Any]:
    """The Vega-Lite config of all charts: quiet axes, no frame, transparent background."""
    ink, soft, grid = (DARK_OF[INK], "#a9b0bc", "#2b3039") if dark else (INK, "#5d6572", "#e4e6ea")
    return {
        "background": None,
        "font": FONT,
        "view": {"stroke": None},
        "padding": 2,
        "axis": {
            "labelColor": soft,
            "titleColor": soft,
            "labelFontSize": 11.5,
            "titleFontSize": 12,
            "titleFontWeight": 500,
            "gridColor": grid,
            "domain": False,
            "ticks": False,
            "labelPadding": 6,
            "titlePadding": 10,
        },
        # Points speak for their bars and bands: one label for each number is enough.
        "rule": {"aria": False},
        "area": {"aria": False},
        "axisX": {"labelFlush": False},
        "title": {
            "color": ink,
            "subtitleColor": soft,
            "fontSize": 13.5,
            "subtitleFontSize": 12,
            "fontWeight": 600,
            "anchor": "start",
            "offset": 10,
            "frame": "group",
        },
        "legend": {
            "labelColor": ink,
            "titleColor": soft,
            "labelFontSize": 12,
            "titleFontSize": 12,
            "titleFontWeight": 500,
            "symbolStrokeWidth": 2.5,
            "symbolSize": 120,
            "orient": "top",
            "direction": "horizontal",
            "labelLimit": 260,
            "offset": 6,
        },
        "text": {"color": soft, "fontSize": 11.5},
    }


def save(chart: alt.TopLevelMixin, path: Path | str) -> Path:
    """Write a chart to .svg, .pdf or .png (by the suffix), in the light colours.

    Raises UserError for another suffix or a path that cannot be written.
    """
    import vl_convert

    target = Path(path)
    spec = {"background": "white", **chart.to_dict(), "config": config() | {"background": "white"}}
    match target.suffix.lower():
        case ".svg":
            data = vl_convert.vegalite_to_svg(spec).encode()
        case ".pdf":
            data = vl_convert.vegalite_to_pdf(spec)
        case ".png":
            data = vl_convert.vegalite_to_png(spec, scale=2)
        case other:
            raise UserError(
                f"cannot save a chart as {other or 'a file without suffix'!r}",
                where=str(target),
                hint="use .svg, .pdf or .png",
            )
    try:
        target.write_bytes(data)
    except OSError as error:
        raise UserError(f"cannot write here: {error.strerror}", where=str(target)) from error
    return target
