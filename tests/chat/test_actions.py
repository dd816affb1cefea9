"""`/bot do`: what people run inside a bot, who may, and that what it prints can do no harm."""

from __future__ import annotations

import asyncio
import re

from simcord.actors import MemberActor
from simcord.results import InteractionResult

from controller.domain.phase import Phase
from controller.fleet.views import View
from controller.runtime import ProbeResult
from demo.world import World
from tests.chat.acting import (
    MODAL_SUBMIT,
    engine_of,
    fill,
    filled,
    forge,
    make,
    newcomer,
    said,
    until_phase,
)

SECRET = "obvious-fake-key-0123456789"
STATUS = ("tool", "status")


async def handy(world: World) -> View:
    """A running bot with actions."""
    await make(world, "shop", "handy")
    assert "running" in said(await fill(world, {"api_key": SECRET}))
    return await until_phase(world, "shop", Phase.RUNNING)


async def do(world: World, action: str, person: MemberActor | None = None) -> InteractionResult:
    """`/bot do shop …`."""
    who = person or world.admin
    return await who.slash(world.channel, "bot do", name="shop", action=action)


def prints(world: World, text: str, exit_code: int = 0) -> None:
    """From now on whatever runs in a bot says this."""
    engine_of(world).answer_execute = lambda *_: ProbeResult(exit_code=exit_code, output=text)


async def crew(world: World, role: str) -> MemberActor:
    """Somebody with that role."""
    person = newcomer(world, "bob")
    await world.admin.slash(world.channel, "access grant", who=person, role=role)
    return person


async def test_an_action_without_questions_runs_at_once(world: World) -> None:
    """In the bot's container, by its own arguments; the title and what it said come privately."""
    view = await handy(world)
    prints(world, "all is well\nno debts\n")
    text = said(await do(world, "status"))
    assert text == "✅ **shop** — Show its status\n```\nall is well\nno debts\n```"
    assert engine_of(world).executed == [(view.bot.id, STATUS)]


async def test_a_failed_action_shows_its_exit_code(world: World) -> None:
    """And what it said, or that it said nothing."""
    await handy(world)
    prints(world, "no such code", exit_code=3)
    assert said(await do(world, "status")) == (
        "❌ **shop** — Show its status (exit 3)\n```\nno such code\n```"
    )
    prints(world, "")
    assert said(await do(world, "status")) == "✅ **shop** — Show its status\nIt printed nothing."


async def test_an_action_with_questions_asks_them_first(world: World) -> None:
    """A modal is the very first answer; its submit runs the command with what was typed."""
    view = await handy(world)
    shown = await do(world, "approve")
    assert shown.modal is not None
    assert shown.response is None
    assert shown.modal["title"] == "Approve a pairing code"
    assert shown.modal["custom_id"] == f"do:{view.bot.id}:approve"
    (label,) = shown.modal["components"]
    assert label["label"] == "Pairing code"
    assert label["component"]["placeholder"] == "use the eight letters"
    assert label["component"]["required"]
    assert engine_of(world).executed == []
    prints(world, "approved")
    text = said(await world.admin.submit_modal(shown, {"code": "ABCD1234"}))
    assert text.startswith("✅ **shop** — Approve a pairing code\n")
    assert engine_of(world).executed == [(view.bot.id, ("tool", "approve", "telegram", "ABCD1234"))]


async def test_a_wrong_answer_is_refused_and_nothing_runs(world: World) -> None:
    """The field is named, what was typed is not repeated."""
    await handy(world)
    shown = await do(world, "approve")
    text = said(await world.admin.submit_modal(shown, {"code": "--help-me"}))
    assert "“Pairing code” doesn't look right: use the eight letters." in text
    assert "help-me" not in text
    assert engine_of(world).executed == []


async def test_the_actions_own_role_is_asked_before_any_form(world: World) -> None:
    """A viewer runs what is for viewers, and sees no modal for what is not."""
    await handy(world)
    viewer = await crew(world, "viewer")
    assert "Show its status" in said(await do(world, "status", viewer))
    for action, title, role in (
        ("approve", "Approve a pairing code", "operator"),
        ("wipe", "Forget everything", "admin"),
    ):
        refused = await do(world, action, viewer)
        assert refused.modal is None
        assert f"“{title}” needs the role {role}; you are viewer." in said(refused)
    assert [command for _, command in engine_of(world).executed] == [STATUS]
    options = {"name": "shop", "refusals": True}
    text = said(await world.admin.slash(world.channel, "bot history", **options))
    assert "refused (denied)" in text


async def test_a_role_taken_away_while_the_form_is_open_stops_the_submit(world: World) -> None:
    """Asked again at the submit, by the bot's own records; nothing runs."""
    await handy(world)
    operator = await crew(world, "operator")
    shown = await do(world, "approve", operator)
    assert shown.modal is not None
    await world.admin.slash(world.channel, "access grant", who=operator, role="viewer")
    text = said(await operator.submit_modal(shown, {"code": "ABCD1234"}))
    assert "“Approve a pairing code” needs the role operator; you are viewer." in text
    assert engine_of(world).executed == []


async def test_only_actions_that_this_person_may_do_are_suggested(world: World) -> None:
    """By their titles; nothing for a bot that is not named, or that they may not see."""
    await handy(world)
    viewer, stranger = await crew(world, "viewer"), newcomer(world, "eve")

    async def offered(person: MemberActor, typed: str = "", name: str = "shop") -> dict[str, str]:
        found = await person.autocomplete(world.channel, "bot do", "action", typed, name=name)
        return {one["name"]: one["value"] for one in found}

    assert await offered(world.admin) == {
        "Approve a pairing code": "approve",
        "Forget everything": "wipe",
        "Show its status": "status",
    }
    assert await offered(world.admin, "pair") == {"Approve a pairing code": "approve"}
    assert await offered(viewer) == {"Show its status": "status"}
    assert await offered(stranger) == {}
    assert await offered(world.admin, name="sho") == {}


