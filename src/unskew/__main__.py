"""`unskew` and `python -m unskew` begin here: small, so that Ctrl-C is answered from the start."""

import sys


def main() -> int:
    """Run the command line and return its exit code."""
    try:
        from unskew import cli  # half a second, the most of a short command

        return cli.main()
    except KeyboardInterrupt:  # before `cli.main` could say how to continue: nothing was begun
        print("\ninterrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
