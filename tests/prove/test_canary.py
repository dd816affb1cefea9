"""Every entered value is a canary, and none is found afterwards, in any shape.
Next door: canary.py creates, disguises and searches them; tests/process drives the controller."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.loopback import Invocation
from tests.process.process import BRISK, Place, eventually, open_place, said
from tests.prove.canary import canary, core_limit, everywhere, search, shapes
from tests.prove.tally import Tally

pytestmark = pytest.mark.engine

TELL = r"""
k=$(cat /run/secrets/api_key); t=$(cat /run/secrets/channel_token)
tell() {
  echo "$1 raw $k and $t"
  echo "$1 glued=$k;" >&2
  printf '%s b64 ' "$1"; printf '%s' "$k" | base64
  printf '%s b64 ' "$1"; printf 'x%s' "$t" | base64
  printf '%s b64 ' "$1"; printf 'user:%s' "$k" | base64 | tr '+/' '-_'
  echo "$1 url https://h.test/?k=$(echo "$k" | sed 's/:/%3A/g')&t=$(echo "$t" | sed 's/:/%3a/g')"
  printf '%s json {"k": "%s"}\n' "$1" "$k"
  printf '%s colour \033[31m%s\033[0m\n' "$1" "$k"
}
"""
RUNS = {
    "teller": "tell line; while :; do sleep 1; done",
    "crasher": "tell before; sleep 1; tell last; exit 3",
    "sick": "tell line; while :; do sleep 1; done",
}
# The value is at the beginning, and again where the part of the output that is read ends.
CHECK = "k=$(cat /run/secrets/api_key); echo key=$k; printf %945s filled; echo $k; exit 1"


def template(name: str) -> str:
    """A template whose bot prints its own secrets, in the shapes that programs print them."""
    text = BRISK.replace('id = "brisk"', f'id = "{name}"', 1)
    script = (TELL + RUNS[name]).replace("'''", "")
    run = f"[run]\nentrypoint = [\"/bin/sh\", \"-c\", '''{script}''']\n"
    text = text.replace("[run]\n", run, 1)
    if name == "sick":
        check = f"[health]\ntest = [\"CMD-SHELL\", '''{CHECK}''']\n"
        timing = "interval = 1\ntimeout = 2\nstart_period = 1\nretries = 1\n\n"
        text = text.replace("[providers.demo]", check + timing + "[providers.demo]", 1)
    return text


@contextlib.asynccontextmanager
async def tellers(
    folder: Path, engine: docker.APIClient, templates: Mapping[str, str] | None = None, **env: str
) -> AsyncIterator[Place]:
    """A place whose controller logs all and has its token in a file; its bots print secrets."""
    temp = folder / "tmp"
    temp.mkdir()
    more = {"BOTMAKER_LOG_LEVEL": "DEBUG", "TMPDIR": str(temp), "PYTHONFAULTHANDLER": "1"} | env
    async with open_place(folder, engine, start=False, **more) as place:
        place.controller.fresh = True  # its environment and command line are searched
        for name, text in (templates or {name: template(name) for name in RUNS}).items():
            (folder / "templates" / f"{name}.toml").write_text(text)
        (folder / "secrets").mkdir(mode=0o700)
        token = folder / "secrets" / "discord-token"
        token.write_text(place.world.token)
        del place.controller.env["BOTMAKER_DISCORD_TOKEN"]
        place.controller.env["BOTMAKER_DISCORD_TOKEN_FILE"] = str(token)
        await place.controller.start()
        yield place


async def born(place: Place, name: str, kind: str) -> Invocation:
    """Create a bot whose two secrets are canaries."""
    await place.create(name, kind)
    done = await place.submit(
        await place.open_form(name), api_key=canary(), channel_token=canary(60)
    )
    return await said(done, "fingerprint")


async def rotate(place: Place, name: str) -> None:
    """Replace both secrets with new canaries."""
    before = len(place.ann.dms)
    await place.ann.slash("bot secrets", name=name)
    await place.world.until(lambda _: len(place.ann.dms) > before)
    form = await place.open_form(name)
    done = await place.submit(form, api_key=canary(), channel_token=canary(60))
    await said(done, "fingerprint")
    await said(done, "running")


async def shown(place: Place, name: str, words: str, **options: Any) -> Invocation:
    """Ask for the log until these words are in it: a bot that just started has no log yet."""
    for _ in range(40):
        inv = await place.ann.slash("bot logs", name=name, **options)
        await inv.until(lambda i: i.message is not None and not i.message.loading)
        if words in inv.text:
            break
        await asyncio.sleep(0.25)
    return await said(inv, words, 0)


async def read_logs(place: Place, name: str) -> None:
    """Read the log as a message, filtered, and as a file."""
    inv = await shown(place, name, "[redacted]")
    for grep in ("raw", "b64", "url", "json"):
        await shown(place, name, "redacted", grep=grep, lines=9)
    file = await place.ann.click(inv, label="File")
    await file.until(lambda i: i.message is not None and i.message.attachments)


async def wrong_values(place: Place) -> None:
    """Enter values that the rules refuse; they are as secret as accepted ones."""
    await place.create("wrong")
    for spoiled in ("{} with spaces", "{}!", "{}\n\x1b[2J", "ключ{}", "{}" + "x" * 300):
        values = {"api_key": spoiled.format(one := canary()), "channel_token": (two := canary())}
        refused = await place.submit(await place.open_form("wrong"), **values)
        place.controller.entered += [one, two]
        await said(refused, "❌")
    await place.submit(await place.open_form("wrong"), api_key=canary(), channel_token=canary())
    await place.card_says("wrong", "running")


async def hostile_asks(place: Place) -> None:
    """Send names and questions that match nothing; each gets an error in words."""
    for name in ("../../etc", "`rm -rf`", "a" * 99, "@everyone", "\u202eevil", "%s%n", "'; --"):
        inv = await place.create(name)
        assert "❌" in inv.text, inv.text
    for options in ({"since": "never"}, {"lines": 5000}, {"name": "nobody"}):
        inv = await place.ann.slash("bot logs", **({"name": "teller"} | options))
        await said(inv, "❌")


async def pages(place: Place) -> list[tuple[str, bytes]]:
    """All that its HTTP server says."""
    found = [await place.controller.get(path) for path in ("/health", "/metrics", "/nowhere")]
    return [(f"HTTP {status}", text.encode()) for status, text in found]


def leftovers(place: Place) -> list[str]:
    """Files below the secrets folder that aren't secrets of an existing bot.

    What was typed into a form that can still be sent is kept with it: after a kill in the middle of
    a submit nobody has to type it again.
    """
    rows = {row[0] for row in place.controller.rows("SELECT id FROM bot")}
    usable = "SELECT bot_id, id FROM form WHERE used_at IS NULL AND expires_at > ?"
    typed = {
        f".forms/{bot}.{form}.json" for bot, form in place.controller.rows(usable, time.time())
    }
    names = ("api_key", "channel_token", "channel_config")
    known = {f"{bot}/{name}" for bot in rows for name in names}
    root = place.controller.secrets_dir
    files = {str(file.relative_to(root)) for file in root.rglob("*") if file.is_file()}
    return sorted(files - known - typed - {"discord-token"})


async def hunt(place: Place, tally: Tally, folder: Path) -> list[str]:
    """Search everywhere for everything that was entered, after testing the search itself."""
    controller, but = place.controller, (place.controller.secrets_dir,)
    values = sorted({*controller.entered, place.world.token})
    traffic = place.world.traffic_text("from_bot")
    # Discord's gateway is meant to get the token.
    found = await pages(place)
    found += list(
        everywhere(controller, traffic.replace(place.world.token, ""), folder=folder, but=but)
    )
    tally.tried["canaries"] += len(values)
    tally.tried["places searched for canaries"] += len(found)
    hits = await asyncio.to_thread(search, values, found)
    tally.lost["canaries"] += len(hits)
    return hits


@pytest.mark.timeout(170)
async def test_after_a_long_mixed_run_no_entered_value_is_anywhere(
    tmp_path: Path, docker_client: docker.APIClient, demo_image: str, tally: Tally
) -> None:
    """Created, refused, rotated, printed, crashed, restarted, killed, deleted: zero hits in files,
    logs at DEBUG, database and WAL, engine, processes, Discord, HTTP pages, temporary files."""
    async with tellers(tmp_path, docker_client) as place:
        controller = place.controller
        for name in RUNS:
            await born(place, name, name)
        await wrong_values(place)
        await read_logs(place, "teller")
        await place.card_says("sick", "health check fails", 20)
        await said(await place.ann.slash("bot show", name="sick"), "health check")
        await place.card_says("crasher", "exit 3", 20)
        await said(await place.ann.slash("bot show", name="crasher"), "exit 3")
        await rotate(place, "teller")
        await read_logs(place, "teller")
        await hostile_asks(place)
        await said(await place.ann.slash("bot history", name="teller"), "secrets")
        for turn in range(tally.pick(1, 6)):
            await _ended_in_between(place, turn)
        await said(await place.ann.slash("bot stop", name="wrong"), "stopped")
        inv = await place.ann.slash("bot delete", name="wrong")
        await said(await place.ann.click(inv, label="Delete wrong"), "removed")
        hits = await hunt(place, tally, tmp_path)
        controller.entered.clear()  # otherwise the place's own search finds the check's output
        assert hits == []
        assert leftovers(place) == []
        assert controller.process is not None
        assert core_limit(controller.process.pid) == "0 0"
        for made in controller.containers():
            if made["State"]["Pid"]:
                assert core_limit(made["State"]["Pid"]) == "0 0"


async def _ended_in_between(place: Place, turn: int) -> None:
    """Submit a form while the controller is killed or stopped; then log as JSON or text."""
    name, how = f"late-{turn}", (signal.SIGKILL, signal.SIGTERM)[turn % 2]
    await place.create(name)
    form = await place.open_form(name)
    await place.submit(form, api_key=canary(), channel_token=canary())
    await asyncio.sleep(0.03 * turn)
    place.controller.env["BOTMAKER_LOG_FORMAT"] = ("json", "text")[turn % 2]
    await place.controller.restart(how)
    await shown(place, "sick", "redacted", lines=6)


async def test_an_old_value_stays_hidden_in_old_logs_after_a_controller_restart(
    tmp_path: Path, docker_client: docker.APIClient, demo_image: str
) -> None:
    """The container's log still holds a rotated value, which a new controller can't know, so
    nothing logged before the rotation is shown."""
    async with tellers(tmp_path, docker_client) as place:
        await born(place, "teller", "teller")
        await place.card_says("teller", "running")
        await rotate(place, "teller")
        await shown(place, "teller", "1 line", grep="raw")
        await place.controller.restart()
        inv = await shown(place, "teller", "1 line", grep="raw")
        hits = search(place.controller.entered, [("answer", inv.text.encode())])
        place.controller.entered.clear()  # checked here, so the place's end needn't check it again
        assert hits == []


async def test_a_search_in_the_log_tells_nothing_that_its_answer_hides(
    tmp_path: Path, docker_client: docker.APIClient, demo_image: str
) -> None:
    """Searching for the beginning of a value finds no more than any other search, or the value
    could be guessed letter by letter. Nor is the value in a button's id."""
    async with tellers(tmp_path, docker_client) as place:
        await born(place, "teller", "teller")
        value = place.controller.entered[0]
        await place.card_says("teller", "running")
        await shown(place, "teller", "redacted", grep="raw")
        for guess in (value[:3], value[:10], value[-5:], value):
            inv = await place.ann.slash("bot logs", name="teller", grep=guess)
            await said(inv, "No matching lines")


