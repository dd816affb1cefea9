"""Settings changed later: what is refused, and what becomes of the bot."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from controller.domain.bot import Problem, Wish
from controller.domain.errors import BadInput, NotFound, NotReady
from controller.domain.journal import Kind
from controller.domain.phase import Phase
from controller.manager.submission import Sequel
from controller.runtime import ProbeResult
from tests.manager.rich import RICH, rich_bot, with_rich
from tests.manager.rig import ANN_ASKS, Rig, eventually


async def test_whoever_may_edit_sees_every_field(rig: Rig) -> None:
    """Those that the first form leaves out too; a bot without fields has none."""
    await with_rich(rig)
    bot = await rig.create("rich")
    fields = await rig.manager.edits.open(ANN_ASKS, bot)
    assert [spec.name for spec in fields] == ["greeting", "tone", "persona"]
    assert await rig.manager.edits.open(ANN_ASKS, await rig.create("plain")) == ()


async def test_a_form_asks_for_no_field_of_later(rig: Rig) -> None:
    """At creation only what cannot wait is asked."""
    await with_rich(rig)
    bot = await rig.create("rich")
    asked = await rig.manager.credentials.form(ANN_ASKS, await rig.form(bot))
    assert [spec.name for spec in asked.inputs] == ["api_key", "channel_token", "greeting"]


async def test_a_running_bot_runs_anew_with_its_new_settings(rig: Rig) -> None:
    """One new container that has them; the bot's own volume stays."""
    bot = await rich_bot(rig)
    before = rig.runtime.containers[bot.id].seen
    done = await rig.edit(bot, greeting="ahoy", tone="loud")
    assert done.sequel is Sequel.RESTARTS
    await eventually(lambda: rig.at_rest() and rig.run_of(bot) != before.started_at)
    assert rig.runtime.containers[bot.id].seen.container_id != before.container_id
    config = rig.config_of(bot).read_text()
    assert '"ahoy"' in config
    assert '"loud"' in config
    assert rig.view(bot).crashes == ()
    (entry,) = await rig.entries(Kind.SETTINGS, bot=bot)
    assert entry.data == {"before": {}, "after": {"greeting": "ahoy", "tone": "loud"}}
    (event, *_) = await rig.history(bot)
    assert event.outcome is not None
    assert event.outcome.data["changed"] == ["greeting", "tone"]


async def test_config_with_secrets_has_the_new_settings_too(rig: Rig) -> None:
    """Where a field stands beside a secret it is written anew before the new run."""
    bot = await rich_bot(rig)
    run = rig.run_of(bot)
    await rig.edit(bot, greeting="ahoy")
    await eventually(lambda: rig.at_rest() and rig.run_of(bot) != run)
    assert '"ahoy"' in (rig.secrets / bot.id / "channel_config").read_text()


async def test_a_stopped_bot_stays_stopped(rig: Rig) -> None:
    """It takes the settings when it is started."""
    bot = await rich_bot(rig)
    await rig.manager.lifecycle.stop(ANN_ASKS, bot)
    done = await rig.edit(rig.view(bot).bot, greeting="ahoy")
    assert done.sequel is Sequel.STOPPED
    assert rig.view(bot).phase is Phase.STOPPED
    await rig.manager.lifecycle.start(ANN_ASKS, bot)
    await rig.becomes(bot, Phase.RUNNING)
    assert '"ahoy"' in rig.config_of(bot).read_text()


async def test_a_bot_that_waits_for_secrets_goes_on_waiting(rig: Rig) -> None:
    """And says so."""
    await with_rich(rig)
    bot = await rig.create("rich")
    done = await rig.edit(bot, persona="", greeting="ahoy")
    assert done.sequel is Sequel.WAITS
    await rig.submit(bot)
    await rig.becomes(bot, Phase.RUNNING)
    assert '"ahoy"' in rig.config_of(bot).read_text()


