"""Service tokens (JWT) signed elsewhere: what the settings pin is all that counts."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from controller.api import ServiceTokens
from controller.domain.errors import BadSetting, NotSignedIn
from controller.domain.journal import Kind
from controller.domain.roles import Role
from controller.settings import Settings
from tests.api.client import serving
from tests.manager.rig import Rig

SIGNER, STRANGER = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
ISSUER, AUDIENCE = "https://issuer.example", "botmaker"


def public(key: Any) -> str:
    """The public half, as PEM."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def pinned(**more: Any) -> ServiceTokens:
    chosen: dict[str, Any] = {
        "key": public(SIGNER),
        "algorithm": "ES256",
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "roles": {"deploy": Role.OPERATOR, "metrics": Role.VIEWER},
    }
    return ServiceTokens(**chosen | more)


def claims(**more: Any) -> dict[str, Any]:
    now = int(time.time())
    known = {"sub": "deploy", "iss": ISSUER, "aud": AUDIENCE, "iat": now, "exp": now + 600}
    return {name: value for name, value in (known | more).items() if value is not None}


def signed(key: Any = SIGNER, algorithm: str = "ES256", **more: Any) -> str:
    return jwt.encode(claims(**more), key, algorithm=algorithm)


async def test_a_service_may_what_its_subject_is_mapped_to(rig: Rig) -> None:
    """An operator stops a bot and deletes none; the journal says which service it was."""
    bot = await rig.running()
    async with serving(rig, services=pinned()) as api:
        text = signed()
        done = await api.post(f"/bots/{bot.name}/stop", token=text, headers={"Prefer": "wait=20"})
        assert done.json["by"] == {"kind": "service", "id": "deploy", "name": "deploy"}
        assert (await api.delete(f"/bots/{bot.name}", token=text)).code == "denied"
        more = await api.post("/tokens", {"name": "x", "role": "viewer"}, token=text)
        assert (more.status, more.code) == (403, "denied")
        watching = signed(sub="metrics")
        assert (await api.get("/bots", token=watching)).json["items"][0]["role"] == "viewer"
        assert (await api.post(f"/bots/{bot.name}/start", token=watching)).code == "denied"
    (asked,) = [e for e in await rig.entries(Kind.ASKED) if e.data["act"] == "bot.stop"]
    assert asked.author.request.startswith("http:service:deploy:")


def now() -> int:
    """The time when a test runs: the file may have been read long before."""
    return int(time.time())


FORGED: dict[str, Callable[[], str]] = {
    "another signer": lambda: signed(STRANGER),
    "no signature": lambda: jwt.encode(claims(), None, algorithm="none"),
    "the public key as a password": lambda: jwt.api_jws.PyJWS().encode(
        b"{}", b"x" * 64, algorithm="HS512"
    ),
    "another algorithm": lambda: signed(
        rsa.generate_private_key(public_exponent=65537, key_size=2048), "RS256"
    ),
    "another issuer": lambda: signed(iss="https://evil.example"),
    "no issuer": lambda: signed(iss=None),
    "another audience": lambda: signed(aud="something-else"),
    "no audience": lambda: signed(aud=None),
    "an unknown subject": lambda: signed(sub="root"),
    "no subject": lambda: signed(sub=None),
    "no end": lambda: signed(exp=None),
    "no beginning": lambda: signed(iat=None),
    "too long a life": lambda: signed(exp=now() + 90_000),
    "not yet": lambda: signed(nbf=now() + 600),
    "from the future": lambda: signed(iat=now() + 600, exp=now() + 900),
    "far too long": lambda: signed(more="x" * 8000),
    "nonsense": lambda: "a.b.c",
}


@pytest.mark.parametrize("what", FORGED)
def test_what_is_not_pinned_does_not_count(what: str) -> None:
    """Each with the same words, which say nothing of why."""
    with pytest.raises(NotSignedIn) as caught:
        pinned().holder(FORGED[what]())
    assert caught.value.code == "token-wrong"
    assert caught.value.message == "This service token isn't one that counts here."


def test_a_service_token_runs_out() -> None:
    """At its end, with some seconds for two clocks; also for what goes on for a while."""
    with pytest.raises(NotSignedIn) as caught:
        pinned().holder(signed(iat=now() - 900, exp=now() - 300))
    assert caught.value.code == "token-expired"
    later = pinned(clock=lambda: time.time() + 700)
    identity = later.holder(signed())
    with pytest.raises(NotSignedIn):
        identity.still()
    pinned().holder(signed()).still()


def test_a_key_of_another_kind_is_a_setting_to_change() -> None:
    """A start says so, not the first request."""
    with pytest.raises(BadSetting, match="BOTMAKER_JWT_KEY_FILE"):
        pinned(algorithm="RS256").require_usable()
    with pytest.raises(BadSetting, match="no public key"):
        pinned(key="nonsense").require_usable()
    pinned().require_usable()


def test_what_is_missing_beside_the_key_is_named(tmp_path: Path) -> None:
    """Issuer, audience and roles are no less needed."""
    file = tmp_path / "key.pem"
    file.write_text(public(SIGNER))
    with pytest.raises(BadSetting) as caught:
        Settings(jwt_key_file=file, jwt_issuer=ISSUER).jwt_key()
    assert "BOTMAKER_JWT_AUDIENCE, BOTMAKER_JWT_ROLES" in caught.value.message
    whole = Settings(
        jwt_key_file=file, jwt_issuer=ISSUER, jwt_audience=AUDIENCE, jwt_roles="deploy=operator"
    )
    assert whole.jwt_key() == public(SIGNER)
    assert whole.jwt_roles == {"deploy": Role.OPERATOR}


@pytest.mark.parametrize(
    ("more", "plain"),
    [
        ({}, False),
        ({"http_listen": "0.0.0.0:7100"}, True),
        ({"http_listen": "[::]:7100"}, True),
        ({"http_listen": "[::1]:7100"}, False),
        ({"http_listen": "localhost:7100"}, False),
        ({"http_listen": "0.0.0.0:7100", "public_url": "https://b.example"}, True),
        ({"http_listen": "0.0.0.0:7100", "trusted_proxies": "10.0.0.1"}, True),
        (
            {
                "http_listen": "0.0.0.0:7100",
                "public_url": "http://b.example",
                "trusted_proxies": "10.0.0.1",
            },
            True,
        ),
        (
            {
                "http_listen": "0.0.0.0:7100",
                "public_url": "https://b.example",
                "trusted_proxies": "10.0.0.0/8",
            },
            False,
        ),
        ({"http_listen": "0.0.0.0:7100", "allow_plain_http": True}, False),
        ({"http_listen": "0.0.0.0:7100", "api": False}, False),
    ],
)
def test_nobody_listens_in_the_clear_beyond_this_machine(more: dict[str, Any], plain: bool) -> None:
    """Unless https is in front, from a proxy that is named, or the admin insists."""
    settings = Settings(**{"api": True} | more)
    if not plain:
        settings.require_private_way()
        return
    with pytest.raises(BadSetting) as caught:
        settings.require_private_way()
    assert caught.value.code == "plain-http"
    assert "BOTMAKER_ALLOW_PLAIN_HTTP=1" in caught.value.hint
