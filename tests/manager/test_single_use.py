"""One token, one bot: what another bot has, or is just getting, is refused before it's stored."""

from __future__ import annotations

import asyncio

import pytest

from controller.catalog import SecretSpec
from controller.domain.bot import Bot
from controller.domain.errors import BadInput
from controller.domain.live import CHECKS
from controller.manager.credentials import Submitted
from controller.vault import Fingerprints
from tests.manager.rig import ANN_ASKS, TOKEN, Rig

UNIQUE = """
schema = 1
id = "single"
title = "Single bot"
image = { ref = "example/plain:1", pull = "never" }
run = { user = "1000:1000" }
[[secrets]]
name = "api_key"
label = "API key"
[[secrets]]
name = "bot_token"
label = "Bot token"
unique = true
required = false
"""
OWN = "fake-token-of-botmaker-itself"
PRINTS = Fingerprints(b"k" * 32)
CODE = "secret-in-use"


@pytest.fixture
async def house(rig: Rig) -> Rig:
    """An installation with a template whose token may be used once."""
    rig.template(UNIQUE, "single")
    rig.own_tokens = frozenset({PRINTS.of_value(OWN)})
    await rig.restart()
    return rig


async def give(rig: Rig, bot: Bot, token: str) -> Submitted:
    """Give a bot its key and this token."""
    return await rig.submit(bot, api_key="fake-key", bot_token=token)


async def test_a_token_that_another_bot_has_is_refused_before_it_is_stored(house: Rig) -> None:
    """The sentence names the bot; the rest of the form is kept; another token is fine."""
    first, second = await house.create("single"), await house.create("single")
    await give(house, first, TOKEN)
    form = await house.form(second)
    with pytest.raises(BadInput) as caught:
        await house.fill_in(form, {"api_key": "fake-key", "bot_token": f" {TOKEN}\n"})
    assert caught.value.code == CODE
    assert f"The Bot token is already used by {first.name}." in caught.value.message
    assert TOKEN not in str(caught.value)
    assert house.secrets_on_disk() == {first.id}
    page = await house.manager.credentials.form(ANN_ASKS, form)
    assert set(page.staged.secrets) == {"api_key"}
    await house.fill_in(form, {"bot_token": "another-token"})
    assert (house.secrets / second.id / "bot_token").read_text() == "another-token"


async def test_botmakers_own_token_is_refused_in_any_box(house: Rig) -> None:
    """A bot that ran on it would throw BotMaker out."""
    for name in ("bot_token", "api_key"):
        bot = await house.create("single")
        with pytest.raises(BadInput) as caught:
            await house.fill_in(await house.form(bot), {"api_key": "fake-key", name: OWN})
        assert caught.value.code == CODE
        assert "BotMaker itself" in caught.value.message
        assert OWN not in str(caught.value)
    assert house.secrets_on_disk() == set()


async def test_a_bot_may_get_its_own_token_again(house: Rig) -> None:
    """A rotation to the same value is no conflict."""
    bot = await house.create("single")
    await give(house, bot, TOKEN)
    form = await house.form(bot, rotate=True)
    done = await house.fill_in(form, {"bot_token": TOKEN})
    assert set(done.fingerprints) == {"bot_token"}


async def test_a_rotation_to_another_bots_token_is_refused(house: Rig) -> None:
    """Nothing of the bot changes."""
    first, second = await house.create("single"), await house.create("single")
    await give(house, first, TOKEN)
    await give(house, second, "another-token")
    form = await house.form(second, rotate=True)
    with pytest.raises(BadInput) as caught:
        await house.fill_in(form, {"bot_token": TOKEN})
    assert caught.value.message.endswith("The bot was not changed.")
    assert (house.secrets / second.id / "bot_token").read_text() == "another-token"


async def test_a_token_in_somebodys_unfinished_form_is_taken(house: Rig) -> None:
    """Also after a restart; until that form is used, or its bot removed."""
    first, second = await house.create("single"), await house.create("single")
    form = await house.form(first)
    await house.fill_in(form, {"bot_token": TOKEN}, names=["bot_token"], last=False)
    for _ in range(2):
        with pytest.raises(BadInput) as caught:
            await give(house, second, TOKEN)
        assert f"is being entered for {first.name}" in caught.value.message
        await house.restart()
    await house.fill_in(form, {"api_key": "fake-key"}, names=["api_key"])
    with pytest.raises(BadInput, match="is already used by"):
        await give(house, second, TOKEN)
    await house.manager.lifecycle.delete(ANN_ASKS, first)
    await house.gone(first)
    await give(house, second, TOKEN)


async def test_a_token_that_was_replaced_is_free_again(house: Rig) -> None:
    """What counts is what bots have now."""
    first, second = await house.create("single"), await house.create("single")
    await give(house, first, TOKEN)
    await house.fill_in(await house.form(first, rotate=True), {"bot_token": "another-token"})
    await give(house, second, TOKEN)


async def test_of_many_submits_at_once_one_gets_the_token(house: Rig) -> None:
    """No two bots end up with it, however the submits fall."""
    bots = [await house.create("single") for _ in range(5)]
    done = await asyncio.gather(*(give(house, bot, TOKEN) for bot in bots), return_exceptions=True)
    got = [one for one in done if isinstance(one, Submitted)]
    assert len(got) <= 1
    assert {one.code for one in done if isinstance(one, BadInput)} == {CODE}
    stored = [house.secrets / bot.id / "bot_token" for bot in bots]
    assert sum(path.exists() for path in stored) == len(got)


async def test_ordinary_keys_are_shared_as_they_always_were(house: Rig) -> None:
    """One provider key serves many bots; only what may exist once is compared."""
    for _ in range(2):
        await house.submit(await house.create())
    bot = await house.create("single")
    with pytest.raises(BadInput, match="is already used by"):
        await give(house, bot, TOKEN)
    await give(house, bot, "another-token")
    with pytest.raises(BadInput, match="is already used by"):
        await house.submit(
            await house.create(), api_key="fake-key-1", channel_token="another-token"
        )


async def test_a_bot_whose_files_cannot_be_read_stops_nobody(house: Rig) -> None:
    """Its folder is a file; the others are compared all the same."""
    broken, first, second = [await house.create("single") for _ in range(3)]
    (house.secrets / broken.id).write_text("in the way")
    await give(house, first, TOKEN)
    with pytest.raises(BadInput, match="is already used by"):
        await give(house, second, TOKEN)


@pytest.mark.parametrize("kind", sorted(CHECKS))
def test_tokens_of_bots_may_exist_once_and_keys_of_models_often(kind: str) -> None:
    """By the service that is asked about them; a template may say otherwise."""
    spec = SecretSpec.model_validate({"name": "a", "label": "A", "check": kind})
    channel = kind in {"discord", "telegram", "slack-bot", "slack-app"}
    assert spec.only_once is channel
    for said in (True, False):
        assert replace_unique(spec, said).only_once is said
    assert not SecretSpec(name="a", label="A").only_once


def replace_unique(spec: SecretSpec, said: bool) -> SecretSpec:
    """The same secret in a template that says whether it may exist once."""
    return SecretSpec.model_validate({**spec.model_dump(by_alias=True), "unique": said})


def test_a_hash_of_a_value_says_nothing_of_it() -> None:
    """Another installation gives another one, and a fingerprint is no part of it."""
    one = PRINTS.of_value(TOKEN)
    assert one == Fingerprints(b"k" * 32).of_value(TOKEN)
    assert one != Fingerprints(b"j" * 32).of_value(TOKEN)
    assert PRINTS("", TOKEN).replace("-", "") not in one
