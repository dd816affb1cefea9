"""Which engine to talk to, as plain arguments. Only `settings` reads the environment itself.

It is the one that Docker's own client would choose: DOCKER_HOST first, then the context that
DOCKER_CONTEXT names or that is in use.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docker.errors import DockerException, TLSParameterError
from docker.tls import TLSConfig
from docker.utils import kwargs_from_env

from controller.domain.disk_words import starting
from controller.domain.errors import BadSetting
from controller.runtime.ssh_transport import over_ssh, ssh_command

_NO_CONTEXT = ("", "default")
_PATHS = ("DOCKER_CERT_PATH", "DOCKER_CONFIG")


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """Where the engine listens; without a `base_url` that is the local socket."""

    base_url: str | None = None
    tls: TLSConfig | None = None
    config: str | None = None  # Docker's config file, if DOCKER_CONFIG says where; for registries


def engine_options(environment: Mapping[str, str]) -> EngineOptions:
    """Turn Docker's own variables (DOCKER_HOST and its companions) into options.

    Raises BadSetting if the files they name can't be used.
    """
    given = {name: value for name, value in environment.items() if value}
    for name in _PATHS:
        if name in given:
            given[name] = _at_home(name, given[name])
    folder = Path(given.get("DOCKER_CONFIG") or _at_home("DOCKER_CONFIG", "~/.docker"))
    config = str(folder / "config.json") if "DOCKER_CONFIG" in given else None
    if "DOCKER_HOST" not in given:
        context = given.get("DOCKER_CONTEXT") or _context_in_use(folder)
        if context not in _NO_CONTEXT:
            return _checked(_of_context(folder, context, config))
    # docker-py takes an empty mapping for a missing one, and would read os.environ instead.
    given.setdefault("DOCKER_HOST", "")
    with _tls("Check DOCKER_CERT_PATH: it needs ca.pem, cert.pem and key.pem."):
        found = kwargs_from_env(environment=given)
        options = EngineOptions(base_url=found.get("base_url"), tls=found.get("tls"), config=config)
    return _checked(options)


def _checked(options: EngineOptions) -> EngineOptions:
    if over_ssh(options.base_url):
        ssh_command(str(options.base_url))  # only to say what is wrong with it
    return options


def _at_home(name: str, path: str) -> str:
    """Expand a leading `~`, which no shell has expanded for us."""
    try:
        return str(Path(path).expanduser())
    except RuntimeError:
        raise BadSetting(
            f"{name} begins with ~ and a user that doesn't exist here.", hint="Set the whole path."
        ) from None


def _context_in_use(folder: Path) -> str:
    file = folder / "config.json"
    found = _json(file, f"Docker's config file {file} can't be read", "Fix it, or set DOCKER_HOST.")
    return str(found.get("currentContext") or "")


def _of_context(folder: Path, name: str, config: str | None) -> EngineOptions:
    key = hashlib.sha256(name.encode()).hexdigest()
    what = f"The Docker context `{name}` can't be used"
    hint = "`docker context ls` shows all; choose one with DOCKER_CONTEXT, or set DOCKER_HOST."
    meta = _json(folder / "contexts" / "meta" / key / "meta.json", what, hint)
    try:
        endpoint = meta["Endpoints"]["docker"]
        host, verify = str(endpoint["Host"]), not endpoint.get("SkipTLSVerify", False)
    except (LookupError, TypeError, AttributeError):
        why = "it has no address" if meta else "there is no such context"
        raise BadSetting(f"{what}: {why}.", hint=hint) from None
    files = folder / "contexts" / "tls" / key / "docker"
    ca, cert, private = (files / f"{part}.pem" for part in ("ca", "cert", "key"))
    if not (ca.exists() or cert.exists()):
        return EngineOptions(base_url=host, config=config)
    with _tls(f"Check the files in {files}."):
        pair = (str(cert), str(private)) if cert.exists() else None
        tls = TLSConfig(client_cert=pair, ca_cert=str(ca) if ca.exists() else None, verify=verify)
        return EngineOptions(base_url=host.replace("tcp://", "https://"), tls=tls, config=config)


def _json(file: Path, what: str, hint: str) -> dict[str, Any]:
    """A file's JSON object; an empty one where there is no such file."""
    with starting(what, hint):
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return {}
    return found if isinstance(found, dict) else {}


@contextmanager
def _tls(hint: str) -> Iterator[None]:
    try:
        yield
    except (DockerException, OSError) as error:
        reason = error.msg if isinstance(error, TLSParameterError) else str(error)
        raise BadSetting(
            f"Docker's TLS files can't be used: {reason.rstrip('.')}.", hint=hint
        ) from error
