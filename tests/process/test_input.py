"""Bad input: the answer is clear and private, and nothing is half-created.
Next door: test_misbehaviour.py has what goes wrong after good input."""

from __future__ import annotations

import pytest

from tests.process.process import Place, a_secret, said

# Not a new one each time: it is part of test names, which all processes of a run must share.
FAKE = "v:Fake-Value_0017xyz"

pytestmark = [pytest.mark.engine, pytest.mark.asyncio(loop_scope="module")]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": "x" * 33}, ["33 characters", "32"]),
        ({"name": "Shop"}, None),
        ({"name": "my shop"}, ["letters a–z"]),
        ({"name": "../shop"}, ["letters a–z"]),
        ({"name": "-shop"}, ["letters a–z"]),
        ({"name": "shöp"}, ["letters a–z"]),
        ({"name": "shop\n"}, None),
        ({"name": "   "}, ["needs a name"]),
        ({"name": "@everyone"}, ["letters a–z"]),
        ({"template": "nothing"}, ["template", "brisk"]),
        ({"template": "../../etc/passwd"}, ["template"]),
        ({"provider": "nobody"}, ["provider", "demo"]),
        ({"channel": "pigeon"}, ["channel", "demo"]),
        ({"model": "--two-words"}, ["model", "dash"]),
        ({"model": "m" * 201}, ["model", "200"]),
        ({"model": "re\u202eboot"}, ["model", "U+202E"]),
    ],
    ids=str,
)
async def test_a_bad_order_is_refused_privately_and_nothing_is_made(
    shared: Place, options: dict[str, str], words: list[str] | None
) -> None:
    """Each answer says what is wrong and what is right; no row, message, folder or container."""
    order = {"name": "fine", "template": "brisk"} | options
    cards, dms = list(shared.cards), list(shared.ann.dms)
    inv = await shared.ann.slash("bot create", **order)
    if words is None:  # a capital and a trailing line break are no mistakes
        await said(inv, "is created")
        asked = await shared.ann.slash("bot delete", name="shop")
        gone = await shared.ann.click(asked, label="Delete shop")
        await said(gone, "Nothing is left")
        return
    await said(inv, "❌")
    assert inv.ephemeral
    for word in words:
        assert word in inv.text, inv.text
    assert "@everyone" not in inv.text
    assert shared.controller.rows("SELECT 1 FROM bot WHERE name = ?", order["name"]) == []
    assert shared.cards == cards
    assert shared.ann.dms == dms


async def test_a_taken_name_is_refused_and_the_first_bot_stays(shared: Place) -> None:
    """It is refused even right after the first bot's creation."""
    await shared.create("taken")
    inv = await shared.create("taken")
    assert "❌" in inv.text
    assert "taken" in inv.text
    assert len(shared.controller.rows("SELECT 1 FROM bot WHERE name = 'taken'")) == 1
    assert len([m for m in shared.ann.dms if "**taken**" in m.content]) == 1


async def test_two_creates_at_once_of_one_name_make_one_bot(shared: Place) -> None:
    """One wins; the other answer says that the name is taken."""
    orders = [
        await shared.ann.slash("bot create", name="race", template="brisk", wait=False)
        for _ in range(2)
    ]
    for inv in orders:
        await inv.until(lambda i: i.text)
    assert sorted("❌" in inv.text for inv in orders) == [False, True]
    assert len(shared.controller.rows("SELECT 1 FROM bot WHERE name = 'race'")) == 1


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("", "can't be empty"),
        ("   ", "can't be empty"),
        (f"{FAKE[:9]}\n{FAKE[:9]}", "line break"),
        (f"{FAKE[:9]} {FAKE[:9]}", "doesn't look right"),
        ("short-7", "doesn't look right"),
        (f"{FAKE}!", "doesn't look right"),
        (f"{FAKE}\u200b", "invisible"),
        (f"{FAKE}\x00", "invisible"),
        ("w:" + "v" * 4000, "too long"),
        ("y:" + "z" * 20000, "too long"),
        ("😀" * 2001, "doesn't look right"),
    ],
    ids=lambda v: repr(v)[:16],
)
async def test_a_bad_value_is_refused_and_the_form_can_be_opened_again(
    shared: Place, value: str, words: str
) -> None:
    """The answer names the input and the reason, never the value; no file is written."""
    rows = shared.controller.rows("SELECT COUNT(*) FROM bot")
    name = f"value-{len(shared.ann.dms)}-{rows[0][0]}"
    await shared.create(name)
    done = await shared.submit(await shared.open_form(name), api_key=value)
    await said(done, "❌")
    assert done.ephemeral
    assert "Demo API key" in done.text
    assert words in done.text, done.text
    if len(value.strip()) < 8:
        shared.controller.entered.remove(value)  # too ordinary a text to search for
    else:
        assert value.strip() not in done.text
    bot_id = shared.controller.bot_id(name)
    assert bot_id not in shared.controller.folders()
    assert shared.controller.inspect(bot_id) is None
    again = await shared.ann.click(done, label="Enter secrets")
    form = await again.modal_sent
    assert all(f["value"] in (None, "", "steady", "2") for f in form.fields)


