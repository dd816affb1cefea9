"""API tokens: shown once, kept as a hash, never worth more than their owner's rights now."""

from __future__ import annotations

from typing import Any

import pytest

from controller.domain.access import CONSOLE, Grant
from controller.domain.errors import Conflict, NotSignedIn
from controller.domain.journal import Kind
from controller.domain.roles import Role
from controller.fleet.journal import Caller
from controller.manager.tokens import DAY, Tokens
from tests.api.client import Api, session_of, token_of
from tests.manager.rig import ANN_ASKS, BEN_ASKS, Rig


async def test_a_token_is_shown_once_and_kept_as_a_hash(rig: Rig, api: Api) -> None:
    """Its secret is in no file of the installation."""
    text = await token_of(rig, "deploy", Role.OPERATOR)
    secret = text.rpartition("_")[2]
    assert (await api.get("/bots", token=text)).status == 200
    listed = (await api.get("/tokens")).json["items"]
    assert secret not in str(listed)
    assert [(one["name"], one["role"]) for one in listed][1:] == [("deploy", "operator")]
    assert listed[1]["used_at"] is not None
    for path in rig.folder.rglob("*"):
        assert not path.is_file() or secret.encode() not in path.read_bytes()


async def test_a_token_is_worth_no_more_than_it_says(rig: Rig, api: Api) -> None:
    """An admin's token for an operator of one bot: that one, and nothing that needs admin."""
    mine, other = await rig.running(), await rig.running()
    text = await token_of(rig, "deploy", Role.OPERATOR, mine)
    listed = (await api.get("/bots", token=text)).json["items"]
    assert [(bot["name"], bot["role"]) for bot in listed] == [(mine.name, "operator")]
    refused: list[Any] = [
        await api.get(f"/bots/{other.name}", token=text),
        await api.post(f"/bots/{other.name}/stop", token=text),
        await api.delete(f"/bots/{mine.name}", token=text),
        await api.post("/bots", {"name": "new", "template": "plain"}, token=text),
        await api.get("/tokens", token=text),
    ]
    assert [(one.status, one.code) for one in refused] == [(403, "denied")] * 5
    done = await api.post(f"/bots/{mine.name}/stop", token=text, headers={"Prefer": "wait=20"})
    assert done.json["outcome"] == {"phase": "stopped"}
    assert rig.active(other)
    number = (await api.post(f"/bots/{other.name}/restart")).json["id"]
    assert (await api.get(f"/operations/{number}")).status == 200
    assert (await api.get(f"/operations/{number}", token=text)).code == "denied"


async def test_a_token_is_worth_no_more_than_its_owner_now(rig: Rig, api: Api) -> None:
    """When the owner loses the role, the token does; so it is with a Discord role."""
    bot = await rig.running()
    await rig.manager.access.grant(ANN_ASKS, Grant("user", 2, Role.ADMIN))
    text = await token_of(rig, "bens", Role.ADMIN, caller=BEN_ASKS)
    assert (await api.get("/tokens", token=text)).status == 200
    await rig.manager.access.revoke(ANN_ASKS, "user", 2)
    assert (await api.get(f"/bots/{bot.name}", token=text)).code == "denied"
    await rig.manager.access.grant(ANN_ASKS, Grant("role", 77, Role.VIEWER))
    api.members.roles[2] = frozenset({77})
    assert (await api.get(f"/bots/{bot.name}", token=text)).status == 200
    assert (await api.post(f"/bots/{bot.name}/stop", token=text)).code == "denied"
    api.members.gone.add(2)
    assert (await api.get(f"/bots/{bot.name}", token=text)).code == "denied"


async def test_a_token_that_does_not_count_is_told_why(rig: Rig, api: Api) -> None:
    """401, each with its code; only its holder learns that it is revoked or over."""
    text = await token_of(rig, "deploy")
    wrong = text[:-1] + ("0" if text[-1] != "0" else "1")
    assert (await api.get("/bots", token="")).code == "not-signed-in"
    assert (await api.get("/bots", token="nonsense")).code == "token-wrong"
    assert (await api.get("/bots", token=wrong)).code == "token-wrong"
    await rig.manager.tokens.revoke(ANN_ASKS, "deploy")
    refused = await api.get("/bots", token=text)
    assert (refused.status, refused.code) == (401, "token-revoked")
    assert refused.headers["WWW-Authenticate"].startswith("Bearer")
    assert (await api.get("/bots", token=wrong)).code == "token-wrong"


