"""Every act that Discord, HTTP and the console all have: asked in each way, it leaves the same
entries but for who asked, and how. Next door: test_three_ways.py has a bot's whole life."""

from __future__ import annotations

import asyncio
import io
import itertools
import json
import tarfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pyrage
import pytest

from controller.api.table import OPERATIONS
from controller.backups import Locks
from controller.chat.requests.ways import WAYS
from controller.domain.access import Grant
from controller.domain.batches import Verb
from controller.domain.bot import Bot
from controller.domain.journal import Entry, Kind
from controller.domain.names import new_bot_id
from controller.domain.phase import Phase
from controller.domain.roles import Role
from controller.manager.backups import Plan
from controller.manager.lifecycle import Order
from controller.manager.schedules import ScheduleOrder
from demo.world import World
from tests.api.client import Api, serving, session_of
from tests.chat.acting import VALUES, as_admin, fill, make, newcomer, picks, said, until_phase
from tests.cli.socketed import botmaker

OWN_PAGE = {"Sec-Fetch-Site": "same-origin"}
# How it came, ids and moments.
AT_RANDOM = {"source", "token", "until", "file", "size", "schedule", "batch"}
# What only people at a screen do: an action answers at once, a session is a browser's, and an
# incident's message has buttons.
NOT_AT_THE_CONSOLE = {
    *("bot.do", "access.web", "access.sessions", "fleet.alerts.me"),
    *("incident.acknowledge", "incident.mute"),
}
LOST = new_bot_id()  # a bot whose secrets were left over
BEGINS_OTHERS = {"fleet.updates"}  # whose entries come while the next is asked for


@dataclass
class Asking:
    """One way of asking, in one world."""

    world: World
    way: str
    name: str = ""  # of the bot, or of the token
    guest: Any = None
    api: Api | None = None
    cookie: str = ""
    typed: list[str] = field(default_factory=list)

    async def chat(self, command: str, **options: object) -> Any:
        """A command in the admin channel; its answer must say that it was done."""
        answer = await self.world.admin.slash(self.world.channel, command, **options)
        assert "❌" not in said(answer), said(answer)
        return answer

    async def http(self, method: str, path: str, body: Any = None) -> None:
        """A request, waited for to its end."""
        assert self.api is not None
        headers = {"Prefer": "wait=20", "If-Match": "*", "Cookie": f"bm={self.cookie}", **OWN_PAGE}
        answer = await self.api.ask(method, path, body, token="", headers=headers)
        assert answer.status in {200, 201, 204}, answer.raw

    async def console(self, *words: str, text: str = "") -> None:
        """The console script, with a fleet's file where there is a text for it."""
        folder = self.world.application.settings.data_dir.parent
        file = folder / "fleet.toml"
        file.write_text(f'fleet = "f"\n{text}')
        for secret, value in VALUES.items():
            (folder / secret).write_text(value)
        ended = await botmaker(folder, *words, *([str(file)] if text else []))
        assert ended.status == 0, ended

    async def ask(self, chat: Any, http: tuple[Any, ...], console: tuple[Any, ...]) -> None:
        """Ask in this way."""
        if self.way == "chat":
            await chat()
        elif self.way == "http":
            await self.http(*http)
        else:
            text = console[-1] if len(console) > 1 and "[" in console[-1] else ""
            await self.console(*(console[:-1] if text else console), text=text)

    async def made(self, template: str = "echo") -> Bot:
        """A bot that waits for its secrets."""
        lifecycle = self.world.application.manager.lifecycle
        return await lifecycle.create(
            as_admin(self.world), Order(name=self.name, template=template)
        )

    async def runs(self, template: str = "echo") -> Bot:
        """A bot that runs."""
        bot = await self.made(template)
        values = VALUES if template == "echo" else {"api_key": VALUES["api_key"]}
        await self.world.application.manager.credentials.put(as_admin(self.world), bot, values)
        await until_phase(self.world, self.name, Phase.RUNNING)
        return bot


Doing = Callable[[Asking], Awaitable[Callable[[], Awaitable[None]]]]


def table(name: str, template: str = "echo", **more: str) -> str:
    rows = "".join(f"{key} = {value}\n" for key, value in more.items())
    return f'[bots.{name}]\ntemplate = "{template}"\n{rows}'


async def create(a: Asking) -> Callable[[], Awaitable[None]]:
    order = {"name": a.name, "template": "echo"}
    return lambda: a.ask(
        lambda: make(a.world, a.name), ("POST", "/bots", order), ("create", table(a.name))
    )


