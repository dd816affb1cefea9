"""Before a container is made: what its image must have, what it says of its config, its files."""

from __future__ import annotations

import asyncio
import json
import stat
from pathlib import Path

import pytest

from controller.domain.bot import Bot
from controller.domain.errors import BadInput, ControllerError, NotReady
from controller.domain.journal import Kind
from controller.domain.phase import Phase
from controller.manager.lifecycle import Order
from controller.runtime import ProbeResult
from tests.manager.rich import CHECK, RICH, rich_bot, with_rich
from tests.manager.rig import ANN_ASKS, API_KEY, SECRETS, TOKEN, Gate, Rig, eventually

QUOTED = 'fake-"quoted"-\\key\\1'


@pytest.fixture
async def rich(rig: Rig) -> Rig:
    """An installation with the rich template."""
    return await with_rich(rig)


async def plugged(rig: Rig) -> Bot:
    order = Order(name="plugged", template="rich", channel="plugged")
    return await rig.manager.lifecycle.create(ANN_ASKS, order)


async def checked(rig: Rig, exit_code: int, said: str = "") -> Bot:
    """A new rich bot, complete, whose image says that of its config."""
    rig.runtime.answer_rehearse = lambda *_: ProbeResult(exit_code=exit_code, output=said)
    bot = await rig.create("rich")
    await rig.submit(bot)
    return bot


# What the image must have


async def test_a_channel_that_the_image_cannot_do_is_refused_at_create(rich: Rig) -> None:
    """With the way to fix it, an entry in the journal, and nothing made."""
    rich.runtime.absent.add("/app/plugged")
    with pytest.raises(NotReady) as caught:
        await plugged(rich)
    assert caught.value.code == "missing-plugin"
    assert "Plugged channel" in caught.value.message
    assert caught.value.hint == "Build the image with the plugin."
    assert len(rich.fleet) == 0
    (entry,) = await rich.entries()
    assert entry.kind is Kind.REFUSED
    assert (entry.data["act"], entry.data["code"]) == ("bot.create", "missing-plugin")


@pytest.mark.parametrize("why", ["away", "no image", "hung"])
async def test_what_cannot_be_known_at_create_is_told_by_the_start(rich: Rig, why: str) -> None:
    """No engine or no image: the bot is made, and says later what its image lacks."""
    rich.runtime.absent.add("/app/plugged")
    if why == "away":
        rich.runtime.go_away()
    elif why == "hung":
        rich.runtime.hang()
    else:
        rich.runtime.images.discard("example/plain:1")
    bot = await plugged(rich)
    rich.runtime.images.add("example/plain:1")
    rich.runtime.release()
    rich.runtime.come_back()
    await rich.submit(bot, api_key=API_KEY)
    view = await rich.becomes(bot, Phase.ERROR)
    if view.bot.problem and view.bot.problem.code == "image-missing":
        return  # found out before the image came
    assert view.bot.problem is not None
    assert view.bot.problem.code == "missing-plugin"
    assert view.bot.problem.hint == "Build the image with the plugin."
    assert rich.runtime.containers == {}


async def test_an_image_that_was_built_anew_is_found(rich: Rig) -> None:
    """The one that lacked the part is not held on to: a restart is enough."""
    bot = await plugged(rich)
    rich.runtime.absent.add("/app/plugged")
    await rich.submit(bot, api_key=API_KEY)
    view = await rich.becomes(bot, Phase.ERROR)
    assert view.bot.image == ""
    rich.runtime.absent.clear()
    await rich.manager.lifecycle.restart(ANN_ASKS, bot)
    view = await rich.becomes(bot, Phase.RUNNING)
    assert view.bot.image


async def test_an_image_that_has_it_is_no_obstacle(rich: Rig) -> None:
    """The bot runs; a channel without needs is not even asked about."""
    bot = await plugged(rich)
    await rich.submit(bot, api_key=API_KEY)
    await rich.becomes(bot, Phase.RUNNING)
    asked = rich.runtime.calls["image_has"]
    await rich.running("rich")
    assert rich.runtime.calls["image_has"] == asked


# What the image says of the config


async def test_the_image_checks_the_config_before_each_container(rig: Rig) -> None:
    """With the very files, secrets and user of the bot; a start alone is not checked."""
    bot = await rich_bot(rig)
    ((spec, command),) = rig.runtime.rehearsed
    assert (command, spec) == (CHECK, rig.runtime.containers[bot.id].spec)
    await rig.manager.lifecycle.stop(ANN_ASKS, bot)
    await rig.manager.lifecycle.start(ANN_ASKS, bot)
    assert len(rig.runtime.rehearsed) == 1


