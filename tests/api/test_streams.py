"""What changes in the fleet, as a stream: the snapshot, the events, and going on after a break."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence

import pytest

from controller.api.request_rates import Pace
from controller.domain.access import Grant, discord_user
from controller.domain.journal import Author, Entry, Kind
from controller.domain.roles import Role
from controller.fleet.journal import Caller
from controller.manager import history
from controller.manager.feed import REPLAYED_MOST, FeedWatch, Told
from tests.api.client import Api, Event, Reader, serving, session_of, token_of
from tests.manager.rig import ANN, ANN_ASKS, Rig, eventually

NDJSON = {"Accept": "application/x-ndjson"}
QUICK = Pace(ping=0.2, check=0.1)


def names(events: Sequence[Event]) -> list[str]:
    return [event.name for event in events]


async def ended(api: Api, path: str, method: str = "POST") -> str:
    """Ask for something and wait for its end; the operation's number."""
    answer = await api.ask(method, path, headers={"Prefer": "wait=5"})
    assert answer.status == 200, answer.raw
    return str(answer.json["id"])


async def nothing_more(reader: Reader) -> None:
    """Nothing comes for a while but pings."""
    event = None
    with contextlib.suppress(TimeoutError):
        while (event := await reader.next(seconds=0.5)).name == "ping":
            event = None
    assert event is None


async def test_a_stream_begins_with_all_bots_and_goes_on_with_each_change(
    rig: Rig, api: Api
) -> None:
    """A snapshot of what the reader may see, then bots as they are, and those that are gone."""
    bot = await rig.running()
    async with api.stream("/events") as reader:
        assert reader.answer.content_type == "text/event-stream"
        assert reader.answer.headers["Cache-Control"] == "no-store"
        assert reader.answer.headers["X-Accel-Buffering"] == "no"  # no proxy holds events back
        first = await reader.next()
        assert first.name == "snapshot"
        assert [one["name"] for one in first.data["bots"]] == [bot.name]
        assert first.data["bots"][0]["phase"] == "running"
        assert first.data["engine"]["reachable"] is True
        assert (await api.post(f"/bots/{bot.name}/stop")).status == 202
        asked = await reader.next("operation")
        assert (asked.data["act"], asked.data["state"]) == ("bot.stop", "running")
        while (event := await reader.next("bot")).data["phase"] != "stopped":
            assert event.data["id"] == bot.id
        done = await reader.next("operation")
        assert (done.data["id"], done.data["state"]) == (asked.data["id"], "done")
        assert (await api.delete(f"/bots/{bot.name}")).status == 202
        assert (await reader.next("gone")).data == {"id": bot.id}


async def test_the_same_as_lines_of_json(rig: Rig, api: Api) -> None:
    """Whoever accepts NDJSON gets a line an event."""
    bot = await rig.create()
    async with api.stream("/events", headers=NDJSON) as reader:
        assert reader.answer.content_type == "application/x-ndjson"
        first = await reader.next()
        assert (first.name, [one["id"] for one in first.data["bots"]]) == ("snapshot", [bot.id])
        assert first.id


async def test_the_engine_is_said_when_it_goes_and_comes_back(rig: Rig, api: Api) -> None:
    """Once for all bots."""
    async with api.stream("/events") as reader:
        assert (await reader.next()).name == "snapshot"
        rig.runtime.go_away()
        rig.poke(await rig.create())
        event = await reader.next("engine", seconds=30)
        assert event.data["reachable"] is False
        assert event.data["reason"] == "Can't reach Docker."
        rig.runtime.come_back()
        assert (await reader.next("engine", seconds=30)).data["reachable"] is True


