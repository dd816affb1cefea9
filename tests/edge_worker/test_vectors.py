"""Signatures and tokens are the same in Python and in the Worker's JavaScript. What isn't one is
refused by both, never with a fault."""

from __future__ import annotations

import base64
import time
from collections.abc import AsyncIterator
from typing import Any

import jwt
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.domain.errors import NotSignedIn
from controller.edge import signing
from controller.edge.signing import Direction, SignedCall
from tests.conftest import ROOT
from tests.edge_worker.node import ISSUER, JWT_KEYS, Node

pytestmark = pytest.mark.asyncio(loop_scope="module")
NOW = 1_796_000_000
KEY = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OTHER = "whsec_" + base64.b64encode(bytes(range(1, 33))).decode()
EXPECTED = {"issuer": ISSUER, "audience": "botmaker-edge"}
LINES = "\n".join(" ".join(pair) for pair in JWT_KEYS.items())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def worker() -> AsyncIterator[Node]:
    """The Worker's own modules."""
    async with Node("vectors.mjs", str(ROOT / "edge/worker")) as node:
        yield node


def sent(call: SignedCall) -> dict[str, str]:
    """A call for the modules in JavaScript."""
    body = base64.b64encode(call.body).decode()
    return {
        "id": call.id,
        "timestamp": call.timestamp,
        "method": call.method,
        "target": call.target,
        "body": body,
        "subject": call.subject,
    }


def ours(keys: str, headers: dict[str, str], call: SignedCall, now: float) -> str:
    """The verdict of Python: whom it is for, or the code of the refusal."""
    try:
        request = call.method, call.target, call.body
        direction = Direction.TO_CONTROLLER
        found = signing.verified(signing.keys_in(keys), direction, request, headers, now)
    except NotSignedIn as error:
        return error.code
    return f"{found.id} {found.subject}"


async def theirs(
    worker: Node, keys: str, headers: dict[str, str], call: SignedCall, now: float
) -> str:
    """The verdict of JavaScript, in the same form."""
    direction = Direction.TO_CONTROLLER.value
    said = await worker.ask(
        act="verify", keys=keys, direction=direction, call=sent(call), headers=headers, now=now
    )
    assert "value" in said, said
    value = said["value"]
    return str(value.get("wrong") or f"{value['id']} {value['subject']}")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_both_sides_make_the_same_signature(worker: Node, data: st.DataObject) -> None:
    """Of any body, subject and target, in both directions."""
    call = SignedCall(
        data.draw(st.from_regex(r"[A-Za-z0-9._:-]{1,40}", fullmatch=True)),
        str(data.draw(st.integers(0, 10**11))),
        data.draw(st.sampled_from(["GET", "POST", "DELETE"])),
        "/" + data.draw(st.from_regex(r"[a-z0-9/?=&%-]{0,60}", fullmatch=True)),
        data.draw(st.binary(max_size=300)),
        data.draw(st.from_regex(r"[!-~]{0,40}", fullmatch=True)),
    )
    direction = data.draw(st.sampled_from(list(Direction)))
    said = await worker.ask(act="sign", key=KEY, direction=direction.value, call=sent(call))
    assert said == {"value": signing.signature_of(KEY.encode(), direction, call)}


async def test_a_signature_serves_one_route_one_body_one_subject_and_one_direction(
    worker: Node,
) -> None:
    """Each changed alone is refused by both sides, as is one that is older than five minutes."""
    call = SignedCall("an-id", str(NOW), "POST", "/internal/events?a=1", b"{}", "deploy")
    good = {
        signing.ID: call.id,
        signing.TIMESTAMP: call.timestamp,
        signing.SUBJECT: call.subject,
        signing.SIGNATURE: signing.signature_of(KEY.encode(), Direction.TO_CONTROLLER, call),
    }
    back = signing.signature_of(KEY.encode(), Direction.TO_WORKER, call)
    changed: list[tuple[SignedCall, dict[str, str], float, str]] = [
        (call, good, NOW, "an-id deploy"),
        (call, good, NOW + 300, "an-id deploy"),
        (call, good, NOW + 600, "clock-off"),
        (call, good, NOW - 600, "clock-off"),
        (SignedCall("an-id", str(NOW), "GET", call.target, b"{}"), good, NOW, "not-signed"),
        (SignedCall("an-id", str(NOW), "POST", "/internal/deploy", b"{}"), good, NOW, "not-signed"),
        (SignedCall("an-id", str(NOW), "POST", call.target, b"{ }"), good, NOW, "not-signed"),
        (call, good | {signing.SUBJECT: "admin"}, NOW, "not-signed"),
        (call, good | {signing.ID: "an-other"}, NOW, "not-signed"),
        (call, good | {signing.TIMESTAMP: str(NOW + 1)}, NOW, "not-signed"),
        (call, good | {signing.SIGNATURE: back}, NOW, "not-signed"),
    ]
    for one, headers, now, wanted in changed:
        assert ours(KEY, headers, one, now) == wanted
        assert await theirs(worker, KEY, headers, one, now) == wanted


