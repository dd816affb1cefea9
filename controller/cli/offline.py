"""What the console script does without the controller: it looks, and never changes anything."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace

from controller.app import catalog_of, host_paths
from controller.catalog import load
from controller.chat import Place, redirect_discord
from controller.chat.discord_check import check_discord
from controller.domain.access import CONSOLE
from controller.domain.bot import Bot
from controller.domain.errors import BadSetting, ControllerError, StorageTrouble
from controller.domain.observation import ListedContainer, Observation, World
from controller.fleet.blueprint import Blueprints
from controller.fleet.hostpaths import HostPaths
from controller.fleet.journal import Caller, Journal
from controller.fleet.threads import Threads
from controller.fleet.views import Fleet
from controller.manager.access import Access, StaticGrants
from controller.manager.doctor import Finding, Patient, examine, worded
from controller.manager.history import Choice, Event, events, verify
from controller.manager.logbook import Logbook
from controller.manager.webhooks import WebhookSeen
from controller.runtime.engine import EngineRuntime
from controller.runtime.options import engine_options
from controller.settings import Reading, Settings
from controller.store import Store
from controller.store.chain import Checked
from controller.vault import (
    AtRest,
    Redactor,
    SealKey,
    Vault,
    journal_key,
    known_key,
    known_master_key,
)

HELP = "docs/configuration.md, in the project's repository, shows what it takes."
DISCORD_URLS = {"BOTMAKER_DISCORD_API_URL", "BOTMAKER_DISCORD_GATEWAY_URL"}
CONSOLE_ASKS = Caller(CONSOLE)


@contextlib.asynccontextmanager
async def _reading(settings: Settings) -> AsyncIterator[tuple[Store, EngineRuntime]]:
    store = await Store.open_read_only(settings.data_dir)
    try:
        instance = await store.recall("instance")
        runtime = EngineRuntime(instance, engine_options(settings.docker))
        try:
            yield store, runtime
        finally:
            await runtime.close()
    finally:
        await store.close()


async def list_bots(settings: Settings) -> list[dict[str, str]]:
    """Every bot with its phase from a fresh look; `unknown` where the engine doesn't tell.

    The engine is asked once, for all of them.
    """
    async with _reading(settings) as (store, runtime):
        fleet, known = Fleet(engine_time=runtime.engine_time), True
        crashes, bots = await store.crashes(), await store.bots()
        try:
            listed = {row.bot_id: row for row in await runtime.list_containers()}
        except ControllerError:
            listed, known = {}, False
        missing = await _missing_secrets(settings, bots)
        for bot in bots:
            fleet.show_bot(bot)
            fleet.show_crashes(bot.id, tuple(crashes.get(bot.id, ())))
            row = listed.get(bot.id)
            world = World(container=_seen(row) if row else None, missing=missing[bot.id])
            fleet.show_world(bot.id, world)
        return [
            {
                "name": view.bot.name,
                "id": view.bot.id,
                "phase": view.phase.value if known else "unknown",
                "wish": view.bot.wish.value,
                "template": view.bot.template,
                "provider": view.bot.provider,
                "model": view.bot.model,
                "channel": view.bot.channel,
            }
            for view in fleet
        ]


def _seen(row: ListedContainer) -> Observation:
    return Observation(container_id=row.container_id, state=row.state, health=row.health)


async def _missing_secrets(settings: Settings, bots: Sequence[Bot]) -> dict[str, tuple[str, ...]]:
    """The required secrets that don't exist, by bot; none where this user can't look."""
    vault, threads = Vault(settings.secrets_dir.absolute()), Threads()
    files, unopened = settings.data_dir / "files", AtRest(())
    blueprints = Blueprints(catalog_of(settings), vault, files, HostPaths(), unopened)

    def missing(bot: Bot) -> tuple[str, ...]:
        try:
            there = vault.names(bot.id)
        except ControllerError:
            return ()
        return tuple(name for name in blueprints.required_secrets(bot) if name not in there)

    try:
        return await threads.secrets(lambda: {bot.id: missing(bot) for bot in bots})
    except StorageTrouble:
        return {bot.id: () for bot in bots}
    finally:
        threads.close()


async def read_log(
    settings: Settings, name: str, lines: int, since: str = "", grep: str = ""
) -> list[tuple[str, str, str]]:
    """The newest lines of a bot's log, redacted like all the program's output: each with its time
    (RFC 3339) and stream."""
    async with _reading(settings) as (store, runtime):
        fleet = Fleet()
        for bot in await store.bots():
            fleet.show_bot(bot)
        bot = fleet.named(name).bot
        redactor = Redactor()
        threads = Threads()
        vault = Vault(settings.secrets_dir.absolute())
        redactor.learn(bot.id, (await threads.secrets(lambda: vault.read(bot.id))).values())
        journal = Journal(store, settings.data_dir / "journal", threads)
        access = Access(store, fleet, journal, StaticGrants())
        logbook = Logbook(runtime, redactor, threads, access)
        query = replace(logbook.parse(None, since, grep, "both"), lines=lines)
        try:
            snippet = await logbook.read(CONSOLE_ASKS, bot, query)
        finally:
            threads.close()
        stamp = "%Y-%m-%dT%H:%M:%SZ"
        return [
            (time.strftime(stamp, time.gmtime(line.at)), line.stream, line.text)
            for line in snippet.lines
        ]


async def read_history(settings: Settings, name: str, limit: int) -> list[Event]:
    """The newest events, newest first: of the bot of that name, or of everything."""
    store = await Store.open_read_only(settings.data_dir)
    try:
        fleet = Fleet()
        for bot in await store.bots():
            fleet.show_bot(bot)
        bot_id = fleet.named(name).bot.id if name else ""
        return await events(store, bot_id, Choice(refusals=True, limit=limit))
    finally:
        await store.close()


async def list_webhooks(settings: Settings) -> list[WebhookSeen]:
    """Every webhook, as the controller left it."""
    store = await Store.open_read_only(settings.data_dir)
    try:
        return [
            WebhookSeen(one, await store.waiting(one.cursor, one.kinds))
            for one in await store.webhooks()
        ]
    finally:
        await store.close()


async def verify_history(settings: Settings) -> Checked:
    """Check the journal's chain, from its first entry to the newest."""
    threads = Threads()
    store = await Store.open_read_only(settings.data_dir)
    try:
        key = journal_key(known_key(settings.data_dir))
        return await verify(store, settings.data_dir / "journal", key, threads)
    finally:
        await store.close()
        threads.close()


