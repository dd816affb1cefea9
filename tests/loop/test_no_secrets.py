"""A template whose bots need no secret: they start, and start again."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.domain.phase import Phase
from tests.manager.rig import ANN_ASKS, PLAIN, Rig


def without_secrets() -> str:
    """The plain template without a single secret."""
    lines, skip = [], False
    for line in (PLAIN % "unless-stopped").splitlines():
        if line.startswith("[["):
            skip = True
        elif line.startswith("["):
            skip = False
        if not skip:
            lines.append(line)
    return "\n".join(lines)


@pytest.mark.parametrize("optional", [False, True], ids=["none", "an optional one"])
async def test_a_bot_that_needs_no_secret_starts_at_once(rig: Rig, optional: bool) -> None:
    """The in-memory engine refuses an absent mount as a real one does: the folder exists."""
    text = without_secrets()
    if optional:
        text += '\n[[channels.demo.secrets]]\nname = "extra"\nlabel = "Extra"\nrequired = false\n'
    rig.template(text)
    await rig.restart()
    bot = await rig.create()
    await rig.becomes(bot, Phase.RUNNING)
    folder = rig.secrets / bot.id
    assert folder.is_dir()
    assert folder.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("again", ["start", "restart", "recreate"])
async def test_it_starts_again_without_its_folder(rig: Rig, again: str) -> None:
    """Somebody may remove an empty folder that seems to be of no use."""
    rig.template(without_secrets())
    await rig.restart()
    bot = await rig.create()
    await rig.becomes(bot, Phase.RUNNING)
    folder: Path = rig.secrets / bot.id
    if again == "restart":
        folder.rmdir()
        await rig.manager.lifecycle.restart(ANN_ASKS, bot)
    else:
        await rig.manager.lifecycle.stop(ANN_ASKS, bot)
        folder.rmdir()
        if again == "recreate":
            rig.runtime.do_remove(bot.id)
        await rig.manager.lifecycle.start(ANN_ASKS, bot)
    await rig.becomes(bot, Phase.RUNNING)
    assert rig.view(bot).bot.problem is None
