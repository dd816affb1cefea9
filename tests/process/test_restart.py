"""The controller ends, gently or not, and comes back: nothing is lost, no running bot notices.
Next door: test_start.py has the starts that can't work."""

from __future__ import annotations

import asyncio
import signal

import pytest

from tests.process.process import Place, a_secret, eventually, said

pytestmark = pytest.mark.engine


async def test_a_form_opened_before_a_kill_is_accepted_after_it(place: Place) -> None:
    """The modal stays open while the controller ends and comes back."""
    await place.create("shop")
    form = await place.open_form("shop")
    await place.controller.restart(signal.SIGKILL)
    done = await place.submit(form)
    await said(done, "**shop** — running")
    assert done.text.count("fingerprint `") == 2
    assert place.controller.ends("bot.create") == [{"result": "done"}]
    await place.card_says("shop", "running")
    assert len(place.cards) == 1


async def test_old_buttons_work_after_a_kill(place: Place) -> None:
    """Those of the card, of the direct message and of a log answer."""
    ann, controller = place.ann, place.controller
    bot_id = await place.bot("shop")
    await place.create("later")
    card = await place.card_says("shop", "running")
    log = await said(await ann.slash("bot logs", name="shop"), "demo bot starting")
    first = controller.started_at(bot_id)
    await controller.restart(signal.SIGKILL)
    await said(await ann.click(card, label="Logs"), "demo bot starting")
    again = await ann.click(log, label="Refresh")
    assert again.kind == "deferred-update"
    await said(await ann.click(card, label="Restart"), "running")
    assert controller.started_at(bot_id) > first
    await said(await ann.click(card, label="Stop"), "stopped")
    done = await place.submit(await place.open_form("later"))
    await said(done, "**later** — running")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=lambda s: s.name)
async def test_a_running_bot_does_not_notice_that_the_controller_ended(
    place: Place, how: signal.Signals
) -> None:
    """Same container, same start time; nothing is posted in public and nothing is done to it."""
    controller = place.controller
    bot_id = await place.bot("shop")
    card = await place.card_says("shop", "running")
    before, edits = controller.inspect(bot_id), card.edits
    assert before is not None
    # Discord has an edit a moment before its row is written; a kill in between makes it twice.
    await asyncio.sleep(0.5)
    status = await controller.end(how)
    assert status == (0 if how is signal.SIGTERM else -signal.SIGKILL)
    assert controller.started_at(bot_id) == before["State"]["StartedAt"]
    await controller.start()
    await eventually(lambda: "connected to Discord" in controller.log.split("engine ")[-1])
    shown = await said(await place.ann.slash("bot show", name="shop"), "running")
    after = controller.inspect(bot_id)
    assert after is not None
    for key in ("Id", "RestartCount"):
        assert after[key] == before[key]
    assert after["State"]["StartedAt"] == before["State"]["StartedAt"]
    assert "crash" not in shown.text.lower()
    assert place.cards == [card]
    assert "running" in card.content
    assert card.edits == edits, (card.history, card.content)


# Every point that it can be killed at: ../prove/test_crash_matrix.py.
async def test_a_bot_whose_controller_was_killed_while_it_started_runs_once(place: Place) -> None:
    """Wherever the kill hits between submit and running, the bot runs after the next start."""
    controller = place.controller
    await place.create("shop")
    form = await place.open_form("shop")
    values = {"api_key": a_secret(), "channel_token": a_secret()}
    await place.submit(form, **values)
    await asyncio.sleep(0.2)
    await controller.kill()
    await controller.start()
    bot_id = controller.bot_id("shop")
    used = controller.rows("SELECT used_at FROM form")[0][0] is not None
    if not (controller.secrets_dir / bot_id / "channel_token").exists():
        # It died before the values were on disk, so the form must still work, or the person must be
        # told how to get another one.
        await said(await place.ann.slash("bot secrets", name="shop"), "direct message")
        done = await place.submit(await place.open_form("shop"), **values)
        await said(done, "fingerprint")
        del used
    await place.card_says("shop", "running")
    (found,) = controller.containers()
    assert found["Name"] == f"/botmaker-{bot_id}"
    assert found["State"]["Running"]
    assert found["RestartCount"] == 0
    assert controller.folders() == [bot_id]
    for name, value in values.items():
        assert (controller.secrets_dir / bot_id / name).read_text() == value
    shown = await said(await place.ann.slash("bot show", name="shop"), "running")
    assert "Crashed" not in shown.text
    assert len(place.cards) == 1


