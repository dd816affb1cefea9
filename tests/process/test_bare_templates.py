"""Templates that ask for nothing, or for plain fields only, work from the command to a running bot.

Also on an image that has neither the folder of their state nor that of their config file.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import AsyncIterator

import docker
import pytest
import pytest_asyncio

from tests.process.process import Place, eventually, open_place

pytestmark = [pytest.mark.engine, pytest.mark.asyncio(loop_scope="module")]
BARE = """
schema = 1
id = "bare"
title = "Bare bot"
image = { ref = "botmaker-demo:2", pull = "never" }
[run]
user = "1234:1235"
stop_timeout = 1
entrypoint = ["/bin/sh", "-c", "ls /run/secrets && while sleep 1; do :; done"]
resources = { memory = "32m", cpus = 0.25, pids = 32 }
"""
PLAIN = (
    BARE.replace('"bare"', '"fields"').replace(
        "ls /run/secrets", "cat /opt/none/config/bot.json && touch /srv/nowhere/state/mine"
    )
    + """
[state]
path = "/srv/nowhere/state"
[[fields]]
name = "behaviour"
label = "Behaviour"
env = "DEMO_BEHAVIOUR"
required = true
[[files]]
path = "/opt/none/config/bot.json"
format = "json"
[files.content]
behaviour = "{{field.behaviour}}"
"""
)
BLOCKED = BARE.replace('"bare"', '"blocked"') + (
    """
[[files]]
path = "/etc/passwd/bot.json"
format = "json"
"""
)
REACHING = (
    BARE.replace('"bare"', '"reaching"')
    .replace("[run]", "[run]\nhost_gateway = true")
    .replace("ls /run/secrets", "grep host.docker.internal /etc/hosts")
    + """
[[fields]]
name = "address"
label = "Address"
required = true
"""
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(
    tmp_path_factory: pytest.TempPathFactory, docker_client: docker.APIClient, demo_image: str
) -> AsyncIterator[Place]:
    """A place with both templates."""
    assert demo_image
    folder = tmp_path_factory.mktemp("bare")
    async with open_place(folder, docker_client, start=False) as place:
        for name, text in (
            ("bare", BARE),
            ("fields", PLAIN),
            ("blocked", BLOCKED),
            ("reaching", REACHING),
        ):
            (folder / "templates" / f"{name}.toml").write_text(text)
        await place.controller.start()
        yield place


async def test_a_template_that_asks_for_nothing_runs_at_once(place: Place) -> None:
    """No form: created, started, running; and after a restart of the bot too."""
    answer = await place.create("nothing", "bare")
    assert "There is nothing to enter" in answer.text
    card = await place.card_says("nothing", "— running")
    await place.ann.click(card, label="Restart")
    await place.card_says("nothing", "— running")


async def test_a_lost_empty_folder_of_secrets_is_no_loss(place: Place) -> None:
    """It's created again before the next start."""
    await place.create("emptied", "bare")
    card = await place.card_says("emptied", "— running")
    bot_id = place.controller.bot_id("emptied")
    before = place.controller.started_at(bot_id)
    (place.controller.secrets_dir / bot_id).rmdir()
    await place.ann.click(card, label="Restart")
    again = place.controller.started_at_or_none
    await eventually(lambda: again(bot_id) not in {None, before})
    await place.card_says("emptied", "— running")


async def test_a_template_with_plain_fields_only_runs_after_its_form(
    place: Place, docker_client: docker.APIClient
) -> None:
    """The field is in the config file, and the state folder belongs to the bot's user."""
    await place.create("fielded", "fields")
    modal = await place.open_form("fielded")
    assert [field["custom_id"] for field in modal.fields] == ["behaviour"]
    await place.ann.submit(modal, {"behaviour": "steady"})
    await place.card_says("fielded", "— running")
    name = f"botmaker-{place.controller.bot_id('fielded')}"
    _, stat = docker_client.get_archive(name, "/opt/none/config/bot.json")
    assert stat["size"] > 10
    pieces, _ = docker_client.get_archive(name, "/srv/nowhere/state")
    with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as archive:
        top = archive.getmembers()[0]
    assert (top.uid, top.gid) == (1234, 1235)


async def test_a_folder_that_cannot_be_mounted_is_named(place: Place) -> None:
    """By its place in the container; no path of the host, and no talk of a missing program."""
    await place.create("stuck", "blocked")
    card = await place.card_says("stuck", "— error", 25)
    text = card.content.replace("\\", "")
    assert 'nothing can be mounted at "/etc/passwd"' in text
    assert "program was not found" not in text
    assert str(place.controller.data) not in text


async def test_a_bot_whose_settings_name_the_host_can_find_it(
    place: Place, docker_client: docker.APIClient
) -> None:
    """The engine knows the host's address; the bot only its name."""
    await place.create("reacher", "reaching")
    modal = await place.open_form("reacher")
    await place.ann.submit(modal, {"address": "http://host.docker.internal:11434"})
    await place.card_says("reacher", "— running")
    name = f"botmaker-{place.controller.bot_id('reacher')}"
    await eventually(lambda: b"host.docker.internal" in docker_client.logs(name))
