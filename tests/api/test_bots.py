"""Bots over HTTP: the use-cases that chat has, with their words as problems."""

from __future__ import annotations

from datetime import datetime

import pytest

from controller.domain.journal import Kind
from controller.domain.phase import Phase
from controller.domain.roles import Role
from tests.api.client import Api, token_of
from tests.manager.rig import Rig


async def test_a_bot_is_created_and_waits_for_its_secrets(rig: Rig, api: Api) -> None:
    """201 with its address; the journal says who asked, and by which token."""
    made = await api.post("/bots", {"name": "Shop", "template": "plain"})
    assert made.status == 201
    bot = made.json
    assert (bot["name"], bot["phase"]) == ("shop", "created")
    assert bot["missing_secrets"] == ["api_key", "channel_token"]
    assert made.headers["Location"] == f"/api/v1/bots/{bot['id']}"
    assert datetime.fromisoformat(bot["created_at"]).tzinfo is not None
    (asked,) = await rig.entries(Kind.ASKED, bot=rig.fleet.named("shop").bot)
    assert asked.author.principal.name == "ann (token ann-has-all)"
    assert asked.author.principal.id == "1"
    assert asked.author.request.startswith("http:token:")
    assert (await api.get("/bots/shop")).json == (await api.get(f"/bots/{bot['id']}")).json


async def test_a_second_bot_of_that_name_is_a_conflict(rig: Rig, api: Api) -> None:
    """409, with the code, what is wrong and what to do."""
    order = {"name": "shop", "template": "plain"}
    await api.post("/bots", order)
    again = await api.post("/bots", order)
    assert again.status == 409
    assert again.headers["Content-Type"] == "application/problem+json"
    problem = again.json
    assert problem["type"] == "urn:botmaker:problem:name-taken"
    assert (problem["title"], problem["code"]) == ("Conflict", "name-taken")
    assert problem["detail"] == "There is already a bot called shop."
    assert problem["hint"].startswith("Choose another name")
    assert problem["request_id"] == again.headers["X-Request-Id"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"name": "shop", "template": "plain", "colour": "red"}, "/colour"),
        ({"name": "shop"}, "/template"),
        ({"name": 5, "template": "plain"}, "/name"),
    ],
)
async def test_fields_that_nobody_knows_are_refused(
    rig: Rig, api: Api, body: object, pointer: str
) -> None:
    """422 names the field, and nothing was created."""
    refused = await api.post("/bots", body)
    assert (refused.status, refused.code) == (422, "bad-input")
    assert [one["pointer"] for one in refused.json["errors"]] == [pointer]
    assert list(rig.fleet) == []


async def test_a_list_that_is_asked_again_shows_what_changed(rig: Rig, api: Api) -> None:
    """Unchanged, it's the same bytes; a change and a new bot show at once."""
    for name in ("ant", "bee"):
        await rig.create(name=name)
    first = await api.get("/bots")
    assert (await api.get("/bots")).json == first.json
    await api.post("/bots/ant/stop", headers={"Prefer": "wait=5"})
    changed = (await api.get("/bots")).json["items"]
    assert [bot["wish"] for bot in changed] == ["stop", "run"]
    await rig.create(name="cat")
    assert [bot["name"] for bot in (await api.get("/bots")).json["items"]] == ["ant", "bee", "cat"]


async def test_bots_are_listed_in_pages(rig: Rig, api: Api) -> None:
    """By name, with a cursor that leads to the next page, and filters."""
    for name in ("cat", "ant", "bee"):
        await rig.create(name=name)
    first = (await api.get("/bots?limit=2")).json
    assert [bot["name"] for bot in first["items"]] == ["ant", "bee"]
    rest = (await api.get(f"/bots?limit=2&cursor={first['next']}")).json
    assert [bot["name"] for bot in rest["items"]] == ["cat"]
    assert rest["next"] is None
    assert (await api.get("/bots?phase=running")).json["items"] == []
    assert len((await api.get("/bots?name=a")).json["items"]) == 2
    assert (await api.get("/bots?cursor=x")).code == "bad-cursor"
    assert (await api.get("/bots?color=red")).status == 422


async def test_a_bots_role_is_that_of_whoever_asks(rig: Rig, api: Api) -> None:
    """Whoever asked before: in the list as by its name."""
    bot = await rig.create()
    watching = await token_of(rig, "watch", Role.VIEWER)
    for token, role in ((api.token, "admin"), (watching, "viewer"), (api.token, "admin")):
        listed = (await api.get("/bots", token=token)).json["items"]
        assert [one["role"] for one in listed] == [role]
        assert (await api.get(f"/bots/{bot.name}", token=token)).json["role"] == role


async def test_start_and_stop_are_operations(rig: Rig, api: Api) -> None:
    """202 with the journal's entry at once; 200 with its end for whoever prefers to wait."""
    bot = await rig.running()
    begun = await api.post(f"/bots/{bot.name}/stop")
    assert begun.status == 202
    assert begun.headers["Location"] == f"/api/v1/operations/{begun.json['id']}"
    assert (begun.json["act"], begun.json["bot"]["name"]) == ("bot.stop", bot.name)
    await rig.becomes(bot, Phase.STOPPED)
    done = await api.post(f"/bots/{bot.name}/start", headers={"Prefer": "wait=20"})
    assert done.status == 200
    assert (done.json["state"], done.json["outcome"]) == ("done", {"phase": "running"})
    assert rig.active(bot)
    seen = await api.get(f"/operations/{begun.json['id']}")
    assert (seen.json["state"], seen.json["by"]["id"]) == ("done", "1")
    assert (await api.get("/operations/999")).code == "no-such-operation"


async def test_restart_and_delete(rig: Rig, api: Api) -> None:
    """Another run; then nothing is left."""
    bot = await rig.running()
    before = rig.run_of(bot)
    done = await api.post(f"/bots/{bot.id}/restart", headers={"Prefer": "wait=20"})
    assert done.json["outcome"] == {"phase": "running"}
    assert rig.run_of(bot) != before
    gone = await api.delete(f"/bots/{bot.id}", headers={"Prefer": "wait=20"})
    assert gone.json["outcome"] == {"phase": "gone"}
    await rig.gone(bot)
    assert (await api.get(f"/bots/{bot.id}")).code == "no-such-bot"
    assert (await api.get(f"/operations/{gone.json['id']}")).status == 200


async def test_a_bot_without_secrets_is_not_started(rig: Rig, api: Api) -> None:
    """409 says which are missing and where they go; no operation was begun."""
    bot = await rig.create()
    refused = await api.post(f"/bots/{bot.name}/start")
    assert (refused.status, refused.code) == (409, "secrets-missing")
    assert "api_key" in refused.json["detail"]
    assert refused.json["hint"] == "PUT /api/v1/bots/{bot}/secrets sets them."
    assert "asked" not in {entry.data.get("act") for entry in await rig.entries(Kind.ASKED)}


async def test_the_api_describes_itself(api: Api) -> None:
    """OpenAPI 3.1, without a token: every operation with its act, role and models."""
    found = await api.get("/openapi.json", token="")
    assert found.status == 200
    assert found.json["openapi"] == "3.1.0"
    start = found.json["paths"]["/api/v1/bots/{bot}/start"]["post"]
    assert (start["operationId"], start["x-role"]) == ("startBot", "operator")
    assert set(start["responses"]) == {"200", "202", "default"}
