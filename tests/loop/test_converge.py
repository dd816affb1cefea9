"""The way of a bot through its life: every order ends in the world that was wished for."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import replace

import pytest

from controller.domain.bot import Wish
from controller.domain.errors import NotFound, NotReady
from controller.domain.observation import ContainerState, Health
from controller.domain.phase import Phase
from controller.loop.look import SAID_MAX
from controller.manager.lifecycle import Order
from tests.manager.rig import ANN_ASKS, DEMO_IMAGE, SECRETS, Gate, Rig, eventually


async def test_a_new_bot_waits_for_its_secrets_without_a_container(rig: Rig) -> None:
    """Soon after create the phase is `created`, and nothing was made."""
    bot = await rig.create()
    view = await rig.becomes(bot, Phase.CREATED, seconds=2)
    assert sorted(view.world.missing) == ["api_key", "channel_token"]
    assert not rig.runtime.containers
    assert not rig.runtime.volumes


async def test_a_bot_starts_by_itself_once_its_secrets_are_there(rig: Rig) -> None:
    """The builtin demo bot goes from a submitted form over `starting` to `running`."""
    bot = await rig.create("demo")
    await rig.submit(bot)
    await rig.becomes(bot, Phase.STARTING)
    await eventually(lambda: rig.active(bot))
    rig.runtime.set_health(bot.id, Health.HEALTHY)
    await rig.becomes(bot, Phase.RUNNING)
    assert rig.runtime.containers[bot.id].spec.user == "1000:1000"


async def test_a_bot_that_needs_no_secrets_starts_at_once(rig: Rig) -> None:
    """Nobody has to press anything."""
    rig.template(
        'schema = 1\nid = "bare"\ntitle = "Bare"\nimage = { ref = "example/plain:1" }\n'
        'run = { user = "1000:1000" }\n',
        "bare",
    )
    await rig.restart()
    await eventually(lambda: rig.fleet.engine.reachable)
    bot = await rig.create("bare")
    await rig.becomes(bot, Phase.RUNNING, seconds=2)


async def test_a_stopped_bot_keeps_what_it_has(rig: Rig) -> None:
    """After stop the container, the volume and the secrets are there, and nothing runs."""
    bot = await rig.running()
    view = await rig.manager.lifecycle.stop(ANN_ASKS, bot)
    assert view is not None
    assert view.phase is Phase.STOPPED
    assert rig.runtime.containers[bot.id].seen.state is ContainerState.EXITED
    assert bot.id in rig.runtime.volumes
    assert bot.id in rig.secrets_on_disk()


async def test_a_stopped_bot_starts_again_in_the_same_container(rig: Rig) -> None:
    """Start after stop makes a new run, not a new container."""
    bot = await rig.running()
    before = rig.runtime.containers[bot.id].seen
    await rig.manager.lifecycle.stop(ANN_ASKS, bot)
    view = await rig.manager.lifecycle.start(ANN_ASKS, bot)
    assert view is not None
    assert view.phase is Phase.RUNNING
    after = rig.runtime.containers[bot.id].seen
    assert after.container_id == before.container_id
    assert after.started_at != before.started_at


async def test_a_restart_is_one_new_run(rig: Rig) -> None:
    """Restart returns when the former run is over and a new one runs; it happens once."""
    bot = await rig.running()
    before = rig.run_of(bot)
    calls = rig.runtime.calls["restart"]
    view = await rig.manager.lifecycle.restart(ANN_ASKS, bot)
    assert view is not None
    assert (view.phase, view.bot.run.to_end) == (Phase.RUNNING, "")
    assert rig.run_of(bot) != before
    assert rig.runtime.calls["restart"] == calls + 1


async def test_a_restart_of_a_stopped_bot_starts_it(rig: Rig) -> None:
    """There is no run to end, so a new one begins."""
    bot = await rig.running()
    await rig.manager.lifecycle.stop(ANN_ASKS, bot)
    view = await rig.manager.lifecycle.restart(ANN_ASKS, bot)
    assert view is not None
    assert view.phase is Phase.RUNNING


async def test_a_removed_bot_leaves_nothing_behind(rig: Rig) -> None:
    """Delete takes container, volume, secrets, rendered files, crashes and row."""
    bot = await rig.running()
    (rig.data / "files" / bot.id / "0").mkdir(parents=True)
    assert await rig.manager.lifecycle.delete(ANN_ASKS, bot) is None
    await rig.gone(bot)
    assert rig.secrets_on_disk() == set()
    assert await rig.store.crashes() == {}


async def test_secrets_that_come_while_a_bot_is_forgotten_go_too(asleep: Rig) -> None:
    """A submit that was under way may write them after the last look."""

    async def submit(name: str) -> None:
        if name == "let_go":
            await asyncio.to_thread(vault.write, bot.id, SECRETS, (os.geteuid(), os.getegid()))

    asleep.door = Gate(asleep.runtime, before=submit)
    await asleep.restart()
    bot, vault = await asleep.running(), asleep.house.tools.vault
    assert await asleep.manager.lifecycle.delete(ANN_ASKS, bot) is None
    await eventually(lambda: asleep.secrets_on_disk() == set(), "the late secrets go")


async def test_a_bot_can_be_removed_before_it_had_secrets(rig: Rig) -> None:
    """A bot that only waits goes at once."""
    bot = await rig.create()
    assert await rig.manager.lifecycle.delete(ANN_ASKS, bot) is None
    await rig.gone(bot)


async def test_the_name_of_a_removed_bot_is_free_again(rig: Rig) -> None:
    """A new bot may carry it, and it is another bot."""
    first = await rig.running()
    await rig.manager.lifecycle.delete(ANN_ASKS, first)
    second = await rig.create(name=first.name)
    assert second.id != first.id
    assert rig.fleet.named(first.name).bot.id == second.id


async def test_a_bot_that_is_being_removed_takes_no_other_order(asleep: Rig) -> None:
    """Start, stop and restart are refused with a code of their own; the wish stays."""
    bot = await asleep.create()
    await asleep.house.tools.wishes.change(bot.id, lambda now: replace(now, wish=Wish.REMOVE))
    lifecycle = asleep.manager.lifecycle
    for order in (lifecycle.start, lifecycle.stop, lifecycle.restart):
        with pytest.raises(NotReady) as caught:
            await order(ANN_ASKS, bot)
        assert caught.value.code == "being-removed"
    assert asleep.view(bot).bot.wish is Wish.REMOVE


async def test_quick_orders_end_in_the_last_wish(rig: Rig) -> None:
    """Orders that overtake each other leave the last one's world, and no crash is counted."""
    bot = await rig.running()
    lifecycle = rig.manager.lifecycle
    for last in (Wish.RUN, Wish.STOP, Wish.RUN):
        orders = [lifecycle.stop, lifecycle.start, lifecycle.stop]
        tasks = []
        for order in orders[: 3 if last is Wish.STOP else 2]:
            wanted = Wish.STOP if order == lifecycle.stop else Wish.RUN
            tasks.append(asyncio.create_task(order(ANN_ASKS, bot)))
            await eventually(lambda wanted=wanted: rig.view(bot).bot.wish is wanted)
        await asyncio.gather(*tasks)
        await eventually(rig.at_rest)
        assert rig.active(bot) is (last is Wish.RUN)
        assert rig.view(bot).crashes == ()