# The search itself


@pytest.mark.parametrize("length", [33, 60, 108])
def test_the_search_finds_a_planted_value_in_every_shape(tmp_path: Path, length: int) -> None:
    """Whole or in part, in a file, below folders, inside longer encoded data at any alignment."""
    value = canary(length)
    raw = value.encode()
    for number, form in enumerate(shapes(value)):
        place = tmp_path / str(number) / "deep"
        place.mkdir(parents=True)
        (place / "file.db-wal").write_bytes(b"\x00junk" + form + b"\xffjunk")
        assert search([value], [("planted", (place / "file.db-wal").read_bytes())]), form
    for before in range(7):
        for after in range(4):
            data = base64.b64encode(b"u" * before + raw + b"!" * after)
            assert search([value], [("planted", data)]), (before, after)
    assert search([value], [("innocent", canary(length).encode() * 50)]) == []
    assert len(set(shapes(value).values())) >= 10


async def test_the_hunt_finds_a_value_planted_where_it_looks(
    tmp_path: Path, docker_client: docker.APIClient, demo_image: str
) -> None:
    """In the database, log, a temporary file, a label, an environment or the bot's answer."""
    async with tellers(tmp_path, docker_client) as place:
        controller = place.controller
        value = canary()
        controller.rows("SELECT 1")  # the database exists
        planted = {
            "data/notes": tmp_path / "data" / "notes",
            "tmp/left": tmp_path / "tmp" / "left",
            "log.txt": controller.log_path,
        }
        for file in planted.values():
            with file.open("ab") as stream:
                stream.write(b"\n" + value.encode().hex().encode() + b"\n")
        labels = {"botmaker.instance": controller.instance, "x": value}
        made = docker_client.create_container(
            demo_image, entrypoint=["/bin/sleep", "60"], environment={"KEY": value}, labels=labels
        )["Id"]
        docker_client.start(made)
        try:
            blobs = list(everywhere(controller, f"said {value}", folder=tmp_path))
            hits = " ".join(search([value], blobs))
        finally:
            docker_client.remove_container(made, force=True)
        wanted = [*planted, "inspect of container", "list row", "environ of", "Discord"]
        assert [word for word in wanted if word not in hits] == []
        for file in planted.values():
            if file != controller.log_path:
                file.unlink()
        await eventually(lambda: controller.running)
