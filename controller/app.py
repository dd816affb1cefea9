"""The composition root: opens every part, runs them in one task group, and drains on stop.

Background work belongs to this module, not to the Discord client, so the demo and the tests can
run the same parts on a simulated Discord.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from controller.api import Gate, KeyHolders, serve, serve_console, tokens_of_services
from controller.backups import locks_from
from controller.catalog import Catalog, load
from controller.chat import (
    Announcer,
    ControllerClient,
    Place,
    Progress,
    Publisher,
    redirect_discord,
    run_client,
)
from controller.domain.disk_words import starting
from controller.domain.errors import (
    BadInput,
    BadSetting,
    ControllerError,
    EngineUnavailable,
    NotFound,
)
from controller.domain.incident import Pace
from controller.edge_wiring import edge_names, edge_of, worker_plan
from controller.fleet.hostpaths import HostPaths, binds_only, own_container
from controller.fleet.threads import Threads
from controller.fleet.uid_shift import uid_shift
from controller.log import set_up
from controller.manager import Installation, Manager, Parts, build
from controller.manager.access import StaticGrants
from controller.manager.backups import Plan
from controller.manager.restore_places import Places, require_finished
from controller.runtime import EngineInfo, Runtime
from controller.runtime.engine import EngineRuntime
from controller.runtime.options import engine_options
from controller.service_manager import ServiceManager, told
from controller.services import LiveChecks
from controller.settings import Settings, service_manager
from controller.spared_loop import set_imports_aside, spare_the_loop
from controller.store import Store, lock
from controller.vault import (
    AtRest,
    Fingerprints,
    Redactor,
    SealKey,
    Vault,
    install_key,
    journal_key,
    masters,
)

if TYPE_CHECKING:
    from controller.edge.edge_tasks import Edge

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Application:
    """The whole program, opened and loaded but not yet running."""

    settings: Settings
    installation: Installation
    client: ControllerClient
    publisher: Publisher
    announcer: Announcer
    progress: Progress
    edge: Edge | None = None
    doors: set[str] = field(default_factory=set)  # those that are open

    @property
    def manager(self) -> Manager:
        """Everything that can be asked of BotMaker."""
        return self.installation.manager

    async def run_background(self) -> None:
        """Run everything except the Discord connection, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.installation.loop.run(), name="loop")
            group.create_task(self.installation.courier.run(), name="courier")
            group.create_task(
                serve_console(
                    self.manager,
                    self.is_online,
                    self.settings.data_dir,
                    partial(self.doors.add, "console"),
                ),
                name="console",
            )
            group.create_task(self.manager.backups.run(), name="backups")
            group.create_task(self.manager.schedule_runs.run(), name="schedules")
            group.create_task(self.manager.batches.run(), name="batches")
            group.create_task(self.manager.sampler.run(), name="sampler")
            group.create_task(self.manager.update_checks.run(), name="update checks")
            group.create_task(self.publisher.run(), name="publisher")
            group.create_task(self.manager.incidents.run(), name="incidents")
            group.create_task(self.announcer.run(), name="announcer")
            group.create_task(self.progress.run(), name="progress of batches")
            group.create_task(self.client.notices.run(), name="notices")
            group.create_task(self.client.late_answers.run(), name="late answers")
            group.create_task(self.client.log_following.run(), name="followed logs")
            if self.edge is not None:
                group.create_task(self.edge.run(), name="edge")
            if self.settings.http_listen:
                group.create_task(self._serve(self.settings.http_listen), name="http")

    async def _serve(self, listen: str) -> None:
        """Serve health, metrics and, if the settings say so, the API."""
        callers = self._callers() if self.settings.api else None
        more = (lambda _: None) if self.edge is None else self.edge.internal.add_to
        opened = partial(self.doors.add, "http")
        await serve(self.manager, self.is_online, listen, callers, opened=opened, more=more)

    def _callers(self) -> KeyHolders:
        settings = self.settings
        return KeyHolders(
            self.manager,
            self.client.members.roles_of,
            Gate(settings.public_url, settings.trusted_proxies, edge_names(settings)),
            tokens_of_services(settings),
            self.edge.calls if self.edge is not None else None,
        )

    def is_online(self) -> bool:
        """Whether Discord is connected now."""
        return self.client.is_online

    def serves(self) -> bool:
        """Whether whoever may ask is answered: over Discord, the console's socket and HTTP."""
        wanted = {"console", "http"} if self.settings.http_listen else {"console"}
        return self.is_online() and wanted <= self.doors


