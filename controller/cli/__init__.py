"""The console script `botmaker`: click commands, one exit for every error."""

from controller.cli.commands import cli

__all__ = ["cli"]
