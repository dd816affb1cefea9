"""The console script `botmaker`: click commands that handle every error in one place."""

from controller.cli.console import cli

__all__ = ["cli"]
