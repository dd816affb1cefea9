"""What goes wrong with a real OpenClaw, and the words about it that a person can act on.
Next door: test_conversation.py is the way on which nothing does."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests.conftest import ROOT
from tests.openclaw.shop import ANN, START, Shop, open_shop
from tests.process.process import said

TEMPLATE = ROOT / "controller/catalog/builtin/openclaw.toml"
SLACK = "/app/dist/extensions/slack"
PATIENCE = 90.0  # seconds until a fault is told: its log is read every 30 s


async def _until_card(shop: Shop, name: str, words: str) -> str:
    return (await shop.place.card_says(name, words, PATIENCE)).content


async def _reload(shop: Shop) -> None:
    done = await shop.act("claw", "reload-secrets")
    assert "Secrets reloaded" in done.text, done.text


async def _healed(shop: Shop, *words: str) -> None:
    def well() -> bool:
        text = shop.place.card("claw").content
        return "running" in text and not any(word in text for word in words)

    await shop.telegram.until(well, PATIENCE, f"no more of {words}")


@pytest.mark.timeout(900)
async def test_what_openclaw_cannot_read_or_use_stands_on_its_card_and_goes_when_it_is_mended(
    docker_client: docker.APIClient, openclaw_image: str, tmp_path: Path
) -> None:
    """Mode and owner of a secret's file, no key, a key that is refused: told, mended, gone."""
    async with open_shop(tmp_path, docker_client) as shop:
        bot_id = await shop.running("claw", allow_from=str(ANN))
        home = shop.place.controller.secrets_dir / bot_id
        token, key = home / "channel_token", home / "api_key"
        first_run = shop.container(bot_id)["State"]["StartedAt"]

        # A mode that others can read: OpenClaw takes no such file, and the controller says which.
        token.chmod(0o644)
        await _reload(shop)
        card = await _until_card(shop, "claw", "It can't read the file with the channel's token")
        assert "`channel_token`" in await _until_card(shop, "claw", "mode 0644 instead of 0600")
        assert "unhealthy" in card
        token.chmod(0o600)
        await _reload(shop)
        await _healed(shop, "cannot read", "mode 0644")

        # An owner that is not the bot's user.
        os.chown(key, 0, 0)
        await _reload(shop)
        await _until_card(shop, "claw", "It cannot read the file of the provider's key")
        assert "`api_key`" in await _until_card(shop, "claw", "belongs to 0:0")
        os.chown(key, 1000, 1000)
        await _reload(shop)
        await _healed(shop, "cannot read", "belongs to")

        # A key that the provider takes no more.
        shop.model.keys.clear()
        shop.telegram.write(ANN, "still there?")
        await _until_card(shop, "claw", "The provider refused the key when a message came")
        await _enter_key(shop, shop.admit()[1])
        await _healed(shop, "refused the key")
        await _answers_again(shop, "Here I am again.")
        assert shop.container(bot_id)["State"]["StartedAt"] == first_run

        # No key at all: what runs goes on with the former one and says so.
        key.unlink()
        await _reload(shop)
        card = await _until_card(shop, "claw", "provider's key and goes on with the former one")
        assert "Enter the key again with /bot secrets" in card
        await shop.answered("are you there?", "With the former key.")

        # No key and a new run: there is none before there is a key.
        await shop.place.ann.slash("bot stop", name="claw")
        await _until_card(shop, "claw", "stopped")
        await shop.place.ann.slash("bot start", name="claw")
        await _until_card(shop, "claw", "waiting for secrets")
        assert not shop.container(bot_id)["State"]["Running"]
        await _enter_key(shop, shop.admit()[1])
        await shop.place.card_says("claw", "running", START)
        await shop.answered("and after that?", "Here I am for good.")


