"""Signing in from a browser: a link works once, for one person; a session is that person."""

from __future__ import annotations

import asyncio
import ipaddress
from dataclasses import replace
from http.cookies import SimpleCookie

import aiohttp
import pytest

from controller.api import Gate
from controller.api.request_rates import Rates
from controller.domain.access import CONSOLE, Grant, Limit
from controller.domain.errors import Denied, NotSignedIn
from controller.domain.journal import Kind
from controller.domain.roles import Role
from controller.fleet.journal import Caller
from controller.manager.web_sessions import IDLE_SECONDS, LINK_SECONDS, SESSION_SECONDS, WebSessions
from tests.api.client import Api, Reply, serving, session_of
from tests.manager.rig import ANN, ANN_ASKS, BEN_ASKS, Rig

OWN_PAGE = {"Sec-Fetch-Site": "same-origin"}


async def sign_in(api: Api, code: str, **headers: str) -> Reply:
    return await api.post("/session", {"code": code}, token="", headers=OWN_PAGE | headers)


def cookie_of(answer: Reply) -> str:
    """The cookie as a browser sends it back."""
    return answer.headers["Set-Cookie"].partition(";")[0]


async def test_a_link_signs_its_person_in_once(rig: Rig, api: Api) -> None:
    """The page can say who that would be, which uses nothing up; then the cookie is the person."""
    code = await rig.manager.web_sessions.invite(ANN_ASKS)
    for _ in range(2):  # a preview of the link, and the page
        shown = await api.post("/session/code", {"code": code}, token="", headers=OWN_PAGE)
        assert (shown.status, shown.json["name"]) == (200, "ann")
    done = await sign_in(api, code)
    assert (done.status, done.json["user"]["name"]) == (201, "ann")
    cookie = SimpleCookie(done.headers["Set-Cookie"])["bm"]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Strict", "/")
    me = await api.get("/session", token="", headers={"Cookie": cookie_of(done), **OWN_PAGE})
    assert (me.json["by"]["name"], me.json["key"], me.json["role"]) == ("ann", "session", "admin")
    again = await sign_in(api, code)
    assert (again.status, again.code) == (401, "link-over")
    assert code not in str(await rig.entries())


async def test_of_two_who_use_a_link_at_once_one_is_signed_in(rig: Rig, api: Api) -> None:
    """Whoever copied it gets no session of their own."""
    code = await rig.manager.web_sessions.invite(ANN_ASKS)
    answers = await asyncio.gather(*(sign_in(api, code) for _ in range(3)))
    assert sorted(one.status for one in answers) == [201, 401, 401]
    assert {one.code for one in answers} == {"", "link-over"}
    assert len(await rig.manager.web_sessions.listed(ANN_ASKS)) == 1


async def test_a_newer_link_ends_the_older_one(rig: Rig, api: Api) -> None:
    """And each is over after five minutes."""
    older = await rig.manager.web_sessions.invite(ANN_ASKS)
    newer = await rig.manager.web_sessions.invite(ANN_ASKS)
    assert (await sign_in(api, older)).code == "link-over"
    assert (await sign_in(api, newer)).status == 201


async def test_a_strange_page_can_sign_nobody_in(rig: Rig, api: Api) -> None:
    """Not with its own code either: nobody works in somebody else's account unawares."""
    code = await rig.manager.web_sessions.invite(ANN_ASKS)
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}, {}):
        refused = await api.post("/session", {"code": code}, token="", headers=headers)
        assert (refused.status, refused.code) == (403, "foreign-page")
    own = await api.post("/session", {"code": code}, token="", headers={"Origin": api.url})
    assert own.status == 201


async def test_signing_in_is_tried_ten_times_a_minute_at_most(rig: Rig) -> None:
    """By one address; nobody guesses codes, and whoever tries keeps nobody else out."""
    gate = Gate("", (ipaddress.ip_network("127.0.0.1"),))
    async with serving(rig, rates=Rates(), gate=gate) as api:
        guesser, other = {"X-Forwarded-For": "1.1.1.1"}, {"X-Forwarded-For": "2.2.2.2"}
        codes = [(await sign_in(api, "guess", **guesser)).code for _ in range(12)]
        code = await rig.manager.web_sessions.invite(ANN_ASKS)
        assert (await sign_in(api, code, **other)).status == 201
    assert codes == ["link-over"] * 10 + ["too-many-requests"] * 2


async def test_a_session_ends_at_once(rig: Rig, api: Api) -> None:
    """By an admin, by its person, and each alone; it survives a restart otherwise."""
    await rig.manager.access.grant(ANN_ASKS, Grant("user", 2, Role.VIEWER))
    keys = [await session_of(rig, BEN_ASKS) for _ in range(3)]
    cookies = [{"Cookie": f"bm={key}", **OWN_PAGE} for key in keys]
    listed = (await api.get("/sessions")).json["items"]
    assert [(one["user"]["name"], one["about"]) for one in listed] == [("ben", "a browser")] * 3
    assert (await api.delete(f"/sessions/{listed[0]['id']}")).status == 204
    assert (await api.get("/session", token="", headers=cookies[0])).code == "session-over"
    out = await api.delete("/session", token="", headers=cookies[1])
    assert (out.status, "Max-Age=0" in out.headers["Set-Cookie"]) == (204, True)
    assert (await api.get("/session", token="", headers=cookies[1])).code == "session-over"
    assert (await api.get("/session", token="", headers=cookies[2])).status == 200
    ended = (await rig.entries(Kind.ASKED))[0]
    assert (ended.data["act"], ended.data["of"]) == ("access.sessions", "2")
    await rig.restart()
    assert rig.manager.web_sessions.holder(keys[2]).user_name == "ben"
    with pytest.raises(NotSignedIn):
        rig.manager.web_sessions.holder(keys[0])


