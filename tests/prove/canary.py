"""Canaries: unique secret values, every shape in which one could show up, and the search for them.
Next door: test_canary.py runs a controller with them; controller/vault redacts.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

from docker import APIClient
from docker.errors import NotFound

from tests.process.process import Controller

Place = tuple[str, bytes]
END = 12  # characters; even this short a piece of a value counts as a leak


def canary(length: int = 33) -> str:
    """A new value that the demo templates accept, unlike any word; URL-encoding changes it."""
    half = secrets.token_urlsafe(length)
    return f"{half[:13]}:{half[13:length]}"


def shapes(value: str) -> dict[bytes, str]:
    """What to search for, and its name: raw, ends, base64 at each alignment, URL, hex."""
    raw = value.encode()
    found: dict[bytes, str] = {
        raw: "raw",
        raw[:END]: "its beginning",
        raw[-END:]: "its end",
        quote(value, safe="").encode(): "URL-encoded",
        quote_plus(value).encode(): "URL-encoded",
        quote(value, safe="").lower().encode(): "URL-encoded",
        re.sub(
            "%..", lambda found: found[0].lower(), quote(value, safe="")
        ).encode(): "URL-encoded",
        raw.hex().encode(): "hex",
        raw.hex().upper().encode(): "hex",
        raw.hex(" ").encode(): "hex",
        json.dumps(value)[1:-1].encode(): "JSON",
        value.encode("utf-16-le"): "UTF-16",
        value[::-1].encode(): "backwards",
    }
    for shift in range(3):  # whatever is before it, up to a group of three bytes
        padded = bytes(shift) + raw
        first, last = -(-8 * shift // 6), 8 * len(padded) // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            found.setdefault(encode(padded)[first:last], f"base64 at {shift}")
    return found


def search(values: Iterable[str], places: Iterable[Place]) -> list[str]:
    """Where a value is, in any shape. Each place is a name with some bytes."""
    wanted = {form: name for value in values for form, name in shapes(value).items()}
    return [
        f"{where}: {name} {form[:8]!r}…"
        for where, blob in places
        for form, name in wanted.items()
        if form in blob
    ]


def everywhere(
    controller: Controller, traffic: str, *, folder: Path, but: Iterable[Path] = ()
) -> Iterator[Place]:
    """All places where no secret may be: files, engine, processes, Discord. `but`: exceptions."""
    yield "Discord, from the bot", traffic.encode()
    apart = tuple(but)
    for file in sorted(folder.rglob("*")):
        if file.is_file() and not file.is_symlink() and not _below(file, apart):
            yield str(file.relative_to(folder)), file.read_bytes()
        yield "names of files", file.name.encode()
    yield from _engine(controller)
    if controller.process is not None and controller.running:
        yield from process(controller.process.pid, "the controller")


def _below(file: Path, folders: tuple[Path, ...]) -> bool:
    return any(file.is_relative_to(folder) for folder in folders)


def _engine(controller: Controller) -> Iterator[Place]:
    client, mine = controller.engine, {"label": f"botmaker.instance={controller.instance}"}
    for row in client.containers(all=True, filters=mine):
        try:
            seen = client.inspect_container(row["Id"])
        except NotFound:
            continue  # a throw-away one that has ended since the listing
        # The bot decides what its health check prints, and the engine keeps that for inspection.
        for entry in (seen["State"].get("Health") or {}).get("Log") or ():
            entry["Output"] = ""
        yield f"inspect of container {seen['Name']}", _text(seen)
        yield f"list row of {seen['Name']}", _text(row)
        if seen["State"]["Pid"]:
            yield from process(seen["State"]["Pid"], seen["Name"])
    yield from _other_things(client, mine)


def _other_things(client: APIClient, mine: dict[str, str]) -> Iterator[Place]:
    found: list[tuple[str, Callable[[str], Any], str]] = []
    for row in client.volumes(filters=mine)["Volumes"] or ():
        found.append((f"volume {row['Name']}", client.inspect_volume, row["Name"]))
    for row in client.networks(filters=mine):
        found.append((f"network {row['Name']}", client.inspect_network, row["Id"]))
    for row in client.images():
        found.append((f"image {row['Id'][:20]}", client.inspect_image, row["Id"]))
    for what, look, name in found:
        with contextlib.suppress(NotFound):  # another test's, gone since the listing
            yield f"inspect of {what}", _text(look(name))


def process(pid: int, name: str) -> Iterator[Place]:
    """What others can read of a process and its children: environment, command line, title."""
    waiting = [pid]
    while waiting:
        home = Path(f"/proc/{waiting.pop()}")
        with contextlib.suppress(OSError):
            for what in ("environ", "cmdline", "comm", "maps"):
                yield f"{what} of {name}", (home / what).read_bytes()
            children = (home / "task" / home.name / "children").read_text().split()
            waiting += [int(child) for child in children]


def core_limit(pid: int) -> str:
    """The soft and hard limit of a process's core dump, which would hold all its secrets."""
    lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
    line = next(line for line in lines if line.startswith("Max core file size"))
    return " ".join(line.split()[4:6])


def _text(seen: Any) -> bytes:
    return json.dumps(seen, ensure_ascii=False).encode()
