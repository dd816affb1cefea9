"""`botmaker seal`: a value goes in, and what comes out is of use to one BotMaker alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controller.domain.phase import Phase
from tests.cli.socketed import botmaker, served
from tests.manager.rig import ANN_ASKS, SECRETS, Rig


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with served(tmp_path) as rig:
        yield rig


@pytest.mark.parametrize("by_name", [True, False])
async def test_a_bot_runs_on_what_the_console_sealed(rig: Rig, by_name: bool) -> None:
    """By the bot's name where its controller answers; by an address on any machine."""
    bot = await rig.create()
    sealed = rig.manager.credentials.sealed
    to = bot.name if by_name else (await sealed.address(ANN_ASKS, bot)).code
    folder = rig.folder if by_name else rig.folder / "elsewhere"
    texts = {}
    for name, value in SECRETS.items():
        done = await botmaker(folder, "seal", to, name, typed=value + "\n")
        assert (done.status, value in done.out + done.err) == (0, False)
        assert f"For {bot.name}. The key's fingerprint is {sealed.fingerprint}" in done.err
        texts[name] = done.out.strip()
    await rig.submit(bot, **texts)
    await rig.becomes(bot, Phase.RUNNING)


async def test_the_doctor_shows_the_fingerprint_to_compare(rig: Rig) -> None:
    """The same as beside an address."""
    examined = await rig.manager.doctor.examine(ANN_ASKS)
    (found,) = (one.message for one in examined if one.subject == "sealing")
    assert rig.manager.credentials.sealed.fingerprint in found


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["seal", "sealto1.nonsense", "api_key"], "Copy all of `sealto1.…`"),
        (["seal", "nobody", "api_key"], "There is no bot of that name"),
        (["seal", "api_key"], "botmaker seal TO SECRET"),
    ],
)
async def test_what_is_missing_is_said(rig: Rig, words: list[str], said: str) -> None:
    """With what to do about it, and nothing printed that could be taken for a sealed text."""
    done = await botmaker(rig.folder, *words, typed="fake-value-of-the-test\n")
    assert done.status != 0
    assert said in done.err
    assert "fake-value" not in done.out + done.err
    assert "seal1." not in done.out


async def test_the_page_is_printed_whole(rig: Rig) -> None:
    """What the browser test next door in tests/dashboard opens."""
    printed = await botmaker(rig.folder, "seal", "--page")
    assert printed.out.startswith("<!doctype html>")
    assert printed.out.endswith("</html>\n")
