"""Whatever a fleet is like: its export, applied to an empty installation, gives the same fleet."""

from __future__ import annotations

import asyncio
import tempfile
import tomllib
from pathlib import Path
from typing import Any

import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.api import serve_console
from controller.cli import fleet_file, fleet_state
from controller.cli.controller_client import Door, local
from controller.cli.fleet_apply import Applying
from controller.domain.fleet_plan import plan
from tests.manager.rich import RICH
from tests.manager.rig import SECRETS, Rig, eventually

WORD = st.text("abc xyz é😀\"'\\#=[]{}", min_size=1, max_size=12).filter(lambda t: t.strip() == t)
BOT = st.fixed_dictionaries(
    {
        "template": st.sampled_from(["plain", "rich"]),
        "wish": st.sampled_from(["running", "stopped"]),
        "model": st.sampled_from(["small", "large", "Large-2", "v/1:b"]),
        "secrets": st.sampled_from([(), tuple(SECRETS)]),
        "greeting": st.none() | WORD,
        "tone": st.sampled_from([None, "soft", "loud"]),
        "persona": st.none() | st.lists(WORD, min_size=1, max_size=3).map("\n".join),
    }
)
GRANT = st.tuples(
    st.sampled_from(["user", "discord_role"]),
    st.integers(1, 5).map(str),
    st.sampled_from(["viewer", "operator"]),
    st.sampled_from(["", "a", "b"]),
)


def table(bot: dict[str, Any]) -> dict[str, Any]:
    """A drawn bot as its table in a fleet's file; the plain template has no settings."""
    chosen = {key: bot[key] for key in ("greeting", "tone", "persona") if bot[key]}
    return {
        **{key: bot[key] for key in ("template", "wish", "model")},
        "settings": chosen if bot["template"] == "rich" else {},
        "secrets": {name: {"file": name} for name in bot["secrets"]},
    }


def apply(door: Door, folder: Path, text: str) -> int:
    """Apply a fleet's file; how many changes a plan has afterwards."""
    for name, value in SECRETS.items():
        (folder / name).write_text(value)
    file = folder / "fleet.toml"
    file.write_text(text)
    fleet = fleet_file.read([file])
    seen = fleet_state.look(door, fleet)
    changes = plan(fleet.wanted, seen.found).changes
    done = list(Applying(door, fleet, seen, lambda *_: "").each(changes))
    assert [one.why for one in done if one.why] == []
    return len(plan(fleet.wanted, fleet_state.look(door, fleet).found).changes)


def with_values(text: str) -> str:
    """An export with files for its secrets, as somebody does who moves a fleet."""
    content = tomllib.loads(text)
    for bot in content.get("bots", {}).values():
        bot["secrets"] = {name: {"file": name} for name in bot.get("secrets", {})}
    return tomli_w.dumps(content)


async def exported(folder: Path, text: str) -> str:
    """Apply it to a fresh installation in this folder; what that exports then."""
    rig = Rig(folder)
    rig.template(RICH, "rich")
    await rig.open()
    rig.run()
    await eventually(lambda: rig.fleet.engine.reachable, "the first patrol is done")
    server = asyncio.create_task(serve_console(rig.manager, lambda: False, rig.data))
    await eventually((rig.data / "control.sock").exists, "the socket is there")
    try:
        door = local(rig.data)
        left = await asyncio.to_thread(apply, door, folder, text)
        assert left == 0, "a second apply would change something"
        return (await asyncio.to_thread(fleet_state.export, door))[fleet_state.WHOLE]
    finally:
        server.cancel()
        await asyncio.gather(server, return_exceptions=True)
        await rig.kill()


@settings(max_examples=12, deadline=None)
@given(
    bots=st.dictionaries(st.sampled_from(["a", "b", "c-3"]), BOT, max_size=3),
    grants=st.lists(GRANT, max_size=4, unique_by=lambda one: (one[0], one[1], one[3])),
)
def test_an_export_makes_the_same_fleet_elsewhere(bots: dict[str, Any], grants: list[Any]) -> None:
    """And a plan after an apply is empty, in both."""
    rows = [
        {kind: subject, "role": role} | ({"bot": bot} if bot else {})
        for kind, subject, role, bot in grants
        if not bot or bot in bots
    ]
    content = {"bots": {name: table(bot) for name, bot in bots.items()}, "grants": rows}

    async def both() -> tuple[str, str]:
        with tempfile.TemporaryDirectory() as here, tempfile.TemporaryDirectory() as there:
            first = await exported(Path(here), tomli_w.dumps(content))
            return first, await exported(Path(there), with_values(first))

    first, second = asyncio.run(both())
    assert second == first
    assert set(tomllib.loads(first).get("bots", {})) == set(bots)
