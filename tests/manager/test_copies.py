"""A bot like another one, another name, another choice: what is carried over, and what isn't."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.domain.acts import BOT_SHOW
from controller.domain.bot import Wish
from controller.domain.errors import BadInput, Conflict, NotFound, NotReady
from controller.domain.journal import Kind
from controller.domain.phase import Phase
from controller.domain.release import Outcome
from controller.manager.submission import Sequel
from tests.loop.test_releases import PROVING, proven, settled
from tests.manager.rig import ANN_ASKS, PLAIN, TOKEN, Rig, eventually


@pytest.fixture
async def proving(rig: Rig) -> Rig:
    """An installation whose rich bots prove themselves at once."""
    text = PROVING.replace('models = ["small"]', 'models = ["small", "large"]')
    other = (
        '\n[providers.other]\ntitle = "Other provider"\nmodels = ["tiny"]\n'
        '[[providers.other.secrets]]\nname = "api_key"\nlabel = "API key"\n'
    )
    rig.template(text.replace("\n[channels.demo]\n", f"{other}\n[channels.demo]\n", 1), "rich")
    await rig.restart()
    return rig


async def test_a_copy_has_everything_but_the_secrets(proving: Rig) -> None:
    """Template, choices and settings; it waits for its own secrets, and the first one runs on."""
    bot = await proven(proving)
    await proving.edit(bot, greeting="ahoy", persona="I am kind.")
    await settled(proving, bot, 2)
    run = proving.run_of(bot)
    copy = await proving.manager.lifecycle.clone(ANN_ASKS, proving.view(bot).bot, " Second ")
    view = await proving.becomes(copy, Phase.CREATED)
    assert (copy.name, copy.template, copy.fields) == (
        "second",
        "rich",
        {"greeting": "ahoy", "persona": "I am kind."},
    )
    assert set(view.world.missing) == {"api_key", "channel_token"}
    assert not (proving.secrets / copy.id).exists()
    assert proving.run_of(bot) == run
    (asked, *_) = await proving.entries(Kind.ASKED, bot=copy)
    assert (asked.data["act"], asked.data["copy_of"]) == ("bot.clone", bot.name)
    await proving.submit(copy, api_key="fake-provider-key-2", channel_token=TOKEN)
    await proving.becomes(copy, Phase.RUNNING)
    assert proving.runtime.seeded[copy.id]["SOUL.md"] == "I am kind."


async def test_a_copy_under_a_name_that_is_taken_is_refused(proving: Rig) -> None:
    """Nothing is created then, and nothing for a name that can't be one."""
    bot = await proven(proving)
    for name, kind in ((bot.name, Conflict), ("!", BadInput)):
        with pytest.raises(kind):
            await proving.manager.lifecycle.clone(ANN_ASKS, bot, name)
    assert len(list(proving.fleet)) == 1


async def test_a_bot_with_another_name_runs_on(proving: Rig) -> None:
    """The same run; the former name is free, and the history has both."""
    bot = await proven(proving)
    run = proving.run_of(bot)
    view = await proving.manager.lifecycle.rename(ANN_ASKS, bot, "Other-Name")
    assert view.bot.name == "other-name"
    assert (await proving.manager.bots.named(ANN_ASKS, BOT_SHOW, "other-name")).bot.id == bot.id
    with pytest.raises(NotFound):
        await proving.manager.bots.named(ANN_ASKS, BOT_SHOW, bot.name)
    (entry,) = await proving.entries(Kind.RENAMED, bot=bot)
    assert entry.data == {"before": bot.name, "after": "other-name"}
    await proving.restart()
    await proving.becomes(bot, Phase.RUNNING)
    assert (proving.view(bot).bot.name, proving.run_of(bot)) == ("other-name", run)
    assert len(await proving.store.releases(bot.id)) == 1
    assert (await proving.create("plain", bot.name)).name == bot.name


async def test_a_bot_that_is_being_removed_gets_no_other_name(asleep: Rig) -> None:
    """Nor is it news that it has one."""
    bot = await asleep.create()
    await asleep.house.tools.wishes.change(bot.id, lambda now: replace(now, wish=Wish.REMOVE))
    with pytest.raises(NotReady) as caught:
        await asleep.manager.lifecycle.rename(ANN_ASKS, bot, "other")
    assert (caught.value.code, asleep.view(bot).bot.name) == ("being-removed", bot.name)


async def test_a_name_that_another_bot_has_is_refused(proving: Rig) -> None:
    """By the database, where two could come at the same moment."""
    bot, other = await proven(proving), await proving.create("plain")
    with pytest.raises(Conflict) as caught:
        await proving.manager.lifecycle.rename(ANN_ASKS, bot, other.name)
    assert caught.value.code == "name-taken"
    assert proving.view(bot).bot.name == bot.name