@pytest.mark.parametrize("around", [" {}", "{} ", "{}\n", "\r\n {}\t"], ids=repr)
async def test_spaces_and_line_breaks_around_a_value_are_left_out(
    shared: Place, around: str
) -> None:
    """Whoever copies a key copies them along: the file has the key alone."""
    name = f"trimmed-{len(shared.ann.dms)}"
    await shared.create(name)
    done = await shared.submit(await shared.open_form(name), api_key=around.format(FAKE))
    await said(done, "fingerprint")
    home = shared.controller.secrets_dir / shared.controller.bot_id(name)
    assert (home / "api_key").read_text() == FAKE


async def test_a_second_try_after_a_bad_value_starts_the_bot(shared: Place) -> None:
    """The same form, opened again from the refusal, accepts good values."""
    await shared.create("second")
    done = await shared.submit(await shared.open_form("second"), channel_token="no good at all")
    await said(done, "Demo channel token")
    again = await shared.ann.click(done, label="Enter secrets")
    await said(await shared.submit(again.modal), "**second** — running")


async def test_both_bad_values_are_named_at_once(shared: Place) -> None:
    """One answer names each input that is wrong."""
    await shared.create("both")
    done = await shared.submit(
        await shared.open_form("both"), api_key="not good 1", channel_token="not good 2"
    )
    await said(done, "Demo API key")
    assert "Demo channel token" in done.text


async def test_a_key_in_a_plain_field_is_refused_and_not_shown(shared: Place) -> None:
    """Fields are public, so nothing that looks like a key is accepted there."""
    await shared.create("field")
    value = a_secret()
    form = await shared.open_form("field")
    done = await shared.submit(form, behaviour=value, interval="sk-ant-" + "A" * 40)
    shared.controller.entered.append(value)
    await said(done, "❌")
    assert value not in done.text
    assert "sk-ant" not in done.text


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": "nobody"}, "no bot of that name"),
        ({"name": "seen", "lines": 0}, "1 to 1000"),
        ({"name": "seen", "lines": 5000}, "1 to 1000"),
        ({"name": "seen", "since": "yesterday"}, "10m"),
        ({"name": "seen"}, "❌"),  # no container yet
    ],
    ids=str,
)
async def test_a_bad_question_for_a_log_is_answered_clearly(
    shared: Place, options: dict[str, object], words: str
) -> None:
    """The answer is private and says what is right."""
    if not shared.controller.rows("SELECT 1 FROM bot WHERE name = 'seen'"):
        await shared.create("seen")
    inv = await shared.ann.slash("bot logs", **options)
    await said(inv, words)
    assert inv.ephemeral


async def test_a_bot_without_secrets_cannot_be_started(shared: Place) -> None:
    """Start and restart say which secrets are missing and how to enter them."""
    await shared.create("bare")
    for command in ("bot start", "bot restart"):
        inv = await shared.ann.slash(command, name="bare")
        await said(inv, "api_key, channel_token")
        assert "/bot secrets bare" in inv.text
    assert shared.controller.inspect(shared.controller.bot_id("bare")) is None
