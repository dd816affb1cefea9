"""`/bot create` to a running bot: the private answer, the direct message, the form, the card."""

from __future__ import annotations

import asyncio
import stat

from controller.domain.bot import Wish
from controller.domain.phase import Phase
from demo.world import World, close_dms
from tests.chat.acting import (
    KEY,
    MODAL_SUBMIT,
    TOKEN,
    VALUES,
    as_admin,
    buttons_of,
    card,
    direct,
    engine_of,
    fill,
    filled,
    forge,
    labels,
    make,
    public,
    ready_bot,
    said,
    until_card,
)

PRIVATE_WORDS = "is never shown again"


async def create(world: World, **options: str) -> str:
    """The words that `/bot create` answers."""
    options = {"name": "shop", "template": "echo", **options}
    return said(await world.admin.slash(world.channel, "bot create", **options))


async def test_create_sends_the_button_by_direct_message(world: World) -> None:
    """The answer is private and says where the button is; the message names the bot."""
    assert "direct message" in await create(world)
    message = direct(world.admin)
    assert "**shop**" in message.content
    assert PRIVATE_WORDS in message.content
    assert labels(message) == ["Enter secrets"]


async def test_the_card_waits_for_secrets_from_its_first_words_on(world: World) -> None:
    """Nobody reads "starting" of a bot that cannot start yet."""
    await create(world)
    message = await until_card(world, "shop", "⚪ **shop** — created (waiting for secrets)")
    assert "echo · anthropic/claude-small · telegram" in message.content
    assert labels(message) == ["Enter secrets"]
    assert message.edited_at is None


async def test_the_form_has_one_labelled_input_a_secret(world: World) -> None:
    """The custom ids are the secrets' names, the title names the bot."""
    await make(world)
    shown = await world.admin.user.click(direct(world.admin), label="Enter secrets")
    assert shown.modal is not None
    assert shown.modal["title"] == "Secrets for shop"
    inputs = [(c["label"], c["component"]["custom_id"]) for c in shown.modal["components"]]
    assert inputs == [("Anthropic API key", "api_key"), ("Telegram bot token", "channel_token")]
    first = shown.modal["components"][0]["component"]
    assert first["placeholder"] == "Anthropic keys begin with `sk-test-`"
    assert first["required"]


async def test_a_submit_answers_with_fingerprints_and_starts_the_bot(world: World) -> None:
    """The private answer has a fingerprint a secret and no part of a value."""
    await make(world)
    text = said(await fill(world))
    bot = world.application.installation.tools.fleet.named("shop").bot
    prints = await world.application.manager.credentials.fingerprints_of(as_admin(world), bot)
    assert f"`api_key` stored, fingerprint `{prints['api_key']}`" in text
    assert f"`channel_token` stored, fingerprint `{prints['channel_token']}`" in text
    assert "🟢 **shop** — running" in text
    for value in (KEY, TOKEN):
        assert value not in text
        assert value[-6:] not in text


async def test_the_whole_way_is_one_public_message_edited_in_place(world: World) -> None:
    """From "waiting for secrets" to "running" the card keeps its id, and nothing joins it."""
    await create(world)
    before = await until_card(world, "shop", "waiting for secrets")
    await fill(world)
    after = await until_card(world, "shop", "🟢 **shop** — running")
    assert after.id == before.id
    assert labels(after) == ["Logs", "Restart", "Settings", "Stop"]
    assert len(public(world)) == 1


async def test_the_secrets_are_files_of_the_bot_alone(world: World) -> None:
    """Folder 0700, files 0600, with the values that were typed."""
    view = await ready_bot(world)
    folder = world.application.settings.secrets_dir / view.bot.id
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    found = {file.name: file for file in folder.iterdir()}
    assert {name: file.read_text() for name, file in found.items()} == VALUES
    assert {stat.S_IMODE(file.stat().st_mode) for file in found.values()} == {0o600}


async def test_no_value_is_in_any_message_or_in_the_database(world: World) -> None:
    """What was typed is in the secret files only."""
    await ready_bot(world)
    await world.admin.slash(world.channel, "bot show", name="shop")
    await world.admin.slash(world.channel, "bot history", name="shop")
    texts = [m.content for m in world.channel.history()]
    texts += [m.content for m in world.admin.user.dm_channel.history()]
    data = b"".join(f.read_bytes() for f in world.application.settings.data_dir.rglob("*.db*"))
    for value in (KEY, TOKEN):
        assert not any(value in text for text in texts)
        assert value.encode() not in data