async def doctor(reading: Reading, say: Callable[[str], object]) -> int:
    """Check everything and say each finding; 1 if something is wrong, else 0. Changes nothing."""
    findings = await examined(reading)
    for line in worded(findings):
        say(line)
    return status_of(findings)


def status_of(findings: Sequence[Finding]) -> int:
    """1 if something is wrong, else 0."""
    return 1 if any(finding.ok is False for finding in findings) else 0


async def examined(reading: Reading) -> list[Finding]:
    """Everything that is found, good or bad. Changes nothing."""
    settings = reading.settings
    findings = [
        Finding("settings", False, f"{name}: {why}", HELP) for name, why in reading.faults.items()
    ]
    findings += [Finding("settings", None, *one) for one in strangers(reading)]
    try:
        settings.require_discord()
        if reading.faults.keys() & DISCORD_URLS:
            raise BadSetting("Discord isn't checked.", hint="Fix the addresses above first.")
        redirect_discord(settings.discord_api_url, settings.discord_gateway_url)
        if not reading.faults:
            findings.append(Finding("settings", True, "complete"))
        place = Place(settings.guild_id, settings.admin_channel_id)
        findings += [Finding(*result) for result in await check_discord(settings.token(), place)]
    except BadSetting as error:
        findings.append(Finding("settings", False, error.message, error.hint))
    return findings + await _examine_here(settings)


def strangers(reading: Reading) -> list[tuple[str, str]]:
    """What is wrong and what to do, for each setting whose name nobody knows."""
    return [
        (f"there is no setting {name}", f"Did you mean {nearest}?" if nearest else "Remove it.")
        for name, nearest in reading.unknown.items()
    ]


async def _seal_print(settings: Settings) -> str:
    """The fingerprint of the key that secrets are sealed to; empty before the first start."""
    try:
        master = known_master_key(settings.data_dir, settings.master_key_place())
        store = await Store.open_read_only(settings.data_dir)
    except ControllerError:
        return ""
    try:
        return SealKey(master, await store.recall("instance")).fingerprint
    except ControllerError:
        return ""
    finally:
        await store.close()


async def _examine_here(settings: Settings) -> list[Finding]:
    findings: list[Finding] = []
    seal_print = await _seal_print(settings)
    try:
        catalog = catalog_of(settings)
    except ControllerError as error:
        findings.append(Finding("templates", False, error.message, error.hint))
        catalog = load(None)
    async with contextlib.AsyncExitStack() as stack:
        threads = Threads()
        stack.callback(threads.close)
        runtime, host = None, HostPaths()
        try:
            runtime = EngineRuntime("doctor", engine_options(settings.docker))
            stack.push_async_callback(runtime.close)
            host = await host_paths(runtime)
        except BadSetting as error:
            findings.append(Finding("engine", False, error.message, error.hint))
        except ControllerError:
            pass  # the engine check says what is wrong
        patient = Patient(
            runtime=runtime,
            vault=Vault(settings.secrets_dir.absolute()),
            catalog=catalog,
            host=host,
            data_dir=settings.data_dir.absolute(),
            threads=threads,
            seal_print=seal_print,
        )
        return findings + await examine(patient)