@pytest.mark.timeout(600)
async def test_a_token_that_the_service_refuses_is_told_by_probe_and_log(
    docker_client: docker.APIClient, openclaw_image: str, tmp_path: Path
) -> None:
    """Never shown as running; which channel fails and why; a good token mends the same run."""
    async with open_shop(tmp_path, docker_client) as shop:
        token, key = shop.admit()
        shop.telegram.tokens.clear()
        await shop.prepare("claw", allow_from=str(ANN))
        await shop.hand_over("claw", token, key)
        card = await shop.place.card_says("claw", "channel telegram is not ready", 2 * START)
        assert "unhealthy" in card.content
        assert not any("— running" in text for text in [card.content, *card.history])
        await _until_card(shop, "claw", "The channel's service refuses the token")
        first_run = shop.container(shop.place.controller.bot_id("claw"))["State"]["StartedAt"]
        good, _ = shop.admit()
        await said(await shop.place.ann.slash("bot secrets", name="claw"), "direct message")
        form = await shop.place.open_form("claw")
        await said(await shop.place.submit(form, api_key="", channel_token=good), "stored")
        await _healed(shop, "not ready", "refuses")
        await shop.answered("better?", "Much better.")
        after = shop.container(shop.place.controller.bot_id("claw"))["State"]["StartedAt"]
        assert after == first_run


async def _answers_again(shop: Shop, answer: str) -> None:
    """OpenClaw leaves a provider that refused it alone for a while, also with another key."""
    for _ in range(10):
        with contextlib.suppress(AssertionError):
            await shop.answered("once more", answer, within=20)
            return
    raise AssertionError("no answer with the new key")


async def _enter_key(shop: Shop, key: str) -> None:
    await said(await shop.place.ann.slash("bot secrets", name="claw"), "direct message")
    form = await shop.place.open_form("claw")
    await said(await shop.place.submit(form, api_key=key, channel_token=""), "stored")


@pytest.fixture
def without_slack(docker_client: docker.APIClient, openclaw_image: str) -> Iterator[str]:
    """OpenClaw's image as the official one is: without the Slack plugin."""
    name = "openclaw-test:without-slack"
    made = docker_client.create_container(
        openclaw_image, entrypoint=["rm", "-r", f"{SLACK}/"], command=[], user="0:0"
    )
    try:
        docker_client.start(made)
        assert docker_client.wait(made, timeout=60)["StatusCode"] == 0
        repository, _, tag = name.partition(":")
        docker_client.commit(made["Id"], repository, tag)
        yield name
    finally:
        docker_client.remove_container(made, force=True)
        with contextlib.suppress(docker.errors.ImageNotFound):
            docker_client.remove_image(name)


async def test_a_channel_whose_plugin_the_image_lacks_is_refused_before_anything_is_made(
    docker_client: docker.APIClient, without_slack: str, tmp_path: Path
) -> None:
    """Slack is refused with what to do; Telegram, which needs no plugin, is not."""
    images = f"openclaw={without_slack}"
    async with open_shop(tmp_path, docker_client, BOTMAKER_IMAGES=images) as shop:
        refused = await shop.place.create(
            "quiet", "openclaw", provider="anthropic", channel="slack"
        )
        assert "Slack needs a part that the image of OpenClaw does not have" in refused.text
        assert "with the Slack plugin built in" in refused.text
        assert shop.place.controller.rows("SELECT name FROM bot") == []
        made = await shop.place.create("loud", "openclaw", provider="anthropic", channel="telegram")
        assert "direct message" in made.text


@pytest.mark.timeout(420)
async def test_one_gibibyte_is_told_to_be_too_little(
    docker_client: docker.APIClient, openclaw_image: str, tmp_path: Path
) -> None:
    """The first message ends it for lack of memory; the card names the limit and the key to set."""
    (tmp_path / "more").mkdir()
    text = TEMPLATE.read_text().replace('id = "openclaw"', 'id = "smallclaw"', 1)
    assert 'memory = "2g"' in text
    (tmp_path / "more" / "smallclaw.toml").write_text(
        text.replace('memory = "2g"', 'memory = "1g"')
    )
    async with open_shop(
        tmp_path,
        docker_client,
        BOTMAKER_TEMPLATES_DIR=str(tmp_path / "more"),
        BOTMAKER_IMAGES="openclaw=openclaw:latest,smallclaw=openclaw:latest",
    ) as shop:
        await shop.running("claw", template="smallclaw", allow_from=str(ANN))
        shop.telegram.write(ANN, "hello")
        card = await _until_card(shop, "claw", "for lack of memory (limit 1 GiB)")
        assert "`/bot edit`, option `memory`" in card
