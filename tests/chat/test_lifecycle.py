"""Start, stop, restart, delete, show, list and history; and a bot or an engine in trouble."""

from __future__ import annotations

import asyncio
import time

from controller.domain.bot import Wish
from controller.domain.observation import Health
from controller.domain.phase import Phase
from demo.world import World
from tests.chat.acting import (
    COMMAND,
    COMPONENT,
    KEY,
    MODAL_SUBMIT,
    VALUES,
    as_admin,
    buttons_of,
    card,
    direct,
    engine_of,
    fill,
    filled,
    forge,
    healthy_soon,
    invoked,
    labels,
    make,
    press,
    public,
    ready_bot,
    said,
    until_card,
    until_incident,
    until_phase,
)
from tests.chat.test_hostile import LIVE, kinds


async def bot(world: World, command: str, **options: str) -> str:
    """What a `/bot` command answers about shop."""
    return said(await world.admin.slash(world.channel, f"bot {command}", name="shop", **options))


async def test_stop_start_and_restart_say_how_it_ended(world: World) -> None:
    """Each command answers with the phase it reached, and the engine agrees."""
    view = await ready_bot(world)
    held = engine_of(world).containers[view.bot.id]
    assert "⚫ **shop** — stopped" in await bot(world, "stop")
    assert not held.seen.state.active
    assert "🟢 **shop** — running" in await bot(world, "start")
    first = held.seen.started_at
    assert "🟢 **shop** — running" in await bot(world, "restart")
    assert held.seen.started_at != first
    assert engine_of(world).calls["create"] == 1


async def test_the_cards_buttons_do_the_same_and_the_card_follows(world: World) -> None:
    """Stop, then Start: the buttons change with the phase, in the same message."""
    view = await ready_bot(world)
    data = press(f"stop:{view.bot.id}")
    pressed = forge(world, world.admin, world.channel, COMPONENT, data, card(world, "shop"))
    await world.env.settle(idle=0.002)
    assert "⚫ **shop** — stopped" in said(pressed)
    message = await until_card(world, "shop", "⚫ **shop** — stopped")
    assert labels(message) == ["Logs", "Start", "Settings"]
    assert "🟢 **shop** — running" in said(await world.admin.click(message, label="Start"))
    assert len(public(world)) == 1


async def test_doing_what_is_done_already_is_no_error(world: World) -> None:
    """Starting a running bot leaves its run alone; stopping a stopped one is fine."""
    view = await ready_bot(world)
    before = engine_of(world).containers[view.bot.id].seen
    assert "running" in await bot(world, "start")
    assert engine_of(world).containers[view.bot.id].seen == before
    await bot(world, "stop")
    assert "stopped" in await bot(world, "stop")


async def test_a_double_click_acts_and_answers_twice_without_harm(world: World) -> None:
    """Two presses of Stop at once: two answers, one stop."""
    view = await ready_bot(world)
    message = card(world, "shop")
    data = press(f"stop:{view.bot.id}")
    both = [forge(world, world.admin, world.channel, COMPONENT, data, message) for _ in range(2)]
    await world.env.settle()
    assert all("stopped" in said(one) for one in both)
    assert engine_of(world).calls["stop"] == 1


async def test_a_bot_without_secrets_cannot_be_started_and_says_what_is_missing(
    world: World,
) -> None:
    """Start and restart name the secrets and the way to enter them."""
    await make(world)
    for command in ("start", "restart"):
        text = await bot(world, command)
        assert "shop has no secrets yet: api_key, channel_token." in text
        assert "/bot secrets shop" in text


async def test_an_unknown_name_is_answered_with_the_way_to_the_right_one(world: World) -> None:
    """Every command that names a bot says so in the same words."""
    for command in ("show", "logs", "history", "start", "stop", "restart", "secrets", "delete"):
        text = await bot(world, command)
        assert text == "❌ There is no bot of that name.\n/bot list shows all bots."