async def test_what_was_removed_by_hand_comes_back(rig: Rig) -> None:
    """Somebody removes the container of a bot that shall run: it is made again."""
    bot = await rig.running()
    before = rig.runtime.containers[bot.id].seen.container_id
    await rig.runtime.remove(bot.id, 1)
    await eventually(lambda: rig.active(bot))
    assert rig.runtime.containers[bot.id].seen.container_id != before


async def test_what_was_started_by_hand_is_stopped_again(rig: Rig) -> None:
    """A container that runs without a wish is stopped."""
    bot = await rig.running()
    await rig.manager.lifecycle.stop(ANN_ASKS, bot)
    await rig.runtime.start(bot.id)
    await eventually(lambda: not rig.active(bot))
    await rig.becomes(bot, Phase.STOPPED)


async def test_a_container_made_by_hand_is_brought_to_the_wished_shape(rig: Rig) -> None:
    """One of ours with another spec, not yet running, is made anew before the start."""
    bot = await rig.running()
    await rig.manager.lifecycle.stop(ANN_ASKS, bot)
    good = rig.runtime.containers[bot.id].spec
    await rig.runtime.remove(bot.id, 1)
    await rig.runtime.create(replace(good, pids=4))
    await rig.manager.lifecycle.start(ANN_ASKS, bot)
    await rig.becomes(bot, Phase.RUNNING)
    assert rig.runtime.containers[bot.id].spec == good


async def test_a_running_bot_is_not_touched_for_a_new_template(rig: Rig) -> None:
    """A changed template reaches a bot at its next restart, which makes it anew."""
    bot = await rig.running()
    before = rig.runtime.containers[bot.id].seen
    text = (rig.templates / "plain.toml").read_text()
    rig.template(text.replace("stop_timeout = 1", "stop_timeout = 2"))
    await rig.restart()
    await rig.becomes(bot, Phase.RUNNING)
    assert rig.runtime.containers[bot.id].seen == before
    await rig.manager.lifecycle.restart(ANN_ASKS, bot)
    await rig.becomes(bot, Phase.RUNNING)
    assert rig.runtime.containers[bot.id].seen.container_id != before.container_id
    assert rig.runtime.containers[bot.id].spec.stop_timeout == 2