async def test_keys_rotate(worker: Node) -> None:
    """The verifier takes both; the signer switches; the old one goes."""
    call = SignedCall("an-id", str(NOW), "POST", "/x", b"")
    for signer, accepted, wanted in (
        (OTHER, f"{OTHER}\n{KEY}", "an-id "),
        (KEY, f"{OTHER}\n{KEY}", "an-id "),
        (KEY, OTHER, "not-signed"),
    ):
        signature = signing.signature_of(signer.encode(), Direction.TO_CONTROLLER, call)
        headers = {signing.ID: "an-id", signing.TIMESTAMP: str(NOW), signing.SIGNATURE: signature}
        assert ours(accepted, headers, call, NOW) == wanted
        assert await theirs(worker, accepted, headers, call, NOW) == wanted


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_a_malformed_header_is_refused_and_no_fault(
    worker: Node, data: st.DataObject
) -> None:
    """Anything at all in the four headers: both sides say the same."""
    call = SignedCall("an-id", str(NOW), "POST", "/x", b"")
    good = signing.signature_of(KEY.encode(), Direction.TO_CONTROLLER, call)
    odd = st.text(st.characters(min_codepoint=1, max_codepoint=0x2FF), max_size=80)
    parts = st.sampled_from([good, good[:-1], good[3:], "v1,", "v1,=", "v1,é", "v2," + good[3:]])
    headers = {
        signing.ID: data.draw(st.one_of(st.just("an-id"), odd)),
        signing.TIMESTAMP: data.draw(st.one_of(st.just(str(NOW)), odd)),
        signing.SUBJECT: data.draw(st.one_of(st.just(""), odd)),
        signing.SIGNATURE: " ".join(data.draw(st.lists(st.one_of(parts, odd), max_size=4))),
    }
    mine = ours(KEY, headers, call, NOW)
    assert mine == await theirs(worker, KEY, headers, call, NOW)
    assert mine in {"not-signed", "an-id "}


def claims(**more: object) -> dict[str, Any]:
    """Claims that count, changed so."""
    good = {"iss": ISSUER, "aud": "botmaker-edge", "sub": "deploy", "exp": int(time.time()) + 60}
    return {name: value for name, value in (good | more).items() if value is not None}


@pytest.mark.parametrize(
    ("changes", "kid", "wanted"),
    [
        ({}, "k1", "deploy"),
        ({}, "k2", "token-wrong"),
        ({}, "__proto__", "token-wrong"),
        ({}, None, "token-wrong"),
        ({"exp": 1}, "k1", "token-expired"),
        ({"exp": None}, "k1", "token-wrong"),
        ({"exp": "soon"}, "k1", "token-wrong"),
        ({"iss": "else"}, "k1", "token-wrong"),
        ({"aud": "else"}, "k1", "token-wrong"),
        ({"aud": ["else", "botmaker-edge"]}, "k1", "deploy"),
        ({"sub": None}, "k1", "token-wrong"),
        ({"sub": "a b"}, "k1", "token-wrong"),
        ({"nbf": 9_999_999_999}, "k1", "token-wrong"),
    ],
)
async def test_a_token_counts_or_is_refused(
    worker: Node, changes: dict[str, object], kid: str | None, wanted: str
) -> None:
    """As PyJWT makes it."""
    headers = {"kid": kid} if kid else {}
    text = jwt.encode(claims(**changes), JWT_KEYS["k1"], "HS256", headers)
    assert await holder(worker, text) == wanted


async def test_other_algorithms_and_forms_are_refused(worker: Node) -> None:
    """`none`, another HMAC, a public library's own, and what is no token at all."""
    loose = claims()
    unsigned = jwt.encode(loose, "", "none", {"kid": "k1"})
    longer = jwt.encode(loose, JWT_KEYS["k1"] * 2, "HS512", {"kid": "k1"})
    by_jose = await worker.ask(
        act="jose", head={"alg": "HS256", "kid": "k1"}, claims=loose, key=JWT_KEYS["k1"]
    )
    for text in (unsigned, longer, "", ".", "..", "a.b.c", by_jose["value"] + "x", "é.é.é"):
        assert await holder(worker, text) == "token-wrong"
    assert await holder(worker, by_jose["value"]) == "deploy"


async def holder(worker: Node, text: str) -> str:
    """The subject of a token for the Worker, or why it has none."""
    said = await worker.ask(
        act="holder", text=text, keys=LINES, expected=EXPECTED, now=int(time.time())
    )
    assert "value" in said, said
    return str(said["value"].get("wrong") or said["value"]["subject"])


async def test_only_normal_paths_of_the_gateway_lead_anywhere(worker: Node) -> None:
    """Nothing that somebody on the way could read as another path; `/internal` never."""
    base = "https://edge.example.org/api/v1/orchestrator/"
    for path, wanted in (
        ("bots", "/api/v1/bots"),
        ("bots/shop/start?wait=1", "/api/v1/bots/shop/start?wait=1"),
        ("../../internal/deploy", ""),
        ("..%2f..%2finternal", ""),
        ("bots//shop", ""),
        ("bots/%2e%2e/x", "/api/v1/x"),  # as every URL parser reads it, so it is sent
        ("", ""),
    ):
        said = await worker.ask(act="target", url=base + path)
        assert said == {"value": wanted}, path
