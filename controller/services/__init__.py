"""Asks network services whether a secret works: once, when it is entered."""

from controller.services.live_checks import LiveChecks

__all__ = ["LiveChecks"]
