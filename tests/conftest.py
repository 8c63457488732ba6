"""What every test shares: reproducible Hypothesis runs without a clock in them."""

from hypothesis import settings

# Derandomised, as a failure must be the same tomorrow; without deadlines, as machines are shared.
settings.register_profile("unskew", derandomize=True, deadline=None, database=None)
settings.load_profile("unskew")
