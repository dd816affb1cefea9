"""Every operation for every kind of caller: who is let in follows from the table of acts alone."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from controller.api.operation import Operation
from controller.api.streams import SSE
from controller.api.table import OPERATIONS
from controller.domain.access import Grant, discord_user
from controller.domain.acts import Scope
from controller.domain.batches import Verb
from controller.domain.bot import Bot
from controller.domain.journal import Kind
from controller.domain.roles import Role
from controller.fleet.journal import Caller
from tests.api.client import Api, Reply, session_of, token_of
from tests.manager.rig import ANN_ASKS, Rig

ANY_KEY = {"whoAmI", "signOut"}  # about whoever asks, so they need no role
BODIES: Mapping[str, Any] = {
    "createBot": {"name": "made", "template": "plain"},
    "changeSettings": {"values": {}},
    "changeBot": {"model": "small"},
    "cloneBot": {"name": "another"},
    "renameBot": {"name": "another"},
    "updateBot": {"mark": "another"},
    "approveUpdates": {"mark": "another"},
    "rollBackBot": {"release": 9},
    "restoreSnapshot": {"snapshot": 9},
    "putSecrets": {"values": {"strange": "value"}},
    "compareSecrets": {"values": {"strange": "value"}},
    "runAction": {"values": {}},
    "giveGrant": {"kind": "user", "subject": "99", "role": "viewer"},
    "lookUpCode": {"code": "nobody's"},
    "signIn": {"code": "nobody's"},
    "createBackup": {"recipients": ["nobody's"]},
    "createToken": {"name": "made", "role": "viewer"},
    "addWebhook": {"name": "made", "url": "http://127.0.0.1:9/hook"},
    "replayWebhook": {"number": 1},
    "muteIncident": {},
    "giveAlert": {"kind": "user", "subject": "99"},
    "setOwnAlert": {},
    "removeOrphans": {"ids": ["volume/none"]},
    "addSchedule": {"chore": "stop", "at": "never"},
    **{f"{verb}Bots": {"bots": []} for verb in Verb},
}
OWN_PAGE = {"Sec-Fetch-Site": "same-origin"}


@dataclass(frozen=True)
class Asker:
    """Somebody with a role for all bots, for the bot that is asked about, or for another one."""

    role: Role
    scope: str  # all, this, other
    headers: Mapping[str, str]
    by_token: bool

    def may(self, operation: Operation[Any, Any]) -> bool:
        """What the table of acts says."""
        if operation.anonymous or operation.id in ANY_KEY:
            return True
        if operation.id == "createToken" and self.by_token:
            return False
        act = operation.act
        reached = {
            Scope.FLEET: self.scope == "all",
            Scope.BOT: self.scope in {"all", "this"},
            Scope.ANY: True,
        }[act.scope]
        return reached and self.role >= act.role


def path_of(operation: Operation[Any, Any], bot: Bot, number: int) -> str:
    """A path of the operation: to that bot; else to what doesn't exist."""
    values = {"bot": bot.name, "operation": str(number), "action": "status", "kind": "user"}
    values |= {"subject": "98", "token": "nothing", "session": "nothing", "webhook": "none"}
    values |= {"incident": "999"}
    values |= {"schedule": "97", "batch": "97"}
    return operation.path.format(**values)


async def ask(
    api: Api,
    operation: Operation[Any, Any],
    bot: Bot,
    headers: Mapping[str, str],
    number: int = 1,
) -> Reply:
    """Ask for it; an operation resource by its `number`."""
    body = BODIES.get(operation.id)
    sent = {"If-Match": "*", **headers}
    path = path_of(operation, bot, number)
    if operation.media == SSE:  # its head tells whether it was let in; it would go on for ever
        async with api.stream(path, token="", headers=sent) as reader:
            is_stream = reader.answer.content_type == SSE
            raw = b"" if is_stream else await reader.answer.read()
            return Reply(reader.answer.status, reader.answer.headers, raw)
    return await api.ask(operation.method, path, body, token="", headers=sent)


async def askers(rig: Rig, this: Bot, other: Bot) -> list[Asker]:
    """By token, narrowed to each; and signed in, with grants for each."""
    found: list[Asker] = []
    wanted = [(role, "all") for role in Role]
    wanted += [
        (role, scope) for role in (Role.VIEWER, Role.OPERATOR) for scope in ("this", "other")
    ]
    for number, (role, scope) in enumerate(wanted, 50):
        bots = {"all": (), "this": (this,), "other": (other,)}[scope]
        who = Caller(discord_user(number, f"user-{number}"))
        await rig.manager.access.grant(ANN_ASKS, Grant("user", number, Role.ADMIN))
        text = await token_of(rig, f"token-{number}", role or Role.ADMIN, *bots, caller=who)
        cookie = await session_of(rig, who)
        found.append(Asker(role, scope, {"Authorization": f"Bearer {text}"}, by_token=True))
        if role is Role.ADMIN:
            found.append(Asker(role, scope, {"Cookie": f"bm={cookie}", **OWN_PAGE}, by_token=False))
            continue
        # Another person: of a token's owner nothing more is taken than the token narrows.
        other_number = number + 100
        him = Caller(discord_user(other_number, f"user-{other_number}"))
        for bot in bots or (None,):
            granted = Grant("user", other_number, role or Role.VIEWER, bot.id if bot else "")
            await rig.manager.access.grant(ANN_ASKS, granted, bot)
        cookie = await session_of(rig, him)
        if role is Role.NONE:
            await rig.manager.access.revoke(ANN_ASKS, "user", other_number)
            await rig.manager.access.revoke(ANN_ASKS, "user", number)
        found.append(Asker(role, scope, {"Cookie": f"bm={cookie}", **OWN_PAGE}, by_token=False))
    return found