async def test_delete_asks_once_and_then_leaves_nothing(world: World) -> None:
    """The red button names the bot; after it container, volume, folder, row and grants are gone."""
    view = await ready_bot(world)
    asked = await world.admin.slash(world.channel, "bot delete", name="shop")
    assert "Delete **shop**?" in said(asked)
    assert "cannot be undone" in said(asked)
    assert asked.response is not None
    (button,) = buttons_of(asked.response)
    assert (button["label"], button["style"]) == ("Delete shop", 4)
    assert engine_of(world).containers[view.bot.id].seen.state.active

    await world.admin.click(asked.response, label="Delete shop")
    assert "🗑️ **shop** — removed. Nothing is left of it." in asked.response.content
    assert labels(asked.response) == []
    engine = engine_of(world)
    assert (engine.containers, engine.volumes) == ({}, set())
    assert list(world.application.settings.secrets_dir.iterdir()) == []
    assert await world.application.installation.tools.store.bots() == []
    message = await until_card(world, "shop", "🗑️ **shop** — removed")
    assert "Revoke its keys where you got them." in message.content
    assert labels(message) == []


async def test_the_red_button_expires(world: World) -> None:
    """A message found weeks later does not delete a bot."""
    view = await ready_bot(world)
    asked = await world.admin.slash(world.channel, "bot delete", name="shop")
    assert asked.response is not None
    expires = int(buttons_of(asked.response)[0]["custom_id"].rsplit(":", 1)[1])
    assert 290 < expires - time.time() <= 300
    old = press(f"delete:{view.bot.id}:{int(time.time()) - 1}")
    late = forge(world, world.admin, world.channel, COMPONENT, old, asked.response)
    await world.env.settle()
    assert "That button has expired.\n/bot delete shop again." in said(late)
    assert world.application.installation.tools.fleet.named("shop").bot.wish is Wish.RUN


async def test_the_buttons_of_a_deleted_bot_say_so(world: World) -> None:
    """An old card on somebody's screen, an old snippet, an old red button."""
    view = await ready_bot(world)
    message = card(world, "shop")
    asked = await world.admin.slash(world.channel, "bot delete", name="shop")
    assert asked.response is not None
    await world.admin.click(asked.response, label="Delete shop")
    for action in ("logs", "start", "stop", "restart", "secrets", "delete", "refresh", "file"):
        data = press(f"{action}:{view.bot.id}:0:50:both:")
        result = forge(world, world.admin, world.channel, COMPONENT, data, message)
        await world.env.settle()
        assert "That bot is gone." in said(result)
        assert "/bot list shows all bots." in said(result)


async def test_show_tells_everything_but_the_secrets(world: World) -> None:
    """Phase, what it is made of, container, image, fingerprints, id and who made it."""
    view = await ready_bot(world)
    text = await bot(world, "show")
    prints = await world.application.manager.credentials.fingerprints_of(as_admin(world), view.bot)
    assert view.world.container is not None
    for part in (
        "🟢 **shop** — running",
        "echo · anthropic/claude-small · telegram",
        f"container `{view.world.container.container_id[:12]}` running, 0 restarts",
        "image `sha256:",
        f"api_key `{prints['api_key']}`, channel_token `{prints['channel_token']}`",
        f"id `{view.bot.id}`",
        f"by <@{world.admin.id}>",
    ):
        assert part in text
    assert KEY not in text


async def at_rest(world: World) -> dict[str, int]:
    """The engine's calls so far, once the last look at what went wrong is over."""
    calls: dict[str, int] = {}
    while calls != engine_of(world).calls:
        calls = dict(engine_of(world).calls)
        await asyncio.sleep(0.3)
    return calls


async def test_the_list_has_the_worst_first_and_can_be_narrowed(world: World) -> None:
    """Counts, one line a bot; a phase without a bot is said in words."""
    assert "There are no bots yet. Create the first one with /bot create." in said(
        await world.admin.slash(world.channel, "bot list")
    )
    await ready_bot(world, "fine")
    await make(world, "waiting")
    await make(world, "broken", "noimage")
    await fill(world)
    calls = await at_rest(world)
    text = said(await world.admin.slash(world.channel, "bot list"))
    assert text.startswith("3 bots: 1 error, 1 created, 1 running")
    assert text.index("**broken**") < text.index("**waiting**") < text.index("**fine**")
    text = said(await world.admin.slash(world.channel, "bot list", phase="running"))
    assert "**fine**" in text
    assert "**broken**" not in text
    assert "No bot is in the phase stopped." in said(
        await world.admin.slash(world.channel, "bot list", phase="stopped")
    )
    assert "There is no such phase." in said(
        await world.admin.slash(world.channel, "bot list", phase="asleep")
    )
    assert dict(engine_of(world).calls) == calls


