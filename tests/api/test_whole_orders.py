"""What keeps a fleet in files needs of the API: complete orders, another model, secrets compared,
and where a thing comes from."""

from __future__ import annotations

from controller.domain.journal import Kind
from tests.api.client import Api
from tests.manager.rig import API_KEY, SECRETS, TOKEN, Rig, eventually


async def test_a_bot_is_created_with_all_that_it_should_be(rig: Rig, rich_api: Api) -> None:
    """Its settings from the first moment, stopped if so wished, and marked with its source."""
    order = {"name": "whole", "template": "rich", "settings": {"greeting": "hi", "tone": "LOUD"}}
    made = await rich_api.post("/bots", {**order, "wish": "stop", "source": "file:shop"})
    assert made.status == 201
    assert (made.json["wish"], made.json["phase"]) == ("stop", "stopped")
    assert made.json["source"] == "file:shop"
    (kept,) = await rig.store.bots()
    assert kept.fields == {"greeting": "hi", "tone": "loud"}
    assert kept.source == "file:shop"
    put = await rich_api.ask("PUT", "/bots/whole/secrets", {"values": SECRETS})
    assert put.json["sequel"] == "stopped"
    assert not rig.active(kept)
    (created,) = await rig.entries(Kind.CREATED)
    (settings,) = await rig.entries(Kind.SETTINGS)
    assert created.data["source"] == "file:shop"
    assert settings.data == {"before": {}, "after": kept.fields}
    assert settings.author == created.author


async def test_an_order_with_a_mistake_creates_nothing(rig: Rig, rich_api: Api) -> None:
    """A setting that the template lacks, or that can't be so; a source of another form."""
    order = {"name": "wrong", "template": "rich"}
    for more, code in (
        ({"settings": {"nothing": "x"}}, "bad-field"),
        ({"settings": {"tone": "shrill"}}, "bad-field"),
        ({"source": "somewhere"}, "bad-input"),
        ({"wish": "remove"}, "bad-input"),
    ):
        refused = await rich_api.post("/bots", {**order, **more})
        assert (refused.status, refused.code) == (422, code), more
    assert await rig.store.bots() == []


async def test_another_model_is_a_new_run(rig: Rig, rich_api: Api) -> None:
    """With its entry in the journal; the same one changes nothing, and what is none is refused."""
    bot = await rig.running("rich")
    run = rig.run_of(bot)
    same = await rich_api.ask("PATCH", f"/bots/{bot.name}", {"model": "Small"})
    assert (same.status, same.json["model"]) == (200, "small")
    assert rig.run_of(bot) == run
    done = await rich_api.ask("PATCH", f"/bots/{bot.name}", {"model": "large"})
    assert (done.status, done.json["model"]) == (200, "large")
    await eventually(lambda: rig.run_of(bot) != run, "a new run begins")
    (entry,) = await rig.entries(Kind.SETTINGS)
    assert entry.data == {"before": {"model": "small"}, "after": {"model": "large"}}
    refused = await rich_api.ask("PATCH", f"/bots/{bot.name}", {"model": "-x"})
    assert (refused.status, refused.code) == (422, "bad-model")


async def test_secrets_are_compared_and_nothing_is_told(rig: Rig, api: Api) -> None:
    """The same, another, or none yet; spaces around a value don't count, as when it is set."""
    bot = await rig.create()
    path = f"/bots/{bot.name}/secrets/compare"
    values = {"api_key": f" {API_KEY}\n", "channel_token": "another-token-1"}
    none = await api.post(path, {"values": values})
    assert none.json == {"secrets": {"api_key": "missing", "channel_token": "missing"}}
    await rig.submit(bot)
    asked = len(await rig.entries(Kind.ASKED))
    some = await api.post(path, {"values": values})
    assert some.json == {"secrets": {"api_key": "same", "channel_token": "other"}}
    assert TOKEN.encode() not in some.raw
    assert len(await rig.entries(Kind.ASKED)) == asked
    strange = await api.post(path, {"values": {"x": "y"}})
    assert (strange.status, strange.code) == (422, "bad-secret-name")


async def test_a_grant_keeps_its_source(rig: Rig, api: Api) -> None:
    """Until somebody gives it by hand."""
    given = {"kind": "user", "subject": "9", "role": "viewer"}
    made = await api.post("/access/grants", {**given, "source": "file:shop"})
    assert (made.status, made.json["source"]) == (201, "file:shop")
    await rig.restart()
    assert [grant.source for grant in await rig.store.grants()] == ["file:shop"]
    (entry,) = await rig.entries(Kind.GRANT)
    assert entry.data["source"] == "file:shop"
