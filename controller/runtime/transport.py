"""docker-py's Unix socket transport, with two of its habits mended.

It leaves the socket open when a connection fails, and keeps a pool of connections for every single
URL, so that hardly one is used twice. Here the socket is closed, and one pool serves all.
"""

from __future__ import annotations

import socket
from typing import Any

from docker import APIClient
from docker.transport import UnixHTTPAdapter
from docker.transport.unixconn import UnixHTTPConnection, UnixHTTPConnectionPool


class _Connection(UnixHTTPConnection):
    def connect(self) -> None:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(self.timeout)
            sock.connect(self.unix_socket)
        except BaseException:
            sock.close()
            raise
        self.sock = sock


class _Pool(UnixHTTPConnectionPool):
    def _new_conn(self) -> Any:
        timeout: Any = self.timeout
        return _Connection(self.base_url, self.socket_path, timeout)


class _Adapter(UnixHTTPAdapter):
    def get_connection(self, url: Any, proxies: Any = None) -> Any:
        del proxies  # there are none on a Unix socket
        with self.pools.lock:
            pool = self.pools.get("engine")
            if pool is None:
                pool = _Pool(url, self.socket_path, self.timeout, maxsize=self.max_pool_size)
                self.pools["engine"] = pool
        return pool


def mend(client: APIClient) -> None:
    """Give a client that speaks through a Unix socket this transport; leave others alone."""
    found = client.get_adapter(client.base_url)
    if isinstance(found, UnixHTTPAdapter):
        adapter = _Adapter(f"http+unix://{found.socket_path}", found.timeout)
        client.mount("http+docker://", adapter)
        found.close()
