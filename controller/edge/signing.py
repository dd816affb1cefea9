"""Signatures of calls between this controller and its Worker; `edge/worker/signing.js` is the same
scheme.

What is signed: `id.timestamp.METHOD\\ntarget\\nsha256hex(body)\\nsubject`, with a key for each
direction, made of the shared key. So a signature serves one route, one body, one subject and one
direction. The headers are those of Standard Webhooks, and the subject.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from controller.domain.errors import NotSignedIn

WINDOW_SECONDS = 300.0
ID, TIMESTAMP, SIGNATURE, SUBJECT = (
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
    "botmaker-subject",
)
PREFIX = "whsec_"
_KEY_BYTES_LEAST = 24
_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}", re.ASCII)
_TIMESTAMP = re.compile(r"\d{1,12}", re.ASCII)
_SUBJECT = re.compile(r"[\x21-\x7e]{0,128}", re.ASCII)
_SIGNATURES_MOST = 8
_SIGNATURES_LENGTH = 1024


class Direction(Enum):
    """Whose call it is. A signature of one direction counts nothing in the other."""

    TO_WORKER = "to-worker"
    TO_CONTROLLER = "to-controller"


@dataclass(frozen=True, slots=True)
class SignedCall:
    """One call, as far as it is signed. `target` is path and query as they are sent."""

    id: str
    timestamp: str
    method: str
    target: str
    body: bytes
    subject: str = ""


def keys_in(text: str) -> tuple[bytes, ...]:
    """The shared keys of a text, one a line: the first signs, all are accepted.

    ValueError where there is none, or one that can't be used; never with a piece of it.
    """
    found = []
    for word in text.split():
        raw = _bytes_of(word.removeprefix(PREFIX)) if word.startswith(PREFIX) else None
        if raw is None or len(raw) < _KEY_BYTES_LEAST:
            raise ValueError("each line must be a key, as `botmaker edge init` makes them")
        found.append(word.encode())
    if not found:
        raise ValueError("there is no key in it")
    return tuple(found)


def signature_of(key: bytes, direction: Direction, call: SignedCall) -> str:
    """`v1,` and base64."""
    return "v1," + base64.b64encode(_mac(key, direction, call)).decode()


def signed_headers(
    keys: Sequence[bytes],
    direction: Direction,
    method: str,
    target: str,
    body: bytes,
    now: float,
    subject: str = "",
) -> dict[str, str]:
    """The headers of a call, signed with the first key. Each call has an id of its own."""
    call = SignedCall(secrets.token_hex(16), str(int(now)), method, target, body, subject)
    return {
        ID: call.id,
        TIMESTAMP: call.timestamp,
        SIGNATURE: signature_of(keys[0], direction, call),
        SUBJECT: subject,
    }


def is_signed(
    keys: Sequence[bytes], direction: Direction, call: SignedCall, signatures: str
) -> bool:
    """Whether one of the signatures is that of one of the keys."""
    wanted = [_mac(key, direction, call) for key in keys]
    found = False
    for part in signatures.split(" ")[:_SIGNATURES_MOST]:
        raw = _bytes_of(part[3:]) if part.startswith("v1,") else None
        for mac in wanted:  # every key is tried, so that time tells nothing
            found = hmac.compare_digest(mac, raw or b"") or found
    return found


def verified(
    keys: Sequence[bytes],
    direction: Direction,
    request: tuple[str, str, bytes],
    headers: Mapping[str, str],
    now: float,
) -> SignedCall:
    """The call behind a request's method, target and body.

    NotSignedIn: `not-signed`; or `clock-off`, where only its time is wrong.
    """
    method, target, body = request
    ident, timestamp, signatures, subject = (
        headers.get(name, "") for name in (ID, TIMESTAMP, SIGNATURE, SUBJECT)
    )
    fits = _ID.fullmatch(ident) and _TIMESTAMP.fullmatch(timestamp) and _SUBJECT.fullmatch(subject)
    if not fits or len(signatures) > _SIGNATURES_LENGTH:
        raise not_signed()
    call = SignedCall(ident, timestamp, method, target, body, subject)
    if not is_signed(keys, direction, call, signatures):
        raise not_signed()
    seconds = int(timestamp) - now
    if abs(seconds) > WINDOW_SECONDS:
        raise NotSignedIn(
            f"The two clocks are {abs(seconds):.0f} seconds apart; {WINDOW_SECONDS:.0f} are "
            "allowed.",
            hint="Set this machine's clock, for instance with chrony or systemd-timesyncd.",
            code="clock-off",
        )
    return call


def not_signed() -> NotSignedIn:
    """The refusal of a call that isn't signed, or not by whoever may."""
    return NotSignedIn(
        "This call isn't signed by the Worker.",
        hint="Both sides need the same key: `botmaker edge deploy` gives it to the Worker.",
        code="not-signed",
    )


def _mac(key: bytes, direction: Direction, call: SignedCall) -> bytes:
    shared = _bytes_of(key.decode().removeprefix(PREFIX)) or b""
    own = hmac.new(shared, f"botmaker edge 1 {direction.value}".encode(), hashlib.sha256).digest()
    lines = f"{call.id}.{call.timestamp}.{call.method}\n{call.target}\n"
    content = f"{lines}{hashlib.sha256(call.body).hexdigest()}\n{call.subject}"
    return hmac.new(own, content.encode("utf-8", "surrogateescape"), hashlib.sha256).digest()


def _bytes_of(text: str) -> bytes | None:
    """The bytes of canonical base64; None where it isn't."""
    try:
        raw = base64.b64decode(text.encode("ascii"), validate=True)
    except (ValueError, binascii.Error):
        return None
    return raw if base64.b64encode(raw).decode() == text else None