async def test_closed_dms_bring_the_button_in_the_private_answer(world: World) -> None:
    """The same button, the same form, right there."""
    close_dms(world.env)
    answer = await world.admin.slash(world.channel, "bot create", name="shop", template="echo")
    assert "**shop** is created. Enter its secrets to start it." in said(answer)
    assert PRIVATE_WORDS in said(answer)
    assert answer.response is not None
    shown = await world.admin.click(answer.response, label="Enter secrets")
    text = said(await world.admin.submit_modal(shown, VALUES))
    assert "🟢 **shop** — running" in text


async def test_a_broken_direct_message_also_brings_the_button_here(world: World) -> None:
    """Whatever keeps the message from arriving, the person is not stuck."""
    world.env.inject_error("POST", "/users/@me/channels", status=403, code=50001, message="no")
    answer = await world.admin.slash(world.channel, "bot create", name="shop", template="echo")
    assert answer.response is not None
    assert labels(answer.response) == ["Enter secrets"]


async def test_the_cards_button_opens_the_same_form(world: World) -> None:
    """Somebody who lost the direct message presses the card."""
    await make(world)
    message = await until_card(world, "shop", "waiting for secrets")
    shown = await world.admin.click(message, label="Enter secrets")
    assert "🟢 **shop** — running" in said(await world.admin.submit_modal(shown, VALUES))


BAD_INPUT = [
    ({"name": "x" * 33}, "33 characters; 32 is the limit. Choose a shorter"),
    ({"name": "Shop Bot"}, "letters a–z, digits, and dashes inside. Try `shop-bot`."),
    ({"name": "-shop"}, "letters a–z, digits, and dashes inside. Try `shop`."),
    ({"name": "shöp"}, "letters a–z, digits, and dashes inside. For example"),
    ({"name": "@everyone"}, "letters a–z, digits, and dashes inside. Try `everyone`."),
    ({"name": " "}, "A bot needs a name. Give one like"),
    (
        {"template": "nonsense"},
        "There is no template `nonsense`. Available: checked, demo, ",
    ),
    (
        {"provider": "acme"},
        "Echo bot has no such provider. Available: anthropic, openai",
    ),
    ({"channel": "icq"}, "Echo bot has no such channel. Available: telegram, slack"),
    ({"model": "--a-model"}, "A model's name can't begin with a dash."),
    ({"model": "m" * 201}, "use at most 200 characters. Pick one of the suggestions"),
    ({"model": "sk-ant-" + "a" * 40}, "That looks like a key, not a model. Revoke it"),
]


async def test_bad_input_is_refused_privately_with_a_hint(world: World) -> None:
    """Nothing is made: no bot, no message, no folder, no container."""
    for options, words in BAD_INPUT:
        text = await create(world, **options)
        assert text.startswith("❌")
        assert words in text.replace("\n", " ")
    await asyncio.sleep(0.05)
    assert len(world.application.installation.tools.fleet) == 0
    assert public(world) == []
    assert list(world.application.settings.secrets_dir.iterdir()) == []
    assert engine_of(world).containers == {}


async def test_a_taken_name_is_refused_and_the_first_bot_stays(world: World) -> None:
    """The answer says what to do, and there is still one bot."""
    first = await ready_bot(world)
    text = await create(world)
    assert "There is already a bot called shop." in text
    assert "Choose another name" in text
    assert [view.bot.id for view in world.application.installation.tools.fleet] == [first.bot.id]


async def test_what_was_left_open_becomes_the_templates_first(world: World) -> None:
    """Provider, model and channel have defaults; a given provider brings its own first model."""
    await create(world)
    await create(world, name="other", provider="openai", channel="slack")
    await create(world, name="exact", model="any/Model-of.theirs:1")
    bots = {v.bot.name: v.bot for v in world.application.installation.tools.fleet}
    chosen = {name: (bot.provider, bot.model, bot.channel) for name, bot in bots.items()}
    assert chosen == {
        "shop": ("anthropic", "claude-small", "telegram"),
        "other": ("openai", "gpt-one", "slack"),
        "exact": ("anthropic", "any/Model-of.theirs:1", "telegram"),
    }


BAD_VALUES = [  # the empty ones first: what was right once is kept, and may be left empty then
    ({"channel_token": ""}, "can't be empty"),
    ({"channel_token": "   "}, "can't be empty"),
    (
        {"api_key": "sk-wrong-1234567890"},
        "doesn't look right: Anthropic keys begin with `sk-test-`.",
    ),
    ({"api_key": f"{KEY[:9]}\n{KEY[9:]}"}, "can't contain line breaks."),
    ({"channel_token": "x" * 4001}, "is too long: use at most 4000 characters"),
]
LABELS = {"api_key": "Anthropic API key", "channel_token": "Telegram bot token"}


