"""A log that is followed over HTTP: every line once, redacted, across runs, breaks and restarts."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

import pytest

from controller.api.request_rates import Pace
from controller.domain.access import Grant, discord_user
from controller.domain.bot import Bot
from controller.domain.roles import Role
from controller.fleet.journal import Caller
from tests.api.client import Api, Event, Reader, serving, session_of
from tests.manager.rig import ANN_ASKS, SECRETS, Rig, eventually

NDJSON = {"Accept": "application/x-ndjson"}


def follow(bot: Bot, lines: int = 0) -> str:
    return f"/bots/{bot.name}/logs/follow?lines={lines}"


def texts(events: Sequence[Event]) -> list[str]:
    """The lines of the events, and the names of those that are others."""
    return [
        text
        for event in events
        for text in (
            [line["text"] for line in event.data["lines"]]
            if event.name == "lines"
            else [event.name]
        )
    ]


async def until(reader: Reader, text: str, seconds: float = 10.0) -> list[str]:
    """All that comes up to that line, without pings."""
    found: list[Event] = []
    while text not in texts(found):
        event = await reader.next(seconds=seconds)
        found += [event] if event.name != "ping" else []
    return texts(found)


async def followed(rig: Rig, bot: Bot, count: int = 1) -> None:
    """Wait until the engine's log is read."""
    held = rig.runtime.containers[bot.id]
    await eventually(lambda: len(held.followers) == count, "the log is read")


async def test_the_last_lines_come_first_and_then_each_one(rig: Rig, api: Api) -> None:
    """With its time and pipe; as many of those that are there as are wanted."""
    bot = await rig.running()
    rig.runtime.write_log(bot.id, "\n".join(f"old {number}" for number in range(300)))
    async with api.stream(follow(bot, 3)) as reader:
        assert reader.answer.content_type == "text/event-stream"
        assert await until(reader, "old 299") == ["old 297", "old 298", "old 299"]
        rig.runtime.write_log(bot.id, "oh no", "stderr")
        event = await reader.next()
        (line,) = event.data["lines"]
        assert (event.name, line["text"], line["stream"]) == ("lines", "oh no", "stderr")
        assert line["at"].startswith("20")
        assert line["at"].endswith("Z")  # as everywhere
        assert event.id.split(":")[0] == rig.runtime.containers[bot.id].seen.container_id[:12]
    async with api.stream(follow(bot, 2), headers=NDJSON) as reader:
        assert reader.answer.content_type == "application/x-ndjson"
        assert await until(reader, "oh no") == ["old 299", "oh no"]


async def test_all_who_watch_share_one_reading_which_ends_with_the_last(rig: Rig, api: Api) -> None:
    """The engine is asked once, and no longer than somebody watches."""
    bot = await rig.running()
    async with contextlib.AsyncExitStack() as stack:
        readers = [
            await stack.enter_async_context(
                api.stream(follow(bot), headers=NDJSON if number % 2 else {})
            )
            for number in range(6)
        ]
        await followed(rig, bot)
        rig.runtime.write_log(bot.id, "one\ntwo")
        for reader in readers:
            assert await until(reader, "two") == ["one", "two"]
        assert len(rig.runtime.containers[bot.id].followers) == 1
    await followed(rig, bot, 0)


async def test_a_log_goes_on_across_runs_and_containers(rig: Rig, api: Api) -> None:
    """A crash, a restart, a new container: `run` says so, and each line comes once."""
    bot = await rig.running()
    async with api.stream(follow(bot)) as reader:
        await followed(rig, bot)
        rig.runtime.write_log(bot.id, "first run")
        rig.runtime.crash(bot.id, 1)
        assert await until(reader, "first run") == ["first run"]
        event = await reader.next()
        assert event.name == "run"
        assert event.data["run"] == rig.runtime.containers[bot.id].seen.container_id[:12]
        await followed(rig, bot)
        rig.runtime.write_log(bot.id, "second run")
        assert await until(reader, "second run") == ["second run"]
        before = rig.runtime.containers[bot.id].seen.container_id
        await rig.runtime.remove(bot.id, 1)
        assert (await reader.next(seconds=10)).name == "run"
        await eventually(lambda: rig.active(bot), "the new container runs")
        assert rig.runtime.containers[bot.id].seen.container_id != before
        rig.runtime.write_log(bot.id, "third run")
        assert await until(reader, "third run") == ["third run"]


async def test_a_bot_that_never_ran_can_be_watched(rig: Rig, api: Api) -> None:
    """Its first lines come once it runs."""
    bot = await rig.create()
    async with api.stream(follow(bot, 10)) as reader:
        await rig.submit(bot)
        await eventually(lambda: rig.active(bot), "it runs")
        rig.runtime.write_log(bot.id, "hello")
        assert await until(reader, "hello") == ["hello"]


