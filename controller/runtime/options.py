"""Which engine to talk to, as plain arguments. Only `settings` reads the environment itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from docker.errors import DockerException, TLSParameterError
from docker.tls import TLSConfig
from docker.utils import kwargs_from_env

from controller.domain.errors import BadSetting


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """Where the engine listens; without a `base_url` that is the local socket."""

    base_url: str | None = None
    tls: TLSConfig | None = None


def engine_options(environment: Mapping[str, str]) -> EngineOptions:
    """Turn Docker's own variables (DOCKER_HOST and its companions) into options.

    Raises BadSetting if the TLS files they name can't be used.
    """
    # docker-py takes an empty mapping for a missing one, and would read os.environ instead.
    given = dict(environment) or {"DOCKER_HOST": ""}
    try:
        found = kwargs_from_env(environment=given)
    except (DockerException, OSError) as error:
        reason = error.msg if isinstance(error, TLSParameterError) else str(error)
        raise BadSetting(
            f"Docker's TLS files can't be used: {reason.rstrip('.')}.",
            hint="Check DOCKER_CERT_PATH: it needs ca.pem, cert.pem and key.pem.",
        ) from error
    return EngineOptions(base_url=found.get("base_url"), tls=found.get("tls"))