@contextlib.asynccontextmanager
async def open_application(  # noqa: PLR0913 - what simulations and proofs replace
    settings: Settings,
    redactor: Redactor,
    *,
    runtime: Runtime | None = None,
    published: Callable[[], None] = lambda: None,
    pace: Pace | None = None,
    wait: bool = False,
    store_type: type[Store] = Store,
    engine_type: type[EngineRuntime] = EngineRuntime,
) -> AsyncIterator[Application]:
    """Open every part, and close them all at the end. Raises BadSetting if a start can't work.

    `runtime` replaces the engine, `published` is called after each change of a card, and `pace` is
    that of incidents: for simulations. `wait` waits for an engine that doesn't answer yet. The two
    types are for the proofs, which kill the process before and after each of their writes.
    """
    async with contextlib.AsyncExitStack() as stack:
        data = settings.data_dir
        with starting(
            f"The data folder {data} can't be created",
            "Set BOTMAKER_DATA_DIR to a folder that this user can write to.",
        ):
            data.mkdir(parents=True, exist_ok=True, mode=0o700)
        stack.callback(os.close, lock(data))
        require_finished(places(settings))
        key = install_key(data)
        store = await store_type.open(data, journal_key(key))
        stack.push_async_callback(store.close)
        instance = await store.instance()
        if runtime is None:
            options = engine_options(settings.docker)
            runtime = engine_type(instance, options, subnet=settings.network_subnet)
        stack.push_async_callback(runtime.close)
        info = await _reach_engine(runtime, wait=wait)
        host, shift = await host_paths(runtime), uid_shift(info)
        if shift is not None:
            log.error("%s. %s", shift.message, shift.remedy)
        vault = await _open_vault(settings)
        catalog = catalog_of(settings)
        for refusal in catalog.refused:
            log.error("template %s, line %s: %s", refusal.file, refusal.line, refusal.reason)
        live = live_checks(settings)
        stack.push_async_callback(live.close)
        fingerprints = Fingerprints(key)
        keys = masters(data, settings.master_key_place())
        seal_key = SealKey(keys[0], instance)
        log.info("secrets can be sealed; the key's fingerprint: %s", seal_key.fingerprint)
        installation = build(
            Parts(
                instance=instance,
                store=store,
                catalog=catalog,
                vault=vault,
                redactor=redactor,
                fingerprints=fingerprints,
                runtime=runtime,
                host=host,
                data_dir=data.absolute(),
                static_grants=static_grants(settings),
                live=live,
                seal_key=seal_key,
                at_rest=AtRest(keys),
                sealed_only=settings.sealed_only,
                ceiling=settings.ceiling,
                secret_reminder=settings.secret_reminder * 86_400.0,
                shift=shift,
                own_tokens=_own_tokens(settings, fingerprints),
                key=key,
                templates_dir=settings.templates_dir,
                backups=backup_plan(settings),
                update_checks=settings.update_checks,
                worker=worker_plan(settings),
                pace=pace or Pace(),
            )
        )
        stack.push_async_callback(installation.close)
        await installation.load()
        place = Place(settings.guild_id, settings.admin_channel_id, settings.language)
        manager = installation.manager
        client = ControllerClient(manager, place, public_url=settings.web_url, forms=settings.forms)
        await client.late_answers.load()
        publisher = Publisher(manager, client, place, published)
        announcer = Announcer(manager, client, place)
        progress = Progress(manager, client, place, client.connected)
        edge = edge_of(settings, installation, fingerprints, lambda: client.is_online)
        yield Application(settings, installation, client, publisher, announcer, progress, edge)


def _own_tokens(settings: Settings, fingerprints: Fingerprints) -> frozenset[str]:
    """BotMaker's own token as a hash: no bot may run on it."""
    token = settings.token()
    return frozenset({fingerprints.of_value(token)} if token else ())


def catalog_of(settings: Settings) -> Catalog:
    """The templates, with the images that the settings choose for them."""
    return load(settings.templates_dir).with_images(settings.images)


def places(settings: Settings) -> Places:
    """Where the installation lives."""
    data, secrets = settings.data_dir.absolute(), settings.secrets_dir.absolute()
    templates = settings.templates_dir
    given = templates.absolute() if templates else None
    return Places(data, secrets, given, settings.master_key_place())


