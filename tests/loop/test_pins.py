"""Which image a bot runs: pinned until it goes, its reference changes, or a person restarts it."""

from __future__ import annotations

import pytest

from controller.domain.journal import Kind
from controller.domain.phase import Phase
from controller.runtime.memory_images import image_id
from tests.manager.rig import ANN_ASKS, PLAIN, Rig, eventually

OLD, NEW = "example/plain:1", "example/plain:2"
TEMPLATE = PLAIN % "unless-stopped"


def runs(rig: Rig, bot_id: str) -> str:
    """The image that the bot's container is made of, in truth."""
    return rig.runtime.containers[bot_id].seen.image


async def change_template(rig: Rig, text: str) -> None:
    """A new controller that knows the template in this form."""
    rig.template(text)
    await rig.restart()


async def test_a_pruned_image_is_resolved_again(rig: Rig) -> None:
    """A rebuild and a prune of everything that no container uses: the next start takes the new."""
    bot = await rig.running()
    await rig.manager.lifecycle.stop(ANN_ASKS, bot)
    rig.runtime.do_remove(bot.id)
    rig.runtime.rebuild(OLD)
    rig.runtime.kept.clear()
    rig.runtime.prune_images()
    await rig.manager.lifecycle.start(ANN_ASKS, bot)
    await rig.becomes(bot, Phase.RUNNING)
    assert runs(rig, bot.id) == rig.runtime.image(OLD) != image_id(OLD)
    (entry,) = await rig.entries(Kind.NEW_IMAGE, bot=bot)
    assert entry.data["before"] == image_id(OLD)
    assert entry.data["after"] == runs(rig, bot.id)


async def test_a_rebuild_alone_changes_no_bot(rig: Rig) -> None:
    """A recreated container gets the image that its bot is pinned to, even after a prune."""
    bot = await rig.running()
    rig.runtime.rebuild(OLD)
    rig.runtime.do_remove(bot.id)
    rig.runtime.prune_images()
    rig.poke(bot)
    await eventually(lambda: rig.active(bot), "it runs again")
    assert runs(rig, bot.id) == image_id(OLD)
    assert await rig.entries(Kind.NEW_IMAGE, bot=bot) == []


@pytest.mark.parametrize("how", ["restart", "stop and start"])
async def test_another_reference_counts_from_the_next_restart(rig: Rig, how: str) -> None:
    """A new template changes nothing that runs; a person's restart applies it and says so."""
    bot = await rig.running()
    rig.runtime.images.add(NEW)
    await change_template(rig, TEMPLATE.replace(OLD, NEW))
    await rig.becomes(bot, Phase.RUNNING)
    assert runs(rig, bot.id) == image_id(OLD)
    if how == "restart":
        await rig.manager.lifecycle.restart(ANN_ASKS, bot)
    else:
        await rig.manager.lifecycle.stop(ANN_ASKS, bot)
        await rig.manager.lifecycle.start(ANN_ASKS, bot)
    await rig.becomes(bot, Phase.RUNNING)
    assert runs(rig, bot.id) == image_id(NEW)
    (entry,) = await rig.entries(Kind.NEW_IMAGE, bot=bot)
    assert (entry.data["ref_before"], entry.data["ref_after"]) == (OLD, NEW)
    assert rig.view(bot).crashes == ()


async def test_another_reference_that_cannot_be_had_is_said(rig: Rig) -> None:
    """The old image with the new template's command would be neither of the two."""
    bot = await rig.running()
    await change_template(rig, TEMPLATE.replace(OLD, NEW))
    await rig.manager.lifecycle.restart(ANN_ASKS, bot)
    view = await rig.becomes(bot, Phase.ERROR)
    assert view.bot.problem is not None
    assert view.bot.problem.code == "image-missing"
    assert NEW in view.bot.problem.message


async def test_pull_always_acts_at_each_restart_that_a_person_asks_for(rig: Rig) -> None:
    """Once a restart, and not at a crash or a new controller."""
    rig.template(TEMPLATE.replace('"never"', '"always"'))
    await rig.restart()
    rig.runtime.pullable.add(OLD)
    bot = await rig.running()
    rig.runtime.rebuild(OLD)
    rig.runtime.crash(bot.id, 1)
    await rig.restart()
    await rig.becomes(bot, Phase.RUNNING)
    assert runs(rig, bot.id) == image_id(OLD)
    for _ in range(2):
        asked = rig.runtime.calls["pin_image"]
        await rig.manager.lifecycle.restart(ANN_ASKS, bot)
        await rig.becomes(bot, Phase.RUNNING)
        assert runs(rig, bot.id) == rig.runtime.image(OLD)
        assert rig.runtime.calls["pin_image"] == asked + 1
    assert len(await rig.entries(Kind.NEW_IMAGE, bot=bot)) == 1


async def test_a_failed_pull_keeps_the_image_that_a_bot_has(rig: Rig) -> None:
    """The registry's trouble is no reason to lose a bot that a person restarts."""
    rig.template(TEMPLATE.replace('"never"', '"always"'))
    await rig.restart()
    bot = await rig.running()
    before = rig.run_of(bot)
    rig.runtime.images.clear()
    await rig.manager.lifecycle.restart(ANN_ASKS, bot)
    await eventually(lambda: rig.run_of(bot) != before, "it was restarted")
    await rig.becomes(bot, Phase.RUNNING)
    assert runs(rig, bot.id) == image_id(OLD)


async def test_a_bot_pinned_by_an_earlier_version_follows_its_template(rig: Rig) -> None:
    """Its row has no reference yet: the present template's is taken for it."""
    bot = await rig.running()
    await rig.kill()
    await rig.open()
    stored = await rig.store._db.read("SELECT image_ref FROM bot")
    assert stored == [(OLD,)]
    async with rig.store._db.transaction() as connection:
        await connection.execute("UPDATE bot SET image_ref = ''")
    await rig.restart()
    await rig.becomes(bot, Phase.RUNNING)
    rig.runtime.images.add(NEW)
    await change_template(rig, TEMPLATE.replace(OLD, NEW))
    await rig.manager.lifecycle.restart(ANN_ASKS, bot)
    await rig.becomes(bot, Phase.RUNNING)
    assert runs(rig, bot.id) == image_id(NEW)


async def test_the_tag_goes_with_the_bot(rig: Rig) -> None:
    """Also the tag of a bot whose row is gone already."""
    bot = await rig.running()
    assert await rig.runtime.list_kept() == [bot.id]
    await rig.manager.lifecycle.delete(ANN_ASKS, bot)
    await rig.gone(bot)
    assert await rig.runtime.list_kept() == []
    rig.runtime.kept[bot.id] = image_id(OLD)
    await rig.restart()
    await eventually(lambda: not rig.runtime.kept, "the left-over tag goes")