async def secrets(a: Asking) -> Callable[[], Awaitable[None]]:
    if a.way == "chat":
        await a.chat("bot create", name=a.name, template="echo")
        await until_phase(a.world, a.name, Phase.CREATED)
    else:
        await a.made()
    given = "{ " + ", ".join(f'{one} = {{ file = "{one}" }}' for one in VALUES) + " }"
    return lambda: a.ask(
        lambda: fill(a.world),
        ("PUT", f"/bots/{a.name}/secrets", {"values": VALUES}),
        ("apply", table(a.name, secrets=given)),
    )


async def edit(a: Asking) -> Callable[[], Awaitable[None]]:
    await a.runs("handy")

    async def by_form() -> None:
        shown = await a.world.admin.slash(a.world.channel, "bot edit", name=a.name)
        await a.world.admin.submit_modal(shown, {"tone": ["curt"], "greeting": "Hello"})

    return lambda: a.ask(
        by_form,
        (
            *("PATCH", f"/bots/{a.name}/settings"),
            {"values": {"tone": "curt", "greeting": "Hello"}},
        ),
        ("apply", table(a.name, "handy", settings='{ tone = "curt", greeting = "Hello" }')),
    )


async def clone(a: Asking) -> Callable[[], Awaitable[None]]:
    await a.made()
    copy = f"{a.name}-b"
    return lambda: a.ask(
        lambda: a.chat("bot clone", name=a.name, new_name=copy),
        ("POST", f"/bots/{a.name}/clone", {"name": copy}),
        ("clone", a.name, copy),
    )


async def rename(a: Asking) -> Callable[[], Awaitable[None]]:
    await a.made()
    other = f"{a.name}-b"
    return lambda: a.ask(
        lambda: a.chat("bot rename", name=a.name, new_name=other),
        ("POST", f"/bots/{a.name}/rename", {"name": other}),
        ("rename", a.name, other),
    )


async def update(a: Asking) -> Callable[[], Awaitable[None]]:
    bot, tools = await a.runs(), a.world.application.installation.tools
    template = tools.blueprints.template(bot)
    former = template.model_copy(update={"description": "As it was."}).text
    await tools.wishes.change(bot.id, lambda now: replace(now, held=former))

    async def by_button() -> None:
        shown = await a.world.admin.slash(a.world.channel, "bot update", name=a.name)
        await a.world.admin.click(shown.response, label=f"Update {a.name}")

    return lambda: a.ask(
        by_button, ("POST", f"/bots/{a.name}/update", {}), ("update", a.name, "--yes")
    )


async def rollback(a: Asking) -> Callable[[], Awaitable[None]]:
    bot = await a.runs("handy")
    edits = a.world.application.manager.edits
    await edits.submit(as_admin(a.world), bot, ["tone"], {"tone": "curt"})
    await until_phase(a.world, a.name, Phase.RUNNING)
    return lambda: a.ask(
        lambda: a.chat("bot rollback", name=a.name, release="1"),
        ("POST", f"/bots/{a.name}/rollback", {"release": 1}),
        ("rollback", a.name, "--release", "1"),
    )


async def restore(a: Asking) -> Callable[[], Awaitable[None]]:
    bot = await a.runs("handy")
    empty = io.BytesIO()
    with tarfile.open(fileobj=empty, mode="w") as made:
        top = tarfile.TarInfo("./")
        top.type = tarfile.DIRTYPE
        made.addfile(top)
    archive = a.world.application.installation.tools.snapshots.begin(bot.id, "update", 1, 1 << 20)
    archive.write(empty.getvalue())
    archive.finish()

    async def by_button() -> None:
        listed = await a.chat("bot snapshots", name=a.name)
        assert listed.response is not None
        (value,) = picks(listed.response).values()
        where = {"values": [value], "custom_id": f"pick:{bot.id}"}
        asked = await a.world.admin.select(listed.response, **where)
        await a.world.admin.click(asked.response, label=f"Restore {a.name}")

    return lambda: a.ask(
        by_button,
        ("POST", f"/bots/{a.name}/snapshots", {"snapshot": 1}),
        ("snapshots", a.name, "--restore", "1"),
    )


def power(verb: str) -> Doing:
    async def prepared(a: Asking) -> Callable[[], Awaitable[None]]:
        bot = await a.runs()
        if verb == "start":
            await a.world.application.manager.lifecycle.stop(as_admin(a.world), bot)
        return lambda: a.ask(
            lambda: a.chat(f"bot {verb}", name=a.name),
            ("POST", f"/bots/{a.name}/{verb}"),
            (verb, a.name, "--wait"),
        )

    return prepared


async def delete(a: Asking) -> Callable[[], Awaitable[None]]:
    await a.runs()

    async def by_button() -> None:
        asked = await a.chat("bot delete", name=a.name)
        await a.world.admin.click(asked.response, label=f"Delete {a.name}")

    return lambda: a.ask(by_button, ("DELETE", f"/bots/{a.name}"), ("delete", a.name, "--yes"))


