"""What a bot's pinned image outlives: another build of its name, and a prune."""

from __future__ import annotations

import pytest

from controller.domain.errors import BadInput, ImageMissing
from controller.domain.image_version import ImageVersion
from controller.domain.names import new_bot_id
from tests.runtime.rig import EngineRig, Rig


async def test_a_pinned_image_outlives_another_build_and_a_prune(rig: Rig) -> None:
    """The next container is made of it, while its name already means another image."""
    name, bot_id = rig.build_image(), new_bot_id()
    pinned = await rig.runtime.pin_image(name, "never", keep_for=bot_id)
    await rig.created(bot_id=bot_id, image=pinned)
    rig.build_image()
    await rig.runtime.remove(bot_id, 1)
    rig.prune_images()
    spec = await rig.running(bot_id=bot_id, image=pinned)
    found = await rig.runtime.observe(spec.bot_id)
    assert found is not None
    assert found.image == pinned
    assert await rig.runtime.pin_image(name, "never") != pinned
    assert await rig.runtime.pin_image(pinned, "never") == pinned


async def test_an_image_says_which_version_it_is(rig: Rig) -> None:
    """By its labels; another build of its name has its own, and the former one's can be read."""
    first = await rig.runtime.pin_image(rig.build_image("1.2"), "never")
    second = await rig.runtime.pin_image(rig.build_image("1.3"), "never")
    found = [(await rig.runtime.image_version(one)).version for one in (first, second)]
    assert found == ["1.2", "1.3"]
    assert await rig.runtime.image_version(rig.image) == ImageVersion()
    with pytest.raises(ImageMissing):
        await rig.runtime.image_version(f"sha256:{'0' * 64}")


async def test_a_local_image_is_pinned_by_its_id(rig: Rig) -> None:
    """Whatever digest the engine gives it: no registry could be asked for that again."""
    assert (await rig.runtime.pin_image(rig.build_image(), "missing")).startswith("sha256:")


async def test_an_image_goes_with_its_last_use(rig: Rig) -> None:
    """Two bots keep it until both have gone; another build of its name isn't touched."""
    name, bots = rig.build_image(), [new_bot_id(), new_bot_id()]
    for bot_id in bots:
        pinned = await rig.runtime.pin_image(name, "never", keep_for=bot_id)
    assert await rig.runtime.list_kept() == sorted(bots)
    rig.build_image()
    for bot_id in bots:
        assert await rig.runtime.pin_image(pinned, "never") == pinned
        await rig.runtime.let_go(bot_id)
        rig.prune_images()
    assert await rig.runtime.list_kept() == []
    with pytest.raises(ImageMissing):
        await rig.runtime.pin_image(pinned, "never")
    assert (await rig.runtime.pin_image(name, "never")).startswith("sha256:")


async def test_an_image_that_has_its_name_stays_when_its_bot_goes(rig: Rig) -> None:
    """Only our tag is removed."""
    name, bot_id = rig.build_image(), new_bot_id()
    pinned = await rig.runtime.pin_image(name, "never", keep_for=bot_id)
    await rig.runtime.let_go(bot_id)
    await rig.runtime.let_go(bot_id)
    assert await rig.runtime.pin_image(name, "never") == pinned


async def test_pinning_again_moves_the_tag(rig: Rig) -> None:
    """A bot keeps one image, the one that it was pinned to last."""
    name, bot_id = rig.build_image(), new_bot_id()
    first = await rig.runtime.pin_image(name, "never", keep_for=bot_id)
    rig.build_image()
    second = await rig.runtime.pin_image(name, "never", keep_for=bot_id)
    rig.prune_images()
    assert first != second
    assert await rig.runtime.list_kept() == [bot_id]
    with pytest.raises(ImageMissing):
        await rig.runtime.pin_image(first, "never")


async def test_an_image_known_only_by_its_id_is_never_removed(rig: Rig) -> None:
    """It has no name that could outlive our tag, so it doesn't get one."""
    name, bot_id = rig.build_image(), new_bot_id()
    pinned = await rig.runtime.pin_image(name, "never")
    assert await rig.runtime.pin_image(pinned, "never", keep_for=bot_id) == pinned
    assert await rig.runtime.list_kept() == []
    await rig.runtime.let_go(bot_id)
    assert await rig.runtime.pin_image(pinned, "never") == pinned


