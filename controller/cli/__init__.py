"""The console script `botmaker`: click commands that handle every error in one place."""

from controller.cli.console import cli
from controller.cli.outcome import checked_output

__all__ = ["checked_output", "cli"]