async def grant(a: Asking) -> Callable[[], Awaitable[None]]:
    await a.made()
    given = {"kind": "user", "subject": str(a.guest.id), "role": "viewer", "bot": a.name}
    rows = f'[[grants]]\nuser = "{a.guest.id}"\nrole = "viewer"\nbot = "{a.name}"\n'
    return lambda: a.ask(
        lambda: a.chat("access grant", who=a.guest, role="viewer", bot=a.name),
        ("POST", "/access/grants", given),
        ("apply", rows),
    )


async def revoke(a: Asking) -> Callable[[], Awaitable[None]]:
    bot = await a.made()
    given = Grant("user", a.guest.id, Role.VIEWER, bot.id, "file:f")
    await a.world.application.manager.access.grant(as_admin(a.world), given, bot)
    return lambda: a.ask(
        lambda: a.chat("access revoke", who=a.guest, bot=a.name),
        ("DELETE", f"/access/grants/user/{a.guest.id}?bot={a.name}"),
        ("apply", "--prune", "--yes", table(a.name)),
    )


async def token_create(a: Asking) -> Callable[[], Awaitable[None]]:
    order = {"name": a.name, "role": "viewer", "days": 7}
    return lambda: a.ask(
        lambda: a.chat("access token create", name=a.name, role="viewer", days=7),
        ("POST", "/tokens", order),
        ("token", "create", a.name, "--role", "viewer", "--days", "7"),
    )


async def token_revoke(a: Asking) -> Callable[[], Awaitable[None]]:
    tokens = a.world.application.manager.tokens
    await tokens.create(as_admin(a.world), a.name, Role.VIEWER)
    return lambda: a.ask(
        lambda: a.chat("access token revoke", name=a.name),
        ("DELETE", f"/tokens/{a.name}"),
        ("token", "revoke", a.name),
    )


async def backup(a: Asking) -> Callable[[], Awaitable[None]]:
    folder = a.world.application.settings.data_dir.parent / "backups"
    folder.mkdir(exist_ok=True)
    locks = Locks((str(pyrage.x25519.Identity.generate().to_public()),))
    a.world.application.manager.backups.plan = Plan(folder=folder, locks=locks)
    return lambda: a.ask(lambda: a.chat("fleet backup"), ("POST", "/backups", {}), ("backup",))


async def alerts_give(a: Asking) -> Callable[[], Awaitable[None]]:
    await a.made()
    order = {"kind": "user", "subject": str(a.guest.id), "bot": a.name}
    return lambda: a.ask(
        lambda: a.chat("fleet alerts give", who=a.guest, bot=a.name),
        ("POST", "/alerts", order),
        ("alerts", "give", "user", str(a.guest.id), "--bot", a.name),
    )


async def orphans_remove(a: Asking) -> Callable[[], Awaitable[None]]:
    folder = a.world.application.settings.secrets_dir / LOST
    folder.mkdir(parents=True)
    (orphan,) = await a.world.application.manager.orphans.find(as_admin(a.world))

    async def by_button() -> None:
        listed = await a.chat("fleet orphans")
        await a.world.admin.click(listed.response, label="Remove it")

    return lambda: a.ask(
        by_button,
        ("POST", "/fleet/orphans/remove", {"ids": [orphan.key]}),
        ("orphans", "--remove", "--yes"),
    )


async def schedule_add(a: Asking) -> Callable[[], Awaitable[None]]:
    await a.made()
    order = {"chore": "restart", "at": "daily 4:30", "zone": "Europe/Berlin"}
    return lambda: a.ask(
        lambda: a.chat(
            "bot schedule add", name=a.name, what="restart", at="daily 4:30", zone="europe/berlin"
        ),
        ("POST", f"/bots/{a.name}/schedules", order),
        ("schedule", "add", a.name, "restart", "daily 4:30", "--zone", "Europe/Berlin"),
    )


def schedule_change(verb: str) -> Doing:
    async def prepared(a: Asking) -> Callable[[], Awaitable[None]]:
        bot, schedules = await a.made(), a.world.application.manager.schedules
        order = ScheduleOrder("restart", "daily 4:30")
        number = (await schedules.add(as_admin(a.world), bot, order)).id
        path = f"/bots/{a.name}/schedules/{number}"
        http = ("DELETE", path) if verb == "remove" else ("POST", f"{path}/{verb}")
        return lambda: a.ask(
            lambda: a.chat(f"bot schedule {verb}", name=a.name, schedule=str(number)),
            http,
            ("schedule", verb, a.name, str(number)),
        )

    return prepared


