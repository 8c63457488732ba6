"""Statistics for every laboratory: paired intervals, ratios, slopes, bootstraps, multiplicity.

numpy float64 only; nothing here knows of models or tables. Prompts (or other independent
units) lie along axis 0. Randomness comes from explicit seeds. What cannot be known is NaN.
"""

from unskew.statistics.bootstrap import (
    RunSummary,
    hierarchical_bootstrap,
    run_summary,
)
from unskew.statistics.choosing import ChoiceNoise, choice_noise
from unskew.statistics.clustered import ClusteredMeans, clustered_means, share_interval
from unskew.statistics.fieller import fieller
from unskew.statistics.intervals import (
    Interval,
    Side,
    contrast,
    mean_interval,
    one_sided_lower,
    one_sided_upper,
)
from unskew.statistics.lines import slope, slope_within
from unskew.statistics.multiplicity import holm
from unskew.statistics.power import detectable, needed
from unskew.statistics.profile import profile_contrast, profile_interval, profile_minimum

__all__ = [
    "ChoiceNoise",
    "ClusteredMeans",
    "Interval",
    "RunSummary",
    "Side",
    "choice_noise",
    "clustered_means",
    "contrast",
    "detectable",
    "fieller",
    "hierarchical_bootstrap",
    "holm",
    "mean_interval",
    "needed",
    "one_sided_lower",
    "one_sided_upper",
    "profile_contrast",
    "profile_interval",
    "profile_minimum",
    "run_summary",
    "share_interval",
    "slope",
    "slope_within",
]
