"""`botmaker support-bundle`: what somebody who helps needs to see, in one file without secrets.

It needs no controller. Every part is redacted with all secrets that are kept here, and then
searched for them once more: a part that still has one, or that can't be checked, is left out, and
says so.
"""

from __future__ import annotations

import io
import os
import platform
import sys
import time
import zipfile
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

import click

import controller
from controller.cli import offline
from controller.cli.outcome import FAILED, exit_after
from controller.domain.disk_words import reason, starting
from controller.domain.errors import BadInput, ControllerError
from controller.fleet.threads import Threads
from controller.log_file import newest_lines
from controller.manager.doctor import worded
from controller.manager.webhooks import hidden_in
from controller.settings import KNOWN, Reading, Settings, read_settings, read_text, set_outside
from controller.vault import Redactor, Vault, WebhookVault, known_master_key
from controller.vault.forms import BREAK, forms_of

LOG_MOST = 2_000_000  # bytes of the log's end
KEYS_MOST = 16_384  # bytes of a file with keys
SHORTEST = 8  # characters of a form that is worth searching for: shorter ones are in any text
PACKAGES = ("discord.py", "docker", "aiosqlite", "aiohttp", "pydantic", "cryptography", "pyrage")
HEAD = """What BotMaker knows about itself: versions, what the doctor found, which settings are set
(not to what), and the end of its log. Secrets are taken out. Names and ids of bots, people and
channels are not: look through it before you give it to anybody.
"""


@click.command("support-bundle")
@click.option("--out", metavar="FILE", type=click.Path(path_type=Path), help="The file to write.")
def support_bundle(out: Path | None) -> None:
    """Write what somebody who helps needs to see, without secrets: versions, doctor, log."""

    async def work() -> int:
        path = out or Path(f"botmaker-support-{time.strftime('%Y%m%d-%H%M%S')}.zip")
        parts = await collected(read_settings())
        write(path, packed(parts))
        for name, text in parts.items():
            click.echo(f"  {name}, {text.count(chr(10))} lines")
        click.echo(f"{path}: look through it before you give it to anybody.")
        return 0

    exit_after(work, FAILED)


async def collected(reading: Reading) -> dict[str, str]:
    """Every part by its file's name, ready to be seen."""
    settings, threads = reading.settings, Threads()
    try:
        values, unknown = await threads.secrets(lambda: _secrets(settings))
        log = await threads(lambda: _log(settings))
    finally:
        threads.close()
    redactor = Redactor()
    redactor.learn("", values)
    parts = {
        "README.txt": HEAD,
        "versions.txt": versions(),
        "settings.txt": told_settings(reading),
        "doctor.txt": "\n".join(worded(await offline.examined(reading))) + "\n",
        "log.txt": f"Left out: {unknown}\n" if unknown else log,
    }
    return {name: checked(redactor(text), values) for name, text in parts.items()}


def checked(text: str, values: Iterable[str]) -> str:
    """The text, unless one of the values is in it after all, as it is or in a disguise."""
    joined = BREAK.sub("", text)
    forms = (form for value in values for form in forms_of(value) if len(form) >= SHORTEST)
    if any(form in joined for form in forms):
        return "Left out: a secret was in it after it had been redacted. Please report this.\n"
    return text


def packed(parts: dict[str, str]) -> bytes:
    """The parts as a ZIP file."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(f"botmaker-support/{name}", text)
    return packed.getvalue()


def write(path: Path, data: bytes) -> None:
    """Write a new file that nobody else can read. Raises BadInput if that can't be done."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise BadInput(
            f"{path} can't be written: {reason(error)}.",
            hint="Name another file with --out, in a folder that this user can write to.",
            code="bad-file",
        ) from error
    with os.fdopen(handle, "wb") as file:
        file.write(data)


def versions() -> str:
    """What runs here, a line each."""
    try:
        system = platform.freedesktop_os_release().get("PRETTY_NAME", "")
    except OSError:
        system = ""
    found = {
        "BotMaker": controller.__version__,
        "Python": sys.version.split()[0],
        "system": system or platform.system(),
        "kernel": f"{platform.release()} {platform.machine()}",
    }
    found |= {name: metadata.version(name) for name in PACKAGES}
    return "".join(f"{name}: {version}\n" for name, version in found.items())


def told_settings(reading: Reading) -> str:
    """Each setting: whether it is set and where, and what is wrong with it. No value."""
    outside, chosen = set_outside(), reading.settings.model_fields_set

    def said(variable: str, name: str) -> str:
        if variable in reading.faults:
            return f"wrong: {reading.faults[variable]}"
        if name not in chosen:
            return "default"
        return "set in the environment" if variable in outside else "set in .env"

    lines = [f"{variable}: {said(variable, name)}" for variable, name in sorted(KNOWN.items())]
    lines += [f"{name}: there is no such setting" for name in reading.unknown]
    return "\n".join(lines) + "\n"


def _secrets(settings: Settings) -> tuple[list[str], str]:
    """Every secret that is kept here, and why not all of them are known; empty when they are."""
    found: list[str] = []
    unknown = ""
    for read in (_own, _bots, _webhooks, _edge):
        try:
            found += read(settings)
        except ControllerError as error:
            unknown = f"it can't be searched for secrets, as not all of them can be read: {error}"
    return found, unknown


def _own(settings: Settings) -> Iterator[str]:
    yield settings.token()
    yield settings.discord_token.get_secret_value()
    place = settings.master_key_place()
    if place is not None or (settings.data_dir / "master.key").exists():
        key = known_master_key(settings.data_dir, place)
        yield key.hex()
        yield key.decode("latin-1")


def _bots(settings: Settings) -> Iterator[str]:
    vault = Vault(settings.secrets_dir.absolute())
    for bot_id in vault.bots() if vault.exists() else ():
        yield from vault.read(bot_id).values()


def _webhooks(settings: Settings) -> Iterator[str]:
    vault = WebhookVault(settings.secrets_dir.absolute())
    for webhook_id in vault.everything():
        yield from hidden_in(vault.read(webhook_id))


def _edge(settings: Settings) -> Iterator[str]:
    """The keys of the Worker and of its callers, and Cloudflare's token."""
    for variable, place in {
        "BOTMAKER_EDGE_KEYS_FILE": settings.edge_keys_file,
        "BOTMAKER_EDGE_JWT_KEYS_FILE": settings.edge_jwt_keys_file,
        "BOTMAKER_EDGE_CLOUDFLARE_TOKEN_FILE": settings.edge_cloudflare_token_file,
    }.items():
        if place is not None:
            with starting(f"{variable}={place} can't be read", "BotMaker's user must be able to."):
                lines = read_text(place, KEYS_MOST).splitlines()
            yield from (line.split()[-1] for line in lines if line.split())


def _log(settings: Settings) -> str:
    if settings.log_file is None:
        return (
            "BOTMAKER_LOG_FILE isn't set, so there is no log here. `journalctl -u botmaker` or "
            "`docker compose logs botmaker` may have it; it was redacted when it was written.\n"
        )
    try:
        return newest_lines(settings.log_file, LOG_MOST)
    except OSError as error:
        return f"{settings.log_file} can't be read: {reason(error)}.\n"