async def test_who_is_let_in_follows_from_the_table(rig: Rig, rich_api: Api) -> None:
    """Each operation, role, scope, by token and by session: 403 without the right, else not."""
    this, other = await rig.running("rich"), await rig.create()
    asking, wrong, refused = await askers(rig, this, other), [], 0
    number = (await rig.entries(Kind.ASKED, bot=this))[-1].seq  # Ann made it
    for operation in sorted(OPERATIONS, key=lambda one: one.id == "signOut"):
        for asker in asking:
            bot = this
            if operation.id == "deleteBot" and asker.may(operation):
                bot = await rig.create()
            answer = await ask(rich_api, operation, bot, asker.headers, number)
            let_in = answer.status not in {401, 403}
            if operation.anonymous and not asker.by_token:
                let_in = let_in or answer.code == "link-over"
            elif operation.anonymous:  # no page of ours sent it
                let_in = answer.code == "foreign-page"
            refused += not let_in
            if let_in is not asker.may(operation):
                wrong.append((operation.id, asker.role.word, asker.scope, answer.status))
    assert wrong == []
    assert refused > 200
    assert rig.view(this).bot.name == this.name


async def expired(rig: Rig) -> str:
    """A token that is over."""
    ident, secret = "0" * 12, "e" * 64
    made = await rig.manager.tokens.create(ANN_ASKS, "template", Role.ADMIN)
    over = replace(
        made.token,
        id=ident,
        name="over",
        hash=hashlib.sha256(secret.encode()).digest(),
        expires_at=time.time() - 1.0,
    )
    async with rig.store.transaction() as write:
        await write.add_token(over)
    await rig.manager.tokens.load()
    return f"bm_{ident}_{secret}"


async def revoked(rig: Rig) -> str:
    """A token that was revoked."""
    text = await token_of(rig, "ended")
    await rig.manager.tokens.revoke(ANN_ASKS, "ended")
    return text


async def test_what_comes_without_a_good_key_reaches_nothing(rig: Rig, rich_api: Api) -> None:
    """Each operation with no, a wrong, an expired and a revoked token, by a strange page, and under
    a strange name: refused with its own code, and nothing was asked of anybody."""
    bot = await rig.running("rich")
    bearer, cookie = "Authorization", f"bm={await session_of(rig, ANN_ASKS)}"
    tokens = {
        "not-signed-in": {},
        "token-wrong": {bearer: f"Bearer bm_{'0' * 12}_{'f' * 64}"},
        "token-expired": {bearer: f"Bearer {await expired(rig)}"},
        "token-revoked": {bearer: f"Bearer {await revoked(rig)}"},
        "session-over": {"Cookie": "bm=nobodys", **OWN_PAGE},
    }
    pages: list[dict[str, str]] = [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": rich_api.url.rpartition(":")[0] + ":1"},  # the right host, another port
        {"Origin": "null"},
    ]
    before, wrong = len(await rig.entries(Kind.ASKED, Kind.REFUSED)), []
    for operation in OPERATIONS:
        for code, headers in tokens.items():
            answer = await ask(rich_api, operation, bot, headers)
            wanted = code
            if operation.anonymous:
                wanted = "link-over" if code == "session-over" else "foreign-page"
            if answer.code != wanted or answer.status not in {401, 403}:
                wrong.append((operation.id, code, answer.status, answer.code))
        strange = [*pages, {}] if operation.changes else pages
        for page in strange:
            answer = await ask(rich_api, operation, bot, {"Cookie": cookie, **page})
            if (answer.status, answer.code) != (403, "foreign-page"):
                wrong.append((operation.id, str(page), answer.status, answer.code))
        named = {"Host": "evil.example", bearer: f"Bearer {rich_api.token}"}
        answer = await ask(rich_api, operation, bot, named)
        if (answer.status, answer.code) != (421, "wrong-host"):
            wrong.append((operation.id, "Host", answer.status, answer.code))
    assert wrong == []
    asked = await rig.entries(Kind.ASKED, Kind.REFUSED)
    assert len(asked) == before, [entry.data for entry in asked[: len(asked) - before]]
    assert rig.active(bot)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.id)
def test_every_operation_is_whole(operation: Operation[Any, Any]) -> None:
    """An act of the domain, a sentence, and a sample here where it takes a body."""
    assert operation.summary.endswith(".")
    assert operation.method in {"GET", "POST", "PUT", "PATCH", "DELETE"}
    assert (operation.id in BODIES) == bool(operation.body.model_fields)
    assert operation.changes or not operation.deed


def test_names_and_paths_are_used_once() -> None:
    """So a request leads to one operation, and a generated client has one method for it."""
    assert len({one.id for one in OPERATIONS}) == len(OPERATIONS)
    assert len({(one.method, one.path) for one in OPERATIONS}) == len(OPERATIONS)
