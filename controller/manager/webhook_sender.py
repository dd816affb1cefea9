"""Sends one event to one webhook: body, signature, the receiver's answer and its meaning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from controller.domain.errors import ControllerError
from controller.domain.webhook_bodies import Event, body_of
from controller.domain.webhooks import Verdict, Webhook, judge, reason_of
from controller.fleet.threads import Threads
from controller.services import Parcel, Postman, Receipt
from controller.vault import WebhookKeys, WebhookVault, signature


@dataclass(frozen=True, slots=True)
class Attempt:
    """How one attempt ended. No `status`: there was no answer."""

    verdict: Verdict
    reason: str = ""  # why it is no delivery
    wait: float = 0.0  # seconds that the receiver asked for
    status: int = 0
    text: str = ""  # the beginning of the answer, as it came: outside text


class WebhookSender:
    """Knows where each webhook leads, and signs what is sent there."""

    def __init__(
        self,
        vault: WebhookVault,
        threads: Threads,
        postman: Postman,
        clock: Callable[[], float],
    ) -> None:
        self._vault = vault
        self._threads = threads
        self._postman = postman
        self._clock = clock

    async def send(self, webhook: Webhook, event: Event) -> Attempt:
        """One attempt. Never raises for what a receiver or the secrets disk does."""
        try:
            keys = await self._threads.secrets(lambda: self._vault.read(webhook.id))
        except ControllerError as error:
            return Attempt(Verdict.AGAIN, f"its URL can't be read ({error.code})")
        answer = await self._postman.post(self._parcel(webhook, keys, event))
        if not isinstance(answer, Receipt):
            return Attempt(Verdict.AGAIN, answer.reason)
        verdict = judge(answer.status, webhook.format)
        reason = "" if verdict is Verdict.DELIVERED else reason_of(answer.status)
        return Attempt(verdict, reason, answer.wait, answer.status, answer.text)

    def _parcel(self, webhook: Webhook, keys: WebhookKeys, event: Event) -> Parcel:
        body = body_of(event, webhook.format)
        headers = {"Content-Type": body.type, **body.headers}
        if webhook.format.signed and keys.key:
            sent_at = int(self._clock())
            headers |= {
                "webhook-id": event.id,
                "webhook-timestamp": str(sent_at),
                "webhook-signature": signature(keys.key, event.id, sent_at, body.content),
            }
        return Parcel(keys.url, body.content, headers)