async def test_who_comes_back_reads_on_and_nothing_twice(rig: Rig, api: Api) -> None:
    """Behind the last id, wherever the break was: also among lines of one moment."""
    bot = await rig.running()
    read: list[str] = []
    last = ""
    for number in range(4):
        async with api.stream(follow(bot, 100), after=last) as reader:
            await eventually(lambda: bool(rig.runtime.containers[bot.id].followers), "it is read")
            rig.runtime.write_log(bot.id, f"a{number}\nb{number}")
            found = await until(reader, f"b{number}")
            read += found
            last = reader.last
        rig.runtime.write_log(bot.id, f"away {number}")
    async with api.stream(follow(bot, 100), after=last) as reader:
        read += await until(reader, "away 3")
    expected = [text for n in range(4) for text in (f"a{n}", f"b{n}", f"away {n}")]
    assert read == expected


async def test_a_new_controller_goes_on_where_the_killed_one_stood(rig: Rig) -> None:
    """Neither loses nor repeats a line, for several who come back at once."""
    bot = await rig.running()
    async with serving(rig, named="first") as api:
        token = api.token
        async with api.stream(follow(bot), token=token) as one:
            await followed(rig, bot)
            rig.runtime.write_log(bot.id, "1\n2\n3")
            assert await until(one, "3") == ["1", "2", "3"]
            async with api.stream(follow(bot), token=token) as other:
                rig.runtime.write_log(bot.id, "4")
                assert await until(other, "4") == ["4"]
        places = [one.last, other.last]
    await rig.kill()
    rig.runtime.write_log(bot.id, "\n".join(f"dark {number}" for number in range(700)))
    await rig.open()
    rig.run()
    async with serving(rig, named="second") as api, contextlib.AsyncExitStack() as stack:
        dark = [f"dark {number}" for number in range(700)]
        readers = [
            await stack.enter_async_context(api.stream(follow(bot), token=token, after=place))
            for place in [*places, *places]
        ]
        found = await asyncio.gather(*(until(reader, "dark 699") for reader in readers))
        assert [one[-700:] for one in found] == [dark] * 4
        assert [one[:-700] for one in found] == [["4"], [], ["4"], []]


async def test_who_was_away_for_long_catches_up_beside_those_who_watch(rig: Rig, api: Api) -> None:
    """More was written than is kept for those who come later: it's read again, for them alone."""
    bot = await rig.running()
    rig.runtime.write_log(bot.id, "zero")
    async with api.stream(follow(bot, 1)) as early:
        assert await until(early, "zero") == ["zero"]
        last = early.last
        expected = []
        for batch in range(40):
            lines = [f"{batch}.{number} " + "x" * 150 for number in range(100)]
            rig.runtime.write_log(bot.id, "\n".join(lines))
            expected += lines
            assert await until(early, lines[-1]) == lines
        async with api.stream(follow(bot), after=last) as late:
            assert await until(late, expected[-1], seconds=20) == expected
            rig.runtime.write_log(bot.id, "for both")
            assert await until(early, "for both") == ["for both"]
            assert await until(late, "for both") == ["for both"]
            await followed(rig, bot)


async def test_a_place_that_is_in_the_log_no_more_is_said(rig: Rig, api: Api) -> None:
    """Nobody knows how many lines are missing: a gap, then what there is."""
    bot = await rig.running()
    rig.runtime.write_log(bot.id, "here")
    run = rig.runtime.containers[bot.id].seen.container_id[:12]
    at = round((time.time() - 3600) * 1e9)
    async with api.stream(follow(bot), after=f"{run}:{at}:1") as reader:
        first = await reader.next()
        assert (first.name, first.data) == ("gap", {"dropped": None})
        assert await until(reader, "here") == ["here"]
    async with api.stream(follow(bot), after=f"{'0' * 12}:{at}:1") as reader:
        assert await until(reader, "here") == ["gap", "run", "here"]


async def test_a_secret_never_shows_however_it_is_printed(rig: Rig, api: Api) -> None:
    """In pieces over lines and moments."""
    bot = await rig.running()
    secret = max(SECRETS.values(), key=len)
    async with api.stream(follow(bot)) as reader:
        await followed(rig, bot)
        for at in range(1, len(secret)):
            rig.runtime.write_log(bot.id, f"key={secret[:at]}")
            await asyncio.sleep(0)
            rig.runtime.write_log(bot.id, f"{secret[at:]}")
        rig.runtime.write_log(bot.id, "over")
        assert "over" in await until(reader, "over")
    joined = "".join(text for event in reader.read for text in texts([event]))
    assert not [at for at in range(len(secret) - 7) if secret[at : at + 8] in joined]
    assert "[redacted]" in joined


