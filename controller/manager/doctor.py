"""Checks of everything that BotMaker needs below Discord; each finding names its remedy.

The checks of Discord itself are in `chat`.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from controller.catalog import Catalog
from controller.domain.acts import FLEET_DOCTOR
from controller.domain.backup_times import Backed
from controller.domain.disk_words import FAULTS, reason
from controller.domain.errors import BadSetting, ControllerError, ImageMissing, StorageTrouble
from controller.domain.webhook_progress import health
from controller.fleet.hostpaths import HostPaths
from controller.fleet.journal import Caller
from controller.fleet.threads import Threads
from controller.fleet.uid_shift import uid_shift
from controller.fleet.views import Fleet
from controller.loop.story import Stories
from controller.manager.access import Access
from controller.manager.restore_places import was_cut_short
from controller.runtime import Probe, Runtime
from controller.store import Store, examine_database
from controller.vault import Canary, Vault, remove_canary, store_canary

CLOCK_OFF = 30.0  # seconds between two clocks that are worth knowing
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
    """What is examined; no `runtime` where its settings can't be used."""

    runtime: Runtime | None
    vault: Vault
    catalog: Catalog
    host: HostPaths
    data_dir: Path
    threads: Threads
    seal_print: str = ""  # of the key that secrets are sealed to; empty: there is none yet
    running: bool = False  # whether this is the controller's own process


class Doctor:
    """The use-case: examine everything, and tell the story of bots that are in trouble."""

    def __init__(
        self,
        patient: Patient,
        fleet: Fleet,
        stories: Stories,
        access: Access,
        backups: Callable[[], list[Finding]],
    ) -> None:
        self._patient = patient
        self._backups = backups
        self._fleet = fleet
        self._stories = stories
        self._access = access

    async def examine(self, caller: Caller) -> list[Finding]:
        """Every check, then the last steps of each bot that needs somebody."""
        await self._access.require(caller, FLEET_DOCTOR)
        return [*await examine(self._patient), *self._backups(), *self._troubled()]

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
    runtime = patient.runtime
    checks: list[tuple[str, Callable[[], Awaitable[list[Finding]]]]] = [
        ("database", lambda: _database(patient)),
        ("disk", lambda: _space(patient)),
        ("templates", lambda: _templates(patient)),
        ("sealing", lambda: _sealing(patient)),
        ("webhooks", lambda: _webhooks(patient)),
    ]
    if runtime is not None:
        checks += [
            ("engine", lambda: _engine(patient, runtime)),
            ("secrets", lambda: _secrets(patient, runtime)),
        ]
    found: list[Finding] = []
    for subject, check in checks:
        try:
            found += await check()
        except ControllerError as error:
            found.append(Finding(subject, False, error.message, error.hint))
        except FAULTS as error:
            remedy = "Check that the folders exist and that this user may read them."
            found.append(Finding(subject, False, f"can't be looked at: {reason(error)}", remedy))
    return found


def backup_findings(state: Backed, *, scheduled: bool) -> list[Finding]:
    """How the backups go: when the last one was made, or why it wasn't."""
    made = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(state.made_at))
    last = f"the last one is from {made}" if state.made_at else "none was ever made"
    if state.bad:
        why = state.why.rstrip(".")
        remedy = "Fix that, then ask for one with /fleet backup or `botmaker backup`."
        return [Finding("backup", False, f"the scheduled one wasn't made: {why}; {last}", remedy)]
    if not scheduled:
        remedy = "Set BOTMAKER_BACKUP_EVERY, BOTMAKER_BACKUP_DIR and BOTMAKER_BACKUP_RECIPIENTS."
        return [Finding("backup", None, f"none is made by itself; {last}", remedy)]
    return [Finding("backup", bool(state.made_at) or None, last)]


def worded(findings: Sequence[Finding]) -> list[str]:
    """Findings as lines for people."""
    marks = {True: "✅", False: "❌", None: "ℹ️"}
    return [
        f"{marks[f.ok]} {f.subject}: {f.message}" + (f" → {f.remedy}" if f.remedy else "")
        for f in findings
    ]


async def _database(patient: Patient) -> list[Finding]:
    file = patient.data_dir / "botmaker.db"
    if await patient.threads(lambda: was_cut_short(patient.data_dir)):
        text = f"a restore into {patient.data_dir} was cut short"
        remedy = "Run `botmaker restore` again: it begins afresh."
        return [Finding("database", False, text, remedy)]
    if await patient.threads(lambda: _absent(file)):
        if not await patient.threads(lambda: _has_run(patient)):
            return [Finding("database", None, "created at the first start")]
        text = f"{file} is gone, although BotMaker has run here"
        remedy = "Restore the newest copy. Without one, the next start begins afresh."
        return [Finding("database", False, text, remedy)]
    await examine_database(file)
    return [Finding("database", True, "sound")]


def _has_run(patient: Patient) -> bool:
    """Whether a controller was ever started here: what it creates is then missed."""
    return patient.running or not _absent(patient.data_dir / "install.key")


def _absent(place: Path) -> bool:
    """Whether nothing is there; OSError where that can't be told."""
    try:
        place.lstat()
    except FileNotFoundError:
        return True
    return False