async def test_an_action_of_another_channel_or_of_nothing_is_told_apart_from_a_right(
    world: World,
) -> None:
    """It is not there, whoever asks; a forged form for it as well."""
    await world.admin.slash(
        world.channel, "bot create", name="shop", template="handy", channel="discord"
    )
    view = await until_phase(world, "shop", Phase.CREATED)
    for action in ("approve", "nonsense", "../../bin/sh"):
        assert "shop has no action of that name.\n/bot do suggests" in said(await do(world, action))
    forged = filled(f"do:{view.bot.id}:approve", {"code": "ABCD1234"})
    result = forge(world, world.admin, world.channel, MODAL_SUBMIT, forged)
    await world.env.settle()
    assert "shop has no action of that name." in said(result)


async def test_a_bot_that_does_not_run_says_so(world: World) -> None:
    """Nothing is run, and the answer says what to do."""
    await handy(world)
    await world.admin.slash(world.channel, "bot stop", name="shop")
    text = said(await do(world, "status"))
    assert text.startswith("❌ shop isn't running")
    assert "/bot start" in text
    assert engine_of(world).executed == []


async def test_forged_and_late_forms_are_answered_in_words(world: World) -> None:
    """Of a bot that is gone, of no bot, with parts missing, with what was never asked."""
    view = await handy(world)
    shown = await do(world, "approve")
    for custom_id, values, words in (
        ("do", {}, "That button is out of date."),
        (f"do:{view.bot.id}", {}, "That form is damaged."),
        (f"do:{view.bot.id}:approve:more", {}, "That form is damaged."),
        ("do:nobody:approve", {}, "That bot is gone."),
        (
            f"do:{view.bot.id}:approve",
            {"code": "ABCD1234", "more": "x"},
            "was given more than it asks for",
        ),
        (f"do:{view.bot.id}:approve", {}, "“Pairing code” can't be empty"),
    ):
        data = filled(custom_id, values)
        result = forge(world, world.admin, world.channel, MODAL_SUBMIT, data)
        await world.env.settle()
        assert words in said(result), custom_id
    asked = await world.admin.slash(world.channel, "bot delete", name="shop")
    assert asked.response is not None
    await world.admin.click(asked.response, label="Delete shop")
    late = await world.admin.submit_modal(shown, {"code": "ABCD1234"})
    assert "That bot is gone." in said(late)
    assert engine_of(world).executed == []


async def test_what_an_action_prints_cannot_harm(world: World) -> None:
    """No secret, no mention, no break-out of the block, no escape code, not too long."""
    await handy(world)
    prints(world, f"key={SECRET}\n``` @everyone <@123456789012345678>\n\x1b[31mred\x1b[0m\u202e")
    text = said(await do(world, "status"))
    assert SECRET not in text
    assert "[redacted]" in text
    assert text.count("```") == 2
    assert re.search(r"@(?:everyone|here)|<@[!&]?\d+>", text) is None
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202a-\u202e]", text)


async def test_long_output_comes_as_a_file_beside_its_end(world: World) -> None:
    """The message has the last lines, the file all of them."""
    await handy(world)
    prints(world, "\n".join(f"line {number:04}" for number in range(300)))
    answer = await do(world, "status")
    text = said(answer)
    assert "the end of its output, all of it in the file" in text
    assert text.endswith("line 0299\n```")
    assert answer.response is not None
    (attachment,) = answer.response.attachments
    assert attachment.filename == "shop-status.txt"
    assert len((await attachment.read()).decode().splitlines()) == 300


async def test_a_slow_action_shows_that_it_is_under_way(world: World) -> None:
    """The first answer comes at once, and is replaced by the end."""
    await handy(world)
    engine_of(world).execute_delay = 0.5
    prints(world, "at last")
    running = asyncio.create_task(do(world, "status"))
    await asyncio.sleep(0.3)
    callbacks = [r for r in world.env.http_requests if r.path.endswith("/callback")]
    assert callbacks[-1].json["type"] == 5
    assert "at last" in said(await running)


async def test_forms_open_from_memory_while_the_engine_hangs(world: World) -> None:
    """A modal cannot follow a "thinking", so nothing slow may stand before it."""
    await handy(world)
    engine_of(world).hang()
    calls = engine_of(world).calls.total()
    assert (await do(world, "approve")).modal is not None
    shown = await world.admin.slash(world.channel, "bot edit", name="shop", page="persona")
    assert shown.modal is not None
    assert engine_of(world).calls.total() == calls
    engine_of(world).release()


async def test_an_answer_that_comes_late_does_not_repeat_what_was_printed(world: World) -> None:
    """It may come where others read: the end is told, the output is not."""
    await handy(world)
    prints(world, "for your eyes only")
    world.env.inject_error("PATCH", "/webhooks/*", status=404, code=10015, message="gone")
    await do(world, "status")
    text = await until_told(world)
    assert "✅ **shop** — Show its status" in text
    assert "Its output isn't repeated here." in text
    assert "for your eyes only" not in text


async def until_told(world: World) -> str:
    """The late answer, by direct message."""
    for _ in range(200):
        found = [m.content for m in world.admin.user.dm_channel.history()]
        late = [text for text in found if "About your request" in text]
        if late:
            return late[0]
        await asyncio.sleep(0.02)
    raise AssertionError("nobody was told")