async def test_an_image_that_is_gone_is_said_and_can_be_pinned_again(rig: Rig) -> None:
    """`docker image prune -a` takes it, tag and all; its name may lead to another."""
    name, bot_id = rig.build_image(), new_bot_id()
    pinned = await rig.runtime.pin_image(name, "never", keep_for=bot_id)
    rig.build_image()
    rig.remove_image(pinned)
    with pytest.raises(ImageMissing):
        await rig.created(bot_id=bot_id, image=pinned)
    again = await rig.runtime.pin_image(name, "never", keep_for=bot_id)
    await rig.created(bot_id=bot_id, image=again)


async def test_only_a_bot_can_keep_an_image(rig: Rig) -> None:
    """The tag is made of its id, so that is checked before the engine is asked."""
    with pytest.raises(BadInput):
        await rig.runtime.pin_image(rig.image, "never", keep_for="../x")


async def test_several_images_are_kept_until_they_are_left_out(rig: Rig) -> None:
    """Each outlives its name and a prune; what nobody wants any more goes, and so does the rest
    with the bot."""
    name, bot_id = rig.build_image(), new_bot_id()
    first = await rig.runtime.pin_image(name, "never", keep_for=bot_id)
    rig.build_image()
    second = await rig.runtime.pin_image(name, "never")
    await rig.runtime.keep_images(bot_id, {first: name, second: name})
    await rig.runtime.keep_images(bot_id, {first: name, second: name})
    rig.build_image()
    rig.prune_images()
    for image in (first, second):
        assert await rig.runtime.pin_image(image, "never") == image
    assert await rig.runtime.list_kept() == [bot_id]
    await rig.runtime.keep_images(bot_id, {second: name, f"sha256:{'0' * 64}": name})
    rig.prune_images()
    with pytest.raises(ImageMissing):
        await rig.runtime.pin_image(first, "never")
    assert await rig.runtime.pin_image(second, "never") == second
    await rig.runtime.let_go(bot_id)
    rig.prune_images()
    assert await rig.runtime.list_kept() == []
    with pytest.raises(ImageMissing):
        await rig.runtime.pin_image(second, "never")


async def test_an_image_from_an_id_is_not_kept(rig: Rig) -> None:
    """It has no name of its own: with our tag it would be removed."""
    name, bot_id = rig.build_image(), new_bot_id()
    pinned = await rig.runtime.pin_image(name, "never")
    await rig.runtime.keep_images(bot_id, {pinned: pinned})
    assert await rig.runtime.list_kept() == []
    assert await rig.runtime.pin_image(name, "never") == pinned


@pytest.mark.engine
async def test_an_image_that_a_container_still_uses_stays(engine_rig: EngineRig) -> None:
    """The bot is let go all the same; a later sweep finds the tag."""
    name, bot_id = engine_rig.build_image(), new_bot_id()
    pinned = await engine_rig.runtime.pin_image(name, "never", keep_for=bot_id)
    engine_rig.build_image()
    await engine_rig.created(bot_id=bot_id, image=pinned)
    await engine_rig.runtime.let_go(bot_id)
    assert await engine_rig.runtime.pin_image(pinned, "never") == pinned
    assert await engine_rig.runtime.list_kept() == [bot_id]


@pytest.mark.engine
async def test_other_installations_tags_are_not_ours(engine_rig: EngineRig) -> None:
    """Their images are never let go by us."""
    other = EngineRig(engine_rig.folder)
    try:
        bot_id = new_bot_id()
        await other.runtime.pin_image(engine_rig.image, "never", keep_for=bot_id)
        assert await engine_rig.runtime.list_kept() == []
        await engine_rig.runtime.let_go(bot_id)
        assert await other.runtime.list_kept() == [bot_id]
    finally:
        await other.runtime.close()
        other.clean()
