"""`python -m unskew` is the `unskew` command."""

import sys

from unskew.cli import main

sys.exit(main())
