"""Updates and rollbacks: what is shown before, what becomes of the bot, and what is refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from controller.domain.bot import Bot
from controller.domain.errors import Conflict, ImageMissing, NotFound, NotReady
from controller.domain.journal import Kind
from controller.domain.phase import Phase
from controller.domain.release import Outcome
from controller.domain.spec_changes import Difference
from controller.runtime import ProbeResult
from controller.runtime.memory import MemoryRuntime
from controller.runtime.memory_images import image_id
from tests.loop.test_releases import PROVING, proven, settled
from tests.manager.rig import ANN_ASKS, Rig, eventually

IMAGE = "example/plain:1"


@pytest.fixture
async def proving(rig: Rig) -> Rig:
    """An installation whose rich bots prove themselves at once."""
    rig.template(PROVING, "rich")
    await rig.restart()
    return rig


async def changed_template(rig: Rig, *changes: tuple[str, str]) -> None:
    """A new controller that knows the rich template in another form."""
    text = PROVING
    for old, new in changes:
        text = text.replace(old, new)
    rig.template(text, "rich")
    await rig.restart()


BIGGER = ("stop_timeout = 1,", 'stop_timeout = 1, env = { MOOD = "good" },')


async def test_a_bot_that_is_up_to_date_says_so(proving: Rig) -> None:
    """Nothing is done then."""
    bot = await proven(proving)
    assert not await proving.manager.releases.preview(ANN_ASKS, bot)
    with pytest.raises(NotReady) as caught:
        await proving.manager.releases.update(ANN_ASKS, bot)
    assert caught.value.code == "up-to-date"


async def test_an_update_shows_first_what_it_would_change(proving: Rig) -> None:
    """The image, the template and the config, by name and value; the bot isn't touched."""
    bot = await proven(proving)
    await changed_template(proving, BIGGER, ('tone = "{{field.tone}}"', 'tone = "loud"'))
    proving.runtime.rebuild(IMAGE)
    run = proving.run_of(bot)
    found = await proving.manager.releases.preview(ANN_ASKS, proving.view(bot).bot)
    assert found.image == (image_id(IMAGE), proving.runtime.image(IMAGE))
    assert found.reference == (IMAGE, IMAGE)
    assert found.template
    variable, config = found.config
    assert variable == Difference("variable MOOD", "", "good")
    assert config.name == "config files"
    assert proving.run_of(bot) == run
    assert len(await proving.store.releases(bot.id)) == 1


async def test_an_update_is_a_release_that_proves_itself(proving: Rig) -> None:
    """By whoever asked for it; its journal tells of it."""
    bot = await proven(proving)
    await changed_template(proving, BIGGER)
    proving.runtime.rebuild(IMAGE)
    mark = (await proving.manager.releases.preview(ANN_ASKS, proving.view(bot).bot)).mark
    await proving.manager.releases.update(ANN_ASKS, proving.view(bot).bot, mark)
    await settled(proving, bot, 2)
    held = proving.runtime.containers[bot.id]
    assert held.seen.image == proving.runtime.image(IMAGE) != image_id(IMAGE)
    assert ("MOOD", "good") in held.spec.env
    newest = (await proving.store.releases(bot.id))[0]
    assert (newest.why, newest.author.principal.name) == ("update", "ann")
    (entry,) = await proving.entries(Kind.RELEASE, bot=bot)
    assert entry.data == {"number": 2, "why": "update"}


async def test_what_was_shown_is_what_is_done(proving: Rig) -> None:
    """If it would change something else by now, nothing is done and one looks again."""
    bot = await proven(proving)
    proving.runtime.rebuild(IMAGE)
    mark = (await proving.manager.releases.preview(ANN_ASKS, bot)).mark
    proving.runtime.rebuild(IMAGE)
    with pytest.raises(Conflict) as caught:
        await proving.manager.releases.update(ANN_ASKS, bot, mark)
    assert caught.value.code == "changed-meanwhile"
    assert proving.view(bot).bot == bot


class Meanwhile:
    """A runtime at which something else happens while an image is looked for."""

    def __init__(self, runtime: MemoryRuntime, happens: Callable[[], Awaitable[object]]) -> None:
        self._runtime, self._happens = runtime, happens

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._runtime, name)
        if name != "pin_image":
            return call

        async def pin(*args: Any, **named: Any) -> str:
            await self._happens()
            return str(await call(*args, **named))

        return pin


async def test_a_change_by_somebody_else_meanwhile_isnt_written_over(proving: Rig) -> None:
    """Whoever updates is told, and theirs stands."""
    bot = await proven(proving)
    owed = ["ahoy"]

    async def change() -> None:
        if owed:
            await proving.edit(bot, greeting=owed.pop())

    await proving.kill()
    proving.door = Meanwhile(proving.runtime, change)  # type: ignore[assignment]
    await proving.open()
    proving.run()
    await eventually(lambda: proving.fleet.engine.reachable)
    proving.runtime.rebuild(IMAGE)
    with pytest.raises(Conflict) as caught:
        await proving.manager.releases.update(ANN_ASKS, bot)
    assert caught.value.code == "changed-meanwhile"
    assert proving.view(bot).bot.fields == {"greeting": "ahoy"}


