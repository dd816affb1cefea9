"""`make demo`: starts a session. Ctrl-C ends it quietly even while the program still loads."""

import sys


def main() -> None:
    """Run a session; before anything was made, Ctrl-C simply ends the program."""
    try:
        from demo.session import run  # noqa: PLC0415 - loading takes a second

        run()
    except KeyboardInterrupt:
        print("\nEnded before it began.")
        sys.exit(0)


if __name__ == "__main__":
    main()
