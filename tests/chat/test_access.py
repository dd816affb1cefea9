"""Who may do what: the whole table, generated from what is registered and from the acts."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import discord
import pytest
from discord import app_commands
from simcord.actors import MemberActor
from simcord.builders import ChannelHandle
from simcord.results import InteractionResult

from controller.chat.requests.ways import ELSEWHERE, WAYS
from controller.domain.acts import ACTS, Scope
from controller.domain.roles import Role
from controller.store import Form
from demo.world import World
from tests.chat.acting import (
    COMMAND,
    COMPONENT,
    MODAL_SUBMIT,
    Message,
    filled,
    forge,
    invoked,
    newcomer,
    press,
    ready_bot,
    said,
)

REFUSED = re.compile(
    r"^❌[^\n]*(?:needs the role|used in its admin channel only|does not work in a direct message"
    r"|serves another server|isn't available)"
)
NEEDS = re.compile(r"needs the role (viewer|operator|admin); (you are \w+|you have no role here)\.")


def registered(world: World) -> Iterator[str]:
    """The name of every command in the client's tree."""
    tree = world.application.client.tree
    for command in tree.get_commands(guild=discord.Object(world.guild.id)):
        found = command.walk_commands() if isinstance(command, app_commands.Group) else [command]
        for leaf in found:
            if not isinstance(leaf, app_commands.Group):
                yield leaf.qualified_name


async def test_every_command_and_button_is_a_way_to_an_act_and_every_way_exists(
    world: World,
) -> None:
    """What is registered without a way, and a way for nothing, are both mistakes."""
    ways = {*registered(world), *world.application.client.router.handlers}
    assert ways == set(WAYS)
    assert {way.act.id for way in WAYS.values()} == set(ACTS) - {act.id for act in ELSEWHERE}
    assert len(ELSEWHERE) == 8


async def test_only_what_begins_with_a_direct_message_works_there() -> None:
    """Entering secrets, and the settings that its receipt offers. Everything else belongs into the
    admin channel, where others see it."""
    direct = {name for name, way in WAYS.items() if way.direct}
    assert direct == {"button form", "modal form", "button edit", "modal edit"}


@dataclass(frozen=True)
class Scene:
    """Who acts on which bot from where, and what the outcome must be."""

    title: str
    role: Role = Role.NONE  # for all bots
    own: Role = Role.NONE  # for the one bot `shop`
    place: str = "admin channel"
    bot: str = "shop"

    def refusal(self, act: str) -> str:
        """The words of the refusal that the rules demand; empty where it is allowed."""
        way = WAYS[act]
        if self.place == "direct" and not way.direct:
            return "This does not work in a direct message."
        if self.place == "other channel":
            return "BotMaker is used in its admin channel only."
        if self.place == "other server":
            return "BotMaker serves another server."
        named = not act.startswith(("fleet", "access", "help")) and act not in {
            "bot create",
            *("button status", "button doctor"),
            *("bot list", "button list", "button relist", "button listfile"),
            "button form",
            "modal form",
            "button everyone",
            "button fleetpast",
            *("button create", "button choose", "button make"),
            "modal create",
        }
        has = max(self.role, self.own if named and self.bot == "shop" else Role.NONE)
        if way.act.scope is Scope.ANY:
            has = max(has, self.own)
        return "" if has >= way.act.role else f"needs the role {way.act.role.word}"


SCENES = [
    Scene("no role"),
    Scene("viewer", Role.VIEWER),
    Scene("operator", Role.OPERATOR),
    Scene("admin", Role.ADMIN),
    Scene("admin in another channel", Role.ADMIN, place="other channel"),
    Scene("admin in a direct message", Role.ADMIN, place="direct"),
    Scene("operator in a direct message", Role.OPERATOR, place="direct"),
    Scene("admin in another server", Role.ADMIN, place="other server"),
    Scene("viewer of that bot", own=Role.VIEWER),
    Scene("operator of that bot", own=Role.OPERATOR),
    Scene("operator of another bot", own=Role.OPERATOR, bot="other"),
    Scene("viewer, and operator of that bot", Role.VIEWER, Role.OPERATOR),
]


