"""Turns the services' answers into verdicts: pure rules, one function per kind of check.

An answer is hostile text. Names from it are clipped and lose control characters; ids go into a
link only if they are numbers; an error code is shown only if it looks like one. Anything but a
clear yes or no is `unknown`: a service in trouble must not keep a good secret out.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any

from controller.domain.live import Verdict
from controller.services.door import Answer, Silence

Heard = Answer | Silence
NAME_MAX = 100
_ID = re.compile(r"[0-9]{1,20}")
_CODE = re.compile(r"[a-z0-9_]{1,40}")
_TELEGRAM_NAME = re.compile(r"[A-Za-z0-9_]{1,32}")

# Flags of a Discord application: the intent is on, with Discord's approval or without it.
MESSAGE_CONTENT = 1 << 18 | 1 << 19
# Add reactions, view channels, send messages, embed links, attach files, read message history,
# send messages in threads: what a bot needs to talk, and no moderation rights.
_RIGHTS = 1 << 6 | 1 << 10 | 1 << 11 | 1 << 14 | 1 << 15 | 1 << 16 | 1 << 38

_SLACK_REFUSALS = frozenset(
    {
        "access_denied",
        "account_inactive",
        "invalid_auth",
        "missing_scope",
        "no_permission",
        "not_allowed_token_type",
        "not_authed",
        "token_expired",
        "token_revoked",
    }
)


def unasked(service: str, reason: str) -> Verdict:
    """The verdict when the service couldn't be asked; `reason` ends the sentence."""
    return Verdict(
        "unknown", f"{service} couldn't be asked: {reason}. The value was stored unchecked."
    )


def one_line(text: object) -> str:
    """A service's text on one line: no control or invisible characters, at most 100 long.

    Empty if it isn't text.
    """
    if not isinstance(text, str):
        return ""
    # Categories C*: control, format (bidi, zero width), surrogates, private; Z*: all spaces.
    spaced = "".join(" " if unicodedata.category(sign)[0] in "CZ" else sign for sign in text[:1000])
    line = " ".join(spaced.split())
    return line if len(line) <= NAME_MAX else line[: NAME_MAX - 1] + "…"


def _refused(service: str, what: str) -> Verdict:
    return Verdict("refused", f"{service} doesn't accept it. {what}")


def _unclear(service: str, heard: Heard) -> Verdict:
    """The verdict for an answer that is neither a yes nor a no."""
    if isinstance(heard, Silence):
        return unasked(service, heard.reason)
    if heard.status == 429:
        return unasked(service, "too many requests right now (status 429)")
    if 300 <= heard.status < 400:
        return unasked(service, f"it answers with a redirect (status {heard.status})")
    if heard.status >= 500:
        return unasked(service, f"it has problems of its own (status {heard.status})")
    if heard.status == 403:
        return unasked(service, "it refuses this machine or this account (status 403)")
    return unasked(service, f"its answer makes no sense (status {heard.status})")


def _is_no(heard: Heard, *more: int) -> bool:
    if isinstance(heard, Silence):
        return False
    # A 403 is as often about a firewall, a country or a plan as about this value: not a clear no.
    return heard.status == 401 or (heard.status in more and not heard.page)


def _table(heard: Heard, key: str) -> Mapping[str, Any] | None:
    """The object under that key in a successful answer, or None."""
    if isinstance(heard, Silence) or heard.status != 200:
        return None
    found = heard.body.get(key)
    return found if isinstance(found, dict) else None


def _discord(heard: tuple[Heard, ...]) -> Verdict:
    user, application = heard
    if _is_no(user) or _is_no(application):
        where = "Get a new one: Developer Portal → your application → Bot → Reset Token."
        return _refused("Discord", where)
    body = user.body if isinstance(user, Answer) and user.status == 200 else {}
    if not isinstance(body.get("id"), str):
        return _unclear("Discord", user)
    name = one_line(body.get("username")) or "(unnamed)"
    return Verdict("accepted", f"Discord accepts it: the bot {name}.", _discord_notes(application))


def _discord_notes(heard: Heard) -> tuple[str, ...]:
    body = heard.body if isinstance(heard, Answer) and heard.status == 200 else {}
    notes = []
    flags = body.get("flags")
    if not isinstance(flags, int):
        notes.append("Discord didn't say whether the Message Content Intent is on.")
    elif not flags & MESSAGE_CONTENT:
        notes.append(
            "The Message Content Intent is off, so the bot can't read what people write. Turn it "
            "on: Developer Portal → your application → Bot → Message Content Intent."
        )
    if body.get("bot_require_code_grant") is True:
        notes.append(
            "The bot requires a code grant, so a link can't add it. Turn that off: "
            "Developer Portal → your application → Bot → Requires OAuth2 Code Grant."
        )
    application_id = body.get("id")
    if isinstance(application_id, str) and _ID.fullmatch(application_id):
        notes.append(
            "Add it to a server: https://discord.com/oauth2/authorize"
            f"?client_id={application_id}&scope=bot+applications.commands&permissions={_RIGHTS}"
        )
    return tuple(notes)


