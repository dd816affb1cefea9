"""What changes in the fleet, as a stream: the snapshot, the events, and going on after a break."""

from __future__ import annotations

from tests.api.client import Api
from tests.manager.rig import Rig

NDJSON = {"Accept": "application/x-ndjson"}


async def test_a_stream_begins_with_all_bots_and_goes_on_with_each_change(
    rig: Rig, api: Api
) -> None:
    """A snapshot of what the reader may see, then bots as they are, and those that are gone."""
    bot = await rig.running()
    async with api.stream("/events") as reader:
        assert reader.answer.content_type == "text/event-stream"
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
        ended = await reader.next("operation")
        assert (ended.data["id"], ended.data["state"]) == (asked.data["id"], "done")
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


async def test_a_log_is_followed_line_by_line(rig: Rig, api: Api) -> None:
    """The last lines first, then each one as it is written."""
    bot = await rig.running()
    rig.runtime.write_log(bot.id, "before")
    async with api.stream(f"/bots/{bot.name}/logs/follow") as reader:
        first = await reader.next()
        assert [line["text"] for line in first.data["lines"]] == ["before"]
        rig.runtime.write_log(bot.id, "after", "stderr")
        (line,) = (await reader.next()).data["lines"]
        assert (line["text"], line["stream"]) == ("after", "stderr")