async def test_a_bad_value_is_named_and_the_form_can_be_opened_again(world: World) -> None:
    """The answer names the input, repeats nothing of the value, and the next try succeeds."""
    view = await make(world)
    user, place = world.admin.user, world.admin.user.dm_channel
    shown = await user.click(direct(world.admin), label="Enter secrets")
    for values, words in BAD_VALUES:
        assert shown.modal is not None
        # By hand: a client would hold back an empty or over-long value.
        data = filled(shown.modal["custom_id"], {**VALUES, **values})
        refused = forge(world, user, place, MODAL_SUBMIT, data)
        await world.env.settle(idle=0.002)
        text = said(refused)
        assert text.startswith("❌")
        assert words in text
        ((name, value),) = values.items()
        assert LABELS[name] in text
        assert len(value.strip()) < 4 or value.strip()[:12] not in text
        assert world.application.installation.tools.fleet.named("shop").phase is Phase.CREATED
        assert not (world.application.settings.secrets_dir / view.bot.id).exists()
        assert refused.response is not None
        shown = await user.click(refused.response, label="Enter secrets")
    assert "🟢 **shop** — running" in said(await user.submit_modal(shown, VALUES))


async def test_spaces_and_line_ends_around_a_value_are_no_part_of_it(world: World) -> None:
    """What a phone adds when it pastes is trimmed, not refused."""
    view = await make(world)
    values = {"api_key": f"  {KEY}\r\n", "channel_token": f"\t{TOKEN} "}
    assert "🟢 **shop** — running" in said(await fill(world, values))
    folder = world.application.settings.secrets_dir / view.bot.id
    assert (folder / "api_key").read_text() == KEY
    assert (folder / "channel_token").read_text() == TOKEN


async def test_all_bad_values_are_named_at_once(world: World) -> None:
    """Two wrong values take one more try, not two."""
    await make(world)
    text = said(await fill(world, {"api_key": "nonsense", "channel_token": "a\nb"}))
    assert "Anthropic API key" in text
    assert "Telegram bot token" in text


async def test_a_form_is_used_once(world: World) -> None:
    """A second submit of the same form says how to replace a value."""
    await ready_bot(world)
    again = await world.admin.user.click(direct(world.admin), label="Enter secrets")
    assert again.modal is None
    assert "This form was already used." in said(again)
    assert "/bot secrets" in said(again)


async def test_secrets_rotates_one_value_and_restarts(world: World) -> None:
    """An input left empty keeps what is there; the new value is in the file, the run is new."""
    view = await ready_bot(world)
    before = view.world.container
    answer = await world.admin.slash(world.channel, "bot secrets", name="shop")
    assert "direct message" in said(answer)
    assert "is created" not in said(answer)
    assert "to replace its secrets" in direct(world.admin).content
    text = said(await fill(world, {"api_key": "sk-test-a-newer-key"}))
    assert "`api_key` stored" in text
    assert "channel_token" not in text
    assert "🟢 **shop** — running" in text
    folder = world.application.settings.secrets_dir / view.bot.id
    assert (folder / "api_key").read_text() == "sk-test-a-newer-key"
    assert (folder / "channel_token").read_text() == TOKEN
    after = world.application.installation.tools.fleet.named("shop").world.container
    assert before is not None
    assert after is not None
    assert after.container_id == before.container_id
    assert after.started_at != before.started_at


async def test_rotating_without_a_value_changes_nothing(world: World) -> None:
    """An empty form is refused, and the bot is not restarted."""
    view = await ready_bot(world)
    await world.admin.slash(world.channel, "bot secrets", name="shop")
    shown = await world.admin.user.click(direct(world.admin), label="Enter secrets")
    text = said(await world.admin.user.submit_modal(shown, {}))
    assert "Nothing was entered, so nothing was changed." in text
    assert world.application.installation.tools.fleet.named("shop").world == view.world


async def test_rotating_a_stopped_bot_leaves_it_stopped(world: World) -> None:
    """The answer does not promise a start."""
    await ready_bot(world)
    await world.admin.slash(world.channel, "bot stop", name="shop")
    await world.admin.slash(world.channel, "bot secrets", name="shop")
    text = said(await fill(world, {"api_key": "sk-test-a-newer-key"}))
    assert "starts by itself" not in text
    assert "stopped" in text
    assert world.application.installation.tools.fleet.named("shop").bot.wish is Wish.STOP


