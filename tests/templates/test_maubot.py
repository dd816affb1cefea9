"""The template `maubot`, unchanged: a real maubot in its container, with a homeserver beside it."""

from __future__ import annotations

import json
import secrets
from pathlib import Path

import docker
import pytest

from tests.templates.matrix import LoopbackMatrix
from tests.templates.shop import (
    HARDENED,
    copy_of,
    hardening,
    log_of,
    make,
    open_shop,
    run_inside,
)

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]


def a_token() -> str:
    """A fake of the right shape, unlike any other."""
    return f"syt_FAKE_{secrets.token_hex(12)}"


def answers(matrix: LoopbackMatrix, token: str) -> dict[str, str]:
    """What a person types into the form."""
    account = {"homeserver": matrix.url, "user_id": matrix.user_id, "invites": "yes"}
    return {"channel_token": token, **account}


async def test_it_answers_in_a_room_and_its_config_with_the_token_is_only_among_its_secrets(
    tmp_path: Path, docker_client: docker.APIClient, maubot_image: str, bridge: str
) -> None:
    """From /bot create to an answer; the rendered YAML is a secret like the token itself."""
    async with LoopbackMatrix(a_token(), bridge) as matrix:
        async with open_shop(tmp_path, docker_client) as place:
            bot_id = await make(place, "mau", "maubot", answers(matrix, matrix.token))
            await matrix.until_synced()
            await matrix.say("!ping")
            await matrix.until_heard("pong")
            await place.card_says("mau", "— running", timeout=60)

            config = place.controller.secrets_dir / bot_id / "channel_config"
            found = config.stat()
            assert (found.st_mode & 0o7777, found.st_uid, found.st_nlink) == (0o600, 1000, 1)
            assert matrix.token in config.read_text()
            assert "autojoin: true" in config.read_text()
            made = place.controller.inspect(bot_id)
            assert made is not None
            assert hardening(made) == HARDENED
            for text in (json.dumps(made), log_of(place, bot_id)):
                assert matrix.token not in text
            assert matrix.token not in run_inside(place, bot_id, "grep", "-r", "syt_", "/data")
            assert place.controller.leaks() == []
            assert "failed" not in place.controller.log


async def test_a_refused_token_ends_it_with_words(
    tmp_path: Path, docker_client: docker.APIClient, maubot_image: str, bridge: str
) -> None:
    """maubot would ask for ever; the image asks first, and the channel says who refused what."""
    async with LoopbackMatrix(a_token(), bridge) as matrix:
        async with open_shop(tmp_path, docker_client) as place:
            await make(place, "mau", "maubot", answers(matrix, a_token()))
            await place.card_says("mau", "refuses the access token.", timeout=30)
            assert "78" in place.card("mau").content
            assert matrix.syncs == 0


async def test_a_token_that_is_revoked_later_is_seen_although_maubot_runs_on(
    tmp_path: Path, docker_client: docker.APIClient, maubot_image: str, bridge: str
) -> None:
    """maubot stops listening then and does not end: the health check and its log say it."""
    async with LoopbackMatrix(a_token(), bridge) as matrix:
        brisk = {"brisk-mau": copy_of("maubot", "brisk-mau", {"interval = 10": "interval = 1"})}
        async with open_shop(tmp_path, docker_client, brisk) as place:
            await make(place, "mau", "brisk-mau", answers(matrix, matrix.token))
            await place.card_says("mau", "— running", timeout=60)
            place.controller.entered.append(matrix.token)
            matrix.token = a_token()
            await place.card_says("mau", "refuses the access token.", timeout=90)
            assert "— unhealthy" in place.card("mau").content