async def test_a_stream_ends_with_its_bot_and_with_the_right(rig: Rig, api: Api) -> None:
    """`end` says why."""
    bot, other = await rig.running(), await rig.running()
    who = Caller(discord_user(2, "Ben"))
    await rig.manager.access.grant(ANN_ASKS, Grant("user", 2, Role.VIEWER, other.id), other)
    cookie = {"Cookie": f"bm={await session_of(rig, who)}", "Sec-Fetch-Site": "same-origin"}
    async with api.stream(follow(bot)) as reader:
        await followed(rig, bot)
        await api.delete(f"/bots/{bot.name}")
        events = await reader.until_end(10)
        assert events[-1] == Event("end", {"reason": "gone"}, "")
    async with api.stream(follow(other), token="", headers=cookie) as reader:
        await followed(rig, other)
        await rig.manager.access.revoke(ANN_ASKS, "user", 2, other)
        rig.runtime.write_log(other.id, "not for Ben")
        events = await reader.until_end()
        assert texts(events) == ["end"]
        assert events[-1].data == {"reason": "denied"}


async def test_a_connection_whose_stream_has_ended_serves_on(rig: Rig, api: Api) -> None:
    """The next request of the same connection isn't cut with it."""
    bot = await rig.running()
    async with api.stream(follow(bot)) as reader:
        await followed(rig, bot)
        await api.delete(f"/bots/{bot.name}")
        assert (await reader.until_end(10))[-1].name == "end"
    async with contextlib.AsyncExitStack() as stack:
        # Whichever of the free connections it was.
        readers = [await stack.enter_async_context(api.stream("/events")) for _ in range(3)]
        for reader in readers:
            assert (await reader.next()).name == "snapshot"
        for reader in readers:
            with pytest.raises(TimeoutError):  # nothing comes, and no end either
                await reader.next(seconds=0.8)


async def test_lines_from_before_a_secret_was_replaced_stay_hidden(rig: Rig, api: Api) -> None:
    """As in every other view of the log."""
    bot = await rig.running()
    rig.runtime.write_log(bot.id, "with the old key")
    await rig.submit(bot, rotate=True)
    await eventually(lambda: rig.view(bot).bot.run.log_floor > 0, "it restarts")
    await eventually(rig.at_rest, "it runs again")
    rig.runtime.write_log(bot.id, "with the new key")
    async with api.stream(follow(bot, 10)) as reader:
        assert await until(reader, "with the new key") == ["with the new key"]


async def test_a_lost_engine_breaks_no_stream(rig: Rig, api: Api) -> None:
    """It goes on when the engine is back, with what was written meanwhile."""
    bot = await rig.running()
    async with api.stream(follow(bot)) as reader:
        await followed(rig, bot)
        rig.runtime.write_log(bot.id, "before")
        assert await until(reader, "before") == ["before"]
        rig.runtime.go_away()
        rig.runtime.write_log(bot.id, "in between")
        rig.runtime.come_back()
        assert await until(reader, "in between") == ["in between"]


class Frozen:
    """A reader that asks for a stream and then reads nothing."""

    def __init__(self, api: Api, path: str) -> None:
        host = urlsplit(api.url)
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.connect((host.hostname, host.port))
        head = f"GET /api/v1{path} HTTP/1.1\r\nHost: {host.netloc}\r\n"
        self.socket.sendall(f"{head}Authorization: Bearer {api.token}\r\n\r\n".encode())
        self.socket.setblocking(False)

    def is_cut(self) -> bool:
        """Whether the server ended the connection, once what had come is read."""
        with contextlib.suppress(BlockingIOError):
            try:
                while self.socket.recv(1 << 16):
                    continue
            except ConnectionError:
                return True
            return True
        return False


async def test_a_reader_who_does_not_read_is_dropped_and_no_other_notices(rig: Rig) -> None:
    """What waits for them is bounded; after a while they are cut off. Others read every line."""
    bot = await rig.running()
    async with serving(rig, pace=Pace(stalled=2.0)) as api:
        frozen = [Frozen(api, follow(bot)) for _ in range(3)]
        async with api.stream(follow(bot)) as reader:
            await followed(rig, bot)
            expected = []
            for batch in range(60):
                lines = [f"{batch}.{number} " + "y" * 100 for number in range(100)]
                rig.runtime.write_log(bot.id, "\n".join(lines))
                expected += lines
                assert await until(reader, lines[-1]) == lines
            assert len(rig.runtime.containers[bot.id].followers) == 1
        await eventually(
            lambda: not rig.runtime.containers[bot.id].followers, "nobody watches any more"
        )
        assert all(one.is_cut() for one in frozen)
        for one in frozen:
            one.socket.close()


@pytest.mark.parametrize("lines", ["-1", "1001", "x"])
async def test_how_many_lines_come_first_is_checked(rig: Rig, api: Api, lines: str) -> None:
    """As every other field."""
    bot = await rig.create()
    answer = await api.get(f"/bots/{bot.name}/logs/follow?lines={lines}")
    assert (answer.status, answer.code) == (422, "bad-input")
