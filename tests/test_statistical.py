"""The failure budget itself: it is not overdrawn, and its tests can fail."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from statistical import NAMES, SHARES, assert_counts, assert_law, assert_mean, share


def test_the_budget_is_not_overdrawn() -> None:
    asked = Counter[str]()
    for file in Path(__file__).parent.rglob("test_*.py"):
        if file != Path(__file__):
            text = file.read_text()
            asked.update({name: text.count(f'share("{name}"') for name in NAMES})
    assert len(NAMES) <= SHARES
    assert asked == Counter(dict.fromkeys(NAMES, 1)), "each declared share is used exactly once"


def test_an_undeclared_share_is_refused() -> None:
    with pytest.raises(KeyError, match="not declared"):
        share("a test nobody announced")


def test_wrong_laws_are_found() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(AssertionError):
        assert_law(rng.normal(0, 1.2, 20_000), stats.norm(0, 1).cdf, 1e-8)
    with pytest.raises(AssertionError):
        assert_mean(rng.normal(0.05, 1, 20_000), 0.0, 1e-8)
    with pytest.raises(AssertionError):
        assert_counts([900, 1100, 1300, 700], [0.25] * 4, 1e-8)
