"""`/bot schedule …`: what people read about what a bot does by itself."""

from __future__ import annotations

from dataclasses import replace

from demo.world import World
from tests.chat.acting import make, said


async def test_a_schedule_is_added_listed_paused_and_removed(world: World) -> None:
    """In words; the next run in each reader's own time."""
    await make(world)
    empty = said(await world.admin.slash(world.channel, "bot schedule list", name="shop"))
    assert empty == "**shop** does nothing by itself. /bot schedule add lets it."
    added = said(
        await world.admin.slash(
            world.channel,
            "bot schedule add",
            name="shop",
            what="restart",
            at="weekdays 4:30",
            zone="europe/berlin",
        )
    )
    assert "Schedule 1 of **shop**: restart at `30 4 * * 1-5` (Europe/Berlin)." in added
    assert "First run <t:" in added
    listed = said(await world.admin.slash(world.channel, "bot schedule list", name="shop"))
    assert "`1` restart at `30 4 * * 1-5` (Europe/Berlin) — next <t:" in listed
    paused = said(
        await world.admin.slash(world.channel, "bot schedule pause", name="shop", schedule="1")
    )
    assert "is paused" in paused
    listed = said(await world.admin.slash(world.channel, "bot schedule list", name="shop"))
    assert "— paused" in listed
    await world.admin.slash(world.channel, "bot schedule resume", name="shop", schedule="1")
    gone = said(
        await world.admin.slash(world.channel, "bot schedule remove", name="shop", schedule="1")
    )
    assert gone == "✅ Removed schedule 1 of **shop** (restart)."


async def test_what_was_missed_and_how_the_last_run_went_is_in_the_list(world: World) -> None:
    """With its reason, and without markup that it might hold."""
    view = await make(world)
    await world.admin.slash(
        world.channel, "bot schedule add", name="shop", what="stop", at="daily 3:00"
    )
    store = world.application.installation.tools.store
    (one,) = await store.schedules(view.bot.id)
    async with store.transaction() as write:
        await write.schedules.save(
            replace(
                one, last_at=1000.0, last_code="storage", last_words="**no**", missed=3,
                missed_at=2000.0,
            )
        )  # fmt: skip
    listed = said(await world.admin.slash(world.channel, "bot schedule list", name="shop"))
    assert "last run <t:1000:R> failed (storage): \\*\\*no\\*\\*" in listed
    assert "⚠️ missed 3 runs while BotMaker was away, the last <t:2000:R>" in listed


async def test_a_time_that_cannot_be_read_is_answered_with_examples(world: World) -> None:
    """So the next try works."""
    await make(world)
    for at, zone in (("half past four", None), ("* * * * *", None), ("daily 3:00", "Nowhere")):
        options = {"zone": zone} if zone else {}
        text = said(
            await world.admin.slash(
                world.channel, "bot schedule add", name="shop", what="stop", at=at, **options
            )
        )
        assert "For example" in text or "Leave more time" in text
    listed = said(await world.admin.slash(world.channel, "bot schedule list", name="shop"))
    assert "nothing by itself" in listed
