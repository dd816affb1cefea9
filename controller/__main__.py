"""`python -m controller`: the same as the console script `botmaker`."""

from controller.cli import cli


def main() -> None:
    """Run the console script."""
    cli(prog_name="botmaker")


if __name__ == "__main__":
    main()
