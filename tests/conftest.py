"""What every test shares: reproducible Hypothesis runs without a clock in them."""

import signal

import pytest
from hypothesis import settings

# Derandomised, as a failure must be the same tomorrow; without deadlines, as machines are shared.
settings.register_profile("unskew", derandomize=True, deadline=None, database=None)
settings.load_profile("unskew")

# A shell's background job ignores Ctrl-C, and hands that on to the commands that tests interrupt.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A long test waits longer before it counts as hung: a busy machine slows it down, too."""
    for item in items:
        if item.get_closest_marker("slow") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(600))