def backup_plan(settings: Settings) -> Plan:
    """Which backups are made by themselves. Raises BadSetting for recipients that can't be used."""
    given = settings.backups_for()
    try:
        locks = locks_from(given) if given else None
    except BadInput as error:
        raise BadSetting(f"BOTMAKER_BACKUP_RECIPIENTS: {error.message}", hint=error.hint) from None
    plan = Plan(
        folder=settings.backup_dir.absolute() if settings.backup_dir else None,
        locks=locks,
        every=settings.backup_every,
        keep=settings.backup_keep,
        volumes=settings.backup_volumes,
    )
    if plan.every and not plan.scheduled:
        raise BadSetting(
            "BOTMAKER_BACKUP_EVERY is set, and BOTMAKER_BACKUP_DIR or BOTMAKER_BACKUP_RECIPIENTS "
            "isn't.",
            hint="Backups need a folder, and a recipient to be encrypted for.",
        )
    return plan


def live_checks(settings: Settings) -> LiveChecks:
    """The live checks as the settings configure them."""
    return LiveChecks(settings.live_checks_base, enabled=settings.live_checks != "off")


def static_grants(settings: Settings) -> StaticGrants:
    """The grants made by the settings."""
    return StaticGrants(
        admin_users=settings.admin_user_ids,
        admin_roles=settings.admin_role_ids,
        operator_roles=settings.operator_role_ids,
        viewer_roles=settings.viewer_role_ids,
    )


async def _open_vault(settings: Settings) -> Vault:
    vault, threads = Vault(settings.secrets_dir.absolute()), Threads()

    def work() -> bool:
        vault.open()
        return vault.can_chown  # tried out here, once for all

    try:
        await threads.secrets(work)
    finally:
        threads.close()
    return vault


async def _reach_engine(runtime: Runtime, *, wait: bool) -> EngineInfo:
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
            return info


async def _sweep(runtime: Runtime) -> None:
    """Remove what the last controller left unfinished; a failure doesn't prevent the start."""
    try:
        await runtime.sweep()
    except ControllerError as error:
        log.warning("throw-away containers from an earlier crash may be left over: %s", error)


async def host_paths(runtime: Runtime) -> HostPaths:
    """Translates our paths to the engine host's: by our container's mounts, if we run in one."""
    own = own_container()
    if own is None:
        return HostPaths()
    try:
        return HostPaths(binds_only(await runtime.mounts_of(own)))
    except NotFound:
        return HostPaths()  # in a container, but of another engine


async def run(
    settings: Settings,
    *,
    wait: bool = False,
    notes: Sequence[str] = (),
    store_type: type[Store] = Store,
    engine_type: type[EngineRuntime] = EngineRuntime,
) -> None:
    """Run the controller until SIGINT or SIGTERM. Running bots notice neither start nor stop.

    `notes` about the settings go to the log.
    """
    set_imports_aside()
    os.umask(0o077)  # by default nobody else can read what we write
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold every secret we know
    redactor = Redactor()
    set_up(settings.log_level, settings.log_format, redactor, settings.opened_log_file())
    for note in notes:
        log.warning("%s", note)
    settings.require_discord()
    settings.require_private_way()
    redirect_discord(settings.discord_api_url, settings.discord_gateway_url)
    opening = open_application(
        settings, redactor, wait=wait, store_type=store_type, engine_type=engine_type
    )
    async with told(service_manager()) as systemd, opening as application:
        systemd.ready_when(application.serves)
        spare_the_loop()
        try:
            async with asyncio.TaskGroup() as group:
                work = [
                    group.create_task(application.run_background(), name="background"),
                    group.create_task(run_client(application.client, settings.token())),
                ]
                loop = asyncio.get_running_loop()
                for number in (signal.SIGINT, signal.SIGTERM):
                    loop.add_signal_handler(number, _cancel, work, systemd)
        except* ControllerError as group_error:
            raise _first(group_error) from None


def _cancel(work: list[asyncio.Task[None]], systemd: ServiceManager) -> None:
    systemd.stopping()
    for task in work:
        task.cancel()


def _first(group: BaseExceptionGroup[ControllerError]) -> ControllerError:
    for error in group.exceptions:
        return _first(error) if isinstance(error, BaseExceptionGroup) else error
    raise AssertionError("a group is never empty")