async def test_a_session_is_worth_what_its_person_is_now(rig: Rig, api: Api) -> None:
    """Without the role it may nothing; who left the server is no member."""
    await rig.manager.access.grant(ANN_ASKS, Grant("user", 2, Role.VIEWER))
    headers = {"Cookie": f"bm={await session_of(rig, BEN_ASKS)}", **OWN_PAGE}
    assert (await api.get("/bots", token="", headers=headers)).status == 200
    await rig.manager.access.revoke(ANN_ASKS, "user", 2)
    assert (await api.get("/bots", token="", headers=headers)).code == "denied"
    api.members.gone.add(2)
    assert (await api.get("/session", token="", headers=headers)).code == "denied"


async def test_links_are_for_people_with_a_role(rig: Rig) -> None:
    """Nobody without a role gets one, and no program: a token is not a person."""
    sessions = rig.manager.web_sessions
    with pytest.raises(Denied):
        await sessions.invite(BEN_ASKS)
    with pytest.raises(Denied) as caught:
        await sessions.invite(Caller(CONSOLE))
    assert caught.value.code == "no-person"
    by_token = replace(ANN, limit=Limit(Role.ADMIN))  # a session would outlive the token
    with pytest.raises(Denied) as caught:
        await sessions.invite(Caller(by_token))
    assert caught.value.code == "no-person"


class Clock:
    """A clock that is set by hand."""

    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


async def test_links_and_sessions_run_out(rig: Rig) -> None:
    """A link in five minutes; a session half a day after its last use, or after a week."""
    clock = Clock()
    sessions = WebSessions(rig.store, rig.house.tools.journal, rig.manager.access, clock)
    code = await sessions.invite(ANN_ASKS)
    clock.now += LINK_SECONDS
    with pytest.raises(NotSignedIn):
        await sessions.sign_in(code, "", "")
    idle = (await sessions.sign_in(await sessions.invite(ANN_ASKS), "", "")).key
    busy = (await sessions.sign_in(await sessions.invite(ANN_ASKS), "", "")).key
    for _ in range(int(SESSION_SECONDS / (IDLE_SECONDS / 2)) - 1):
        clock.now += IDLE_SECONDS / 2
        await sessions.note_use(sessions.holder(busy))
    with pytest.raises(NotSignedIn):
        sessions.holder(idle)
    assert sessions.holder(busy)
    clock.now += IDLE_SECONDS / 2
    with pytest.raises(NotSignedIn):
        sessions.holder(busy)


async def test_the_cookie_of_a_public_address_is_for_https_alone(rig: Rig) -> None:
    """`__Host-`, Secure; our page's origin is then the public one, with its port."""
    gate = Gate("https://bots.example:8443", (ipaddress.ip_network("127.0.0.1"),))
    async with serving(rig, gate=gate) as api:
        code = await rig.manager.web_sessions.invite(ANN_ASKS)
        public = {"Host": "bots.example:8443"}
        wrong = await api.post(
            "/session",
            {"code": code},
            token="",
            headers=public | {"Origin": "https://bots.example"},
        )
        assert wrong.code == "foreign-page"
        origin = {"Origin": "https://bots.example:8443"}
        done = await api.post("/session", {"code": code}, token="", headers=public | origin)
        assert done.headers["Set-Cookie"].startswith("__Host-bm=")
        assert done.headers["Set-Cookie"].endswith("; Secure")
        cookie = {"Cookie": cookie_of(done)}
        assert (await api.get("/session", token="", headers=public | cookie)).status == 200
        assert (await api.get("/session", token="", headers=cookie)).code == "not-signed-in"
        for name in ("other.example", "bots.example.evil.example", ""):
            refused = await api.get("/session", token="", headers={"Host": name})
            assert (refused.status, refused.code) == (421, "wrong-host")


@pytest.mark.parametrize(
    ("remote", "hops", "found"),
    [
        ("10.0.0.1", "1.1.1.1", "1.1.1.1"),
        ("10.0.0.1", "9.9.9.9, 1.1.1.1", "1.1.1.1"),
        ("10.0.0.1", "1.1.1.1, 10.0.0.2", "1.1.1.1"),
        ("8.8.8.8", "1.1.1.1", "8.8.8.8"),
        ("10.0.0.1", "", "10.0.0.1"),
    ],
)
def test_only_a_proxy_of_ours_says_who_is_behind_it(remote: str, hops: str, found: str) -> None:
    """The right-most hop that is none of ours; what anybody else claims counts nothing."""
    from aiohttp.test_utils import make_mocked_request

    class Peer:
        def get_extra_info(self, name: str, default: object = None) -> object:
            return (remote, 1) if name == "peername" else default

    headers = {"X-Forwarded-For": hops} if hops else {}
    request = make_mocked_request("GET", "/", headers=headers, transport=Peer())
    gate = Gate("", (ipaddress.ip_network("10.0.0.0/8"),))
    assert gate.address(request) == found


async def test_no_answer_may_be_kept_or_framed(api: Api) -> None:
    """By a cache, a referrer or a guess at its type."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{api.url}/api/v1/openapi.json") as answer,
    ):
        headers = answer.headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Request-Id"]
