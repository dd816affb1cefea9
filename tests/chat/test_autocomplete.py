"""Suggestions while somebody types: from memory, and only what the person may see."""

from __future__ import annotations

from simcord.actors import MemberActor

from demo.world import World
from tests.chat.acting import engine_of, make, newcomer, ready_bot, said

FOR_THOSE_WITH_SECRETS = {"start", "stop", "restart", "do", "rollback"}
NAMED = ["show", "logs", "history", "start", "stop", "restart", "do", "edit", "secrets", "delete"]


async def suggested(
    world: World,
    command: str,
    option: str,
    typed: str,
    person: MemberActor | None = None,
    **filled: str,
) -> list[str]:
    """What is offered, as it is sent when somebody picks it."""
    found = await offered(world, command, option, typed, person, **filled)
    return list(found.values())


async def offered(
    world: World,
    command: str,
    option: str,
    typed: str,
    person: MemberActor | None = None,
    **filled: str,
) -> dict[str, str]:
    """What is sent, by what is read; no two read the same."""
    who = person or world.admin
    found = await who.autocomplete(world.channel, command, option, typed, **filled)
    assert len(found) <= 25
    titles = {one["name"]: one["value"] for one in found}
    assert len(titles) == len(found)
    return titles


async def test_names_are_suggested_by_any_part_of_them(world: World) -> None:
    """Those that begin with it come first; capitals do not matter. A bot without its secrets is
    offered only where something can be done to it."""
    for name in ("shop", "workshop", "helper"):
        await make(world, name)
    calls = dict(engine_of(world).calls)
    for command in NAMED:
        path = f"bot {command}"
        if command in FOR_THOSE_WITH_SECRETS:
            assert await suggested(world, path, "name", "") == []
            continue
        assert await suggested(world, path, "name", "") == ["helper", "shop", "workshop"]
        assert await suggested(world, path, "name", "SHOP") == ["shop", "workshop"]
        assert await suggested(world, path, "name", "zzz") == []
    assert dict(engine_of(world).calls) == calls


async def test_only_bots_that_the_person_may_see_are_suggested(world: World) -> None:
    """A grant for one bot suggests that bot alone, no role suggests none."""
    await ready_bot(world)
    await make(world, "secret-project")
    bob = newcomer(world, "bob")
    assert await suggested(world, "bot show", "name", "", bob) == []
    await world.admin.slash(world.channel, "access grant", who=bob, role="operator", bot="shop")
    for command in ("show", "logs", "stop"):
        assert await suggested(world, f"bot {command}", "name", "", bob) == ["shop"]
        assert await suggested(world, f"bot {command}", "name", "secret", bob) == []
    assert await suggested(world, "bot delete", "name", "", bob) == []
    assert "**shop**" in said(await bob.slash(world.channel, "bot show", name="shop"))
    listed = said(await bob.slash(world.channel, "bot list"))
    assert "**shop**" in listed
    assert "secret-project" not in listed


async def test_nothing_is_suggested_outside_the_admin_channel(world: World) -> None:
    """Names of bots are nobody's business elsewhere."""
    await make(world)
    elsewhere = world.guild.create_text_channel("elsewhere")
    assert await world.admin.autocomplete(elsewhere, "bot show", "name", "") == []


async def test_create_suggests_what_the_template_has(world: World) -> None:
    """Templates, and the chosen template's providers, models and channels."""
    templates = await suggested(world, "bot create", "template", "")
    assert set(templates) == set(world.application.manager.bots.templates)
    assert await suggested(world, "bot create", "template", "penc") == ["openclaw"]
    echo = {"template": "echo"}
    assert await suggested(world, "bot create", "provider", "", **echo) == ["anthropic", "openai"]
    assert await suggested(world, "bot create", "channel", "tele", **echo) == ["telegram"]
    assert await suggested(world, "bot create", "model", "", **echo) == [
        "claude-large",
        "claude-small",
    ]
    chosen = {**echo, "provider": "openai"}
    assert await suggested(world, "bot create", "model", "", **chosen) == ["gpt-one"]


async def test_titles_are_read_and_ids_are_sent(world: World) -> None:
    """Found by either; where two titles are the same, the id tells them apart."""
    assert await offered(world, "bot create", "template", "handy b") == {"Handy bot": "handy"}
    assert await offered(world, "bot create", "template", "noima") == {
        "Echo bot (noimage)": "noimage"
    }
    echo = {"template": "echo"}
    assert await offered(world, "bot create", "provider", "OPEN", **echo) == {"OpenAI": "openai"}
    assert await offered(world, "bot create", "channel", "", **echo) == {
        "Slack": "slack",
        "Telegram": "telegram",
    }


async def test_a_channel_that_not_every_image_has_is_marked(world: World) -> None:
    """Before it is chosen, in words."""
    assert await offered(world, "bot create", "channel", "", template="handy") == {
        "Discord (needs a plugin)": "discord",
        "Telegram": "telegram",
    }


async def test_half_typed_other_options_are_no_error(world: World) -> None:
    """They come unvalidated, at every key stroke."""
    for option in ("provider", "model", "channel"):
        assert await suggested(world, "bot create", option, "x") == []
        assert await suggested(world, "bot create", option, "x", template="ech") == []
        assert await suggested(world, "bot create", option, "", template="plain") == []
    typed = {"template": "echo", "provider": "anth"}
    assert await suggested(world, "bot create", "model", "", **typed) == []


async def test_phases_are_suggested(world: World) -> None:
    """All nine, in the words that are shown."""
    assert len(await suggested(world, "bot list", "phase", "")) == 9
    assert await suggested(world, "bot list", "phase", "stop") == ["stopped", "stopping"]


async def test_more_than_twenty_five_are_cut_to_what_discord_takes(world: World) -> None:
    """The rest is found by typing on."""
    from controller.domain.access import discord_user
    from controller.fleet.journal import Caller
    from controller.manager.lifecycle import Order

    lifecycle = world.application.manager.lifecycle
    for number in range(30):
        order = Order(name=f"bot{number:02}", template="echo")
        await lifecycle.create(Caller(discord_user(world.admin.id)), order)
    assert len(await suggested(world, "bot show", "name", "")) == 25
    assert await suggested(world, "bot show", "name", "29") == ["bot29"]


async def test_access_suggests_bots_to_admins_only(world: World) -> None:
    """The option is called bot there."""
    await make(world)
    bob = newcomer(world, "bob")
    for command in ("grant", "revoke", "test"):
        assert await suggested(world, f"access {command}", "bot", "sh") == ["shop"]
        assert await suggested(world, f"access {command}", "bot", "sh", bob) == []
