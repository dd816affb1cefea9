"""The composition root: opens every part, runs them in one task group, drains on stop.

Background work is owned here, not by the Discord client: the demo and the tests run the same parts
with another Discord underneath.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from controller.api import serve
from controller.catalog import Catalog, load
from controller.chat import ControllerClient, Place, Publisher, redirect_discord, run_client
from controller.domain.errors import BadSetting, ControllerError, EngineUnavailable, NotFound
from controller.log import set_up
from controller.manager import Manager, Parts, build
from controller.manager.access import StaticGrants
from controller.manager.hostpaths import HostPaths, binds_only, own_container
from controller.runtime import Runtime
from controller.runtime.engine import EngineRuntime
from controller.runtime.options import engine_options
from controller.services import LiveChecks
from controller.settings import Settings, docker_environment
from controller.store import Store, lock
from controller.vault import Fingerprints, Redactor, Vault, install_key

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Application:
    """The whole program, opened and loaded, not yet running."""

    settings: Settings
    manager: Manager
    client: ControllerClient
    publisher: Publisher

    async def run_background(self) -> None:
        """Everything but the Discord connection, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.manager.run(), name="manager")
            group.create_task(self.publisher.run(), name="publisher")
            group.create_task(self.client.late_answers.run(), name="late answers")
            if self.settings.http_listen:
                connected = self.client.is_ready
                listen = self.settings.http_listen
                group.create_task(serve(self.manager, connected, listen), name="http")


@contextlib.asynccontextmanager
async def open_application(
    settings: Settings,
    redactor: Redactor,
    *,
    runtime: Runtime | None = None,
    published: Callable[[], None] = lambda: None,
    wait: bool = False,
    store_type: type[Store] = Store,
    engine_type: type[EngineRuntime] = EngineRuntime,
) -> AsyncIterator[Application]:
    """Open every part; close all of them at the end. Raises BadSetting where a start cannot work.

    `runtime` replaces the engine, `published` is called after a card changed (both for
    simulations); `wait` waits for an engine that does not answer yet. The types are for the proofs,
    which end the process before and after each of their writes.
    """
    async with contextlib.AsyncExitStack() as stack:
        data = settings.data_dir
        _make_folder(settings)
        stack.callback(os.close, lock(data))
        store = await store_type.open(data)
        stack.push_async_callback(store.close)
        instance = await store.instance()
        if runtime is None:
            runtime = engine_type(instance, engine_options(docker_environment()))
        stack.push_async_callback(runtime.close)
        host = await _reach_engine(runtime, wait=wait)
        vault = Vault(settings.secrets_dir.absolute())
        vault.open()
        catalog = catalog_of(settings)
        for refusal in catalog.refused:
            log.error("template %s, line %s: %s", refusal.file, refusal.line, refusal.reason)
        live = live_checks(settings)
        stack.push_async_callback(live.close)
        manager = build(
            Parts(
                instance=instance,
                store=store,
                catalog=catalog,
                vault=vault,
                redactor=redactor,
                fingerprints=Fingerprints(install_key(data)),
                runtime=runtime,
                host=host,
                data_dir=data.absolute(),
                static_grants=static_grants(settings),
                live=live,
            )
        )
        stack.callback(manager.disk.close)
        stack.push_async_callback(manager.wishes.drain)
        await manager.load()
        cut_short = await manager.audit.end_open()
        if cut_short:
            log.warning("%d requests were cut short by the end of the last controller", cut_short)
        place = Place(settings.guild_id, settings.admin_channel_id)
        client = ControllerClient(manager, place)
        await client.late_answers.load()
        publisher = Publisher(manager, client, place, published)
        yield Application(settings, manager, client, publisher)


def catalog_of(settings: Settings) -> Catalog:
    """The templates, with the images that the settings give them."""
    return load(settings.templates_dir).with_images(settings.images)


def live_checks(settings: Settings) -> LiveChecks:
    """The asking of services about secrets, as the settings have it."""
    return LiveChecks(settings.live_checks_base, enabled=settings.live_checks != "off")


def static_grants(settings: Settings) -> StaticGrants:
    """The grants that the settings give."""
    return StaticGrants(
        admin_users=settings.admin_user_ids,
        admin_roles=settings.admin_role_ids,
        operator_roles=settings.operator_role_ids,
        viewer_roles=settings.viewer_role_ids,
    )


def _make_folder(settings: Settings) -> None:
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise BadSetting(
            f"The data folder {settings.data_dir} cannot be made: {error.strerror}.",
            hint="Set BOTMAKER_DATA_DIR to a folder that this user may write.",
        ) from error


async def _reach_engine(runtime: Runtime, *, wait: bool) -> HostPaths:
    while True:
        try:
            info = await runtime.info()
        except EngineUnavailable as error:
            if not wait:
                raise BadSetting(
                    error.message, hint=f"{error.hint} `botmaker run --wait` waits for it.".strip()
                ) from error
            log.warning("waiting for the engine: %s", error)
            await asyncio.sleep(2)
        else:
            log.info("engine %s, API %s", info.version, info.api_version)
            await _sweep(runtime)
            return await host_paths(runtime)


async def _sweep(runtime: Runtime) -> None:
    """Remove what the last controller left in the middle of; no reason not to start."""
    try:
        await runtime.sweep()
    except ControllerError as error:
        log.warning("throw-away containers of an earlier crash may be left: %s", error)


async def host_paths(runtime: Runtime) -> HostPaths:
    """How our paths are named on the engine's host: by our own container's mounts, if in one."""
    own = own_container()
    if own is None:
        return HostPaths()
    try:
        return HostPaths(binds_only(await runtime.mounts_of(own)))
    except NotFound:
        return HostPaths()  # a container, but not one of this engine


async def run(
    settings: Settings,
    *,
    wait: bool = False,
    store_type: type[Store] = Store,
    engine_type: type[EngineRuntime] = EngineRuntime,
) -> None:
    """Run the controller until SIGINT or SIGTERM. Running bots do not notice either end."""
    os.umask(0o077)  # nothing that we write is for others, unless it says so itself
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold every secret we know
    redactor = Redactor()
    set_up(settings.log_level, settings.log_format, redactor)
    settings.require_discord()
    redirect_discord(settings.discord_api_url, settings.discord_gateway_url)
    opening = open_application(
        settings, redactor, wait=wait, store_type=store_type, engine_type=engine_type
    )
    async with opening as application:
        try:
            async with asyncio.TaskGroup() as group:
                work = [
                    group.create_task(application.run_background(), name="background"),
                    group.create_task(run_client(application.client, settings.token())),
                ]
                loop = asyncio.get_running_loop()
                for number in (signal.SIGINT, signal.SIGTERM):
                    loop.add_signal_handler(number, _cancel, work)
        except* ControllerError as group_error:
            raise _first(group_error) from None


def _cancel(work: list[asyncio.Task[None]]) -> None:
    for task in work:
        task.cancel()


def _first(group: BaseExceptionGroup[ControllerError]) -> ControllerError:
    for error in group.exceptions:
        return _first(error) if isinstance(error, BaseExceptionGroup) else error
    raise AssertionError("a group is never empty")
