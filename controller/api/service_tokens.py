"""Tokens that somebody else signs for a program (JWT): who may sign, for whom, and for how long.

All of it is pinned by the settings. What a token says of its own algorithm or key counts nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from controller.api.identity import Identity
from controller.domain.access import Limit, Principal
from controller.domain.errors import BadSetting, NotSignedIn
from controller.domain.roles import Role
from controller.settings import Settings

Algorithm = Literal["RS256", "PS256", "ES256", "EdDSA"]
LEEWAY_SECONDS = 30.0  # between two clocks
_LENGTH_MOST = 4096  # characters


def _jwt() -> Any:
    """The library, where a signer is set: it takes 2 MB, and most controllers never need it."""
    import jwt  # noqa: PLC0415

    return jwt


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceTokens:
    """Checks them. `roles` are those of the subjects that are known; nobody else is let in."""

    key: str = field(repr=False)  # the public key, as PEM
    algorithm: Algorithm
    issuer: str
    audience: str
    roles: Mapping[str, Role]
    seconds_most: float = 3600.0  # that a token may count, from its issue on
    clock: Callable[[], float] = time.time

    def require_usable(self) -> None:
        """Raise BadSetting unless the key is one for the algorithm."""
        jwt = _jwt()
        try:
            jwt.get_algorithm_by_name(self.algorithm).prepare_key(self.key)
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise BadSetting(
                f"BOTMAKER_JWT_KEY_FILE holds no public key for {self.algorithm}.",
                hint="Set it to the PEM file of the signer's public key.",
            ) from error

    def holder(self, text: str) -> Identity:
        """Whom the token speaks for. NotSignedIn: `token-wrong`, or `token-expired`."""
        if len(text) > _LENGTH_MOST:
            raise _wrong()
        jwt = _jwt()
        try:
            claims = jwt.decode(
                text,
                self.key,
                algorithms=[self.algorithm],
                issuer=self.issuer,
                audience=self.audience,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iat", "sub", "iss", "aud"]},
            )
            begins, ends = float(claims["iat"]), float(claims["exp"])
        except jwt.ExpiredSignatureError as error:
            raise _expired() from error
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise _wrong() from error
        role = self.roles.get(claims["sub"])
        if role is None or ends - begins > self.seconds_most:
            raise _wrong()
        return self._identity(claims["sub"], role, ends)

    def _identity(self, subject: str, role: Role, ends: float) -> Identity:
        def still() -> None:
            if self.clock() >= ends + LEEWAY_SECONDS:
                raise _expired()

        principal = Principal("service", subject, subject, limit=Limit(role))
        return Identity(principal, f"service:{subject}", still)


def tokens_of_services(settings: Settings) -> ServiceTokens | None:
    """Whose service tokens are taken, as the settings pin it; None: nobody's."""
    key = settings.jwt_key()
    if not key:
        return None
    found = ServiceTokens(
        key=key,
        algorithm=settings.jwt_algorithm,
        issuer=settings.jwt_issuer,
        audience=settings.jwt_audience,
        roles=settings.jwt_roles,
        seconds_most=settings.jwt_seconds,
    )
    found.require_usable()
    return found


def is_service_token(text: str) -> bool:
    """Whether it has the form of one: three parts, none of them ours."""
    return text.count(".") == 2


def _wrong() -> NotSignedIn:
    return NotSignedIn("This service token isn't one that counts here.", code="token-wrong")


def _expired() -> NotSignedIn:
    return NotSignedIn("This service token has expired.", code="token-expired")
