"""What each service is asked: the cheapest request that only works with a good secret.

Paths, headers and answers come from the services' public documentation (2026); they were never
tried on the real services. No request changes anything: `apps.connections.open` creates a ticket
for a websocket that nobody opens.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from controller.services.door import Question

# Discord refuses clients whose User-Agent doesn't have this form.
_AGENT = {"User-Agent": "DiscordBot (https://botmaker.invalid, 1)"}


@dataclass(frozen=True, slots=True)
class Service:
    """One service: its name, its URL, and its path under a URL that stands in for all services."""

    title: str
    root: str
    prefix: str


_SLACK = Service("Slack", "https://slack.com", "slack")
SERVICES: dict[str, Service] = {
    "discord": Service("Discord", "https://discord.com", "discord"),
    "telegram": Service("Telegram", "https://api.telegram.org", "telegram"),
    "slack-bot": _SLACK,
    "slack-app": _SLACK,
    "anthropic": Service("Anthropic", "https://api.anthropic.com", "anthropic"),
    "openai": Service("OpenAI", "https://api.openai.com", "openai"),
    "openrouter": Service("OpenRouter", "https://openrouter.ai", "openrouter"),
}


def questions(kind: str, value: str, base: str) -> tuple[Question, ...]:
    """The requests for one secret, to be sent together; `base` replaces the real service's URL."""
    service = SERVICES[kind]
    root = f"{base}/{service.prefix}" if base else service.root
    bearer = {"Authorization": f"Bearer {value}"}
    match kind:
        case "discord":
            headers = {"Authorization": f"Bot {value}", **_AGENT}
            paths = ("/api/v10/users/@me", "/api/v10/applications/@me")
            return tuple(Question(root + path, headers) for path in paths)
        case "telegram":
            return (Question(f"{root}/bot{quote(value, safe=':')}/getMe", {}),)
        case "slack-bot":
            return (Question(f"{root}/api/auth.test", bearer, "POST"),)
        case "slack-app":
            return (Question(f"{root}/api/apps.connections.open", bearer, "POST"),)
        case "anthropic":
            headers = {"x-api-key": value, "anthropic-version": "2023-06-01"}
            return (Question(f"{root}/v1/models?limit=1", headers),)
        case "openai":
            return (Question(f"{root}/v1/models", bearer),)
        case _:
            return (Question(f"{root}/api/v1/key", bearer),)
