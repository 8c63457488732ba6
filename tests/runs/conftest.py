"""What several tests of runs begin with."""

from pathlib import Path

import pytest


@pytest.fixture
def preset(tmp_path: Path) -> str:
    """The file of a configuration of toys."""
    path = tmp_path / "toy.yaml"
    path.write_text("kind: toy\n")
    return str(path)
