"""Services on the network that know whether a secret is good: asked once, when it is entered."""

from controller.services.live import LiveChecks

__all__ = ["LiveChecks"]