async def test_another_choice_is_a_release(proving: Rig) -> None:
    """A model, then a provider, whose first model it gets."""
    bot = await proven(proving)
    done = await proving.manager.edits.choose(ANN_ASKS, bot, model="large")
    assert (done.changed, done.sequel) == (("model",), Sequel.RESTARTS)
    await settled(proving, bot, 2)
    done = await proving.manager.edits.choose(
        ANN_ASKS, proving.view(bot).bot, provider="Other provider"
    )
    assert done.changed == ("provider", "model")
    await settled(proving, bot, 3)
    now = proving.view(bot).bot
    assert (now.provider, now.model, now.channel) == ("other", "tiny", "demo")
    newest = (await proving.store.releases(bot.id))[0]
    assert (newest.why, newest.outcome) == ("settings", Outcome.GOOD)
    (entry, *_) = await proving.entries(Kind.SETTINGS, bot=bot)
    assert entry.data["after"] == {"model": "tiny", "provider": "other"}
    same = await proving.manager.edits.choose(ANN_ASKS, now, provider="other")
    assert same.changed == ()


async def test_limits_of_its_own_are_a_release_and_are_copied(proving: Rig) -> None:
    """The rest stays the template's; an empty one is the template's again, and so is a rollback."""
    bot = await proven(proving)
    usual = proving.runtime.containers[bot.id].spec
    done = await proving.manager.edits.choose(
        ANN_ASKS, bot, limits={"memory": "1 GB", "pids": "40"}
    )
    assert (done.changed, done.sequel) == (("memory", "pids"), Sequel.RESTARTS)
    await settled(proving, bot, 2)
    spec = proving.runtime.containers[bot.id].spec
    assert (spec.memory, spec.nano_cpus, spec.pids) == (1024**3, usual.nano_cpus, 40)
    (entry, *_) = await proving.entries(Kind.SETTINGS, bot=bot)
    assert (entry.data["before"], entry.data["after"]) == ({}, {"memory": "1g", "pids": "40"})
    copy = await proving.manager.lifecycle.clone(ANN_ASKS, proving.view(bot).bot, "second")
    assert copy.limits == {"memory": "1g", "pids": "40"}
    await proving.manager.edits.choose(ANN_ASKS, proving.view(bot).bot, limits={"memory": ""})
    await settled(proving, bot, 3)
    spec = proving.runtime.containers[bot.id].spec
    assert (spec.memory, spec.pids) == (usual.memory, 40)
    await proving.manager.releases.rollback(ANN_ASKS, bot, 1)
    await settled(proving, bot, 4)
    await proving.restart()
    assert proving.view(bot).bot.limits == {}
    assert proving.runtime.containers[bot.id].spec.pids == usual.pids


async def test_limits_beyond_the_settings_are_refused(proving: Rig) -> None:
    """The bot isn't touched; what its template asks for is never too much."""
    proving.template(
        PROVING.replace("stop_timeout = 1", 'stop_timeout = 1, resources = { memory = "6g" }'),
        "rich",
    )
    await proving.restart()
    bot = await proven(proving)
    run = proving.run_of(bot)
    with pytest.raises(BadInput, match="Memory must be a size between 8m and 6g"):
        await proving.manager.edits.choose(ANN_ASKS, bot, limits={"memory": "7g"})
    await eventually(proving.at_rest)
    assert (proving.run_of(bot), proving.view(bot).bot.limits) == (run, {})


async def test_a_choice_that_changes_no_container_is_proved_at_once(rig: Rig) -> None:
    """Where nothing has to be waited for, nobody waits for the deadline."""
    rig.template(PLAIN % "unless-stopped" + "[update]\nhealthy_for = 0\n")
    await rig.restart()
    bot = await rig.running()
    await eventually(lambda: rig.view(bot).bot.release == 1)
    await rig.manager.edits.choose(ANN_ASKS, bot, model="other")
    await settled(rig, bot, 2)


async def test_a_choice_that_the_template_does_not_have_is_refused(proving: Rig) -> None:
    """The bot isn't touched."""
    bot = await proven(proving)
    run = proving.run_of(bot)
    for choice in ({"provider": "nobody"}, {"channel": "nowhere"}):
        with pytest.raises(BadInput):
            await proving.manager.edits.choose(ANN_ASKS, bot, **choice)
    await eventually(proving.at_rest)
    assert (proving.run_of(bot), proving.view(bot).bot.provider) == (run, "demo")
