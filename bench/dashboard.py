"""How long the dashboard takes to draw 300 bots on a phone, with a processor four times slower.

The page and its files are the real ones; a small server in place of the API says who is signed in.
The browser is this machine's Chromium, without a window.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import shutil
import statistics
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from aiohttp import web
from playwright.async_api import Browser, async_playwright

from bench.figure import Figure
from controller.api.dashboard_pages import add_pages, site
from controller.api.gate import Gate
from controller.api.resources import BotOut, role_word
from controller.domain.acts import ACTS
from controller.domain.bot import Wish
from controller.domain.phase import Phase
from controller.domain.roles import Role

BOTS = 300
SLOWER = 4
ROUNDS = 7
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# From the text of the snapshot to a page that is laid out; then the same with one bot changed.
DRAW = """
async ([live, text]) => {
  const { fleet } = await import(live);
  const list = document.querySelector(".fleet");
  const laidOut = () => list.getBoundingClientRect().height;
  const began = performance.now();
  fleet._hear("snapshot", JSON.parse(text));
  if (laidOut() < 1000) throw new Error("nothing was drawn");
  const first = performance.now() - began;
  while (list.childElementCount < fleet.bots.size) await new Promise((done) => setTimeout(done, 1));
  laidOut();
  const whole = performance.now() - began;
  const bot = { ...[...fleet.bots.values()][200], phase: "unhealthy" };
  const again = performance.now();
  fleet.bots.set(bot.id, bot);
  fleet._tell("changed");
  laidOut();
  return [first, whole, performance.now() - again];
}
"""


async def measure(_: Path) -> list[Figure]:
    """Each round in a fresh page: nothing of it was drawn or compiled before."""
    name = f"dashboard: first render of {BOTS} bots, 390×844, ×{SLOWER} slower"
    path = next((found for one in BROWSERS if (found := shutil.which(one))), None)
    if path is None:
        return [Figure(name=name, value=0, unit="ms", note="not measured: no Chromium here")]
    async with _served() as url, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        rounds = [await _round(browser, url) for _ in range(ROUNDS)]
        await browser.close()
    first, whole, again = (statistics.median(kind) for kind in zip(*rounds, strict=True))
    note = f"median of {ROUNDS}, from the snapshot's text to the laid out page"
    return [
        Figure(name=name, value=first, unit="ms", target=50, at_most=True, note=note),
        Figure(name="dashboard: until its last row is there as well", value=whole, unit="ms"),
        Figure(name="dashboard: one bot of them changes", value=again, unit="ms"),
    ]


async def _round(browser: Browser, url: str) -> tuple[float, float, float]:
    context = await browser.new_context(
        viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True
    )
    page = await context.new_page()
    devtools = await context.new_cdp_session(page)
    await devtools.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
    await page.goto(url)
    await page.get_by_role("heading", name="Fleet").wait_for()
    (version,) = set(re.findall(r"/assets/([0-9a-f]+)/", site().page.decode()))
    first, whole, again = await page.evaluate(DRAW, [f"/assets/{version}/live.js", _snapshot()])
    await context.close()
    return first, whole, again


@contextlib.asynccontextmanager
async def _served() -> AsyncIterator[str]:
    app = web.Application()
    add_pages(app, Gate())
    app.add_routes([web.get("/api/v1/session", _me), web.get("/api/v1/events", _quiet)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


async def _me(_: web.Request) -> web.Response:
    needs = {act.id: role_word(act.role) for act in ACTS.values()}
    by = {"kind": "user", "id": "1", "name": "ann"}
    return web.json_response({"by": by, "role": "admin", "may": list(needs), "needs": needs})


async def _quiet(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await answer.prepare(request)
    with contextlib.suppress(OSError):
        while True:
            await answer.write(b"event: ping\ndata: {}\n\n")
            await asyncio.sleep(1)
    return answer


def _snapshot() -> str:
    """Bots in all phases, as the stream sends them."""
    phases = list(Phase)
    bots = [_bot(number, phases[number % len(phases)]) for number in range(BOTS)]
    engine = {"reachable": True, "since": None, "reason": ""}
    return json.dumps({"bots": bots, "engine": engine})


def _bot(number: int, phase: Phase) -> dict[str, Any]:
    return BotOut.model_validate(
        {
            "id": f"00000000-0000-4000-8000-{number:012}",
            "name": f"support-helper-{number}",
            "phase": phase,
            "since": time.time() - number,
            "wish": Wish.STOP if phase is Phase.STOPPED else Wish.RUN,
            "template": "openclaw",
            "provider": "anthropic",
            "model": "claude-sonnet-4-6",
            "channel": "telegram",
            "image": "sha256:" + "0" * 64,
            "created_at": time.time() - 1000,
            "role": role_word(Role.ADMIN),
            "seen": True,
            "missing_secrets": ["api_key"] if phase is Phase.CREATED else [],
            "held_up": "the image is being downloaded" if phase is Phase.STARTING else "",
            "problem": None,
            "crashes": 0,
            "last_crash": None,
            "health": "unhealthy" if phase is Phase.UNHEALTHY else "none",
            "health_says": "no heartbeat for 14 s" if phase is Phase.UNHEALTHY else "",
            "degraded": [],
            "restarts": 0,
            "source": "",
            "outside": "",
        }
    ).model_dump(mode="json")