def many(verb: str) -> Doing:
    async def prepared(a: Asking) -> Callable[[], Awaitable[None]]:
        bot = await a.runs()
        if verb == "start":
            await a.world.application.manager.lifecycle.stop(as_admin(a.world), bot)

        async def by_button() -> None:
            asked = await a.chat(f"fleet {verb}", name=a.name)
            await a.world.admin.click(asked.response, label=f"{verb.capitalize()} 1 bot")

        async def to_the_end() -> None:
            await a.ask(
                by_button,
                ("POST", f"/fleet/{verb}", {"bots": [a.name]}),
                ("fleet", verb, a.name, "--yes"),
            )
            store = a.world.application.installation.tools.store
            while await store.running_batches():
                await asyncio.sleep(0.01)

        return to_the_end

    return prepared


DOINGS: dict[str, Doing] = {
    "bot.create": create,
    "bot.secrets": secrets,
    "bot.edit": edit,
    "bot.clone": clone,
    "bot.rename": rename,
    "bot.update": update,
    "bot.rollback": rollback,
    "bot.restore": restore,
    "bot.start": power("start"),
    "bot.stop": power("stop"),
    "bot.restart": power("restart"),
    "bot.delete": delete,
    "bot.schedule.add": schedule_add,
    "bot.schedule.pause": schedule_change("pause"),
    "bot.schedule.resume": schedule_change("resume"),
    "bot.schedule.remove": schedule_change("remove"),
    "fleet.start": many("start"),
    "fleet.stop": many("stop"),
    "fleet.restart": many("restart"),
    "fleet.update": many("update"),
    "fleet.backup": backup,
    "fleet.alerts.give": alerts_give,
    "fleet.orphans.remove": orphans_remove,
    "access.grant": grant,
    "access.revoke": revoke,
    "access.token.create": token_create,
    "access.token.revoke": token_revoke,
}


def test_every_act_that_all_three_have_is_here() -> None:
    """As the tables of commands and of operations have them."""
    by_http = {operation.act.id for operation in OPERATIONS if operation.changes}
    by_chat = {way.act.id for way in WAYS.values()}
    assert by_http & by_chat - NOT_AT_THE_CONSOLE - BEGINS_OTHERS == set(DOINGS)


async def left_by(world: World, doing: Callable[[], Awaitable[None]]) -> list[Entry]:
    """What the doing leaves in the journal: the request, and all that it caused."""
    store = world.application.installation.tools.store
    before = (await store.entries(kinds=tuple(Kind), limit=1))[0].seq
    await doing()
    await world.env.settle()
    entries = await store.entries(kinds=tuple(Kind), limit=200)
    new = [entry for entry in reversed(entries) if entry.seq > before]
    asked = {entry.seq for entry in new if entry.kind is Kind.ASKED}
    return [entry for entry in new if entry.seq in asked or entry.author.cause in asked]


def told(entries: list[Entry], name: str) -> list[str]:
    """The entries as text, without when, who and how; the bot or token is called N."""
    found = []
    for entry in entries:
        data = {key: value for key, value in entry.data.items() if key not in AT_RANDOM}
        text = f"{entry.kind} {entry.bot_name} {json.dumps(data, sort_keys=True)}"
        found.append(text.replace(name, "N"))
    return found


@pytest.mark.parametrize("act", DOINGS)
async def test_an_act_leaves_the_same_entries_in_every_way(world: World, act: str) -> None:
    """The request, what it changed, how it ended; and the principal is whoever asked."""
    guest, numbers = newcomer(world, "guest"), itertools.count()
    cookie = await session_of(world.application, as_admin(world))
    left: dict[str, list[Entry]] = {}
    names: dict[str, str] = {}
    async with serving(world.application, owner=as_admin(world)) as api:
        for way in ("chat", "http", "console"):
            names[way] = f"thing{next(numbers)}"
            asking = Asking(world, way, names[way], guest, api, cookie)
            left[way] = await left_by(world, await DOINGS[act](asking))
    words = {way: told(entries, names[way]) for way, entries in left.items()}
    assert len(words["chat"]) >= 2
    assert words["http"] == words["chat"]
    assert words["console"] == words["chat"]
    # An act on many is a request for each of its bots as well.
    of_each = [verb.of_one.id for verb in Verb if verb.act.id == act]
    asked = [entry.data["act"] for entry in left["chat"] if entry.kind is Kind.ASKED]
    assert asked == [act, *of_each]
    kinds = {way: {one.author.principal.kind for one in rows} for way, rows in left.items()}
    assert kinds == {"chat": {"user"}, "http": {"user"}, "console": {"console"}}