async def test_all_of_a_long_list_comes_as_a_file(world: World) -> None:
    """Every bot is in it. The first answer doesn't wait for the file to be sent."""
    await asyncio.gather(
        *(_order(world, f"a-bot-with-a-rather-long-name-{n:02}") for n in range(40))
    )
    answer = await world.admin.slash(world.channel, "bot list")
    assert "page 1 of 4" in said(answer)
    assert answer.response is not None
    file = await world.admin.click(answer.response, label="File")
    sent = [line for line in world.env.transcript().splitlines() if "interaction" in line]
    assert "/callback {'type': 5" in sent[-2], "it shows that it thinks"
    assert "@original" in sent[-1], "then comes the list"
    assert file.response is not None
    (attachment,) = file.response.attachments
    assert attachment.filename == "bots.csv"
    assert len((await attachment.read()).decode().splitlines()) == 41


async def _order(world: World, name: str) -> None:
    from controller.manager.lifecycle import Order

    lifecycle = world.application.manager.lifecycle
    await lifecycle.create(as_admin(world), Order(name=name, template="echo"))


async def test_the_history_says_who_asked_what_and_how_it_ended(world: World) -> None:
    """Newest first, with the person, the action and its end."""
    await ready_bot(world)
    await bot(world, "stop")
    lines = (await bot(world, "history")).split("\n")
    assert lines[0] == "**shop** — newest first"
    assert [line.split("**")[1] for line in lines[1:4]] == ["stop", "secrets", "create"]
    assert all(f"<@{world.admin.id}>" in line for line in lines[1:4])
    assert lines[1].endswith(": stopped")


async def test_a_crash_loop_stands_on_the_card_with_its_reason_and_last_lines(
    world: World,
) -> None:
    """Exit code, how often, the log's end, redacted; Try again begins anew."""
    view = await ready_bot(world)
    engine = engine_of(world)
    engine.write_log(view.bot.id, f"loading\nfatal: ``` bad key {KEY} @everyone", "stderr")
    for _ in range(5):
        engine.crash(view.bot.id, 1)
        await asyncio.sleep(0.05)
    message = await until_card(world, "shop", "🔴 **shop** — gave up after 5 crashes")
    message = await until_card(
        world, "shop", "Gave up after 5 crashes in ten minutes; the last: exit 1"
    )
    assert "fatal: `" in message.content
    assert message.content.count("```") == 2
    assert KEY not in message.content
    assert "[redacted]" in message.content
    assert labels(message) == ["Try again", "Settings", "Logs"]
    assert "🟢 **shop** — running" in said(await world.admin.click(message, label="Try again"))


async def test_an_exit_is_told_with_its_meaning_and_what_follows(world: World) -> None:
    """A fatal one is not tried again; after another the bot runs, but not silently."""
    fatal, other = await ready_bot(world, "fatal"), await ready_bot(world, "other")
    engine_of(world).crash(fatal.bot.id, 78)
    engine_of(world).crash(other.bot.id, 139)
    message = await until_card(world, "fatal", "🔴 **fatal** — error")
    assert "Stopped after exit 78: a configuration error." in message.content
    assert "Read its log, fix the problem, then restart it." in message.content
    assert not engine_of(world).containers[fatal.bot.id].seen.state.active
    message = await until_card(world, "other", "exit 139: ended by SIGSEGV")
    assert "🟢 **other** — running" in message.content
    assert "1 crash in ten minutes" in message.content


async def test_a_lack_of_memory_is_called_that_though_the_bot_runs_again(world: World) -> None:
    """The engine forgets it when it starts the bot anew; its event told."""
    view = await ready_bot(world)
    engine_of(world).crash(view.bot.id, 137, oom=True)
    message = await until_card(world, "shop", "exit 137")
    assert "out of memory" in message.content


