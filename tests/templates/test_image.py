"""The image of a template that nobody made yet: what people are told, and that it heals."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from docker.errors import ImageNotFound

from tests.process.process import BRISK, a_secret
from tests.templates.shop import make, open_shop

pytestmark = [pytest.mark.engine, pytest.mark.timeout(120)]
ABSENT = "botmaker-test-absent:1"


@pytest.fixture
def absent(docker_client: docker.APIClient, demo_image: str) -> Iterator[str]:
    """The name of an image that is not there; removed if the test made it."""
    yield ABSENT
    try:
        docker_client.remove_image(ABSENT)
    except ImageNotFound:
        return


async def test_without_its_image_the_channel_says_how_to_make_it_and_then_it_runs(
    tmp_path: Path, docker_client: docker.APIClient, absent: str, demo_image: str
) -> None:
    """The image's name and the template's own words; made meanwhile, a restart finds it."""
    text = BRISK.replace('id = "brisk"', 'id = "absent"').replace(demo_image, absent)
    async with open_shop(tmp_path, docker_client, {"absent": text}) as place:
        secrets = {"channel_token": a_secret(), "api_key": a_secret()}
        await make(place, "bot", "absent", secrets)
        await place.card_says("bot", f"The image {absent} isn't on this machine", timeout=20)
        assert "Build it on the host: botmaker build-image demo" in place.card("bot").content
        docker_client.tag(demo_image, *absent.split(":"))
        await place.ann.slash("bot start", name="bot")
        await place.card_says("bot", "— running", timeout=30)
