"""`/bot edit` with a model, provider or channel: without a form, and what people read of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from demo.world import World
from tests.chat.acting import said
from tests.chat.test_updates_in_chat import QUICK, is_release, now, quick


@pytest.fixture
def templates(templates: Path) -> Path:
    """The templates of these tests, and one whose bots prove themselves at once."""
    models = '\n[providers.demo]\ntitle = "Demo provider"\nmodels = ["small"]\n'
    (templates / "quick.toml").write_text(QUICK + models)
    return templates


async def test_another_model_needs_no_form(world: World) -> None:
    """It's tried as a release; a choice that is none changes nothing."""
    await quick(world)
    answer = await world.admin.slash(world.channel, "bot edit", name="shop", model="other")
    assert said(answer).startswith("✅ **shop** — model: ")
    await is_release(world, 2)
    assert now(world).model == "other"
    again = await world.admin.slash(world.channel, "bot edit", name="shop", model="other")
    assert "model:" not in said(again)
    wrong = await world.admin.slash(world.channel, "bot edit", name="shop", channel="nowhere")
    assert "nowhere" in said(wrong) or "channel" in said(wrong)
    assert now(world).release == 2
