"""Idempotency-Key: a request that is sent again is carried out once, and answered each time."""

from __future__ import annotations

import asyncio

from controller.domain.journal import Kind
from controller.domain.phase import Phase
from controller.store import KeptAnswer
from controller.store.transaction import FORGET_ANSWERS_AFTER
from tests.api.client import Api, serving, token_of
from tests.manager.rig import Rig

ORDER = {"name": "shop", "template": "plain"}


def key(text: str, **more: str) -> dict[str, str]:
    return {"Idempotency-Key": text, **more}


async def test_the_same_request_makes_one_bot(rig: Rig, api: Api) -> None:
    """With the same answer, also after a restart; its key is the request's id in the journal."""
    first = await api.post("/bots", ORDER, headers=key("a-1"))
    again = await api.post("/bots", ORDER, headers=key("a-1"))
    assert (first.status, again.status) == (201, 201)
    assert (again.raw, again.headers["Location"]) == (first.raw, first.headers["Location"])
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    (asked,) = [e for e in await rig.entries(Kind.ASKED) if e.data["act"] == "bot.create"]
    assert asked.author.request.endswith(":a-1")
    await rig.restart()
    async with serving(rig, named="another") as fresh:
        text = (await fresh.post("/bots", ORDER, token=api.token, headers=key("a-1"))).raw
    assert text == first.raw
    assert len(list(rig.fleet)) == 1


async def test_a_key_is_for_one_request_and_one_holder(rig: Rig, api: Api) -> None:
    """422 for another body; somebody else's same key is another key."""
    await api.post("/bots", ORDER, headers=key("a-1"))
    other = await api.post("/bots", ORDER | {"name": "other"}, headers=key("a-1"))
    assert (other.status, other.code) == (422, "other-request")
    text = await token_of(rig, "second")
    mine = await api.post("/bots", ORDER | {"name": "mine"}, token=text, headers=key("a-1"))
    assert mine.status == 201


async def test_a_refusal_of_what_was_begun_is_repeated(rig: Rig, api: Api) -> None:
    """The name was taken, and the answer stays; what was never begun may be asked again."""
    await rig.create(name="shop")
    refused = await api.post("/bots", ORDER, headers=key("b-1"))
    again = await api.post("/bots", ORDER, headers=key("b-1"))
    assert (refused.code, again.code) == ("name-taken", "name-taken")
    assert again.headers["Idempotent-Replayed"] == "true"
    bot = await rig.create(name="new")
    path = f"/bots/{bot.name}/start"
    assert (await api.post(path, headers=key("c-1"))).code == "secrets-missing"
    await rig.submit(bot)
    await rig.becomes(bot, Phase.RUNNING)
    assert (await api.post(path, headers=key("c-1", Prefer="wait=20"))).status == 200


async def test_a_repeat_of_an_operation_tells_how_it_goes_now(rig: Rig, api: Api) -> None:
    """Begun once: first 202, later 200 with its end."""
    bot = await rig.running()
    path = f"/bots/{bot.name}/stop"
    first = await api.post(path, headers=key("d-1"))
    await rig.becomes(bot, Phase.STOPPED)
    await asyncio.sleep(0.2)
    again = await api.post(path, headers=key("d-1"))
    assert (first.status, again.status) == (202, 200)
    assert again.json["id"] == first.json["id"]
    assert again.json["outcome"] == {"phase": "stopped"}
    assert len([e for e in await rig.entries(Kind.ASKED) if e.data["act"] == "bot.stop"]) == 1


async def test_two_at_once_are_one(rig: Rig, api: Api) -> None:
    """The second is told that the first is under way, or gets its answer."""
    answers = await asyncio.gather(
        *(api.post("/bots", ORDER, headers=key("e-1")) for _ in range(5))
    )
    assert {one.status for one in answers} <= {201, 409}
    assert {one.code for one in answers} <= {"", "still-running"}
    assert len(list(rig.fleet)) == 1


async def test_what_a_dead_controller_left_open_is_not_done_twice(rig: Rig, api: Api) -> None:
    """Its request is in the journal: 409 says where to look. Without an entry it is carried out."""
    bot = await rig.running()
    path = f"/bots/{bot.name}/restart"
    done = await api.post(path, headers=key("f-1", Prefer="wait=20"))
    request = (await rig.entries(Kind.ASKED))[0].author.request
    kept = await rig.store.kept_answer(request)
    assert kept is not None
    async with rig.store.transaction() as write:  # as if it had died before it could answer
        await write.keep_answer(KeptAnswer(request, kept.digest, kept.at))
    again = await api.post(path, headers=key("f-1", Prefer="wait=20"))
    assert (again.status, again.code) == (409, "cut-short")
    assert f"/operations/{done.json['id']}" in again.json["hint"]


async def test_an_answer_is_kept_for_a_day(rig: Rig) -> None:
    """And goes with the next one that is kept: nothing grows for ever."""
    day = FORGET_ANSWERS_AFTER
    for request, at in (("old", 0.0), ("new", 1.0), ("next", day + 0.5)):
        async with rig.store.transaction() as write:
            await write.keep_answer(KeptAnswer(request, "digest", at))
    kept = [await rig.store.kept_answer(request) for request in ("old", "new", "next")]
    assert [one is not None for one in kept] == [False, True, True]


async def test_nothing_of_a_secret_is_kept(rig: Rig, api: Api) -> None:
    """What holds secrets takes no key; what an action printed isn't kept either."""
    bot = await rig.create()
    put = await api.ask(
        "PUT", f"/bots/{bot.name}/secrets", {"values": {"api_key": "x" * 9}}, headers=key("g-1")
    )
    assert (put.status, put.code) == (400, "not-repeatable")
    for wrong in ("with space", ""):
        bad = await api.post("/bots", ORDER, headers=key(wrong))
        assert (bad.status, bad.code) == (400, "bad-idempotency-key"), wrong


async def test_an_action_is_run_once(rig: Rig, rich_api: Api) -> None:
    """A repeat is told so, and where its end is; its output isn't kept."""
    bot = await rig.running("rich")
    path = f"/bots/{bot.name}/actions/status"
    assert (await rich_api.post(path, {"values": {}}, headers=key("h-1"))).status == 200
    again = await rich_api.post(path, {"values": {}}, headers=key("h-1"))
    assert (again.status, again.code) == (409, "answer-not-kept")
    assert len([e for e in await rig.entries(Kind.ASKED) if e.data["act"] == "bot.do"]) == 1
