"""What the console script does without the controller: it looks, and never changes anything."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Callable

from controller.app import catalog_of, host_paths, journal_key
from controller.chat import Place, redirect_discord
from controller.chat.discord_check import check_discord
from controller.domain.access import Principal
from controller.domain.errors import BadSetting, ControllerError
from controller.domain.events import LogQuery
from controller.domain.observation import World
from controller.fleet.blueprint import Blueprints
from controller.fleet.hostpaths import HostPaths
from controller.fleet.journal import Caller, Journal
from controller.fleet.threads import Threads
from controller.fleet.views import Fleet
from controller.manager.access import Access, StaticGrants
from controller.manager.doctor import Finding, Patient, examine, worded
from controller.manager.history import Choice, Event, events, verify
from controller.manager.logbook import Logbook
from controller.runtime.engine import EngineRuntime
from controller.runtime.options import engine_options
from controller.settings import Settings, docker_environment
from controller.store import Store
from controller.store.chain import Checked
from controller.vault import Redactor, Vault, install_key

# Whoever has a shell on the machine and may read the data folder.
CONSOLE = Caller(Principal("console", "", "console"))


@contextlib.asynccontextmanager
async def _reading(settings: Settings) -> AsyncIterator[tuple[Store, EngineRuntime]]:
    store = await Store.open_read_only(settings.data_dir)
    try:
        instance = await store.recall("instance")
        runtime = EngineRuntime(instance, engine_options(docker_environment()))
        try:
            yield store, runtime
        finally:
            await runtime.close()
    finally:
        await store.close()


async def list_bots(settings: Settings) -> list[dict[str, str]]:
    """Every bot with its phase from a fresh look; `unknown` if the engine doesn't answer."""
    async with _reading(settings) as (store, runtime):
        vault = Vault(settings.secrets_dir.absolute())
        blueprints = Blueprints(
            catalog_of(settings), vault, settings.data_dir / "files", HostPaths()
        )
        fleet, crashes, known = Fleet(), await store.crashes(), True
        for bot in await store.bots():
            fleet.show_bot(bot)
            fleet.show_crashes(bot.id, tuple(crashes.get(bot.id, ())))
            try:
                container = await runtime.observe(bot.id)
            except ControllerError:
                known = False
                continue
            missing, _ = blueprints.secret_trouble(bot)
            fleet.show_world(bot.id, World(container=container, missing=missing))
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


async def read_log(settings: Settings, name: str, lines: int) -> list[str]:
    """The newest lines of a bot's log, redacted like all the program's output."""
    async with _reading(settings) as (store, runtime):
        fleet = Fleet()
        for bot in await store.bots():
            fleet.show_bot(bot)
        bot = fleet.named(name).bot
        redactor = Redactor()
        redactor.learn(bot.id, Vault(settings.secrets_dir.absolute()).read(bot.id).values())
        threads = Threads()
        journal = Journal(store, settings.data_dir / "journal", threads)
        access = Access(store, fleet, journal, StaticGrants())
        logbook = Logbook(runtime, redactor, threads, access)
        try:
            snippet = await logbook.read(CONSOLE, bot, LogQuery(lines=lines))
        finally:
            threads.close()
        stamp = "%Y-%m-%dT%H:%M:%SZ"
        return [
            f"{time.strftime(stamp, time.gmtime(line.at))} {line.stream} {line.text}"
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


async def verify_history(settings: Settings) -> Checked:
    """Check the journal's chain, from its first entry to the newest."""
    threads = Threads()
    store = await Store.open_read_only(settings.data_dir)
    try:
        key = journal_key(install_key(settings.data_dir))
        return await verify(store, settings.data_dir / "journal", key, threads)
    finally:
        await store.close()
        threads.close()


async def doctor(settings: Settings, say: Callable[[str], object]) -> int:
    """Check everything and say each finding; 1 if something is wrong, else 0."""
    findings: list[Finding] = []
    try:
        settings.require_discord()
        redirect_discord(settings.discord_api_url, settings.discord_gateway_url)
        findings.append(Finding("settings", True, "complete"))
        place = Place(settings.guild_id, settings.admin_channel_id)
        findings += [Finding(*result) for result in await check_discord(settings.token(), place)]
    except BadSetting as error:
        findings.append(Finding("settings", False, error.message, error.hint))
    findings += await _examine_here(settings)
    for line in worded(findings):
        say(line)
    return 1 if any(finding.ok is False for finding in findings) else 0


async def _examine_here(settings: Settings) -> list[Finding]:
    vault, threads = Vault(settings.secrets_dir.absolute()), Threads()
    runtime = EngineRuntime("doctor", engine_options(docker_environment()))
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        vault.open()
        try:
            host = await host_paths(runtime)
        except ControllerError:
            host = HostPaths()  # the engine check says what is wrong
        return await examine(
            Patient(
                runtime=runtime,
                vault=vault,
                catalog=catalog_of(settings),
                host=host,
                data_dir=settings.data_dir.absolute(),
                threads=threads,
            )
        )
    except ControllerError as error:
        return [Finding("folders", False, error.message, error.hint)]
    except OSError as error:
        what = f"{settings.data_dir} can't be used: {error.strerror}"
        remedy = "Check its permissions and free space, or set BOTMAKER_DATA_DIR to another folder."
        return [Finding("folders", False, what, remedy)]
    finally:
        await runtime.close()
        threads.close()
