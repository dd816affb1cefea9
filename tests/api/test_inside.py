"""Settings, secrets, logs, actions and history over HTTP: the use-cases that chat has."""

from __future__ import annotations

import asyncio

import pytest

from controller.domain.journal import Kind
from controller.domain.phase import Phase
from tests.api.client import Api
from tests.manager.rig import API_KEY, SECRETS, TOKEN, Rig


async def test_secrets_go_in_and_never_come_out(rig: Rig, api: Api) -> None:
    """The bot starts when it has all of them; what is answered are names, ages, fingerprints."""
    bot = await rig.create()
    missing = (await api.get(f"/bots/{bot.name}/secrets")).json["items"]
    assert [(one["name"], one["fingerprint"]) for one in missing] == [
        ("api_key", ""),
        ("channel_token", ""),
    ]
    put = await api.ask("PUT", f"/bots/{bot.name}/secrets", {"values": SECRETS})
    assert put.status == 200
    assert (set(put.json["fingerprints"]), put.json["sequel"]) == (set(SECRETS), "starts")
    await rig.becomes(bot, Phase.RUNNING)
    listed = await api.get(f"/bots/{bot.name}/secrets")
    assert [one["fingerprint"] for one in listed.json["items"]] == list(
        put.json["fingerprints"].values()
    )
    assert all(one["written_at"] for one in listed.json["items"])
    said = put.raw + listed.raw + str(await rig.entries()).encode()
    assert API_KEY.encode() not in said
    assert TOKEN.encode() not in said


async def test_a_wrong_secret_changes_nothing_and_is_not_repeated(rig: Rig, api: Api) -> None:
    """422 names the input; nothing of what was sent is kept or answered, not even in part."""
    bot = await rig.running()
    await rig.becomes(bot, Phase.RUNNING)
    before = (await api.get(f"/bots/{bot.name}/secrets")).json
    values = {"api_key": "another-key-99", "channel_token": "with spaces in it"}
    refused = await api.ask("PUT", f"/bots/{bot.name}/secrets", {"values": values})
    assert (refused.status, refused.code) == (422, "bad-secret")
    assert "Channel token" in refused.json["detail"]
    assert "Kept" not in refused.json["detail"]
    assert b"another-key-99" not in refused.raw
    assert b"with spaces" not in refused.raw
    assert (await api.get(f"/bots/{bot.name}/secrets")).json == before
    strange = await api.ask("PUT", f"/bots/{bot.name}/secrets", {"values": {"nothing": "x"}})
    assert strange.code == "bad-secret-name"
    kept = [path for path in rig.folder.rglob("*") if path.is_file()]
    assert not any(b"another-key-99" in path.read_bytes() for path in kept)


async def test_settings_change_only_as_they_were_seen(rig: Rig, rich_api: Api) -> None:
    """Without If-Match 428; with another ETag 412; with the right one they change."""
    api = rich_api
    bot = await rig.running("rich")
    path = f"/bots/{bot.name}/settings"
    seen = await api.get(path)
    tag = seen.headers["ETag"]
    change = {"values": {"tone": "loud"}}
    assert (await api.ask("PATCH", path, change)).code == "if-match-missing"
    stale = await api.ask("PATCH", path, change, headers={"If-Match": '"other"'})
    assert (stale.status, stale.code) == (412, "changed-meanwhile")
    done = await api.ask("PATCH", path, change, headers={"If-Match": tag})
    assert (done.status, done.json["changed"]) == (200, ["tone"])
    assert done.headers["ETag"] == (await api.get(path)).headers["ETag"] != tag
    again = await api.ask("PATCH", path, change, headers={"If-Match": tag})
    assert again.status == 412
    strange = await api.ask("PATCH", path, {"values": {"x": "y"}}, headers={"If-Match": "*"})
    assert (strange.status, strange.code) == (422, "bad-field")
    assert rig.view(bot).bot.fields["tone"] == "loud"


async def test_of_two_changes_at_once_by_the_same_etag_one_counts(rig: Rig, rich_api: Api) -> None:
    """The other one saw settings that are others by then, and overwrites nothing."""
    bot = await rig.running("rich")
    path = f"/bots/{bot.name}/settings"
    seen = {"If-Match": (await rich_api.get(path)).headers["ETag"]}
    words = ("hi", "hey")
    changes = ({"values": {"greeting": one}} for one in words)
    answers = await asyncio.gather(
        *(rich_api.ask("PATCH", path, change, headers=seen) for change in changes)
    )
    assert sorted(one.status for one in answers) == [200, 412]
    (kept,) = [one for one, got in zip(words, answers, strict=True) if got.status == 200]
    assert rig.view(bot).bot.fields["greeting"] == kept