async def test_a_refused_config_is_a_problem_in_the_images_own_words(rich: Rig) -> None:
    """Redacted and short, with the way to mend it; no container is made."""
    said = f"\n\n  checking\r  greeting: too loud\nkey {API_KEY} seen\n" + "more\n" * 500
    bot = await checked(rich, 1, said)
    view = await rich.becomes(bot, Phase.ERROR)
    problem = view.bot.problem
    assert problem is not None
    assert problem.code == "config-refused"
    start = "Rich bot refuses the bot's settings: greeting: too loud\nkey [redacted] seen\nmore"
    assert problem.message.startswith(start)
    assert len(problem.message) < 600
    assert problem.hint == "Change them, then restart the bot."
    assert rich.runtime.containers == {}


@pytest.mark.parametrize("code", [126, 127, 137])
async def test_a_check_without_a_verdict_does_not_lose_the_bot(rich: Rig, code: int) -> None:
    """Killed for time or memory, or not in the image: the bot is made, and the journal says so."""
    bot = await checked(rich, code)
    await rich.becomes(bot, Phase.RUNNING)
    assert [e.data for e in await rich.entries(Kind.UNCHECKED, bot=bot)] == [{"exit_code": code}]


async def test_an_engine_that_goes_away_during_the_check_refuses_nothing(rich: Rig) -> None:
    """The check is done when it is back."""

    async def leave(name: str) -> None:
        if name == "rehearse" and not left.is_set():
            left.set()
            rich.runtime.go_away()

    left = asyncio.Event()
    rich.door = Gate(rich.runtime, before=leave)
    await rich.restart()
    bot = await checked(rich, 0)
    await left.wait()
    await eventually(lambda: not rich.fleet.engine.reachable)
    assert rich.view(bot).bot.problem is None
    rich.runtime.come_back()
    await rich.becomes(bot, Phase.RUNNING)
    assert len(rich.runtime.rehearsed) == 1


async def test_a_lost_answer_of_the_check_is_asked_again(rich: Rig) -> None:
    """Neither a refusal nor a pass."""
    rich.runtime.lose_answers(1)
    bot = await checked(rich, 0)
    await rich.becomes(bot, Phase.RUNNING)
    assert len(rich.runtime.rehearsed) == 2


@pytest.mark.parametrize("order", ["stop", "delete"])
async def test_an_order_does_not_wait_for_the_check(rich: Rig, order: str) -> None:
    """A check that takes long is given up when its bot shall not run any more."""
    reached = asyncio.Event()

    async def hold(name: str) -> None:
        if name == "rehearse":
            reached.set()
            await asyncio.Event().wait()

    rich.door = Gate(rich.runtime, before=hold)
    await rich.restart()
    bot = await checked(rich, 0)
    await reached.wait()
    async with asyncio.timeout(2):
        await getattr(rich.manager.lifecycle, order)(ANN_ASKS, bot)
    await eventually(rich.at_rest)
    assert rich.runtime.containers == {}


async def test_an_edit_ends_the_check_of_the_former_settings(rich: Rig) -> None:
    """However long that would go on: what counts is what the image says of the new ones."""
    first = asyncio.Event()

    async def hold(name: str) -> None:
        if name == "rehearse" and not first.is_set():
            first.set()
            await asyncio.Event().wait()

    rich.door = Gate(rich.runtime, before=hold)
    await rich.restart()
    bot = await checked(rich, 0)
    await first.wait()
    await rich.edit(bot, greeting="ahoy")
    await rich.becomes(bot, Phase.RUNNING)
    assert '"ahoy"' in rich.config_of(bot).read_text()


async def test_a_refusal_of_settings_that_were_mended_meanwhile_is_no_problem(rich: Rig) -> None:
    """The edit comes just before the engine refuses the container: the new one is tried."""
    mended = asyncio.Event()

    async def mend(name: str) -> None:
        if name == "create" and not mended.is_set():
            mended.set()
            await rich.edit(bot, greeting="ahoy")
            rich.runtime.absent.add(str(rich.secrets / bot.id))
        elif name == "create":
            rich.runtime.absent.clear()

    rich.door = Gate(rich.runtime, before=mend)
    rich.template(
        RICH.replace('validation = { command = ["app", "check-config"], timeout = 5 }', ""), "rich"
    )
    await rich.restart()
    bot = await checked(rich, 0)
    view = await rich.becomes(bot, Phase.RUNNING)
    assert view.bot.problem is None
    assert await rich.entries(Kind.PROBLEM, bot=bot) == []


# Config that holds secrets


