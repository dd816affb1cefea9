"""docker-py's transport over a Unix socket, with two of its faults fixed.

docker-py leaves the socket open when a connection fails. It also keeps a pool of connections per
URL, so hardly any connection is used twice. Here the socket is closed, and one pool serves all
URLs.
"""

from __future__ import annotations

import socket
from typing import Any

from docker import APIClient
from docker.transport import UnixHTTPAdapter
from docker.transport.unixconn import UnixHTTPConnection, UnixHTTPConnectionPool

from controller.runtime.ssh_transport import SSHAdapter, over_ssh, ssh_command


class _Connection(UnixHTTPConnection):
    def connect(self) -> None:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(self.timeout)
            sock.connect(self.unix_socket)
        except BaseException:  # raised again, without a socket left open
            sock.close()
            raise
        self.sock = sock


class _Pool(UnixHTTPConnectionPool):
    def _new_conn(self) -> Any:
        timeout: Any = self.timeout
        return _Connection(self.base_url, self.socket_path, timeout)


class _Adapter(UnixHTTPAdapter):
    def get_connection(self, url: Any, proxies: Any = None) -> Any:
        del proxies  # a Unix socket has none
        with self.pools.lock:
            pool = self.pools.get("engine")
            if pool is None:
                pool = _Pool(url, self.socket_path, self.timeout, maxsize=self.max_pool_size)
                self.pools["engine"] = pool
        return pool


def install_transport(client: APIClient, url: str | None) -> None:
    """Give this transport to a client that uses a Unix socket, or ssh; leave any other alone."""
    found = client.get_adapter(client.base_url)
    if over_ssh(url):
        client.mount("http+docker://", SSHAdapter(ssh_command(str(url)), client.timeout))
        found.close()
        return
    if isinstance(found, UnixHTTPAdapter):
        adapter = _Adapter(f"http+unix://{found.socket_path}", found.timeout)
        client.mount("http+docker://", adapter)
        found.close()