async def test_a_break_is_filled_without_a_snapshot(rig: Rig, api: Api) -> None:
    """Behind the last id comes what changed meanwhile, once, and nothing else."""
    one, other = await rig.running(), await rig.running()
    async with api.stream("/events") as reader:
        await reader.next("snapshot")
        last = reader.last
    number = await ended(api, f"/bots/{one.name}/stop")
    async with api.stream("/events", after=last) as reader:
        asked, done = await reader.next(), await reader.next()
        assert [(e.name, e.data["id"], e.data["state"]) for e in (asked, done)] == [
            ("operation", number, "running"), ("operation", number, "done"),
        ]  # fmt: skip
        event = await reader.next()
        assert (event.name, event.data["id"]) == ("bot", one.id)
        assert event.data["phase"] == "stopped"
        assert (await reader.next()).name == "engine"
        await nothing_more(reader)
        last = reader.last
    await ended(api, f"/bots/{other.name}", "DELETE")
    async with api.stream("/events", after=last) as reader:
        assert (await reader.next("gone")).data == {"id": other.id}
    async with api.stream("/events", after=reader.last) as reader:
        assert (await reader.next()).name == "engine"
        await nothing_more(reader)


async def test_a_break_in_the_middle_of_events_repeats_none(rig: Rig, api: Api) -> None:
    """Wherever somebody breaks off, each request's beginning and end are read once."""
    bot = await rig.running()
    async with api.stream("/events") as reader:
        await reader.next("snapshot")
        last = reader.last
    numbers = [await ended(api, f"/bots/{bot.name}/{act}") for act in ("stop", "start", "restart")]
    read: list[tuple[str, str]] = []
    for _ in range(6):
        async with api.stream("/events", after=last) as reader:
            event = await reader.next("operation")
            read.append((event.data["id"], event.data["state"]))
            last = event.id
    assert read == [(number, state) for number in numbers for state in ("running", "done")]


async def test_another_start_gives_a_snapshot_and_the_requests_that_were_missed(
    rig: Rig,
) -> None:
    """The journal's numbers go on across starts: no request is lost, none is said twice."""
    bot = await rig.running()
    async with serving(rig, named="first") as api:
        async with api.stream("/events") as reader:
            await reader.next("snapshot")
            seen = await ended(api, f"/bots/{bot.name}/stop")
            while (await reader.next("operation")).data["state"] != "done":
                continue
            last = reader.last
        missed = await ended(api, f"/bots/{bot.name}/start")
        token = api.token
    await rig.restart()
    async with serving(rig, named="second") as api:
        async with api.stream("/events", after=last, token=token) as reader:
            assert (await reader.next()).name == "snapshot"
            events = [await reader.next("operation") for _ in range(2)]
            assert [(e.data["id"], e.data["state"]) for e in events] == [
                (missed, "running"), (missed, "done"),
            ]  # fmt: skip
            assert seen != missed
            # The making of the second token is a request as well.
            rest = [await reader.next("operation") for _ in range(2)]
            assert {event.data["act"] for event in rest} == {"access.token.create"}
            await reader.next("bot", "engine", "ping", seconds=20)


@pytest.mark.parametrize("last", ["x", "0-0", "ffffffff-9999999.1", "ffffffff-1.1", "-", "1-2.3"])
async def test_an_id_of_nobodys_gives_a_snapshot(rig: Rig, api: Api, last: str) -> None:
    """Whatever is sent."""
    await rig.create()
    async with api.stream("/events", after=last) as reader:
        assert (await reader.next()).name == "snapshot"


async def test_who_was_away_for_too_long_begins_anew(rig: Rig, api: Api) -> None:
    """After more than 500 entries the requests in between aren't told any more."""
    async with api.stream("/events") as reader:
        await reader.next("snapshot")
        last = reader.last
    await eventually(lambda: not rig.manager.feed.watchers, "the reader is gone")
    async with rig.store.transaction() as write:
        for _ in range(501):
            by = Author(ANN)
            await write.append(Entry(at=time.time(), kind=Kind.ASKED, author=by, data={"act": "x"}))
    async with api.stream("/events", after=last) as reader:
        assert (await reader.next()).name == "snapshot"
        await nothing_more(reader)


