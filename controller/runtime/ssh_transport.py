"""An engine on another machine over `ssh`: each connection is one ssh process, which ends with it.

docker-py's own way needs paramiko, and never waits for the processes that it starts: a controller
collected 12,000 dead ones. Here the process has one end of a socket pair, so that time limits and
streams work as on any other socket.
"""

from __future__ import annotations

import socket
import subprocess
from typing import Any
from urllib.parse import urlsplit

from docker.errors import DockerException
from docker.transport import UnixHTTPAdapter
from docker.transport.unixconn import UnixHTTPConnection, UnixHTTPConnectionPool

from controller.domain.errors import BadSetting

SCHEME = "ssh://"
END_SECONDS = 2.0
PLACEHOLDER = "http+unix:///ssh"  # a socket for docker-py to build a client with; never opened
_HINT = "Use ssh://user@host or ssh://user@host:port, with a key that needs no password."


def over_ssh(url: str | None) -> bool:
    """Whether that address asks for ssh."""
    return (url or "").startswith(SCHEME)


def ssh_command(url: str) -> list[str]:
    """The command whose input and output are a connection to the engine.

    Raises BadSetting for an address that ssh can't use.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port, parts = "", None, urlsplit(SCHEME)
    if not host or host.startswith("-") or (parts.username or "").startswith("-"):
        raise BadSetting("DOCKER_HOST has no host for ssh.", hint=_HINT)
    if parts.password or parts.query or parts.path.strip("/"):
        raise BadSetting(
            "DOCKER_HOST may only have a user, a host and a port after ssh://.", hint=_HINT
        )
    user = ["-l", parts.username] if parts.username else []
    at = ["-p", str(port)] if port else []
    batch = ["-o", "BatchMode=yes", "-o", "ConnectTimeout=10"]
    return ["ssh", *batch, *user, *at, "--", host, "docker", "system", "dial-stdio"]


class _Process(socket.socket):
    """Our end of the pair. When it is closed for good, the process ends and is collected."""

    process: subprocess.Popen[bytes] | None = None

    def _real_close(self, *args: Any) -> None:
        # What `close` calls once no file made of the socket is open either, as in `ssl.SSLSocket`.
        super()._real_close(*args)  # type: ignore[misc]  # not in the stubs
        process, self.process = self.process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _dial(command: list[str]) -> _Process:
    ours, theirs = socket.socketpair()
    with theirs:
        dialled = _Process(fileno=ours.detach())
        try:
            # Its errors go to our own stderr: only ssh knows why it is refused. In a session of its
            # own it doesn't get our Ctrl-C.
            dialled.process = subprocess.Popen(
                command,
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                start_new_session=True,
            )
        except OSError as error:
            dialled.close()
            why = error.strerror or "the system refused it"
            raise DockerException(f"the program ssh can't be started: {why}") from None
    return dialled


class _Connection(UnixHTTPConnection):
    command: list[str]

    def connect(self) -> None:
        sock = _dial(self.command)
        sock.settimeout(self.timeout)
        self.sock = sock


class _Pool(UnixHTTPConnectionPool):
    command: list[str]

    def _new_conn(self) -> Any:
        timeout: Any = self.timeout
        connection = _Connection(self.base_url, "", timeout)
        connection.command = self.command
        return connection


class SSHAdapter(UnixHTTPAdapter):
    """One pool of connections for all URLs, each over a process of its own."""

    def __init__(self, command: list[str], timeout: Any) -> None:
        super().__init__(PLACEHOLDER, timeout)
        self._pool = _Pool("http+docker://localhost", "", timeout, maxsize=self.max_pool_size)
        self._pool.command = command

    def get_connection(self, url: Any, proxies: Any = None) -> Any:
        """The pool."""
        del url, proxies
        return self._pool

    def close(self) -> None:
        """Close the connections that nobody uses."""
        self._pool.close()
        super().close()
