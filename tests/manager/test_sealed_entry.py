"""Sealed values in forms: opened once, for one secret of one bot, and never seen as they are."""

from __future__ import annotations

import asyncio
import time

import pytest

from controller.domain.bot import Bot
from controller.domain.errors import BadInput
from controller.domain.phase import Phase
from controller.vault import Address
from tests.manager.rig import ANN_ASKS, API_KEY, SECRETS, TOKEN, Rig, eventually


async def address_of(rig: Rig, bot: Bot) -> Address:
    return await rig.manager.credentials.sealed.address(ANN_ASKS, bot)


async def sealed(rig: Rig, bot: Bot, **values: str) -> dict[str, str]:
    address = await address_of(rig, bot)
    return {name: address.seal(name, text) for name, text in (values or SECRETS).items()}


def stored(rig: Rig, bot: Bot) -> dict[str, str]:
    home = rig.secrets / bot.id
    return {path.name: path.read_text() for path in home.iterdir()} if home.exists() else {}


async def test_a_bot_runs_on_values_that_were_sealed(rig: Rig) -> None:
    """The bot's own files have them as they are; nothing else on the disk has either form."""
    bot = await rig.create()
    texts = await sealed(rig, bot)
    done = await rig.submit(bot, **texts)
    assert set(done.fingerprints) == set(SECRETS)
    await rig.becomes(bot, Phase.RUNNING)
    assert {name: stored(rig, bot)[name] for name in SECRETS} == SECRETS
    elsewhere = [p for p in rig.folder.rglob("*") if p.is_file() and p.parent.name != bot.id]
    for path in elsewhere:
        data = path.read_bytes()
        assert not any(v.encode() in data for v in (API_KEY, TOKEN, *texts.values())), path


async def test_each_sealed_text_is_taken_once(rig: Rig) -> None:
    """Also by a new controller, and of two at the same time one wins."""
    bot = await rig.running()
    texts = await sealed(rig, bot, api_key="fake-key-that-was-sealed")
    forms = [await rig.form(bot, rotate=True) for _ in range(2)]
    both = await asyncio.gather(
        *(rig.fill_in(form, texts) for form in forms), return_exceptions=True
    )
    refused = [one for one in both if isinstance(one, BadInput)]
    assert [one.code for one in refused] == ["seal-used"]
    await rig.restart()
    await eventually(lambda: rig.fleet.engine.reachable)
    with pytest.raises(BadInput) as again:
        await rig.submit(bot, rotate=True, **texts)
    assert (again.value.code, bool(again.value.hint)) == ("seal-used", True)


async def test_what_was_sealed_elsewhere_or_too_long_ago_changes_nothing(rig: Rig) -> None:
    """Another bot's, another secret's, expired, for ever, torn: named, and not repeated."""
    bot, other = await rig.running(), await rig.create()
    before, mine = stored(rig, bot), await address_of(rig, bot)
    old = Address(mine.public_key, mine.bot_id, mine.bot_name, int(time.time()) - 1)
    ever = Address(mine.public_key, mine.bot_id, mine.bot_name, 1 << 60)
    wrong = {
        (await address_of(rig, other)).seal("api_key", "fake-for-the-other"): "bad-seal",
        mine.seal("channel_token", "fake-for-the-token"): "bad-seal",
        mine.seal("api_key", "fake-of-long-ago")[:-4]: "bad-seal",
        old.seal("api_key", "fake-of-long-ago"): "seal-expired",
        ever.seal("api_key", "fake-for-ever-and-ever"): "seal-expired",
    }
    for text, code in wrong.items():
        with pytest.raises(BadInput) as refused:
            await rig.submit(bot, rotate=True, api_key=text)
        assert refused.value.code == code
        assert str(refused.value).startswith("API key: ")
        assert "fake" not in f"{refused.value!r} {refused.value} {refused.value.inputs}"
        assert text not in str(refused.value)
    assert stored(rig, bot) == before


async def test_the_value_itself_is_checked_as_if_it_had_been_typed(rig: Rig) -> None:
    """And a sealed text that wasn't taken can be sent again, with the mistake beside it mended."""
    bot = await rig.running()
    texts = await sealed(rig, bot, api_key="fake-key-that-is-good")
    with pytest.raises(BadInput) as refused:
        await rig.manager.credentials.put(
            ANN_ASKS, bot, {**texts, **await sealed(rig, bot, channel_token="with spaces in it")}
        )
    assert refused.value.code == "bad-secret"
    assert "with spaces" not in str(refused.value)
    done = await rig.manager.credentials.put(ANN_ASKS, bot, texts)
    assert set(done.fingerprints) == {"api_key"}
    assert stored(rig, bot)["api_key"] == "fake-key-that-is-good"


async def test_where_only_sealed_values_are_taken_others_are_refused_unkept(rig: Rig) -> None:
    """What was typed in plain is neither kept nor repeated."""
    rig.sealed_only = True
    await rig.restart()
    await eventually(lambda: rig.fleet.engine.reachable)
    bot = await rig.create()
    with pytest.raises(BadInput) as refused:
        await rig.submit(bot)
    assert refused.value.code == "sealed-only"
    assert API_KEY not in str(refused.value)
    kept = [path for path in rig.folder.rglob("*") if path.is_file()]
    assert not any(API_KEY.encode() in path.read_bytes() for path in kept)
    await rig.submit(bot, **await sealed(rig, bot))
    await rig.becomes(bot, Phase.RUNNING)


async def test_a_sealed_value_can_be_compared_without_using_it_up(rig: Rig) -> None:
    """So a fleet's file may hold sealed values: what is in place is not sent again."""
    bot = await rig.running()
    texts = await sealed(rig, bot, api_key=API_KEY)
    other = await sealed(rig, bot, channel_token="fake-other-token")
    for _ in range(2):
        found = await rig.manager.sameness.of(ANN_ASKS, bot, {**texts, **other})
        assert found == {"api_key": "same", "channel_token": "other"}
