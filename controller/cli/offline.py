"""What the console script does without a running controller, or beside one: look, never change."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Callable

from controller.app import catalog_of, host_paths
from controller.chat import Place, redirect_discord
from controller.chat.discord_check import check_discord
from controller.domain.errors import BadSetting, ControllerError
from controller.domain.events import LogQuery
from controller.domain.observation import World
from controller.manager.blueprint import Blueprints
from controller.manager.disk import Disk
from controller.manager.doctor import Finding, Patient, examine, worded
from controller.manager.fleet import Fleet
from controller.manager.hostpaths import HostPaths
from controller.manager.logbook import Logbook
from controller.runtime.engine import EngineRuntime
from controller.runtime.options import engine_options
from controller.settings import Settings, docker_environment
from controller.store import Store
from controller.vault import Redactor, Vault


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
    """Every bot with the phase that follows from a fresh look; `unknown` without an engine."""
    async with _reading(settings) as (store, runtime):
        vault = Vault(settings.secrets_dir.absolute())
        blueprints = Blueprints(
            catalog_of(settings), vault, settings.data_dir / "files", HostPaths()
        )
        fleet, crashes, known = Fleet(), await store.crashes(), True
        for bot in await store.bots():
            fleet.put(bot)
            fleet.crashed(bot.id, tuple(crashes.get(bot.id, ())), ())
            try:
                container = await runtime.observe(bot.id)
            except ControllerError:
                known = False
                continue
            missing, _ = blueprints.secret_trouble(bot)
            fleet.look(bot.id, World(container=container, missing=missing))
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
    """The newest lines of a bot's log, redacted like everything that leaves the program."""
    async with _reading(settings) as (store, runtime):
        fleet = Fleet()
        for bot in await store.bots():
            fleet.put(bot)
        bot = fleet.named(name).bot
        redactor = Redactor()
        redactor.learn(bot.id, Vault(settings.secrets_dir.absolute()).read(bot.id).values())
        disk = Disk()
        try:
            snippet = await Logbook(runtime, redactor, disk).read(bot, LogQuery(lines=lines))
        finally:
            disk.close()
        stamp = "%Y-%m-%dT%H:%M:%SZ"
        return [
            f"{time.strftime(stamp, time.gmtime(line.at))} {line.stream} {line.text}"
            for line in snippet.lines
        ]


async def doctor(settings: Settings, say: Callable[[str], object]) -> int:
    """Examine everything; 1 when something is wrong, 0 else."""
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
    vault, disk = Vault(settings.secrets_dir.absolute()), Disk()
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
                disk=disk,
            )
        )
    except ControllerError as error:
        return [Finding("folders", False, error.message, error.hint)]
    except OSError as error:
        what = f"{settings.data_dir} cannot be used: {error.strerror}"
        remedy = "Check the rights and the free space there, or set BOTMAKER_DATA_DIR."
        return [Finding("folders", False, what, remedy)]
    finally:
        await runtime.close()
        disk.close()