async def test_a_header_that_is_no_token_is_not_passed_over_for_a_cookie(
    rig: Rig, api: Api
) -> None:
    """Whoever sends one is never somebody else by a cookie that came along."""
    cookie = {"Cookie": f"bm={await session_of(rig, ANN_ASKS)}", "Sec-Fetch-Site": "same-origin"}
    assert (await api.get("/bots", token="", headers=cookie)).status == 200
    for sent in ("Basic YW5uOnB3", "Bearer", api.token):
        refused = await api.get("/bots", token="", headers={"Authorization": sent, **cookie})
        assert (refused.status, refused.code) == (401, "token-wrong")


async def test_a_token_for_bots_that_are_gone_is_not_one_for_all(rig: Rig, api: Api) -> None:
    """It says how many it was for; none at all would mean all bots."""
    bot = await rig.create()
    text = await token_of(rig, "deploy", Role.VIEWER, bot)
    await rig.manager.lifecycle.delete(ANN_ASKS, bot)
    await rig.gone(bot)
    (listed,) = [one for one in (await api.get("/tokens")).json["items"] if one["name"] == "deploy"]
    assert (listed["bots"], listed["bots_gone"]) == ([], 1)
    assert (await api.get("/bots", token=text)).json.get("items", []) == []


async def test_a_token_makes_no_tokens(rig: Rig, api: Api) -> None:
    """Whoever has one can't make it last."""
    refused = await api.post("/tokens", {"name": "more", "role": "viewer"})
    assert (refused.status, refused.code) == (403, "token-by-token")
    assert (await rig.entries(Kind.REFUSED))[0].data["code"] == "token-by-token"


async def test_the_name_of_a_token_is_free_again_once_it_is_over(rig: Rig) -> None:
    """By a revocation or with its time; until then no other one is called that."""
    now = 1_800_000_000.0
    tokens = Tokens(rig.store, rig.house.tools.journal, rig.manager.access, lambda: now)
    old = (await tokens.create(ANN_ASKS, "deploy", Role.VIEWER, days=1)).text
    now += DAY - 1
    with pytest.raises(Conflict) as caught:
        await tokens.create(ANN_ASKS, "deploy", Role.VIEWER)
    assert caught.value.code == "token-name-taken"
    now += 1
    new = (await tokens.create(ANN_ASKS, "deploy", Role.VIEWER)).text
    assert tokens.holder(new).name == "deploy"
    with pytest.raises(NotSignedIn):
        tokens.holder(old)
    await tokens.revoke(ANN_ASKS, "deploy")
    await tokens.create(ANN_ASKS, "deploy", Role.VIEWER)


async def test_tokens_survive_a_restart(rig: Rig, api: Api) -> None:
    """A new controller knows them, and which were revoked."""
    kept, ended = await token_of(rig, "kept"), await token_of(rig, "ended")
    await rig.manager.tokens.revoke(ANN_ASKS, "ended")
    await rig.restart()
    assert rig.manager.tokens.holder(kept).name == "kept"
    listed = [token.name for token in await rig.manager.tokens.listed(ANN_ASKS)]
    assert listed == ["ann-has-all", "kept"]
    assert ended.startswith("bm_")


async def test_the_consoles_token_has_the_role_that_it_was_given(rig: Rig, api: Api) -> None:
    """The console may do everything, its token what it says."""
    bot = await rig.running()
    text = await token_of(rig, "watch", Role.VIEWER, caller=Caller(CONSOLE))
    assert (await api.get("/bots", token=text)).json["items"][0]["role"] == "viewer"
    assert (await api.post(f"/bots/{bot.name}/stop", token=text)).code == "denied"