async def test_a_bot_whose_secrets_became_unusable_is_not_ended(rig: Rig) -> None:
    """A new run could not begin: what runs goes on, and takes the settings later."""
    bot = await rich_bot(rig)
    (rig.secrets / bot.id / "api_key").chmod(0o644)
    rig.poke(bot)
    await eventually(lambda: rig.view(bot).world.missing)
    run = rig.run_of(bot)
    done = await rig.edit(bot, greeting="ahoy")
    assert done.sequel is Sequel.LATER
    await asyncio.sleep(0.05)
    assert (rig.run_of(bot), rig.view(bot).phase) == (run, Phase.RUNNING)
    assert rig.view(bot).bot.fields["greeting"] == "ahoy"


async def test_an_emptied_field_goes_back_to_its_default(rig: Rig) -> None:
    """Or is not set any more, where it has none; both are said."""
    bot = await rich_bot(rig)
    await rig.edit(bot, greeting="ahoy", tone="loud")
    done = await rig.edit(rig.view(bot).bot, greeting="", tone="")
    assert [(spec.label, spec.default) for spec in done.reset] == [
        ("Greeting", "hello"),
        ("Tone", ""),
    ]
    assert rig.view(bot).bot.fields == {}


async def test_a_field_that_was_not_shown_is_left_alone(rig: Rig) -> None:
    """Also one that the template does not know any more."""
    bot = await rich_bot(rig)
    had = {"tone": "soft", "gone": "kept"}
    await rig.house.tools.wishes.change(bot.id, lambda now: replace(now, fields=had))
    await rig.edit(rig.view(bot).bot, greeting="ahoy")
    assert rig.view(bot).bot.fields == {"tone": "soft", "gone": "kept", "greeting": "ahoy"}


async def test_nothing_changed_means_nothing_done(rig: Rig) -> None:
    """Sent back as it was: no new run."""
    bot = await rich_bot(rig)
    await rig.edit(bot, greeting="ahoy")
    await eventually(rig.at_rest)
    run = rig.run_of(bot)
    done = await rig.edit(rig.view(bot).bot, greeting="ahoy", tone="")
    assert (done.changed, done.sequel) == ((), Sequel.NOTHING)
    await eventually(rig.at_rest)
    assert rig.run_of(bot) == run


async def test_every_wrong_field_is_named_and_none_is_kept(rig: Rig) -> None:
    """The good ones beside them neither."""
    bot = await rich_bot(rig)
    with pytest.raises(BadInput) as caught:
        await rig.edit(bot, greeting="two\nlines", tone="shrill")
    assert "Greeting" in caught.value.message
    assert "Tone" in caught.value.message
    with pytest.raises(BadInput):
        await rig.edit(bot, greeting="ahoy", tone="shrill")
    assert rig.view(bot).bot.fields == {}


async def test_a_field_that_the_bot_does_not_have_is_left_out(rig: Rig) -> None:
    """An input of an older template, or one that somebody made up."""
    bot = await rich_bot(rig)
    done = await rig.edit(bot, made_up="x")
    assert (done.changed, done.sequel) == ((), Sequel.NOTHING)
    assert rig.view(bot).bot.fields == {}


async def test_a_bot_on_its_way_out_takes_no_settings(asleep: Rig) -> None:
    """Nor does one that is gone."""
    asleep.template(RICH, "rich")
    await asleep.kill()
    await asleep.open()
    bot = await asleep.create("rich")
    await asleep.house.tools.wishes.change(bot.id, lambda now: replace(now, wish=Wish.REMOVE))
    with pytest.raises(NotReady) as caught:
        await asleep.edit(bot, greeting="ahoy")
    assert caught.value.code == "being-removed"
    await asleep.house.tools.wishes.forget(bot.id)
    with pytest.raises(NotFound):
        await asleep.edit(bot, greeting="ahoy")