async def test_a_removal_that_a_kill_cut_short_is_ended_after_the_next_start(place: Place) -> None:
    """The wish is on disk: container, volume, secrets and row go, and the message says so."""
    await place.bot("shop")
    await place.card_says("shop", "running")
    asked = await place.ann.slash("bot delete", name="shop")
    await place.ann.click(asked, label="Delete shop", wait=False)
    await eventually(
        lambda: (
            "remove" in [row[0] for row in place.controller.rows("SELECT wish FROM bot")]
            or not place.controller.rows("SELECT 1 FROM bot")
        )
    )
    await place.controller.kill()
    await place.controller.start()
    await place.card_says("shop", "removed")
    await eventually(place.controller.nothing_left)
    assert len(place.cards) == 1


async def test_a_stop_in_the_middle_of_an_action_leaves_no_trace_of_an_error(place: Place) -> None:
    """SIGTERM during a restart: status 0, and the journal claims no result that isn't known."""
    bot_id = await place.bot("shop")
    first = place.controller.started_at(bot_id)
    await place.ann.slash("bot restart", name="shop")
    assert await place.controller.stop() == 0
    assert "Traceback" not in place.controller.log
    known = place.controller.started_at_or_none(bot_id) not in (None, first)
    (end,) = place.controller.ends("bot.restart")
    ran = {"result": "done", "phase": "running"}
    assert end == {"result": "cut-short"} or (known and end == ran)
    await place.controller.start()
    await eventually(lambda: (place.controller.started_at_or_none(bot_id) or "") > first)


async def test_a_bot_that_is_gone_from_the_engine_comes_back(place: Place) -> None:
    """A container that somebody removed while the controller was away is created again."""
    bot_id = await place.bot("shop")
    await place.controller.stop()
    place.controller.engine.remove_container(f"botmaker-{bot_id}", force=True)
    await place.controller.start()
    await eventually(lambda: place.controller.inspect(bot_id))
    await eventually(lambda: place.controller.started_at_or_none(bot_id))
    await place.card_says("shop", "running")
    assert len(place.cards) == 1


async def test_a_delivery_repeated_after_a_restart_of_the_controller_acts_once(
    place: Place,
) -> None:
    """What was already handled is in the journal, not only in memory."""
    inv = await place.create("once")
    await place.controller.kill()
    await place.controller.start()
    await place.world.deliver_again(inv)
    await place.ann.slash("bot list")
    await eventually(lambda: len(place.controller.rows("SELECT 1 FROM bot")) == 1)
    assert place.controller.ends("bot.create") == [{"result": "done"}]
    assert len([m for m in place.ann.dms if "**once**" in m.content]) == 1


async def test_a_press_while_the_gateway_was_away_is_answered_after_it(place: Place) -> None:
    """The connection breaks, somebody presses a button, the connection comes back."""
    await place.bot("shop")
    card = await place.card_says("shop", "running")
    with place.world.gateway.paused():
        await place.world.gateway.drop()
        assert await eventually_online(place, wanted=False)
        pressed = await place.ann.click(card, label="Logs", wait=False)
        await asyncio.sleep(0.1)
    await said(pressed, "demo bot starting")
    assert await eventually_online(place, wanted=True)


async def eventually_online(place: Place, *, wanted: bool) -> bool:
    """Wait until /health and the metrics say whether Discord is connected."""

    async def agree() -> bool:
        health = await place.controller.health()
        metrics = (await place.controller.get("/metrics"))[1]
        return health["discord"]["connected"] is wanted and f"discord_up {wanted:.1f}" in metrics

    for _ in range(100):
        if await agree():
            return True
        await asyncio.sleep(0.05)
    return False


async def test_a_login_that_discord_puts_off_is_tried_again(idle: Place) -> None:
    """A rate limit or an outage says nothing about the token, so the controller tries again."""
    page = {"text": "<h1>slow down</h1>", "headers": {"Content-Type": "text/html"}}
    me = r"/users/@me$"
    with idle.world.fault("GET", me, status=429, times=1, **page) as limited:
        with idle.world.fault("GET", me, status=503, times=1, **page) as away:
            await idle.controller.start()
    assert (limited.hits, away.hits) == (1, 1)
    assert (await idle.ann.slash("bot list")).answered