async def test_a_paused_bot_goes_on(rig: Rig) -> None:
    """A container that somebody paused is unpaused, in the same run."""
    bot = await rig.running()
    held = rig.runtime.containers[bot.id]
    run = rig.run_of(bot)
    held.seen = replace(held.seen, state=ContainerState.PAUSED)
    rig.runtime.emit(bot.id, "pause")
    await eventually(lambda: held.seen.state is ContainerState.RUNNING)
    assert rig.run_of(bot) == run


async def test_a_lost_event_is_found_by_the_patrol(rig: Rig) -> None:
    """With every event lost, one full list finds what changed."""
    bot = await rig.running()
    rig.runtime.feeds.clear()
    await rig.runtime.remove(bot.id, 1)
    await asyncio.sleep(0.05)
    assert bot.id not in rig.runtime.containers
    await rig.loop.watcher.resync()
    await eventually(lambda: rig.active(bot))


async def test_a_health_check_whose_event_was_lost_is_found_by_the_patrol(rig: Rig) -> None:
    """The list tells the health too: better and worse."""
    bot = await rig.running("demo")
    rig.runtime.feeds.clear()
    for health, phase in ((Health.UNHEALTHY, Phase.UNHEALTHY), (Health.HEALTHY, Phase.RUNNING)):
        rig.runtime.set_health(bot.id, health)
        await rig.loop.watcher.resync()
        await rig.becomes(bot, phase)


async def test_an_unhealthy_bot_is_shown_and_left_alone(rig: Rig) -> None:
    """A failing healthcheck changes the phase, not the run."""
    bot = await rig.running("demo")
    run = rig.run_of(bot)
    rig.runtime.set_health(bot.id, Health.UNHEALTHY, "no answer")
    view = await rig.becomes(bot, Phase.UNHEALTHY)
    assert view.world.container is not None
    assert view.world.container.probe_output == "no answer"
    assert rig.run_of(bot) == run


async def test_what_a_failing_check_says_is_redacted_before_it_is_cut(rig: Rig) -> None:
    """No piece of a key is left at the cut."""
    bot = await rig.running("demo")
    key = (rig.secrets / bot.id / "api_key").read_text()
    rig.runtime.set_health(bot.id, Health.UNHEALTHY, "x" * (SAID_MAX - len(key) + 2) + key)
    view = await rig.becomes(bot, Phase.UNHEALTHY)
    assert view.world.container is not None
    said = view.world.container.probe_output.lstrip("x")
    assert said.startswith("[red")
    assert key[:4] not in said


async def test_secrets_that_vanish_do_not_stop_a_running_bot(rig: Rig) -> None:
    """A running bot goes on without its files; once stopped it waits for them again."""
    bot = await rig.running()
    run = rig.run_of(bot)
    (rig.secrets / bot.id / "api_key").unlink()
    rig.poke(bot)
    await eventually(lambda: rig.view(bot).world.missing == ("api_key",))
    assert rig.view(bot).phase is Phase.RUNNING
    assert rig.run_of(bot) == run
    await rig.manager.lifecycle.stop(ANN_ASKS, bot)
    view = await rig.manager.lifecycle.start(ANN_ASKS, bot)
    assert view is not None
    assert view.phase is Phase.CREATED
    assert not rig.active(bot)
    await rig.submit(bot, rotate=True, api_key="fake-provider-key-2")
    await rig.becomes(bot, Phase.RUNNING)


async def test_the_image_is_pinned_once(rig: Rig) -> None:
    """The row holds the resolved id, and the container is made of that."""
    bot = await rig.running("demo")
    kept = rig.view(bot).bot.image
    assert kept.startswith("sha256:")
    assert rig.runtime.containers[bot.id].seen.image == kept
    assert rig.runtime.calls["pin_image"] == 1
    assert DEMO_IMAGE not in kept


async def test_order_of_the_unknown_template_makes_nothing(asleep: Rig) -> None:
    """A refused create leaves no row and no line that says it was made."""
    with pytest.raises(NotFound) as caught:
        await asleep.manager.lifecycle.create(ANN_ASKS, Order(name="x", template="nothing"))
    assert caught.value.code == "unknown-template"
    assert len(asleep.fleet) == 0
    assert await asleep.store.bots() == []


async def test_an_idle_fleet_asks_the_engine_nothing(rig: Rig) -> None:
    """A settled bot is not looked at again until somebody pokes."""
    await rig.running()
    await asyncio.sleep(0.1)
    before = time.monotonic(), rig.runtime.calls.total()
    await asyncio.sleep(0.3)
    assert rig.runtime.calls.total() == before[1]