async def _space(patient: Patient) -> list[Finding]:
    def look() -> list[Finding]:
        found = []
        for place in (patient.data_dir, patient.vault.root):
            there = next(one for one in (place, *place.parents) if not _absent(one))
            found.append(_free(place, there))
            if there != place and _has_run(patient):
                remedy = "Restore it, or mount it again."
                text = f"{place} is gone: No such file or directory"
                found.append(Finding("folder", False, text, remedy))
            elif there != place:
                found.append(_to_create(place, there))
        return found

    return await patient.threads.secrets(look)


def _free(place: Path, there: Path) -> Finding:
    free = shutil.disk_usage(there).free
    text = f"{free / 1e9:.1f} GB free under {place}"
    low = free < LOW_SPACE
    return Finding("disk", not low, text, "Make room: a full disk stops writes." if low else "")


def _to_create(place: Path, parent: Path) -> Finding:
    if parent.is_dir() and os.access(parent, os.W_OK | os.X_OK):
        return Finding("folder", None, f"{place} is created at the first start")
    remedy = "Create it, or let the user that BotMaker runs as write there."
    return Finding("folder", False, f"{place} can't be created: {parent} isn't writable", remedy)


async def _templates(patient: Patient) -> list[Finding]:
    found = [Finding("templates", True, ", ".join(sorted(patient.catalog.templates)))]
    for refusal in patient.catalog.refused:
        where = f"{refusal.file}, line {refusal.line}" if refusal.line else refusal.file
        text = f"{where}: {refusal.reason}"
        found.append(Finding("templates", False, text, "Fix the file and restart."))
    return found


async def _sealing(patient: Patient) -> list[Finding]:
    if not patient.seal_print:
        return []
    text = f"the key's fingerprint is {patient.seal_print}; it must be the same where you seal"
    return [Finding("sealing", None, text)]


async def _webhooks(patient: Patient) -> list[Finding]:
    """How each webhook is doing, as the controller noted it."""
    try:
        store = await Store.open_read_only(patient.data_dir)
    except (BadSetting, StorageTrouble):
        return []  # the database's own check says what is wrong with it
    try:
        webhooks = await store.webhooks()
    finally:
        await store.close()
    now = time.time()
    return [Finding(f"webhook {one.name}", *health(one, now)) for one in webhooks]


async def _engine(patient: Patient, runtime: Runtime) -> list[Finding]:
    info = await runtime.info()
    found = [Finding("engine", True, f"version {info.version}, API {info.api_version}")]
    shift = uid_shift(info)
    if shift is not None:
        found.append(Finding("engine", False, shift.message, shift.remedy))
    if abs(info.ahead) > CLOCK_OFF:
        where = "ahead of" if info.ahead > 0 else "behind"
        text = f"its clock is {abs(info.ahead):.0f} seconds {where} this machine's"
        remedy = "Set both clocks by NTP, for instance with chrony or systemd-timesyncd."
        found.append(Finding("engine", False, text, remedy))
    if not info.live_restore:
        found.append(
            Finding(
                "engine",
                None,
                "live-restore is off: restarting the engine restarts the bots",
                'Set "live-restore": true in the engine\'s daemon.json.',
            )
        )
    return found + await _network(runtime)


async def _network(runtime: Runtime) -> list[Finding]:
    """How many bots fit into the network, and what gone installations left behind."""
    found = await runtime.network()
    bots = len(await runtime.list_containers())
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


async def _secrets(patient: Patient, runtime: Runtime) -> list[Finding]:
    """Store a canary as the vault would, and read it inside a container as the bot's uid."""
    vault, threads = patient.vault, patient.threads
    if not await threads.secrets(vault.exists):
        return [Finding("secrets", None, "not tried before the first start")]
    image = await _some_image(runtime, patient.catalog)
    canary = await threads.secrets(lambda: store_canary(vault, PROBE_USER))
    try:
        return [await _try(patient, runtime, image, canary)]
    finally:
        await threads.secrets(lambda: remove_canary(canary))


async def _try(patient: Patient, runtime: Runtime, image: str | None, canary: Canary) -> Finding:
    uid, gid = canary.owner
    who = (
        "files go to each template's own uid"
        if patient.vault.can_chown
        else f"this user may not give files to others, so bots run as uid {uid}"
    )
    if image is None:
        text = f"not tried, because no template's image is on this machine ({who})"
        return Finding("secrets", None, text, "Run botmaker build-image demo and ask again.")
    result = await runtime.probe(
        Probe(
            image=image,
            user=f"{uid}:{gid}",
            command=("cat", "/run/secrets/canary"),
            secrets_source=patient.host.translate(canary.folder),
        )
    )
    if result.exit_code == 0 and result.output.strip() == canary.value:
        return Finding("secrets", True, f"readable inside a container as uid {uid}; {who}")
    said = result.output.strip()[:200] or "no output"
    return Finding(
        "secrets",
        False,
        f"a secret was not readable inside a container as uid {uid}: {said}",
        "Run the controller on the machine where the engine runs.",
    )


async def _some_image(runtime: Runtime, catalog: Catalog) -> str | None:
    for template in catalog.templates.values():
        try:
            return await runtime.pin_image(template.image.ref, "never")
        except ImageMissing:
            continue
    return None