async def test_an_update_that_fails_is_remembered(proving: Rig) -> None:
    """The next look says why the same was taken back; a restart doesn't try it again."""
    bot = await proven(proving)
    await changed_template(proving, BIGGER)
    proving.runtime.answer_rehearse = lambda *_: ProbeResult(exit_code=1, output="too good")
    await proving.manager.releases.update(ANN_ASKS, proving.view(bot).bot)
    await eventually(lambda: proving.view(bot).bot.setback)
    await settled(proving, bot, 1)
    now = proving.view(bot).bot
    found = await proving.manager.releases.preview(ANN_ASKS, now)
    assert found.failed.endswith("too good")
    await proving.manager.lifecycle.restart(ANN_ASKS, now)
    await proving.becomes(bot, Phase.RUNNING)
    assert len(await proving.store.releases(bot.id)) == 2


async def two_releases(rig: Rig) -> Bot:
    """A bot whose second release has another setting, template and image."""
    bot = await proven(rig)
    await changed_template(rig, BIGGER)
    rig.runtime.rebuild(IMAGE)
    await rig.manager.releases.update(ANN_ASKS, rig.view(bot).bot)
    await settled(rig, bot, 2)
    await rig.edit(rig.view(bot).bot, greeting="ahoy")
    await settled(rig, bot, 3)
    return rig.view(bot).bot


async def test_a_rollback_goes_to_the_last_release_that_worked(proving: Rig) -> None:
    """As a release of its own; twice goes back and forth no further than one asks."""
    bot = await two_releases(proving)
    await proving.manager.releases.rollback(ANN_ASKS, bot)
    await settled(proving, bot, 4)
    now = proving.view(bot).bot
    assert (now.fields, now.image) == ({}, bot.image)
    newest = (await proving.store.releases(bot.id))[0]
    assert (newest.why, newest.outcome) == ("rollback", Outcome.GOOD)


async def test_any_release_comes_back_with_its_image_and_template(proving: Rig) -> None:
    """It's held to that template: no restart brings the present one, only an update does."""
    bot = await two_releases(proving)
    await proving.manager.releases.rollback(ANN_ASKS, bot, 1)
    await settled(proving, bot, 4)
    held = proving.runtime.containers[bot.id]
    assert held.seen.image == image_id(IMAGE)
    assert "MOOD" not in dict(held.spec.env)
    await proving.manager.lifecycle.restart(ANN_ASKS, proving.view(bot).bot)
    await proving.restart()
    await proving.becomes(bot, Phase.RUNNING)
    assert "MOOD" not in dict(proving.runtime.containers[bot.id].spec.env)
    assert len(await proving.store.releases(bot.id)) == 4
    await proving.manager.releases.update(ANN_ASKS, proving.view(bot).bot)
    await settled(proving, bot, 5)
    assert "MOOD" in dict(proving.runtime.containers[bot.id].spec.env)


async def test_a_rollback_that_cannot_be_is_refused_before_anything_ends(proving: Rig) -> None:
    """No such release, what it is already, an image that is gone: each says so."""
    bot = await proven(proving)
    for number, kind, code in (
        (None, NotFound, "no-such-release"),
        (9, NotFound, "no-such-release"),
    ):
        with pytest.raises(kind) as caught:
            await proving.manager.releases.rollback(ANN_ASKS, bot, number)
        assert caught.value.code == code
    with pytest.raises(NotReady):
        await proving.manager.releases.rollback(ANN_ASKS, bot, 1)
    bot = await two_releases_of(proving, bot)
    proving.runtime.forget_images(bot.id)
    proving.runtime.unnamed.discard(image_id(IMAGE))
    run = proving.run_of(bot)
    with pytest.raises(ImageMissing) as missing:
        await proving.manager.releases.rollback(ANN_ASKS, bot, 1)
    assert image_id(IMAGE) in missing.value.message
    assert proving.run_of(bot) == run


async def test_a_rollback_pulls_an_image_that_a_prune_took(proving: Rig) -> None:
    """And says which."""
    bot = await two_releases_of(proving, await proven(proving))
    proving.runtime.forget_images(bot.id)
    proving.runtime.prune_images()
    proving.runtime.pullable.add(image_id(IMAGE))
    done = await proving.manager.releases.rollback(ANN_ASKS, bot, 1)
    assert done.pulled == image_id(IMAGE)
    await settled(proving, bot, 3)
    (outcome, *_) = await proving.entries(Kind.OUTCOME, bot=bot)
    assert outcome.data["pulled"] == image_id(IMAGE)


async def test_the_images_of_good_releases_outlive_a_prune(proving: Rig) -> None:
    """Of the current one and the three before it; the fifth goes with its last use."""
    bot, images = await proven(proving), [image_id(IMAGE)]
    for number in range(2, 6):
        proving.runtime.rebuild(IMAGE)
        await proving.manager.releases.update(ANN_ASKS, proving.view(bot).bot)
        await settled(proving, bot, number)
        images.append(proving.view(bot).bot.image)
    proving.runtime.rebuild(IMAGE)
    proving.runtime.prune_images()
    here = [proving.runtime.image(image) is not None for image in images]
    assert here == [False, True, True, True, True]
    assert (await proving.manager.releases.rollback(ANN_ASKS, bot, 2)).pulled == ""
    await settled(proving, bot, 6)


async def two_releases_of(rig: Rig, bot: Bot) -> Bot:
    """The bot after an update to another image."""
    rig.runtime.rebuild(IMAGE)
    await rig.manager.releases.update(ANN_ASKS, bot)
    await settled(rig, bot, 2)
    return rig.view(bot).bot
