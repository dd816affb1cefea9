"""What a signature binds, with vectors that the Worker's own modules made."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from controller.domain.errors import NotSignedIn
from controller.edge import signing
from controller.edge.signing import Direction, SignedCall

KEY = b"whsec_" + base64.b64encode(bytes(range(32)))
NOW = 1_796_000_000
CALL = SignedCall("an-id", str(NOW), "POST", "/internal/events", b'{"a":1}', "deploy")
HEADERS = {signing.ID: "an-id", signing.TIMESTAMP: str(NOW), signing.SUBJECT: "deploy"}


def verdict(headers: dict[str, str], now: float = NOW) -> str:
    """The subject, or the code of the refusal."""
    request = CALL.method, CALL.target, CALL.body
    try:
        return signing.verified([KEY], Direction.TO_WORKER, request, headers, now).subject
    except NotSignedIn as error:
        return error.code


@pytest.mark.parametrize(
    ("direction", "wanted"),
    [
        (Direction.TO_WORKER, "v1,KJGt6ZwWunQiIEfNlVkWhlC9YNfi7PV/YHK/NgNFdFY="),
        (Direction.TO_CONTROLLER, "v1,5idIpuo1HnCp+oaFhlk09bo7oKfgUgPzkpllKLC3Vwk="),
    ],
)
def test_a_signature_is_what_the_worker_makes(direction: Direction, wanted: str) -> None:
    """Written down from `edge/worker/signing.js`; `make test-edge` asks that itself."""
    assert signing.signature_of(KEY, direction, CALL) == wanted


def test_a_clock_is_named_and_a_stranger_is_not() -> None:
    """Only who signed it well hears of the clock."""
    good = HEADERS | {signing.SIGNATURE: signing.signature_of(KEY, Direction.TO_WORKER, CALL)}
    assert verdict(good) == "deploy"
    assert verdict(good, NOW + 600) == "clock-off"
    assert verdict(good | {signing.SUBJECT: "admin"}, NOW + 600) == "not-signed"


def test_the_public_package_makes_the_same_of_the_same_content() -> None:
    """What is signed is Standard Webhooks' form, with a content of ours and a key for each
    direction."""
    shared = base64.b64decode(KEY.removeprefix(b"whsec_"))
    own = hmac.digest(shared, b"botmaker edge 1 to-worker", "sha256")
    content = f"POST\n/internal/events\n{hashlib.sha256(CALL.body).hexdigest()}\ndeploy"
    theirs = Webhook(own).sign("an-id", datetime.fromtimestamp(NOW, UTC), content)
    assert theirs == signing.signature_of(KEY, Direction.TO_WORKER, CALL)


@given(st.dictionaries(st.sampled_from(sorted([*HEADERS, signing.SIGNATURE])), st.text()))
def test_no_header_is_a_fault(headers: dict[str, str]) -> None:
    """Whatever stands in them, it is a refusal."""
    assert verdict(headers) == "not-signed"


@pytest.mark.parametrize(
    "text", ["", "whsec_", "whsec_AAAA", "abc", "whsec_!!!", "whsec_" + "A" * 43]
)
def test_what_is_no_key_is_refused_without_a_piece_of_it(text: str) -> None:
    """Too short, not base64, not there."""
    with pytest.raises(ValueError, match="key") as caught:
        signing.keys_in(text)
    assert not text or text not in str(caught.value)