async def test_config_with_secrets_is_written_private_before_the_start(rig: Rig) -> None:
    """Into the secrets folder, whatever signs are in the value; nowhere else on the disk."""
    await with_rich(rig)
    bot = await rig.create("rich")
    await rig.submit(bot, api_key=QUOTED, channel_token=TOKEN)
    await rig.becomes(bot, Phase.RUNNING)
    path = rig.secrets / bot.id / "channel_config"
    assert json.loads(path.read_text()) == {"key": QUOTED, "greeting": "hello"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    plain = rig.config_of(bot)  # for the bot's own user, who may be any
    assert [stat.S_IMODE(p.stat().st_mode) for p in (plain, plain.parent)] == [0o644, 0o755]
    assert [p for p in files_below(rig.data) if QUOTED[:9] in p.read_bytes().decode("latin1")] == []


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_a_value_is_redacted_in_the_form_that_the_config_has(rig: Rig) -> None:
    """A bot that prints its config shows neither the value nor its escaped form."""
    await with_rich(rig)
    bot = await rig.create("rich")
    await rig.submit(bot, api_key=QUOTED, channel_token=TOKEN)
    await rig.becomes(bot, Phase.RUNNING)
    text = (rig.secrets / bot.id / "channel_config").read_text()
    for controller in ("this", "next"):
        shown = rig.manager.redact(text)
        assert '"key": "[redacted]"' in shown, controller
        assert '"greeting": "hello"' in shown, controller
        await rig.restart()


async def test_rendered_config_is_not_shown_as_a_secret(rig: Rig) -> None:
    """Nobody typed it: no fingerprint, and never missing."""
    bot = await rich_bot(rig)
    assert set(await rig.manager.credentials.fingerprints_of(ANN_ASKS, bot)) == set(SECRETS)
    (rig.secrets / bot.id / "channel_config").unlink()
    rig.poke(bot)
    await asyncio.sleep(0.05)
    assert (rig.view(bot).world.missing, rig.view(bot).world.faults) == ((), ())


@pytest.mark.parametrize("harm", ["gone", "other", "open"])
async def test_rendered_config_is_whole_again_at_each_start(rig: Rig, harm: str) -> None:
    """Removed, changed or opened to others: the next start finds it as it should be."""
    bot = await rich_bot(rig)
    path = rig.secrets / bot.id / "channel_config"
    before = path.read_text()
    await rig.manager.lifecycle.stop(ANN_ASKS, bot)
    if harm == "gone":
        path.unlink()
    elif harm == "other":
        path.write_text("{}")
    else:
        path.chmod(0o644)
    await rig.manager.lifecycle.start(ANN_ASKS, bot)
    assert path.read_text() == before
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_secret_that_goes_away_just_before_a_start_holds_it_back(rich: Rig) -> None:
    """Between the look and the step: nothing is written or started, and no problem is made."""
    bot = await rich_bot(rich)
    (rich.secrets / bot.id / "api_key").unlink()
    before = (rich.secrets / bot.id / "channel_config").read_text()
    assert not await rich.loop.preparation.secrets(bot)
    assert (rich.secrets / bot.id / "channel_config").read_text() == before
    assert rich.view(bot).bot.problem is None


# Seeds


async def test_seeds_reach_the_volume(rich: Rig) -> None:
    """Only those with a text; the others come with the field."""
    bot = await rich.running("rich")
    assert rich.runtime.seeded[bot.id] == {"HELLO.md": "hello"}
    await rich.edit(bot, persona="I am\nkind.")
    await eventually(lambda: rich.runtime.seeded[bot.id].get("SOUL.md") == "I am\nkind.")


# Why secrets cannot be used


async def test_a_secret_that_cannot_be_used_is_told_apart_from_a_missing_one(rig: Rig) -> None:
    """A mode that lets others in is a fault with its remedy; a missing file is only missing."""
    bot = await rig.running()
    await rig.manager.lifecycle.stop(ANN_ASKS, bot)
    (rig.secrets / bot.id / "api_key").chmod(0o644)
    (rig.secrets / bot.id / "channel_token").unlink()
    view = await rig.manager.lifecycle.start(ANN_ASKS, bot)
    assert view is not None
    assert sorted(view.world.missing) == ["api_key", "channel_token"]
    (fault,) = view.world.faults
    assert fault.startswith("`api_key`: The file has mode 0644")
    assert "/bot secrets" in fault
    await rig.restart()
    assert rig.view(bot).world.faults == (fault,)


async def test_a_new_bot_has_no_faults(rig: Rig) -> None:
    """Nobody has entered anything yet, and that is all."""
    bot = await rig.create()
    view = await rig.becomes(bot, Phase.CREATED)
    rig.poke(bot)
    await asyncio.sleep(0.02)
    assert (len(view.world.missing), rig.view(bot).world.faults) == (2, ())


async def test_a_wrong_order_is_noted_without_what_was_typed(rig: Rig) -> None:
    """A name may be anything, also a key: the journal holds the reason alone."""
    key = f"sk-ant-{'x' * 30}"
    with pytest.raises(BadInput):
        await rig.manager.lifecycle.create(ANN_ASKS, Order(name=key, template="plain"))
    with pytest.raises(ControllerError):
        await rig.manager.lifecycle.create(ANN_ASKS, Order(name="x", template="nothing"))
    refused = await rig.entries()
    assert {entry.kind for entry in refused} == {Kind.REFUSED}
    assert [entry.data["code"] for entry in refused] == ["unknown-template", "bad-name"]
    assert key not in str(refused)
