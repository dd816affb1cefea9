"""Without its settings nothing of the edge exists: no import, no row, no route, no file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from controller.domain.edge_events import KINDS, OTHER
from controller.domain.errors import ControllerError
from controller.domain.journal import Kind
from tests.conftest import ROOT
from tests.manager.rig import ANN_ASKS, Rig


def test_nothing_of_it_is_imported() -> None:
    """Neither by the program nor by what builds it: asked of a process of its own."""
    code = (
        "import sys, controller.app, controller.cli.console; "
        "print([m for m in sys.modules if m.startswith('controller.edge.')"
        " or m in ('controller.edge', 'controller.services.cloudflare',"
        " 'controller.services.worker_modules')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


async def test_each_use_case_says_that_there_is_none(tmp_path: Path) -> None:
    """With the command that leads to one; nothing is written down as asked."""
    rig = Rig(tmp_path)
    await rig.open()
    for what in ("status", "deploy", "rollback"):
        with pytest.raises(ControllerError) as caught:
            await getattr(rig.manager.worker, what)(ANN_ASKS)
        assert (caught.value.code, "botmaker edge init" in caught.value.hint) == ("edge-off", True)
    assert await rig.store.webhooks() == []
    assert await rig.entries() == []
    await rig.kill()


def test_every_kind_of_the_journal_has_its_kind_at_the_worker() -> None:
    """But for what is about webhooks and incidents; and the Worker knows each."""
    told = {KINDS.get(kind, OTHER) for kind in Kind}
    text = (ROOT / "edge/worker/intake.js").read_text()
    assert all(f'"{kind}"' in text for kind in told)
