"""`/bot stats` and `/fleet stats`: figures, their age, and a picture that phones show."""

from __future__ import annotations

import io
import time
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from controller.charts import Chart, Charts, Line
from controller.chat.words.stats_words import amount, fleet_stats
from controller.domain.bot import Bot
from controller.domain.usage import FINE, Counters, Figures, Point
from controller.fleet.views import View
from controller.manager.stats import Measured
from demo.world import World
from tests.chat.acting import engine_of, ready_bot, said

USED = Counters(
    at=0.0, cpu=1.0, memory=250 << 20, limit=256 << 20, received=0, sent=0, read=0, written=0
)


async def measure(world: World, bot_id: str) -> None:
    """Measure twice."""
    sampler = world.application.manager.sampler
    engine_of(world).used[bot_id] = USED
    await sampler.sample()
    engine_of(world).used[bot_id] = replace(USED, cpu=1.0001)
    await sampler.sample()


async def test_a_bot_that_was_not_measured_yet_says_so(world: World) -> None:
    """And one that doesn't run uses nothing."""
    await ready_bot(world)
    text = said(await world.admin.slash(world.channel, "bot stats", name="shop"))
    assert "It hasn't been measured yet." in text
    await world.admin.slash(world.channel, "bot stop", name="shop")
    text = said(await world.admin.slash(world.channel, "bot stats", name="shop"))
    assert "It doesn't run, so it uses nothing." in text
    fleet = said(await world.admin.slash(world.channel, "fleet stats"))
    assert "No bot has been measured yet." in fleet


async def test_figures_have_their_age_and_warn_near_the_limit(world: World) -> None:
    """Words first; the picture takes its time and comes in their place."""
    view = await ready_bot(world)
    await measure(world, view.bot.id)
    fleet = said(await world.admin.slash(world.channel, "fleet stats"))
    assert fleet.startswith("1 bot: CPU")
    assert "⚠️ **shop** CPU" in fleet
    at = int(time.time()) // FINE * FINE
    store = world.application.installation.tools.store
    async with store.transaction() as write:
        for number in range(6):
            point = Point(
                at=at - number * FINE, cpu=0.1, cpu_most=0.4, memory=1 << 20,
                memory_most=2 << 20, network=5, disk=5,
            )  # fmt: skip
            await write.usage.add({view.bot.id: point})
    answer = await world.admin.slash(world.channel, "bot stats", name="shop")
    text = said(answer)
    assert text.startswith("**shop** — running, measured 0 s ago")
    assert "⚠️ Memory 250 MB of 256 MB (98%): near its limit" in text
    assert "Most in 24 hours: CPU 40%, memory 2.0 MB" in text
    assert answer.response is not None
    (picture,) = answer.response.attachments
    assert picture.filename == "chart.png"


async def test_a_flood_is_said_on_the_bot(world: World) -> None:
    """A green card alone would hide it."""
    view = await ready_bot(world)
    await measure(world, view.bot.id)
    world.application.installation.tools.fleet.show_flood(view.bot.id, 11_433.0)
    text = said(await world.admin.slash(world.channel, "bot stats", name="shop"))
    assert "⚠️ Its log is flooded: about 11,433 lines a second." in text
    shown = said(await world.admin.slash(world.channel, "bot show", name="shop"))
    assert "Its log is flooded: about 11,433 lines a second." in shown


async def test_a_chart_is_a_picture_for_phones_and_leaves_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the names hold, and whatever our environment does. Dark, as Discord is; nothing but
    fonts is left in its folder."""
    ours = tmp_path / "matplotlibrc"
    ours.write_text("savefig.facecolor: white\n")
    monkeypatch.setenv("MATPLOTLIBRC", str(ours))
    folder = tmp_path / "fonts"
    folder.mkdir()
    line = Line(name="$x^2$ _ @everyone", values=[1.0, 3.0, 2.0], most=[2.0, 4.0, 3.0])
    times = [1_760_000_000.0 + 300 * number for number in range(3)]
    chart = Chart(title="$\\nothing$", at=times, panels=[("%", [line]), ("MiB", [line, line])])
    picture = await Charts(folder).draw(chart)
    assert picture is not None
    with Image.open(io.BytesIO(picture)) as image:
        assert image.width == 960
        assert image.height < 1000
        assert sum(image.convert("RGB").getpixel((2, 2))) < 200  # type: ignore[arg-type]
    assert {file.suffix for file in folder.iterdir()} <= {".json"}


async def test_a_chart_of_nothing_and_one_that_fails_are_left_out(tmp_path: Path) -> None:
    """The answer goes without it."""
    charts = Charts(tmp_path)
    assert await charts.draw(Chart(title="", at=[1.0], panels=[])) is None
    odd = Line(name="", values=[1.0])
    assert await charts.draw(Chart(title="", at=[1.0, 2.0], panels=[("", [odd])])) is None


def test_a_bot_near_its_limit_is_marked_among_all() -> None:
    """And no other."""
    bot = Bot(id="b", name="shop", template="t", provider="p", model="m", channel="c")
    near, far = Figures(cpu=0, memory=95, limit=100), Figures(cpu=0, memory=5, limit=100)
    text = fleet_stats([Measured(View(bot), one, 1.0) for one in (near, far)])
    assert [line.startswith("⚠️") for line in text.splitlines()[1:]] == [True, False]


def test_amounts_are_short() -> None:
    """As limits are written."""
    sizes = (0, 1023, 1024, 1536, 10 << 20, 5 << 30, 1 << 60)
    assert [amount(one) for one in sizes] == [
        *("0 B", "1023 B", "1.0 KB", "1.5 KB", "10 MB", "5.0 GB", "1048576 TB"),
    ]  # fmt: skip