class Stage:
    """Everything that an act needs so that it does no harm where it is allowed."""

    def __init__(self, world: World, scene: Scene, person: MemberActor, place: ChannelHandle):
        self.world, self.scene, self.person, self.place = world, scene, person, place
        self.bot = world.application.installation.tools.fleet.named(scene.bot).bot
        self.form = ""
        self.scrap: Message | None = None  # what a pressed button stands under

    async def prepare(self) -> None:
        """A form of the person's own, and a message that may be edited."""
        form = Form("0123456789abcdef", self.bot.id, self.person.id, True, time.time() + 600)
        async with self.world.application.installation.tools.store.transaction() as write:
            await write.add_form(form)
        self.form = form.id
        if self.place.guild is None:
            self.scrap = await self.person.user.send_dm("scrap")
        else:
            self.scrap = await self.person.send(self.place, "scrap")

    def command(self, act: str) -> dict[str, Any]:
        """The data of a command, with options that do no harm."""
        who = {"name": "who", "type": 9, "value": str(self.person.id)}
        name = {"name": "name", "type": 3, "value": self.bot.name}
        group = act.split(maxsplit=1)[0]
        options: list[dict[str, Any]] = []
        if act == "fleet alerts give":
            options = [who]
        elif act == "bot create":
            echo = {"name": "template", "type": 3, "value": "echo"}
            options = [{**name, "value": "A Bad Name"}, echo]
        elif act == "bot do":
            options = [name, {"name": "action", "type": 3, "value": "nosuch"}]
        elif act.startswith("bot schedule"):
            texts = {"add": {"what": "stop", "at": "never"}, "list": {}}
            more = texts.get(act.rsplit(maxsplit=1)[-1], {"schedule": "77"})
            options = [name, *({"name": k, "type": 3, "value": v} for k, v in more.items())]
        elif act in {"bot clone", "bot rename"}:
            options = [name, {"name": "new_name", "type": 3, "value": "A Bad Name"}]
        elif group == "bot" and act != "bot list":
            options = [name]
        elif act.startswith("access token"):
            role = {"name": "role", "type": 3, "value": "viewer"}
            options = {"create": [{**name, "value": "A Bad Name"}, role], "revoke": [name]}.get(
                act.rsplit(maxsplit=1)[-1], []
            )
        elif act in {"access grant", "access revoke", "access test"}:
            options = [who, {"name": "bot", "type": 3, "value": "nosuch"}]
            if act == "access grant":
                options.insert(1, {"name": "role", "type": 3, "value": "viewer"})
        data = invoked(self.world, act, options)
        if group == "access" or who in options:
            user = {"id": str(self.person.id), "username": "x", "discriminator": "0"}
            member = {"roles": [], "joined_at": "2026-01-01T00:00:00+00:00", "flags": 0}
            member |= {"deaf": False, "mute": False, "permissions": "0"}
            data["resolved"] = {
                "users": {user["id"]: {**user, "avatar": None, "global_name": None}},
                "members": {user["id"]: member},
            }
        return data

    def press_of(self, act: str) -> dict[str, Any]:
        """The data of a press or a submit."""
        kind, action = act.split()
        if kind == "modal":
            target = f"{self.form}:0" if action == "form" else f"{self.bot.id}:nosuch"
            return filled(f"{action}:{target}", {})
        more = {"older": ":1000.5:50:both:", "refresh": ":0:50:both:", "file": ":0:50:both:"}
        more |= {"rollback": ":nosuch", "preset": ":nosuch"}
        more |= {"past": ":b5:-:", "fleetpast": ":b5:-:"}
        more |= {"delete": ":1", "everyone": ":1", "edit": ":nosuch"}  # long expired; no page
        target = f"{self.form}:0" if action == "form" else self.bot.id + more.get(action, "")
        if action in {"list", "relist", "listfile"}:  # about no single bot
            target = "0:-:-:"
        return press(f"{action}:{target}")

    async def act(self, act: str) -> str:
        """Do it; the words of the answer, or "modal"."""
        if act.startswith("button"):
            kind, data, message = COMPONENT, self.press_of(act), self.scrap
        elif act.startswith("modal"):
            kind, data, message = MODAL_SUBMIT, self.press_of(act), None
        else:
            kind, data, message = COMMAND, self.command(act), None
        result = forge(self.world, self.person, self.place, kind, data, message)
        await self.world.env.settle(idle=0.002)
        return words(result)