async def test_a_failing_health_check_is_quoted_safely(world: World) -> None:
    """Its own words, without markup, mentions, controls or secrets."""
    await make(world, "shop", "checked")
    view = world.application.installation.tools.fleet.named("shop")
    filling = asyncio.create_task(healthy_soon(world, view.bot.id))
    assert "🟢 **shop** — running" in said(await fill(world))
    await filling
    evil = "[1](2) [log in](https://evil.example/x) <#123456789012345678> @everyone"
    said_by_check = f"**no** <@&123456789012345678> {evil} \x1b[31mkey {KEY}"
    engine_of(world).set_health(view.bot.id, Health.UNHEALTHY, said_by_check)
    message = await until_card(world, "shop", "🟠 **shop** — unhealthy")
    assert "Its health check fails:" in message.content
    assert "**no**" not in message.content
    assert "<@&123456789012345678>" not in message.content
    assert "link_open" not in kinds(message.content)
    assert not LIVE.search(message.content.split("Its health check fails:")[1])
    assert "\x1b" not in message.content
    assert KEY not in message.content


async def test_with_the_engine_away_every_command_answers_and_says_so(world: World) -> None:
    """Nothing claims an end that nobody saw; the wishes are carried out when it is back."""
    views = {name: await ready_bot(world, name) for name in ("one", "two", "three", "four")}
    engine_of(world).go_away()
    await world.admin.slash(world.channel, "bot create", name="five", template="echo")
    shown = await world.admin.user.click(direct(world.admin), label="Enter secrets")
    assert shown.modal is not None
    name = {n: [{"name": "name", "type": 3, "value": n}] for n in views}
    place, form = world.admin.user.dm_channel, filled(shown.modal["custom_id"], VALUES)
    asked = {
        "secrets": forge(world, world.admin.user, place, MODAL_SUBMIT, form),
        "stop": forge(
            world, world.admin, world.channel, COMMAND, invoked(world, "bot stop", name["one"])
        ),
        "restart": forge(
            world, world.admin, world.channel, COMMAND, invoked(world, "bot restart", name["two"])
        ),
        "logs": forge(
            world, world.admin, world.channel, COMMAND, invoked(world, "bot logs", name["two"])
        ),
        "delete": forge(
            world,
            world.admin,
            world.channel,
            COMPONENT,
            press(f"delete:{views['three'].bot.id}:{int(time.time()) + 60}"),
            card(world, "three"),
        ),
    }
    await world.env.settle()
    words = {act: result.response.content for act, result in asked.items() if result.response}
    assert set(words) == set(asked)
    assert "**one** — stopping…" in words["stop"]
    assert "**two** — restarting…" in words["restart"]
    assert "**three** — being removed…" in words["delete"]
    assert words["logs"].startswith("❌ Can't reach Docker.")
    assert "`api_key` stored" in words["secrets"]
    for act in ("stop", "restart", "delete", "secrets"):
        assert "Can't reach Docker." in words[act], act
    for command, options in (("list", {}), ("show", {"name": "two"})):
        text = said(await world.admin.slash(world.channel, f"bot {command}", **options))
        assert "Can't reach Docker." in text
    status = said(await world.admin.slash(world.channel, "fleet status"))
    assert "Can't reach Docker." in status
    await until_incident(world, "Docker stopped answering")
    message = card(world, "four")
    assert message is not None
    assert "Docker" not in message.content
    assert not any("— removed" in m.content for m in public(world))

    engine_of(world).come_back()
    await until_phase(world, "one", Phase.STOPPED)
    await until_phase(world, "two", Phase.RUNNING)
    await until_phase(world, "five", Phase.RUNNING)
    await until_card(world, "three", "🗑️ **three** — removed")
    await until_incident(world, "Docker answers again")
    message = await until_card(world, "four", "🟢 **four** — running")
    assert "Docker" not in message.content


async def test_a_hanging_engine_does_not_hold_up_an_answer(world: World) -> None:
    """The first answer comes within Discord's three seconds, by SimCord's own count."""
    await ready_bot(world)
    engine_of(world).hang()
    assert "**shop**" in await bot(world, "show")
    assert "❌ Docker doesn't answer." in await bot(world, "logs")
    engine_of(world).release()
    await until_phase(world, "shop", Phase.RUNNING)
