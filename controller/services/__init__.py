"""Asks network services: whether a secret works, when it is entered; and posts webhooks' events."""

from controller.services.door import Silence
from controller.services.live_checks import LiveChecks
from controller.services.webhook_post import Parcel, Postman, Receipt

__all__ = ["LiveChecks", "Parcel", "Postman", "Receipt", "Silence"]