async def test_mended_settings_are_tried_at_once(rig: Rig) -> None:
    """An edit is an act: the refusal of the former settings is forgotten, and the bot starts."""
    await with_rich(rig)
    rig.runtime.answer_rehearse = lambda *_: ProbeResult(exit_code=1, output="no")
    bot = await rig.create("rich")
    await rig.submit(bot)
    await rig.becomes(bot, Phase.ERROR)
    rig.runtime.answer_rehearse = lambda *_: ProbeResult(exit_code=0, output="")
    done = await rig.edit(rig.view(bot).bot, greeting="ahoy")
    assert done.sequel is Sequel.STARTS
    await rig.becomes(bot, Phase.RUNNING)


async def test_a_field_that_no_longer_fits_can_be_mended(rig: Rig) -> None:
    """A template that became stricter: the bot says so, and the edit brings it up."""
    bot = await rich_bot(rig)
    await rig.edit(bot, tone="loud")
    await rig.edit(bot, persona="unkind")
    await eventually(rig.at_rest)
    await rig.manager.lifecycle.stop(ANN_ASKS, bot)
    stricter = RICH.replace('["soft", "loud"]', '["soft", "firm"]')
    rig.template(
        stricter.replace(
            'label = "Persona"',
            'label = "Persona"\nrequired = true\ndefault = "kind"\npattern = \'kind\'',
        ),
        "rich",
    )
    await rig.restart()
    bad = Problem("bad-field", "no", "", 1.0)
    await rig.house.tools.wishes.change(
        bot.id, lambda now: replace(now, wish=Wish.RUN, problem=bad)
    )
    await rig.edit(rig.view(bot).bot, tone="firm")
    await rig.edit(rig.view(bot).bot, persona="kind")
    await rig.becomes(bot, Phase.RUNNING)


async def test_a_file_that_is_the_bots_own_by_now_is_named(rig: Rig) -> None:
    """It was laid down once: a changed field does not reach it, and nobody shall wonder."""
    bot = await rich_bot(rig)
    done = await rig.edit(rig.view(bot).bot, greeting="ahoy")
    assert done.kept_files == ("HELLO.md",)
    done = await rig.edit(rig.view(bot).bot, persona="I am kind.")
    assert done.kept_files == ()
    done = await rig.edit(rig.view(bot).bot, persona="")
    assert [spec.label for spec in done.reset] == ["Persona"]
    assert done.kept_files == ("SOUL.md",)


async def test_what_the_first_form_has_yet_to_ask_is_in_no_edits_way(rig: Rig) -> None:
    """Each page is checked by itself: a field that is still unset elsewhere refuses nothing."""
    required = RICH.replace('default = "hello"', "required = true")
    rig.template(required, "rich")
    await rig.restart()
    bot = await rig.create("rich")
    await rig.edit(bot, persona="I am kind.")
    assert rig.view(bot).bot.fields == {"persona": "I am kind."}


async def test_a_bot_whose_form_is_not_filled_in_waits_for_it(rig: Rig) -> None:
    """A field that must be set comes with the secrets: until then nothing is tried, or wrong."""
    rig.template(RICH.replace('default = "hello"', "required = true"), "rich")
    await rig.restart()
    bot = await rig.create("rich")
    await rig.edit(bot, persona="I am kind.")
    view = rig.view(bot)
    assert (view.phase, view.bot.problem) == (Phase.CREATED, None)
    assert view.world.missing


async def test_a_crash_just_before_the_change_is_applied_does_not_keep_the_former_settings(
    rig: Rig,
) -> None:
    """The run to be replaced is over, the engine began another in the same container: that one is
    replaced then."""
    bot = await rich_bot(rig)
    former = rig.runtime.containers[bot.id].seen.spec
    await rig.house.tools.wishes.change(
        bot.id,
        lambda now: replace(
            now, fields={**now.fields, "greeting": "moin"}, run=now.run.end("the former")
        ),
    )

    def applied() -> bool:
        held = rig.runtime.containers.get(bot.id)
        wanted = rig.house.tools.blueprints.spec(rig.view(bot).bot).digest()
        return held is not None and held.seen.state.active and held.seen.spec == wanted != former

    await eventually(applied, "it runs with the new settings")
    await eventually(lambda: rig.view(bot).phase is Phase.RUNNING)
    assert not rig.view(bot).bot.run.to_end