def test_who_does_not_keep_up_with_the_requests_begins_anew() -> None:
    """What waits for a slow reader is bounded, and none of it is lost without a word."""
    watch = FeedWatch(lambda: None)
    entry = Entry(at=1.0, kind=Kind.ASKED, author=Author(ANN), data={"act": "x"})
    for number in range(REPLAYED_MOST):
        watch.note_request(Told(number, history.Event(entry)))
    assert (len(watch.requests), watch.anew) == (REPLAYED_MOST, False)
    watch.note_request(Told(REPLAYED_MOST, history.Event(entry)))
    assert (len(watch.requests), watch.anew) == (0, True)


async def test_each_sees_what_they_may_see_at_that_moment(rig: Rig, api: Api) -> None:
    """Bots come and go with grants, and other people's requests for other bots stay theirs."""
    mine, other = await rig.create(), await rig.create()
    who = Caller(discord_user(2, "Ben"))
    grant = Grant("user", 2, Role.VIEWER, mine.id)
    await rig.manager.access.grant(ANN_ASKS, grant, mine)
    cookie = {"Cookie": f"bm={await session_of(rig, who)}", "Sec-Fetch-Site": "same-origin"}
    async with api.stream("/events", token="", headers=cookie) as reader:
        first = await reader.next()
        assert [one["id"] for one in first.data["bots"]] == [mine.id]
        assert first.data["bots"][0]["role"] == "viewer"
        await rig.edit(other, model="secret-model")
        await ended(api, f"/bots/{other.name}/stop")
        number = await ended(api, f"/bots/{mine.name}/stop")
        event = await reader.next("operation")
        assert event.data["id"] == number
        more = Grant("user", 2, Role.OPERATOR, other.id)
        await rig.manager.access.grant(ANN_ASKS, more, other)
        while (event := await reader.next("bot")).data["id"] != other.id:
            continue
        assert event.data["role"] == "operator"
        await rig.manager.access.revoke(ANN_ASKS, "user", 2, mine)
        assert (await reader.next("gone")).data == {"id": mine.id}
        assert not any("secret-model" in str(event.data) for event in reader.read[:-3])


async def test_who_sees_only_some_bots_gets_a_snapshot_after_a_break(rig: Rig, api: Api) -> None:
    """The server doesn't know what they have seen, and tells of no bot that they may not see."""
    mine, other = await rig.create(), await rig.create()
    token = await token_of(rig, "narrow", Role.VIEWER, mine)
    async with api.stream("/events", token=token) as reader:
        await reader.next("snapshot")
    await ended(api, f"/bots/{other.name}", "DELETE")
    async with api.stream("/events", token=token, after=reader.last) as reader:
        first = await reader.next()
        assert [one["id"] for one in first.data["bots"]] == [mine.id]
        await nothing_more(reader)


async def test_a_role_in_discord_that_is_lost_ends_the_view(rig: Rig) -> None:
    """Who they are is asked again with each ping."""
    rig.static = rig.static.__class__(admin_users=(int(ANN.id),), viewer_roles=(77,))
    await rig.kill()
    await rig.open()
    rig.run()
    bot = await rig.create()
    async with serving(rig, pace=QUICK) as api:
        api.members.roles[2] = frozenset({77})
        who = Caller(discord_user(2, "Ben", (77,)))
        cookie = {"Cookie": f"bm={await session_of(rig, who)}", "Sec-Fetch-Site": "same-origin"}
        async with api.stream("/events", token="", headers=cookie) as reader:
            assert [one["id"] for one in (await reader.next()).data["bots"]] == [bot.id]
            api.members.roles[2] = frozenset()
            assert (await reader.next("snapshot")).data["bots"] == []
            api.members.gone.add(2)
            assert (await reader.next("end")).data == {"reason": "denied"}


