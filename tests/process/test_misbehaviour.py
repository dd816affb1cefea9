"""Bots that fail: the card says why, in words and numbers, and the log stays harmless.
Next door: images/demo/demo-bot is the bot that misbehaves on request."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import docker
import pytest
import pytest_asyncio

from controller.domain.keys import looks_like_key
from tests.loopback import Invocation, Message
from tests.process.process import BRISK, Place, a_secret, eventually, open_place, said

pytestmark = [pytest.mark.engine, pytest.mark.asyncio(loop_scope="module")]
NO_IMAGE = BRISK.replace('id = "brisk"', 'id = "absent"').replace(
    "botmaker-demo:2", "botmaker-absent:9"
)
NO_PROGRAM = BRISK.replace('id = "brisk"', 'id = "noprogram"').replace(
    "[run]\n", '[run]\nentrypoint = ["/bin/not-there"]\n', 1
)
QUICK_CHECK = BRISK.replace('id = "brisk"', 'id = "checked"').replace(
    "[providers.demo]",
    '[health]\ntest = ["CMD", "/bin/false"]\ninterval = 1\ntimeout = 1\n'
    "start_period = 1\nretries = 1\n\n[providers.demo]",
    1,
)
BROKEN = BRISK.replace('id = "brisk"', 'id = "broken"').replace(
    'user = "1000:1000"', 'user = "0:0"'
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def zoo(
    tmp_path_factory: pytest.TempPathFactory, docker_client: docker.APIClient, demo_image: str
) -> AsyncIterator[Place]:
    """A place with templates that can't work."""
    folder = tmp_path_factory.mktemp("zoo")
    async with open_place(folder, docker_client, start=False) as place:
        for name, text in (
            ("absent", NO_IMAGE),
            ("noprogram", NO_PROGRAM),
            ("checked", QUICK_CHECK),
        ):
            (folder / "templates" / f"{name}.toml").write_text(text)
        (folder / "templates" / "broken.toml").write_text(BROKEN)
        await place.controller.start()
        yield place


async def _launch(zoo: Place, name: str, template: str = "brisk", **fields: str) -> Invocation:
    await zoo.create(name, template)
    return await zoo.submit(await zoo.open_form(name), **fields)


async def test_an_image_that_is_not_there_is_said_with_what_to_do(zoo: Place) -> None:
    """The message has the error, the image's name and a hint; no container; Restart tries again."""
    done = await _launch(zoo, "imageless", "absent")
    await said(done, "error")
    card = await zoo.card_says("imageless", "— error")
    assert "botmaker-absent:9" in card.content.replace("\\", "")
    assert len(card.content.splitlines()) >= 4, card.content  # reason and hint
    assert zoo.controller.inspect(zoo.controller.bot_id("imageless")) is None
    assert "Try again" in card.labels()
    await said(await zoo.ann.click(card, label="Try again"), "error")


async def test_a_program_that_is_not_in_the_image_is_said(zoo: Place) -> None:
    """The message explains the exit code, names the program, and says where to fix it."""
    await _launch(zoo, "programless", "noprogram")
    card = await zoo.card_says("programless", "Gave up after", 20)
    assert "exit 127: the program was not found in the image" in card.content
    assert "/bin/not-there" in card.content
    assert "template" in card.content


async def test_a_template_with_an_error_is_refused_and_the_others_load(zoo: Place) -> None:
    """The log has its name, line and reason; it isn't offered, and is unknown if asked for."""
    assert re.search(r"template \S*broken\.toml, line \d+: ", zoo.controller.log)
    found = await zoo.ann.autocomplete("bot create", option="template", value="")
    names = [choice["value"] for choice in found]
    assert "broken" not in names
    assert {"brisk", "demo", "absent"} <= set(names)
    inv = await zoo.create("never", "broken")
    assert "❌" in inv.text


async def test_a_bot_that_exits_at_once_shows_reason_exit_code_and_last_lines(zoo: Place) -> None:
    """It is tried five times, then given up; the card has what a person needs."""
    await _launch(zoo, "quitter", behaviour="exit")
    card = await zoo.card_says("quitter", "exit 1")
    await zoo.card_says("quitter", "crash-looping", 30)
    await zoo.card_says("quitter", "Gave up after", 30)
    assert "exit 1" in card.content
    assert "simulated configuration error" in card.content
    bot_id = zoo.controller.bot_id("quitter")
    found = zoo.controller.inspect(bot_id)
    assert found is not None
    assert not found["State"]["Running"]
    assert not found["State"]["Restarting"]
    shown = await said(await zoo.ann.slash("bot show", name="quitter"), "Gave up after")
    assert "exit 1" in shown.text
    log = await said(await zoo.ann.slash("bot logs", name="quitter"), "refusing to start")
    assert log.ephemeral
    history = await said(await zoo.ann.slash("bot history", name="quitter"), "gave up")
    assert history.text.count("**crashed**: exit 1") == 5
    assert "**gave up**: Gave up after 5 crashes" in history.text


async def test_a_fatal_exit_is_not_tried_again(zoo: Place) -> None:
    """Status 78 means a wrong configuration: it starts once, then the message has the reason."""
    done = await _launch(zoo, "fatal", behaviour="fatal")
    card = await zoo.card_says("fatal", "— error")
    assert "exit 78" in card.content
    assert "configuration error" in card.content
    await said(done, "fatal")
    bot_id = zoo.controller.bot_id("fatal")
    await eventually(lambda: zoo.controller.started_at_or_none(bot_id) is None, 2)
    log = await said(await zoo.ann.slash("bot logs", name="fatal"), "refusing to start")
    assert log.text.count("demo bot starting") <= 2  # the engine may have been a step ahead


