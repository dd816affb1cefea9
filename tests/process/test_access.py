"""Who may do what, checked at every command, button and submit; refusals name the needed role.
Next door: test_buttons.py has what a stranger could forge."""

from __future__ import annotations

from collections.abc import AsyncIterator

import docker
import pytest
import pytest_asyncio

from tests.loopback import Invocation, Person
from tests.process.process import Place, open_place, said

pytestmark = [pytest.mark.engine, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(
    tmp_path_factory: pytest.TempPathFactory, docker_client: docker.APIClient, demo_image: str
) -> AsyncIterator[Place]:
    """A place whose settings give roles: boss is admin, ops operator, crew viewer."""
    folder = tmp_path_factory.mktemp("town")
    async with open_place(folder, docker_client, start=False) as place:
        for role, setting in (("boss", "ADMIN"), ("ops", "OPERATOR"), ("crew", "VIEWER")):
            given = str(place.world.role_id(role))
            place.controller.env[f"BOTMAKER_{setting}_ROLE_IDS"] = given
        await place.controller.start()
        await place.bot("shop")
        await place.card_says("shop", "running")
        yield place


async def _refused(inv: Invocation, *words: str) -> None:
    await said(inv, "❌")
    assert inv.ephemeral
    for word in words:
        assert word in inv.text, inv.text


def _member(town: Place, name: str, *roles: str) -> Person:
    return town.world.person(name, roles=list(roles))


async def test_a_command_in_another_channel_is_refused(town: Place) -> None:
    """The private answer names the right channel; nothing is created."""
    other = town.world.other_channel_id
    inv = await town.ann.slash("bot create", name="lost", template="brisk", channel_id=other)
    await _refused(inv, "admin channel only", f"<#{town.world.admin_channel_id}>")
    assert town.controller.rows("SELECT 1 FROM bot WHERE name = 'lost'") == []
    assert town.world.messages(other) == []


async def test_a_command_from_another_server_is_refused(town: Place) -> None:
    """Forging another server's id doesn't help."""
    override = {"guild_id": "42", "guild": {"id": "42", "locale": "en-US", "features": []}}
    inv = await town.ann.slash("bot list", override=override)
    await _refused(inv, "another server")


async def test_a_command_in_a_direct_message_is_refused(town: Place) -> None:
    """Commands work only in the admin channel, even for an admin."""
    inv = await town.ann.slash("bot list", channel_id=town.ann.dm_channel_id)
    await _refused(inv, "direct message")


@pytest.mark.parametrize(
    ("command", "options", "needed"),
    [
        ("bot list", {}, "viewer"),
        ("bot show", {"name": "shop"}, "viewer"),
        ("bot logs", {"name": "shop"}, "viewer"),
        ("bot history", {"name": "shop"}, "viewer"),
        ("fleet status", {}, "viewer"),
        ("bot do", {"name": "shop", "action": "status"}, "viewer"),
        ("bot start", {"name": "shop"}, "operator"),
        ("bot stop", {"name": "shop"}, "operator"),
        ("bot restart", {"name": "shop"}, "operator"),
        ("bot create", {"name": "mine", "template": "brisk"}, "admin"),
        ("bot edit", {"name": "shop"}, "admin"),
        ("bot secrets", {"name": "shop"}, "admin"),
        ("bot delete", {"name": "shop"}, "admin"),
        ("fleet orphans", {}, "admin"),
        ("fleet doctor", {}, "admin"),
        ("access list", {}, "admin"),
    ],
)
async def test_without_the_role_a_command_is_refused_with_the_role_that_it_needs(
    town: Place, command: str, options: dict[str, str], needed: str
) -> None:
    """No role isn't enough, nor is the next lower one; the bot keeps running."""
    run = town.controller.started_at(town.controller.bot_id("shop"))
    lower: dict[str, list[str]] = {"viewer": [], "operator": ["crew"], "admin": ["ops"]}
    for roles in ([], lower[needed]):
        person = _member(town, "bob", *roles)
        inv = await person.slash(command, **options)
        has = "you are" if roles else "you have no role"
        await _refused(inv, f"needs the role {needed}", has, "/access grant")
    assert town.controller.started_at(town.controller.bot_id("shop")) == run
    assert town.controller.rows("SELECT 1 FROM bot WHERE name = 'mine'") == []


async def test_autocomplete_tells_a_stranger_nothing(town: Place) -> None:
    """It offers bot names only to people with a role."""
    stranger, viewer = _member(town, "eve"), _member(town, "vic", "crew")
    assert await stranger.autocomplete("bot show", option="name", value="") == []
    found = await viewer.autocomplete("bot show", option="name", value="sh")
    assert [choice["value"] for choice in found] == ["shop"]


async def test_roles_of_the_settings_give_exactly_their_rights(town: Place) -> None:
    """A viewer reads, an operator restarts, and neither does more."""
    viewer, operator = _member(town, "vic", "crew"), _member(town, "oscar", "ops")
    await said(await viewer.slash("bot logs", name="shop"), "demo bot starting")
    card = town.card("shop")
    await _refused(
        await viewer.click(card, label="Restart"), "needs the role operator", "you are viewer"
    )
    await said(await operator.click(card, label="Restart"), "running")
    await _refused(await operator.slash("bot delete", name="shop"), "needs the role admin")


async def test_an_admin_by_role_creates_a_bot_through_a_direct_message(town: Place) -> None:
    """A direct message has no roles in it, so the controller looks them up."""
    boss = _member(town, "berta", "boss")
    inv = await boss.slash("bot create", name="bertas", template="brisk")
    await said(inv, "direct message")
    form = await (await boss.click(town.dm("bertas", boss), label="Enter secrets")).modal_sent
    await said(await town.submit(form, boss), "**bertas** — running")


async def test_a_role_taken_away_while_the_form_is_open_stops_the_submit(town: Place) -> None:
    """The refusal names the needed role; no file is written and the form stays unused."""
    boss = _member(town, "former", "boss")
    await said(await boss.slash("bot create", name="formers", template="brisk"), "direct message")
    dm = town.dm("formers", boss)
    form = await (await boss.click(dm, label="Enter secrets")).modal_sent
    town.world.set_roles(boss, [])
    done = await town.submit(form, boss)
    await said(done, "needs the role admin")
    bot_id = town.controller.bot_id("formers")
    assert bot_id not in town.controller.folders()
    assert town.controller.inspect(bot_id) is None
    await _refused(await boss.click(dm, label="Enter secrets"), "needs the role admin")
    assert town.controller.rows("SELECT used_at FROM form WHERE bot_id = ?", bot_id) == [(None,)]


async def test_somebody_elses_form_is_refused(town: Place) -> None:
    """Another admin who gets hold of the button or the form can't use it."""
    await town.create("anns")
    boss = _member(town, "rival", "boss")
    form = await town.open_form("anns")
    done = await town.submit(form, boss)
    await said(done, "somebody else's")
    pressed = await boss.click(town.card("shop"), custom_id=form.custom_id, forged=True)
    await _refused(pressed, "somebody else's")
    assert town.controller.folders().count(town.controller.bot_id("anns")) == 0


async def test_a_granted_role_works_at_once_and_is_gone_when_revoked(town: Place) -> None:
    """/access grant for one bot covers only that bot; /access revoke ends it."""
    await town.create("other")
    gus = _member(town, "gus")
    granted = await town.ann.slash("access grant", who=gus, role="operator", bot="shop")
    await said(granted, "operator")
    await said(await gus.slash("bot restart", name="shop"), "running")
    await _refused(await gus.slash("bot show", name="other"), "needs the role viewer")
    listed = await gus.slash("bot list")
    assert "shop" in listed.text
    assert "other" not in listed.text
    await said(await town.ann.slash("access revoke", who=gus, bot="shop"), "Removed")
    await _refused(await gus.slash("bot restart", name="shop"), "needs the role operator")


async def test_without_admins_in_the_settings_the_applications_owner_is_admin(
    tmp_path_factory: pytest.TempPathFactory, docker_client: docker.APIClient
) -> None:
    """Or every member of the owning team is admin; nobody else is."""
    async with open_place(tmp_path_factory.mktemp("owned"), docker_client, start=False) as place:
        del place.controller.env["BOTMAKER_ADMIN_USER_IDS"]
        await place.controller.start()
        assert "no bots yet" in (await place.world.owner.slash("bot list")).text
        await _refused(await place.ann.slash("bot list"), "needs the role viewer")
        place.world.team = [place.world.owner, place.ann]
        await place.controller.restart()
        assert "no bots yet" in (await place.ann.slash("bot list")).text