def _telegram(heard: tuple[Heard, ...]) -> Verdict:
    (answer,) = heard
    # 404: it doesn't even look like a token. A proxy says 404 too, but not in Telegram's words.
    if _is_no(answer, *((404,) if _says_no(answer) else ())):
        return _refused("Telegram", "Get it from @BotFather: send /token.")
    me = _table(answer, "result")
    if me is None or me.get("is_bot") is not True:
        return _unclear("Telegram", answer)
    notes = []
    if me.get("can_join_groups") is False:
        notes.append(
            "It can't be added to groups. To allow that, send /setjoingroups to @BotFather."
        )
    elif me.get("can_read_all_group_messages") is False:
        notes.append(
            "In groups it only sees commands and replies to its own messages. To change that, "
            "send /setprivacy to @BotFather."
        )
    handle = me.get("username")
    if isinstance(handle, str) and _TELEGRAM_NAME.fullmatch(handle):
        return Verdict("accepted", f"Telegram accepts it: the bot @{handle}.", tuple(notes))
    name = one_line(me.get("first_name")) or "(unnamed)"
    return Verdict("accepted", f"Telegram accepts it: the bot {name}.", tuple(notes))


def _says_no(heard: Heard) -> bool:
    return isinstance(heard, Answer) and heard.body.get("ok") is False


def _slack(answer: Heard, what: str) -> Verdict | None:
    """The verdict, or None for a yes. Slack says no with status 200 and an error code."""
    if _is_no(answer):
        return _refused("Slack", what)
    if isinstance(answer, Silence) or answer.status != 200 or "ok" not in answer.body:
        return _unclear("Slack", answer)
    if answer.body["ok"] is True:
        return None
    code = answer.body.get("error")
    if not isinstance(code, str) or not _CODE.fullmatch(code):
        return _unclear("Slack", answer)
    if code in _SLACK_REFUSALS:
        return Verdict("refused", f"Slack doesn't accept it ({code}). {what}")
    return unasked("Slack", f"it answered {code}")


def _slack_bot(heard: tuple[Heard, ...]) -> Verdict:
    (answer,) = heard
    what = "Find the Bot User OAuth Token in your app → OAuth & Permissions. It begins with xoxb-."
    verdict = _slack(answer, what)
    if verdict is not None or isinstance(answer, Silence):
        return verdict or _unclear("Slack", answer)
    user, team = one_line(answer.body.get("user")), one_line(answer.body.get("team"))
    notes = () if answer.body.get("bot_id") else (f"It's a person's token, not a bot's. {what}",)
    who = f"{user or '(unnamed)'} in {team or 'an unnamed workspace'}"
    return Verdict("accepted", f"Slack accepts it: {who}.", notes)


def _slack_app(heard: tuple[Heard, ...]) -> Verdict:
    (answer,) = heard
    what = (
        "Find the app-level token in your app → Basic Information → App-Level Tokens. It begins "
        "with xapp- and needs the scope connections:write, and Socket Mode must be on."
    )
    return _slack(answer, what) or Verdict("accepted", "Slack accepts it: Socket Mode works.")


def _anthropic(heard: tuple[Heard, ...]) -> Verdict:
    return _models("Anthropic", heard, "Create a key in its console, under API keys.")


def _openai(heard: tuple[Heard, ...]) -> Verdict:
    (answer,) = heard
    error = answer.body.get("error") if isinstance(answer, Answer) else None
    if isinstance(answer, Answer) and answer.status in (401, 403) and isinstance(error, dict):
        # OpenAI knows the key but won't let it list models; it may well do for the bot.
        if "missing scopes" in one_line(error.get("message")).lower():
            return Verdict(
                "accepted",
                "OpenAI accepts it: a restricted key.",
                ("It can't list models. Make sure that it may send requests to them.",),
            )
        if error.get("code") == "unsupported_country_region_territory":
            return unasked("OpenAI", "it doesn't serve the country this machine is in")
    return _models("OpenAI", heard, "Create a key on its platform, under API keys.")


def _models(service: str, heard: tuple[Heard, ...], what: str) -> Verdict:
    (answer,) = heard
    if _is_no(answer):
        return _refused(service, what)
    if isinstance(answer, Silence) or answer.status != 200:
        return _unclear(service, answer)
    if not isinstance(answer.body.get("data"), list):
        return _unclear(service, answer)
    return Verdict("accepted", f"{service} accepts it.")


def _openrouter(heard: tuple[Heard, ...]) -> Verdict:
    (answer,) = heard
    if _is_no(answer):
        return _refused("OpenRouter", "Create a key in its settings, under Keys.")
    key = _table(answer, "data")
    if key is None:
        return _unclear("OpenRouter", answer)
    # Its `label` isn't shown: it repeats both ends of the key.
    left = key.get("limit_remaining")
    spent = isinstance(left, int | float) and left <= 0
    notes = ("The key's credit limit is used up. Raise it in OpenRouter's settings.",)
    return Verdict("accepted", "OpenRouter accepts it.", notes if spent else ())


VERDICTS: Mapping[str, Callable[[tuple[Heard, ...]], Verdict]] = {
    "discord": _discord,
    "telegram": _telegram,
    "slack-bot": _slack_bot,
    "slack-app": _slack_app,
    "anthropic": _anthropic,
    "openai": _openai,
    "openrouter": _openrouter,
}
