"""The controller ends and comes again over the same folder: nothing that people hold goes stale."""

from __future__ import annotations

from controller.domain.phase import Phase
from tests.chat.acting import (
    VALUES,
    card,
    direct,
    fill,
    labels,
    make,
    newcomer,
    public,
    ready_bot,
    said,
    until_card,
    until_phase,
)
from tests.chat.house import House


async def test_a_direct_messages_button_works_after_a_restart(house: House) -> None:
    """The bot was made before, its secrets are entered after."""
    async with house.controller() as world:
        await make(world)
    async with house.controller() as world:
        assert "🟢 **shop** — running" in said(await fill(world))


async def test_each_start_sweeps_the_throw_away_containers_of_the_last_controller(
    house: House,
) -> None:
    """Once, before anything is tried out: one of a killed controller still holds secrets."""
    for starts in (1, 2):
        async with house.controller():
            assert house.engine.calls["sweep"] == starts


async def test_a_modal_opened_before_the_restart_is_accepted_after_it(house: House) -> None:
    """Nobody types a key twice because the controller was updated."""
    async with house.controller() as world:
        await make(world)
        shown = await world.admin.user.click(direct(world.admin), label="Enter secrets")
    async with house.controller() as world:
        text = said(await world.admin.user.submit_modal(shown, VALUES))
        assert "🟢 **shop** — running" in text


async def test_a_form_of_two_steps_goes_on_after_a_restart(house: House) -> None:
    """The first page is kept, the Continue button still opens the second."""
    async with house.controller() as world:
        await make(world, "many", "long")
        shown = await world.admin.user.click(direct(world.admin), label="Enter secrets")
        assert shown.modal is not None
        values = {f"secret_{i}": f"value{i}{i}" for i in range(1, 6)} | {"colour": ["blue"]}
        ids = [c["component"]["custom_id"] for c in shown.modal["components"]]
        first = await world.admin.user.submit_modal(
            shown, {i: values[i] for i in ids if i in values}
        )
        assert first.response is not None
    async with house.controller() as world:
        more = await world.admin.user.click(first.response, label="Continue")
        assert more.modal is not None
        rest = [c["component"]["custom_id"] for c in more.modal["components"]]
        text = said(await world.admin.user.submit_modal(more, {i: values[i] for i in rest}))
        assert "🟢 **many** — running" in text
        assert (
            world.application.installation.tools.fleet.named("many").bot.fields["colour"] == "blue"
        )


async def test_the_cards_buttons_work_after_a_restart(house: House) -> None:
    """Logs, Restart and Stop of the old message act on the bot."""
    async with house.controller() as world:
        view = await ready_bot(world)
        message = await until_card(world, "shop", "running")
        house.engine.write_log(view.bot.id, "hello from before")
    async with house.controller() as world:
        await until_phase(world, "shop", Phase.RUNNING)
        assert "hello from before" in said(await world.admin.click(message, label="Logs"))
        assert "running" in said(await world.admin.click(message, label="Restart"))
        assert "stopped" in said(await world.admin.click(message, label="Stop"))
        assert len(public(world)) == 1


async def test_a_log_snippets_buttons_work_after_a_restart(house: House) -> None:
    """Refresh knows what was asked for."""
    async with house.controller() as world:
        view = await ready_bot(world)
        house.engine.write_log(view.bot.id, "apple\nbanana")
        shown = await world.admin.slash(world.channel, "bot logs", name="shop", grep="banana")
        assert shown.response is not None
    async with house.controller() as world:
        house.engine.write_log(view.bot.id, "banana split\ncherry")
        await world.admin.click(shown.response, label="Refresh")
        text = shown.response.content
        assert "banana split" in text
        assert "apple" not in text
        assert "cherry" not in text


async def test_a_running_bot_does_not_notice_the_restart(house: House) -> None:
    """Same container, same run, and the card keeps its words and its place."""
    async with house.controller() as world:
        view = await ready_bot(world)
        before = await until_card(world, "shop", "running")
    edits = len(house.requests("PATCH", f"/messages/{before.id}"))
    async with house.controller() as world:
        after = await until_phase(world, "shop", Phase.RUNNING)
        assert after.world.container == view.world.container
        assert len(public(world)) == 1
        await world.env.settle()
        again = card(world, "shop")
        assert again is not None
        assert again.id == before.id
    assert len(house.requests("PATCH", f"/messages/{before.id}")) <= edits + 1


async def test_unchanged_commands_are_not_registered_again(house: House) -> None:
    """Discord limits registrations a day; a restart costs none."""
    for _ in range(3):
        async with house.controller():
            pass
    assert len(house.requests("PUT", "/commands")) == 1


async def test_commands_that_discord_lost_are_registered_again(house: House) -> None:
    """Somebody removed the bot from the server and invited it anew."""
    async with house.controller():
        pass
    del house.env.backend.commands[house.guild.id]
    async with house.controller() as world:
        assert "There are no bots yet." in said(await world.admin.slash(world.channel, "bot list"))
    assert len(house.requests("PUT", "/commands")) == 2


async def test_grants_and_history_outlive_the_controller(house: House) -> None:
    """Who may do what, and who did what, are in the database."""
    async with house.controller() as world:
        await ready_bot(world)
        bob = newcomer(world, "bob")
        await world.admin.slash(world.channel, "access grant", who=bob, role="viewer")
    async with house.controller() as world:
        text = said(await bob.slash(world.channel, "bot history", name="shop"))
        assert f"<@{world.admin.id}> **create**" in text
        assert f"<@{world.admin.id}> **secrets**" in text


async def test_secrets_are_hidden_from_logs_after_a_restart_too(house: House) -> None:
    """The values on the disk are known to the redactor from the start."""
    async with house.controller() as world:
        view = await ready_bot(world)
        house.engine.write_log(view.bot.id, f"using token {VALUES['channel_token']} now")
    async with house.controller() as world:
        text = said(await world.admin.slash(world.channel, "bot logs", name="shop"))
        assert VALUES["channel_token"] not in text
        assert "using token [redacted] now" in text


async def test_a_delete_begun_before_the_end_is_finished_by_the_next(house: House) -> None:
    """The wish is in the database: nothing of the bot is left, and its card says so."""
    async with house.controller() as world:
        await ready_bot(world)
        asked = await world.admin.slash(world.channel, "bot delete", name="shop")
        assert asked.response is not None
        house.engine.go_away()
        text = (await world.admin.click(asked.response, label="Delete shop")).response
        assert text is not None
        assert "removed" not in text.content.replace("being removed", "")
    house.engine.come_back()
    async with house.controller() as world:
        message = await until_card(world, "shop", "🗑️ **shop** — removed")
        assert labels(message) == []
        assert len([m for m in public(world) if "Docker" not in m.content]) == 1
        assert house.engine.containers == {}
        assert house.engine.volumes == set()
        assert list(house.settings.secrets_dir.iterdir()) == []
