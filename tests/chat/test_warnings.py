"""What to know about a bot before and after secrets are typed, also while its fields are empty."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from controller.catalog import load
from controller.catalog.loading import BUILTIN
from controller.domain.phase import Phase
from demo.world import World
from tests.chat.acting import direct, fill, make, said, until_phase
from tests.chat.test_edit import edit

OPENCLAW = load().get("openclaw")
WITH_NEEDS = sorted(name for name, channel in OPENCLAW.channels.items() if channel.needs)
# Providers with fields that must be filled in: where the warnings were lost.
ASKING = sorted(
    name for name, one in OPENCLAW.providers.items() if any(f.required for f in one.fields)
)
EXPOSED = """
schema = 1
id = "exposed"
title = "Exposed bot"
image = { ref = "echo:1", pull = "never" }
run = { user = "1000:1000", command = ["/bin/open"], secret_exposure = "process-env"%s }
[[secrets]]
name = "api_key"
label = "Key of the bot"
process_env = "API_KEY"
[[fields]]
name = "address"
label = "Address"
required = true
"""
DOUBT = "needs a part that not every image has"
EXPOSURE = "⚠️ This bot gets Key of the bot as environment variables"


@pytest.fixture
def templates(templates: Path) -> Path:
    """OpenClaw from an image that isn't here yet, and two bots with weaker delivery."""
    text = (BUILTIN / "openclaw.toml").read_text()
    (templates / "claw.toml").write_text(text.replace('id = "openclaw"', 'id = "claw"', 1))
    (templates / "exposed.toml").write_text(EXPOSED % "")
    reaching = (EXPOSED % ", host_gateway = true").replace('"exposed"', '"reaching"')
    (templates / "reaching.toml").write_text(reaching)
    return templates


def test_there_are_providers_to_try() -> None:
    """The self-hosted ones ask for an address."""
    assert {"ollama", "lmstudio", "vllm", "sglang", "litellm"} <= set(ASKING)
    assert {"discord", "slack", "matrix"} == set(WITH_NEEDS)


@pytest.mark.parametrize("provider", ASKING)
async def test_a_missing_plugin_is_said_while_the_address_is_empty(
    world: World, provider: str
) -> None:
    """At creation, in the direct message and in `/bot show`, for every such provider."""
    for channel in WITH_NEEDS:
        answer = await world.admin.slash(
            world.channel,
            "bot create",
            name=channel,
            template="claw",
            provider=provider,
            model="any",
            channel=channel,
        )
        title = OPENCLAW.channels[channel].title
        assert f"⚠️ {title} {DOUBT}" in said(answer)
        assert DOUBT in direct(world.admin).content
        shown = await world.admin.slash(world.channel, "bot show", name=channel)
        assert f"⚠️ {title} {DOUBT}" in said(shown)


async def test_exposed_secrets_are_said_while_fields_are_empty(world: World) -> None:
    """Before they are typed, and later."""
    answer = await world.admin.slash(world.channel, "bot create", name="shop", template="exposed")
    assert EXPOSURE in said(answer)
    assert EXPOSURE in direct(world.admin).content
    assert EXPOSURE in said(await world.admin.slash(world.channel, "bot show", name="shop"))
    await fill(world, {"api_key": "fake-key-1", "address": "here"})
    await until_phase(world, "shop", Phase.RUNNING)
    assert EXPOSURE in said(await world.admin.slash(world.channel, "bot show", name="shop"))


@pytest.mark.parametrize(
    "address", ["http://localhost:11434", "http://127.0.0.1:11434", "http://[::1]:11434/"]
)
@pytest.mark.parametrize(
    ("template", "advice"),
    [
        ("exposed", "Use the address of that machine in your network."),
        ("reaching", "use `http://host.docker.internal:11434"),
    ],
)
async def test_localhost_as_an_address_is_pointed_out(
    world: World, template: str, advice: str, address: str
) -> None:
    """It's accepted with a warning: in the receipt, after an edit, and in `/bot show`."""
    await make(world, "shop", template)
    text = said(await fill(world, {"api_key": "fake-key-1", "address": address}))
    warning = "⚠️ Address leads to the bot's own container"
    assert warning in text
    assert advice in text
    await until_phase(world, "shop", Phase.RUNNING)
    assert warning in said(await world.admin.slash(world.channel, "bot show", name="shop"))
    edited = await world.admin.submit_modal(await edit(world), {"address": f"{address}?x"})
    assert advice in said(edited)
    fixed = await world.admin.submit_modal(
        await edit(world), {"address": "http://host.docker.internal:11434"}
    )
    assert "⚠️ Address" not in said(fixed)


@pytest.mark.parametrize(
    ("template", "names"), [("exposed", ()), ("reaching", ("host.docker.internal",))]
)
async def test_the_hosts_name_is_known_in_a_bot_that_uses_it(
    world: World, template: str, names: tuple[str, ...]
) -> None:
    """Only where the template allows it, and only once a setting names it."""
    await make(world, "shop", template)
    blueprints = world.application.installation.tools.blueprints
    address = "http://host.docker.internal:11434"
    await fill(world, {"api_key": "fake-key-1", "address": address})
    view = await until_phase(world, "shop", Phase.RUNNING)
    assert blueprints.spec(view.bot).host_names == names
    other = replace(view.bot, fields={"address": "http://192.168.1.10:1"})
    assert blueprints.spec(other).host_names == ()
