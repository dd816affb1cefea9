"""`python -m controller`: the same as the console script `botmaker`."""

from controller.cli import checked_output, cli


def main() -> None:
    """Run the console script."""
    with checked_output():
        cli(prog_name="botmaker")


if __name__ == "__main__":
    main()