@pytest.mark.parametrize("path", ["/events", "/bots/{bot}/logs/follow"])
async def test_a_stream_ends_within_a_second_of_its_key(rig: Rig, api: Api, path: str) -> None:
    """Of a token that is revoked, and of a session that is ended."""
    bot = await rig.running()
    path = path.format(bot=bot.name)
    token = await token_of(rig, "short")
    session = await session_of(rig, ANN_ASKS)
    cookie = {"Cookie": f"bm={session}", "Sec-Fetch-Site": "same-origin"}
    async with (
        api.stream(path, token=token) as one,
        api.stream(path, token="", headers=cookie) as other,
    ):
        await rig.manager.tokens.revoke(ANN_ASKS, "short")
        began = time.monotonic()
        events = await one.until_end()
        assert time.monotonic() - began < 1
        assert events[-1] == Event("end", {"reason": "token-revoked"}, "")
        (open_one,) = await rig.manager.web_sessions.listed(ANN_ASKS)
        await rig.manager.web_sessions.end(ANN_ASKS, open_one.id)
        began = time.monotonic()
        events = await other.until_end()
        assert time.monotonic() - began < 1
        assert events[-1] == Event("end", {"reason": "session-over"}, "")


async def test_a_person_has_ten_streams_and_those_they_left_do_not_count(
    rig: Rig, api: Api
) -> None:
    """The eleventh is refused, by whichever key; a reader that goes is noticed though nothing is
    sent."""
    token = await token_of(rig, "another")
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(10):
            reader = await stack.enter_async_context(api.stream("/events"))
            assert reader.answer.status == 200
        refused = await api.get("/events", token=token)
        assert (refused.status, refused.code) == (429, "too-many-streams")
        assert "Retry-After" in refused.headers
    began = time.monotonic()
    async with contextlib.AsyncExitStack() as stack:
        opened = 0
        while opened < 10:
            reader = await stack.enter_async_context(api.stream("/events", token=token))
            opened += reader.answer.status == 200
            assert time.monotonic() - began < 3, "those that were left still count"
            await asyncio.sleep(0.05)


async def test_pings_are_named_and_come_whether_anything_happens_or_not(rig: Rig) -> None:
    """A browser's page sees no comments."""
    async with serving(rig, pace=QUICK) as api, api.stream("/events") as reader:
        assert names([await reader.next() for _ in range(4)]) == ["snapshot", *["ping"] * 3]


async def test_all_streams_end_at_once_with_the_server(rig: Rig, api: Api) -> None:
    """And each is told why."""
    bot = await rig.running()
    async with contextlib.AsyncExitStack() as stack:
        readers: list[Reader] = []
        for number in range(6):
            path = "/events" if number % 2 else f"/bots/{bot.name}/logs/follow"
            readers.append(await stack.enter_async_context(api.stream(path)))
        began = time.monotonic()
        await api.end()
        assert time.monotonic() - began < 1
        for reader in readers:
            assert (await reader.until_end())[-1].data == {"reason": "shutting-down"}


async def test_after_a_change_of_grants_everybody_begins_anew(rig: Rig, api: Api) -> None:
    """What somebody had seen before may be more or less than they may see now."""
    bot = await rig.create()
    async with api.stream("/events") as reader:
        await reader.next("snapshot")
    await rig.manager.access.grant(ANN_ASKS, Grant("user", 9, Role.VIEWER))
    async with api.stream("/events", after=reader.last) as reader:
        first = await reader.next()
        assert (first.name, [one["id"] for one in first.data["bots"]]) == ("snapshot", [bot.id])


async def test_both_streams_are_described(api: Api) -> None:
    """In both forms, with the header that goes on."""
    paths = (await api.get("/openapi.json", token="")).json["paths"]
    for path in ("/api/v1/events", "/api/v1/bots/{bot}/logs/follow"):
        described = paths[path]["get"]
        kinds = described["responses"]["200"]["content"]
        assert set(kinds) == {"text/event-stream", "application/x-ndjson"}
        headers = {one["name"] for one in described["parameters"] if one["in"] == "header"}
        assert headers == {"Last-Event-ID"}
