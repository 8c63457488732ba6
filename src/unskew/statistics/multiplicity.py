"""Several tests at once: Holm's step-down adjustment.

S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
Statistics 6 (1979) 65-70. Controls the chance of any false rejection, without assuming that
the tests are independent.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from unskew.statistics.intervals import Floats

__all__ = ["holm"]


def holm(pvalues: ArrayLike) -> Floats:
    """Adjusted p-values, (m,) -> (m,): reject those <= the family-wise level.

    A NaN (a test that could not be made) stays NaN and is not counted in the family. Raises
    ValueError for p-values outside [0, 1].
    """
    values = np.asarray(pvalues, dtype=np.float64)
    if values.ndim != 1:
        raise ValueError(f"pvalues must be (m,), got {values.shape}")
    known = ~np.isnan(values)
    if ((values[known] < 0) | (values[known] > 1)).any():
        raise ValueError("p-values lie between 0 and 1")
    adjusted = np.full_like(values, np.nan)
    family = values[known]
    order = np.argsort(family, kind="stable")
    factors = np.arange(family.size, 0, -1)
    stepped = np.minimum(np.maximum.accumulate(family[order] * factors), 1.0)
    back = np.empty_like(stepped)
    back[order] = stepped
    adjusted[known] = back
    return adjusted
