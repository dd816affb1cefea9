"""Checks of everything that BotMaker needs below Discord; each finding names its remedy.

The checks of Discord itself are in `chat`.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from controller.catalog import Catalog
from controller.domain.acts import FLEET_DOCTOR
from controller.domain.errors import ControllerError, ImageMissing
from controller.domain.names import new_bot_id
from controller.fleet.hostpaths import HostPaths
from controller.fleet.journal import Caller
from controller.fleet.threads import Threads
from controller.fleet.views import Fleet
from controller.loop.story import Stories
from controller.manager.access import Access
from controller.runtime import Probe, Runtime
from controller.store import check_database
from controller.vault import Vault

LOW_SPACE = 1_000_000_000  # bytes
NEARLY_FULL = 0.9
PROBE_USER = "1000:1000"
STORY_LINES = 4  # of a bot in trouble


@dataclass(frozen=True, slots=True)
class Finding:
    """One result. `ok` is None for something worth knowing that is neither good nor bad."""

    subject: str
    ok: bool | None
    message: str
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """What is examined."""

    runtime: Runtime
    vault: Vault
    catalog: Catalog
    host: HostPaths
    data_dir: Path
    threads: Threads


class Doctor:
    """The use-case: examine everything, and tell the story of bots that are in trouble."""

    def __init__(self, patient: Patient, fleet: Fleet, stories: Stories, access: Access) -> None:
        self._patient = patient
        self._fleet = fleet
        self._stories = stories
        self._access = access

    async def examine(self, caller: Caller) -> list[Finding]:
        """Every check, then the last steps of each bot that needs somebody."""
        await self._access.require(caller, FLEET_DOCTOR)
        return [*await examine(self._patient), *self._troubled()]

    def _troubled(self) -> list[Finding]:
        found = []
        for view in self._fleet:
            if view.phase.bad or view.held_up:
                lines = [str(line) for line in self._stories.of(view.bot.id)[-STORY_LINES:]]
                text = f"is {view.phase}; its last steps: " + "; ".join(lines)
                found.append(Finding(view.bot.name, None, text))
        return found


async def examine(patient: Patient) -> list[Finding]:
    """Run every check; a check that fails is a finding, never an exception."""
    checks: list[tuple[str, Callable[[Patient], Awaitable[list[Finding]]]]] = [
        ("database", _database),
        ("disk", _space),
        ("templates", _templates),
        ("engine", _engine),
        ("secrets", _secrets),
    ]
    found: list[Finding] = []
    for subject, check in checks:
        try:
            found += await check(patient)
        except ControllerError as error:
            found.append(Finding(subject, False, error.message, error.hint))
        except OSError as error:
            remedy = "Check that the folders exist and that this user may read them."
            found.append(Finding(subject, False, f"can't be looked at: {error}", remedy))
    return found


def worded(findings: Sequence[Finding]) -> list[str]:
    """Findings as lines for people."""
    marks = {True: "✅", False: "❌", None: "ℹ️"}
    return [
        f"{marks[f.ok]} {f.subject}: {f.message}" + (f" → {f.remedy}" if f.remedy else "")
        for f in findings
    ]


async def _database(patient: Patient) -> list[Finding]:
    trouble = await check_database(patient.data_dir / "botmaker.db")
    if trouble:
        remedy = "Stop the controller and restore the newest copy beside the file."
        return [Finding("database", False, trouble, remedy)]
    return [Finding("database", True, "sound")]


async def _space(patient: Patient) -> list[Finding]:
    def look() -> list[Finding]:
        found = []
        for place in (patient.data_dir, patient.vault.root):
            free = shutil.disk_usage(place).free
            text = f"{free / 1e9:.1f} GB free under {place}"
            low = free < LOW_SPACE
            remedy = "Make room: a full disk stops writes." if low else ""
            found.append(Finding("disk", not low, text, remedy))
        return found

    return await patient.threads(look)


async def _templates(patient: Patient) -> list[Finding]:
    found = [Finding("templates", True, ", ".join(sorted(patient.catalog.templates)))]
    for refusal in patient.catalog.refused:
        where = f"{refusal.file}, line {refusal.line}" if refusal.line else refusal.file
        text = f"{where}: {refusal.reason}"
        found.append(Finding("templates", False, text, "Fix the file and restart."))
    return found


async def _engine(patient: Patient) -> list[Finding]:
    info = await patient.runtime.info()
    found = [Finding("engine", True, f"version {info.version}, API {info.api_version}")]
    if not info.live_restore:
        found.append(
            Finding(
                "engine",
                None,
                "live-restore is off: restarting the engine restarts the bots",
                'Set "live-restore": true in the engine\'s daemon.json.',
            )
        )
    return found + await _network(patient)


async def _network(patient: Patient) -> list[Finding]:
    """How many bots fit into the network, and what gone installations left behind."""
    found = await patient.runtime.network()
    bots = len(await patient.runtime.list_containers())
    larger = (
        "Set BOTMAKER_NETWORK_SUBNET to a larger subnet, stop all bots and BotMaker, run docker "
        f"network rm {found.name}, and start them again."
    )
    findings: list[Finding] = []
    room = f"{bots} of {found.fits} bots fit into {found.subnet}"
    full = bots >= found.fits * NEARLY_FULL
    if found.subnet:
        findings.append(Finding("network", not full, room, larger if full else ""))
    if found.wanted and found.subnet != found.wanted:
        text = f"still has {found.subnet} rather than BOTMAKER_NETWORK_SUBNET, {found.wanted}"
        again = f"Stop all bots and BotMaker, run docker network rm {found.name}, start them again."
        findings.append(Finding("network", None, text, again))
    for name in found.leftovers:
        text = f"{name} belongs to another installation and has no container"
        remedy = f"If that installation is gone: docker network rm {name}."
        findings.append(Finding("network", None, text, remedy))
    return findings


async def _secrets(patient: Patient) -> list[Finding]:
    """Write a canary as the vault would, and read it inside a container as the bot's uid."""
    uid, gid = await patient.threads(lambda: patient.vault.owner_for(PROBE_USER))
    who = (
        "files go to each template's own uid"
        if patient.vault.can_chown
        else (f"this user may not give files to others, so bots run as uid {uid}")
    )
    image = await _some_image(patient)
    if image is None:
        text = f"not tried, because no template's image is on this machine ({who})"
        return [Finding("secrets", None, text, "Run images/build.py demo and ask again.")]
    bot_id, canary = new_bot_id(), secrets.token_hex(16)
    try:
        await patient.threads(lambda: patient.vault.write(bot_id, {"canary": canary}, (uid, gid)))
        result = await patient.runtime.probe(
            Probe(
                image=image,
                user=f"{uid}:{gid}",
                command=("cat", "/run/secrets/canary"),
                secrets_source=patient.host.translate(patient.vault.root / bot_id),
            )
        )
    finally:
        await patient.threads(lambda: patient.vault.drop(bot_id))
    if result.exit_code == 0 and result.output.strip() == canary:
        return [Finding("secrets", True, f"readable inside a container as uid {uid}; {who}")]
    return [
        Finding(
            "secrets",
            False,
            f"a secret was not readable inside a container as uid {uid}: "
            f"{result.output.strip()[:200] or 'no output'}",
            "If the engine runs elsewhere or shifts uids (rootless, userns-remap), run the "
            "controller where the engine runs, as the uid that it maps to.",
        )
    ]


async def _some_image(patient: Patient) -> str | None:
    for template in patient.catalog.templates.values():
        try:
            return await patient.runtime.pin_image(template.image.ref, "never")
        except ImageMissing:
            continue
    return None
