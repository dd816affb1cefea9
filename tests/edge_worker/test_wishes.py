"""Wishes that were left at the Worker: applied once each, with the rights of whoever left them."""

from __future__ import annotations

import asyncio

import pytest

from controller.domain.journal import Kind
from controller.domain.phase import Phase
from tests.edge_worker.conftest import Site, ask, ended, left

KILLS, KILLS_IN_FULL = 3, 20  # with --prove


async def test_a_bot_is_stopped_and_started_from_the_worker(site: Site) -> None:
    """And the outcome comes back to whoever wished it; to nobody else."""
    bot = await site.rig.running()
    stop = await left(site.worker, "stop", bot.name)
    assert (await ended(site.worker, stop))["result"] == "done"
    await site.rig.becomes(bot, Phase.STOPPED)
    start = await left(site.worker, "start", bot.name)
    await ended(site.worker, start)
    await site.rig.becomes(bot, Phase.RUNNING)
    said = await ask(f"{site.worker.url}/api/v1/wishes/{start}", subject="deploy")
    assert said.status == 404


async def test_a_wish_has_no_more_rights_than_whoever_left_it(site: Site) -> None:
    """A viewer may not start, an operator may not edit, a stranger may nothing."""
    bot = await site.rig.running()
    for subject, action, more in (
        ("look", "stop", {}),
        ("ops", "update_config", {"settings": {"tone": "loud"}}),
        ("stranger", "stop", {}),
    ):
        wish = await left(site.worker, action, bot.name, subject=subject, **more)
        outcome = await ended(site.worker, wish, subject)
        assert (outcome["result"], outcome["code"]) == ("refused", "denied")
    wish = await left(site.worker, "stop", "nobody-here")
    assert (await ended(site.worker, wish))["code"] == "no-such-bot"
    assert site.rig.view(bot).phase is Phase.RUNNING


async def test_a_wish_that_was_written_into_d1_by_hand_is_refused(site: Site) -> None:
    """Its signature binds subject, action and bot: whoever can write to D1 can wish nothing."""
    bot = await site.rig.running()
    await site.worker.rows(
        "INSERT INTO wishes (id, subject, action, payload, signed_at, signature, created_at) "
        "VALUES (?, 'deploy', 'stop', ?, '1796000000', 'v1,AAAA', 1796000000)",
        "by-hand-by-hand",
        f'{{"bot": "{bot.name}", "settings": {{}}}}',
    )
    outcome = await ended(site.worker, "by-hand-by-hand", "deploy")
    assert outcome["code"] == "not-signed"
    assert site.rig.view(bot).phase is Phase.RUNNING


async def test_what_is_no_wish_is_refused_at_once(site: Site) -> None:
    """Another action, another form; and the same id with another content."""
    url = f"{site.worker.url}/api/v1/wishes"
    for body in (
        {},
        {"action": "delete", "bot": "a"},
        {"action": "stop"},
        {"action": "stop", "bot": "a", "x": 1},
        {"action": "stop", "bot": "a", "settings": {"a": 1}},
    ):
        assert (await ask(url, "POST", body)).status == 422
    one = {"id": "12345678", "action": "stop", "bot": "a"}
    assert (await ask(url, "POST", one)).status == 202
    assert (await ask(url, "POST", one)).status == 202
    assert (await ask(url, "POST", one | {"bot": "b"})).json["code"] == "wish-taken"
    rows = await site.worker.rows("SELECT count(*) AS n FROM wishes")
    assert rows == [{"n": 1}]


@pytest.mark.timeout(300)
async def test_each_wish_is_applied_once_however_often_the_controller_dies(
    site: Site, pytestconfig: pytest.Config
) -> None:
    """Restarts are wished, and the controller dies at odd moments: as many runs as wishes."""
    bot = await site.rig.running()
    wishes = []
    kills = KILLS_IN_FULL if pytestconfig.getoption("--prove") else KILLS
    for number in range(kills):
        wishes.append(await left(site.worker, "restart", bot.name))
        await asyncio.sleep(0.011 * (number % 7))
        await site.restart()
    for wish in wishes:
        assert (await ended(site.worker, wish))["result"] == "done"
    asked = [one for one in await site.rig.entries(Kind.WISH, bot=bot) if one.author.request]
    by_wish = [one.author.request.split(":")[1] for one in asked if "edge:" in one.author.request]
    assert sorted(by_wish) == sorted(wishes)
    told = await site.rig.entries(Kind.EDGE_WISH)
    assert sorted(str(one.data["wish"]) for one in told) == sorted(wishes)