async def test_seven_inputs_open_in_two_steps(world: World) -> None:
    """The first page is stored and offers the next; the bot starts after the last."""
    await make(world, "many", "long")
    shown = await world.admin.user.click(direct(world.admin), label="Enter secrets")
    assert shown.modal is not None
    assert shown.modal["title"] == "Secrets for many (1/2)"
    assert len(shown.modal["components"]) == 5
    values = {f"secret_{i}": f"value{i}{i}" for i in range(1, 6)}
    values |= {"colour": "blue", "size": "xl"}
    ids = [c["component"]["custom_id"] for c in shown.modal["components"]]
    picked = {i: [values[i]] if i == "colour" else values[i] for i in ids}
    first = await world.admin.user.submit_modal(shown, picked)
    assert "One more page: press Continue." in said(first)
    assert world.application.installation.tools.fleet.named("many").phase is Phase.CREATED

    assert first.response is not None
    more = await world.admin.user.click(first.response, label="Continue")
    assert more.modal is not None
    assert more.modal["title"] == "Secrets for many (2/2)"
    rest = [c["component"]["custom_id"] for c in more.modal["components"]]
    last = await world.admin.user.submit_modal(more, {i: values[i] for i in rest})
    assert "🟢 **many** — running" in said(last)
    bot = world.application.installation.tools.fleet.named("many").bot
    assert bot.fields == {"colour": "blue", "size": "xl"}
    folder = world.application.settings.secrets_dir / bot.id
    found = {file.name: file.read_text() for file in folder.iterdir()}
    assert found == {name: value for name, value in values.items() if name.startswith("secret")}


async def test_a_bot_with_nothing_to_ask_starts_at_once(world: World) -> None:
    """No form is offered that Discord could not show."""
    text = await create(world, template="plain")
    assert "is created. There is nothing to enter, so it starts right away." in text
    assert "🟢 **shop** — running" in text
    assert world.admin.user.dm_channel.history() == []
    refused = await world.admin.slash(world.channel, "bot secrets", name="shop")
    assert "shop has no secrets to enter." in said(refused)


async def test_the_longest_name_fits_everywhere(world: World) -> None:
    """Modal title, buttons, custom ids and card hold a name of 32 characters."""
    name = "n" * 32
    await make(world, name, "long")
    shown = await world.admin.user.click(direct(world.admin), label="Enter secrets")
    assert shown.modal is not None
    assert len(shown.modal["title"]) <= 45
    assert len(shown.modal["custom_id"]) <= 100
    asked = await world.admin.slash(world.channel, "bot delete", name=name)
    assert asked.response is not None
    button = buttons_of(asked.response)[0]
    assert button["label"] == f"Delete {name}"
    assert len(button["label"]) <= 80
    assert len(button["custom_id"]) <= 100


async def test_a_missing_image_is_told_on_the_card_and_in_the_answer(world: World) -> None:
    """The reason stands there, and nothing half-made is left at the engine."""
    await make(world, "shop", "noimage")
    text = said(await fill(world))
    assert "🔴 **shop** — error" in text
    assert "nowhere/nothing:1" in text
    message = await until_card(world, "shop", "🔴 **shop** — error")
    assert "nowhere/nothing:1" in message.content
    assert engine_of(world).containers == {}
    assert engine_of(world).volumes == set()


async def test_a_bot_deleted_meanwhile_takes_its_form_along(world: World) -> None:
    """The button and an open modal of a deleted bot say so, and write nothing."""
    view = await make(world)
    button = direct(world.admin)
    shown = await world.admin.user.click(button, label="Enter secrets")
    asked = await world.admin.slash(world.channel, "bot delete", name="shop")
    assert asked.response is not None
    await world.admin.click(asked.response, label="Delete shop")
    late = await world.admin.user.submit_modal(shown, VALUES)
    assert "The bot of this form is gone." in said(late)
    pressed = await world.admin.user.click(button, label="Enter secrets")
    assert "The bot of this form is gone." in said(pressed)
    assert not (world.application.settings.secrets_dir / view.bot.id).exists()
    assert card(world, "shop") is not None


async def test_secrets_in_the_environment_are_said_aloud(world: World) -> None:
    """In the answer, in the direct message before anything is typed, and whenever it is shown."""
    text = await create(world, template="open")
    warning = "⚠️ This bot gets API key as environment variables of its process"
    assert warning in text
    assert warning in direct(world.admin).content
    shown = await world.admin.slash(world.channel, "bot show", name="shop")
    assert warning in said(shown)
    assert "⚠️" not in await create(world, name="other", template="echo")


async def test_what_an_image_may_lack_is_said_before_secrets_are_typed(world: World) -> None:
    """It is not on the machine yet, so nobody can look; the person knows what may come."""
    warning = "⚠️ Discord needs a part that not every image has."
    options = {"name": "claw", "template": "openclaw", "provider": "anthropic"}
    assert warning in await create(world, **options, channel="discord")
    message = direct(world.admin)
    assert warning in message.content
    assert "so I can't check" in message.content
    assert "⚠️" not in await create(world, **{**options, "name": "clew"}, channel="telegram")