def words(result: InteractionResult) -> str:
    """What an answer says; it must be there."""
    if result.modal is not None:
        return "modal"
    assert result.response is not None, "no answer"
    return result.response.content


async def staged(world: World, scene: Scene) -> Stage:
    """A person with the scene's roles in the scene's place."""
    await ready_bot(world, "shop")
    await ready_bot(world, "other")
    role = world.guild.create_role("crew")
    person = newcomer(world, "bob", role)
    for given, options in ((scene.role, {}), (scene.own, {"bot": "shop"})):
        if given:
            await world.admin.slash(
                world.channel, "access grant", who=role, role=given.word, **options
            )
    place = world.channel
    if scene.place == "other channel":
        place = world.guild.create_text_channel("elsewhere")
    if scene.place == "other server":
        other = world.env.create_guild("Elsewhere")
        place = other.create_text_channel("bot-admin")
        person = other.add_member(person.user)
    stage = Stage(world, scene, person, place)
    if scene.place == "direct":
        stage.place = person.user.dm_channel
    await stage.prepare()
    return stage


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.title)
async def test_the_table_holds_for(world: World, scene: Scene) -> None:
    """Every command, button and form is allowed or refused as the rules say, and says why."""
    stage = await staged(world, scene)
    wrong = []
    for act in sorted(WAYS):
        text = await stage.act(act)
        expected = scene.refusal(act)
        if "inside BotMaker" in text or (
            expected not in text if expected else REFUSED.search(text)
        ):
            wrong.append((act, expected or "allowed", text))
    assert wrong == []


async def test_a_refusal_is_private_and_names_the_role_and_the_way_to_it(world: World) -> None:
    """Somebody without a role reads what is needed and who can give it."""
    stage = await staged(world, Scene("viewer", Role.VIEWER))
    for act in ("bot stop", "button stop", "bot create"):
        result = forge(
            world,
            stage.person,
            stage.place,
            COMPONENT if act.startswith("button") else COMMAND,
            stage.press_of(act) if act.startswith("button") else stage.command(act),
            stage.scrap if act.startswith("button") else None,
        )
        await world.env.settle(idle=0.002)
        text = said(result)
        assert NEEDS.search(text), text
        assert "An admin can give it with /access grant." in text


async def test_what_was_refused_changed_nothing_and_is_in_the_history(world: World) -> None:
    """A stop without the role leaves the bot running, and admins can read who tried."""
    stage = await staged(world, Scene("no role"))
    await stage.act("bot stop")
    await stage.act("button stop")
    assert world.application.installation.tools.fleet.named("shop").phase == "running"
    text = said(await world.admin.slash(world.channel, "bot history", name="shop"))
    assert f"<@{stage.person.id}>" not in text
    options = {"name": "shop", "refusals": True}
    text = said(await world.admin.slash(world.channel, "bot history", **options))
    assert text.count(f"<@{stage.person.id}>") == 2
    assert "**stop**: refused (denied)\n" in text
    assert "**stop**: refused (denied), 1 more time within ten minutes (shop)" in text


@pytest.mark.parametrize(
    "scene", [s for s in SCENES if s.place == "admin channel"][:11:2], ids=lambda scene: scene.title
)
async def test_access_test_agrees_with_what_really_happens(world: World, scene: Scene) -> None:
    """Every line of /access test is what the person then meets."""
    stage = await staged(world, scene)
    options = {"bot": scene.bot}
    told = said(await world.admin.slash(world.channel, "access test", who=stage.person, **options))
    found = re.findall(r"^(✅|❌) /(\w+(?: \w+)*)(?:$| —)", told, re.MULTILINE)
    lines = {act: mark for mark, act in found}
    assert set(lines) == set(registered(world))
    for act, mark in lines.items():
        text = await stage.act(act)
        assert (mark == "❌") == bool(REFUSED.search(text)), (act, mark, text)


async def test_access_test_names_grants_for_single_bots(world: World) -> None:
    """Asked without a bot, it says for which bots the person may do more."""
    stage = await staged(world, Scene("operator of that bot", own=Role.OPERATOR))
    told = said(await world.admin.slash(world.channel, "access test", who=stage.person))
    assert "has no access to all bots." in told
    assert "For **shop** alone: operator." in told
    assert "✅ /bot list" in told
    assert "❌ /bot stop — needs operator" in told
