"""What was typed into a form goes once nobody can send it any more, while the controller runs."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from controller.store import Form
from controller.vault.staging import Staged
from tests.loop.simulation import SimulatedLoop
from tests.manager.rig import ANN, SECRETS, Rig

HOURS = 2 * 3600.0 + 60


async def _forms_after_hours(folder: Path) -> tuple[set[str], str, str]:
    rig = Rig(folder)
    await rig.open()
    rig.run()
    try:
        bot = await rig.create()
        staging = rig.house.tools.blueprints.staging
        over = Form("f" * 24, bot.id, int(ANN.id), False, time.time() - 1)
        async with rig.store.transaction() as write:
            await write.add_form(over)
        usable = await rig.form(bot)
        for form_id in (over.id, usable):
            staging.keep(bot.id, form_id, Staged(SECRETS))
        await asyncio.sleep(HOURS)
        return {form for _, form in staging.forms()}, over.id, usable
    finally:
        await rig.kill()


def test_what_was_typed_goes_with_its_form_without_a_restart(tmp_path: Path) -> None:
    """An expired form's values are removed within hours; those of a usable one stay."""
    with asyncio.Runner(loop_factory=lambda: SimulatedLoop(7)) as runner:
        left, over, usable = runner.run(_forms_after_hours(tmp_path))
    assert over not in left
    assert left == {usable}
