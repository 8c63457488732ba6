"""The suffixes that ship: found by a finished purple run, written with where they are from.

    python tools/suffixes.py RUN ...     -> src/unskew/purple/texts/suffixes.jsonl

RUN is the folder of a run of `unskew purple` whose subjects are those of the demo. A grid that has
`{kind: given}` among its attacks asks anew what each of them does.
"""

import argparse
from pathlib import Path

from unskew.purple.shipped import SHIPPED, file_of, found_by, write
from unskew.runs.folder import RunFolder


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    folders: list[Path] = parser.parse_args().runs
    rows = [row for folder in folders for row in found_by(RunFolder.read(folder))]
    path = Path(str(file_of(SHIPPED)))
    write(rows, path)
    print(f"{len(rows)} suffixes in {path}")


if __name__ == "__main__":
    main()
