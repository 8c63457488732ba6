"""Statistics for every laboratory: paired intervals, ratios, slopes, bootstraps, multiplicity.

numpy float64 only; nothing here knows of models or tables. Prompts (or other independent
units) lie along axis 0. Randomness comes from explicit seeds. What cannot be known is NaN.
"""

from unskew.statistics.bootstrap import (
    RunSummary,
    bootstrap_indices,
    hierarchical_bootstrap,
    paired_bootstrap,
    run_summary,
)
from unskew.statistics.fieller import fieller
from unskew.statistics.intervals import (
    Interval,
    Side,
    contrast,
    contrast_p_value,
    mean_interval,
    one_sided_lower,
    one_sided_upper,
)
from unskew.statistics.lines import slope, slope_within
from unskew.statistics.multiplicity import holm
from unskew.statistics.profile import profile_contrast, profile_interval, profile_minimum

__all__ = [
    "Interval",
    "RunSummary",
    "Side",
    "bootstrap_indices",
    "contrast",
    "contrast_p_value",
    "fieller",
    "hierarchical_bootstrap",
    "holm",
    "mean_interval",
    "one_sided_lower",
    "one_sided_upper",
    "paired_bootstrap",
    "profile_contrast",
    "profile_interval",
    "profile_minimum",
    "run_summary",
    "slope",
    "slope_within",
]