async def test_a_log_is_read_in_pages_and_redacted(rig: Rig, api: Api) -> None:
    """Oldest first; the cursor leads to what is older; no secret in it."""
    bot = await rig.running()
    for number in range(30):
        rig.runtime.write_log(bot.id, f"line {number} {API_KEY}")
    first = (await api.get(f"/bots/{bot.name}/logs?lines=10")).json
    assert [line["text"].split()[1] for line in first["items"]] == [str(n) for n in range(20, 30)]
    assert API_KEY not in str(first)
    older = (await api.get(f"/bots/{bot.name}/logs?lines=10&cursor={first['next']}")).json
    assert [line["text"].split()[1] for line in older["items"]] == [str(n) for n in range(10, 20)]
    assert first["items"][0]["at"].endswith("Z")
    assert (await api.get(f"/bots/{bot.name}/logs?lines=0")).code == "bad-input"
    assert (await api.get(f"/bots/{bot.name}/logs?since=never")).code == "bad-input"


async def test_actions_are_offered_and_run(rig: Rig, rich_api: Api) -> None:
    """What the template offers, with the output redacted; the journal has its end."""
    api = rich_api
    bot = await rig.running("rich")
    offered = (await api.get(f"/bots/{bot.name}/actions")).json["items"]
    assert {one["name"] for one in offered} >= {"status", "pair"}
    done = await api.post(f"/bots/{bot.name}/actions/status", {"values": {}})
    assert done.status == 200
    assert done.json["exit_code"] == 0
    assert (await api.post(f"/bots/{bot.name}/actions/nothing", {})).code == "no-such-action"
    newest = (await rig.entries(Kind.OUTCOME))[0]
    assert newest.data["act"] == "bot.do"


async def test_history_is_read_in_pages(rig: Rig, api: Api) -> None:
    """Newest first, of a bot and of everything, each request once with its end."""
    bot = await rig.running()
    for act in ("stop", "start", "restart"):
        await api.post(f"/bots/{bot.name}/{act}", headers={"Prefer": "wait=20"})
    first = (await api.get(f"/bots/{bot.name}/history?limit=2")).json
    assert [event["act"] for event in first["items"]] == ["bot.restart", "bot.start"]
    assert first["items"][0]["operation"]["state"] == "done"
    rest = (await api.get(f"/bots/{bot.name}/history?limit=2&cursor={first['next']}")).json
    assert [event["act"] for event in rest["items"]] == ["bot.stop", "bot.secrets"]
    everything = (await api.get("/fleet/history?limit=200")).json["items"]
    assert {"access.token.create", "bot.create"} <= {event["act"] for event in everything}
    assert (await api.get("/fleet/history?cursor=eA")).code == "bad-cursor"


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/fleet", {"engine", "bots", "phases", "started_at"}),
        ("/fleet/orphans", {"items", "next"}),
        ("/fleet/doctor", {"items", "next"}),
        ("/templates", {"items", "next"}),
        ("/access/grants", {"items", "next"}),
        ("/sessions", {"items", "next"}),
        ("/session", {"by", "key", "role", "may", "needs"}),
    ],
)
async def test_what_is_about_all_bots_is_answered(
    rig: Rig, api: Api, path: str, names: set[str]
) -> None:
    """Each as the description says."""
    answer = await api.get(path)
    assert answer.status == 200
    assert set(answer.json) == names


async def test_a_grant_is_given_and_taken(rig: Rig, api: Api) -> None:
    """For one bot; listed with its source; once only."""
    bot = await rig.create()
    given = {"kind": "user", "subject": "2", "role": "viewer", "bot": bot.name}
    assert (await api.post("/access/grants", given)).status == 201
    listed = (await api.get("/access/grants")).json["items"]
    assert [(one["subject"], one["source"]) for one in listed] == [
        ("1", "ADMIN_USER_IDS"),
        ("2", "granted"),
    ]
    gone = await api.delete(f"/access/grants/user/2?bot={bot.name}")
    assert (gone.status, gone.raw) == (204, b"")
    assert (await api.delete("/access/grants/user/2")).code == "no-such-grant"
    assert (await api.delete("/access/grants/nobody/x")).code == "no-such-grant"
