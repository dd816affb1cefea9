"""nginx and Caddy as processes of a test: the files of deploy/proxy, and a fresh certificate."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp

from controller.api import Gate
from controller.api.request_rates import Rates
from tests.api.client import Api, free_port, serving
from tests.conftest import ROOT
from tests.manager.rig import Rig

HOST = "bots.test"
PROXY = ROOT / "deploy/proxy"
LOCAL = ipaddress.ip_network("127.0.0.0/8")


class ToProxy(aiohttp.abc.AbstractResolver):
    """Finds the public name on this machine."""

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[Any]:
        """127.0.0.1 for every name."""
        found = {"hostname": host, "host": "127.0.0.1", "port": port, "family": 2, "proto": 0}
        return [found | {"flags": 0}]

    async def close(self) -> None:
        """Nothing is open."""


def certificate(folder: Path) -> None:
    """A key and a certificate for the public name, signed by itself."""
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *(
                "-nodes",
                "-days",
                "2",
                "-subj",
                f"/CN={HOST}",
                "-addext",
                f"subjectAltName=DNS:{HOST}",
            ),
            *("-keyout", folder / "privkey.pem", "-out", folder / "fullchain.pem"),
        ],
        check=True,
        capture_output=True,
    )


def nginx_command(
    folder: Path, upstream: int, tls: int, plain: int
) -> tuple[list[str], dict[str, str]]:
    """The template, filled in as setup-server.sh does, on other ports."""
    site = (PROXY / "nginx.conf.template").read_text()
    for name, value in {
        "${BOTMAKER_HOST}": HOST,
        "${BOTMAKER_UPSTREAM}": f"127.0.0.1:{upstream}",
        "${BOTMAKER_TLS}": str(folder),
        "listen 443": f"listen 127.0.0.1:{tls}",
        "listen 80": f"listen 127.0.0.1:{plain}",
        "listen [::]:443 ssl http2;": "",
        "listen [::]:80;": "",
    }.items():
        assert value == HOST or name in site
        site = site.replace(name, value)
    (folder / "site.conf").write_text(site)
    buffers = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    (folder / "nginx.conf").write_text(
        f"user root; daemon off; pid {folder}/pid; error_log stderr;\n"
        "events { worker_connections 256; }\n"
        f"http {{ access_log off; include {folder}/site.conf;"
        + "".join(f" {name}_temp_path {folder}/{name};" for name in buffers)
        + " }\n"
    )
    return ["nginx", "-c", str(folder / "nginx.conf"), "-p", str(folder)], {}


def caddy_command(
    folder: Path, upstream: int, tls: int, plain: int
) -> tuple[list[str], dict[str, str]]:
    """The Caddyfile as it is, but for the port that leads to https."""
    text = (PROXY / "Caddyfile").read_text()
    assert "\tadmin off\n" in text
    (folder / "Caddyfile").write_text(
        text.replace("\tadmin off\n", f"\tadmin off\n\thttp_port {plain}\n\thttps_port {tls}\n")
    )
    environment = {
        "BOTMAKER_PUBLIC_URL": f"https://{HOST}:{tls}",
        "BOTMAKER_UPSTREAM": f"127.0.0.1:{upstream}",
        "BOTMAKER_TLS": f"tls {folder}/fullchain.pem {folder}/privkey.pem",
        "HOME": str(folder),
    }
    return ["caddy", "run", "--config", str(folder / "Caddyfile")], environment


COMMANDS: dict[str, Callable[[Path, int, int, int], tuple[list[str], dict[str, str]]]] = {
    "nginx": nginx_command,
    "caddy": caddy_command,
}
CHECKS = {"nginx": ["-t"], "caddy": []}


class Front:
    """A proxy that runs, the API behind it, and a session whose names lead to it."""

    def __init__(self, api: Api, inner: Api, plain: int, session: aiohttp.ClientSession) -> None:
        self.api = api  # through the proxy
        self.inner = inner  # past it
        self.plain = plain  # the port without https
        self.session = session


@contextlib.asynccontextmanager
async def fronted(kind: str, rig: Rig, folder: Path, rates: Rates) -> AsyncIterator[Front]:
    """This installation's API behind that proxy, until the block ends."""
    certificate(folder)
    tls, plain = free_port(), free_port()
    gate = Gate(f"https://{HOST}:{tls}", (LOCAL,))
    async with serving(rig, rates=rates, gate=gate) as inner:
        upstream = int(inner.url.rpartition(":")[2])
        command, environment = COMMANDS[kind](folder, upstream, tls, plain)
        log = folder / "proxy.log"
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdout=output,
                stderr=output,
                env={"PATH": os.environ["PATH"]} | environment,
            )
        trusted = ssl.create_default_context(cafile=str(folder / "fullchain.pem"))
        connector = aiohttp.TCPConnector(ssl=trusted, resolver=ToProxy())
        jar = aiohttp.DummyCookieJar()
        try:
            async with aiohttp.ClientSession(connector=connector, cookie_jar=jar) as session:
                api = Api(f"https://{HOST}:{tls}", session, inner.token)
                for _ in range(200):
                    assert process.returncode is None, log.read_text()
                    with contextlib.suppress(aiohttp.ClientConnectionError):
                        await api.get("/openapi.json")
                        break
                    await asyncio.sleep(0.05)
                yield Front(api, inner, plain, session)
        finally:
            process.terminate()
            await process.wait()