async def test_a_bot_that_keeps_crashing_is_called_so_and_given_up(zoo: Place) -> None:
    """Crash-looping from the third crash, stopped after the fifth, started again by Try again."""
    await _launch(zoo, "crasher", behaviour="crash")
    await zoo.card_says("crasher", "exit 3", 20)
    await zoo.card_says("crasher", "crash-looping", 30)
    card = await zoo.card_says("crasher", "Gave up after 5 crashes", 30)
    assert "cannot reach the demo service" in card.content
    bot_id = zoo.controller.bot_id("crasher")
    await eventually(lambda: zoo.controller.started_at_or_none(bot_id) is None, 2)
    assert len(zoo.controller.rows("SELECT 1 FROM crash WHERE bot_id = ?", bot_id)) == 5
    inv = await zoo.ann.click(card, label="Try again")
    await said(inv, "running")


async def test_a_bot_that_crashed_once_runs_again_and_says_so(zoo: Place) -> None:
    """The engine restarts it; the message counts the crash."""
    await _launch(zoo, "phoenix", behaviour="crash-once")
    card = await zoo.card_says("phoenix", "1 crash in ten minutes", 20)
    await eventually(lambda: "running" in card.content)


async def test_a_bot_whose_check_fails_is_shown_as_unhealthy(zoo: Place) -> None:
    """The message has the check's output; the bot isn't restarted."""
    await _launch(zoo, "sick", "checked")
    card = await zoo.card_says("sick", "— unhealthy", 20)
    assert "health check fails" in card.content
    assert zoo.controller.started_at(zoo.controller.bot_id("sick"))


async def test_a_bot_that_is_deaf_to_sigterm_is_stopped_all_the_same(zoo: Place) -> None:
    """It is killed after 5 s, which doesn't count as a crash."""
    await _launch(zoo, "deaf", behaviour="hang")
    await zoo.card_says("deaf", "running")
    found = zoo.controller.engine.inspect_container(f"botmaker-{zoo.controller.bot_id('deaf')}")
    inv = await zoo.ann.slash("bot stop", name="deaf")
    await said(inv, "deaf", 6)
    card = await zoo.card_says("deaf", "— stopped", 20)
    assert "crash" not in card.content.lower()
    assert found["State"]["Running"]


def _inside(message: Message) -> str:
    """The text inside a message's one code block; fails if any text broke out of it."""
    assert message.content.count("```") == 2, message.content
    return message.content.split("```")[1]


async def test_a_hostile_log_breaks_out_of_nothing(zoo: Place) -> None:
    """No fence inside, no live mention, no escape code, no key; nobody can be pinged."""
    await _launch(zoo, "hostile", behaviour="hostile")
    await zoo.card_says("hostile", "running")
    inv = await zoo.ann.slash("bot logs", name="hostile", grep="key")
    await said(inv, "key")
    inv = await zoo.ann.slash("bot logs", name="hostile", lines=12)
    await inv.until(lambda i: "```" in i.text)
    assert inv.message is not None
    texts = [_inside(inv.message)]
    texts += [a.data.decode() for a in inv.message.attachments]
    file = await zoo.ann.click(inv, label="File")
    await file.until(lambda i: i.message is not None and i.message.attachments)
    assert file.message is not None
    texts += [a.data.decode() for a in file.message.attachments]
    for text in texts:
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", text)
        assert not looks_like_key(text), text
        assert "FAKEFAKE" not in text
    for message in (inv.message, file.message):
        for mention in ("@everyone", "@here", "<@123>", "<@&456>"):
            assert mention not in message.content
        assert (message.allowed_mentions or {}).get("parse") == []
    for word in ("@everyone", "broken out"):
        found = await zoo.ann.slash("bot logs", name="hostile", grep=word)
        await found.until(lambda i: "```" in i.text)
        assert found.message is not None
        assert "@everyone" not in _inside(found.message)


async def test_a_bot_that_prints_its_own_secret_does_not_show_it(zoo: Place) -> None:
    """The value is in its log; the answer has a mark instead."""
    value = a_secret()
    await _launch(zoo, "teller", api_key=value)
    await zoo.card_says("teller", "running")
    bot_id = zoo.controller.bot_id("teller")
    tell = "echo key=$(cat /run/secrets/api_key) > /proc/1/fd/1"
    made = zoo.controller.engine.exec_create(f"botmaker-{bot_id}", ["/bin/sh", "-c", tell])
    zoo.controller.engine.exec_start(made["Id"])
    raw = zoo.controller.engine.logs(f"botmaker-{bot_id}").decode()
    assert f"key={value}" in raw
    inv = await said(await zoo.ann.slash("bot logs", name="teller"), "key=")
    assert value not in inv.text


async def test_a_flood_of_a_log_is_bounded_and_comes_as_a_file(zoo: Place) -> None:
    """The newest lines come as a file, quickly."""
    await _launch(zoo, "flood", behaviour="flood")
    await zoo.card_says("flood", "running")
    inv = await zoo.ann.slash("bot logs", name="flood", lines=1000)
    await inv.until(lambda i: i.message is not None and i.message.attachments)
    assert inv.message is not None
    text = inv.message.attachments[0].data.decode()
    assert 900 <= len(text.splitlines()) <= 1000
    await said(await zoo.ann.slash("bot stop", name="flood"), "stop")
