"""Backups: made when somebody asks, and by themselves as often as the settings say.

One at a time. What became of the last one is remembered, for the doctor and the channel.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from controller.backups import Item, Locks, Written, locks_from, write
from controller.domain.access import SYSTEM
from controller.domain.acts import FLEET_BACKUP
from controller.domain.backup_times import Backed, due_in, missed, to_drop
from controller.domain.disk_words import storage
from controller.domain.errors import BadInput, Conflict, ControllerError
from controller.fleet.journal import Caller, Journal
from controller.manager.access import Access
from controller.manager.backup_contents import Collected, Sources, collect

log = logging.getLogger(__name__)
NAME = "botmaker-"
SUFFIX = ".age"
_KEY = "backup"
RETRY = 3600.0  # seconds from a scheduled backup that failed to the next try
NOT_RUNNING = "BotMaker wasn't running when it was due."


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Which backups are made by themselves, and where others go that name no file."""

    folder: Path | None = None
    locks: Locks | None = None
    every: float = 0.0  # seconds; 0: never
    keep: int = 7
    volumes: bool = False

    @property
    def scheduled(self) -> bool:
        """Whether any are made by themselves."""
        return bool(self.every and self.folder and self.locks)


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupOrder:
    """What somebody asks for; what is left out is as the settings say."""

    recipients: tuple[str, ...] = ()
    passphrase: str = field(default="", repr=False)
    volumes: bool = False  # with the bots' states; the settings may say so too
    out: str = ""  # the file's full path; only for whoever has a shell on the machine


class Backups:
    """Makes backups, and knows how the last one went."""

    def __init__(
        self, sources: Sources, key: bytes, plan: Plan, journal: Journal, access: Access
    ) -> None:
        self._sources = sources
        self._key = key
        self.plan = plan
        self._journal = journal
        self._access = access
        self._at_work = asyncio.Lock()
        self._listeners: set[Callable[[], None]] = set()
        self.state = Backed()

    async def load(self) -> None:
        """Read how the last one went."""
        kept = await self._sources.store.recall(_KEY)
        self.state = Backed(**json.loads(kept)) if kept else Backed()

    async def write(self, caller: Caller, order: BackupOrder) -> Written:
        """Back everything up into a file that doesn't exist yet.

        Raises BadInput, Conflict (`backup-exists`, `backup-running`) or StorageTrouble, with
        nothing left behind.
        """
        await self._access.require(caller, FLEET_BACKUP)
        locks = self._locks(order)
        path = self._path(caller, order)
        if self._at_work.locked():
            raise Conflict(
                "A backup is being made right now.",
                hint="Wait for its end, then try again.",
                code="backup-running",
            )
        detail = {"detail": f"for {locks.words}"}
        async with self._at_work, self._journal.request(caller, FLEET_BACKUP, None, detail) as deed:
            collected = await collect(self._sources, self._key)
            with_states = order.volumes or (self.plan.volumes and order == BackupOrder())
            work = await self._writing(path, collected, locks, with_states=with_states)
            written = await self._sources.threads(work)
            deed.ended(file=str(written.path), size=written.size)
        if path.parent == self.plan.folder:
            await self._note(Backed(made_at=collected.header.created_at, file=path.name))
            await self._sources.threads(self._drop_old)
        return written

    async def _writing(
        self, path: Path, collected: Collected, locks: Locks, *, with_states: bool
    ) -> Callable[[], Written]:
        """The work of the thread that writes, which asks the loop for each bot's state."""
        states, loop = self._sources.states, asyncio.get_running_loop()
        found = await states.bots() if states else []
        known = {bot.id for bot in collected.bots}
        bots = [bot for bot in found if bot.id in known]
        if states is None or not with_states:
            left_out = {bot.id: "left out" for bot in bots}
            return lambda: written_to(path, collected, locks, left_out)
        saved = {bot.id: "saved" for bot in bots}
        items = states.items(bots, loop)
        return lambda: written_to(path, collected, locks, saved, items)

    def _locks(self, order: BackupOrder) -> Locks:
        if order.recipients or order.passphrase or self.plan.locks is None:
            return locks_from(order.recipients, order.passphrase)
        return self.plan.locks

    def _path(self, caller: Caller, order: BackupOrder) -> Path:
        if order.out:
            if caller.principal.kind != "console":
                raise BadInput(
                    "Only somebody at the machine can choose the file.",
                    hint="Leave it out: it goes to BOTMAKER_BACKUP_DIR.",
                    code="bad-file",
                )
            return Path(order.out)
        if self.plan.folder is None:
            raise BadInput(
                "There is no folder for backups.",
                hint="Set BOTMAKER_BACKUP_DIR, or name a file with --out.",
                code="bad-file",
            )
        return self.plan.folder / file_name(time.time())

    # By themselves

    async def run(self) -> None:
        """Make the scheduled backups until cancelled."""
        if not self.plan.scheduled:
            return
        wait = due_in(self.state, self.plan.every, RETRY, time.time())
        if missed(self.state, self.plan.every, time.time()):
            await self._failed(NOT_RUNNING)
        while True:
            await asyncio.sleep(wait)
            try:
                await self.write(Caller(SYSTEM), BackupOrder())
            except ControllerError as error:
                log.warning("the scheduled backup failed: %s", error)
                await self._failed(f"{error.message} {error.hint}".strip())
            wait = due_in(self.state, self.plan.every, RETRY, time.time())

    async def _failed(self, why: str) -> None:
        with contextlib.suppress(ControllerError):  # a full disk is told all the same
            await self._note(replace(self.state, failed_at=time.time(), why=why))

    async def _note(self, state: Backed) -> None:
        self.state = state
        for listener in tuple(self._listeners):
            listener()
        async with self._sources.store.transaction() as write_:
            await write_.remember(_KEY, json.dumps(asdict(state)))

    @contextlib.contextmanager
    def hearing(self, listener: Callable[[], None]) -> Iterator[None]:
        """Call `listener()` when `state` changes, while the block runs."""
        self._listeners.add(listener)
        try:
            yield
        finally:
            self._listeners.discard(listener)

    def _drop_old(self) -> None:
        folder = self.plan.folder
        if folder is None:
            return
        with storage(f"Old backups in {folder} can't be removed"):
            names = [one.name for one in folder.iterdir() if one.is_file()]
            for name in to_drop(names, self.plan.keep):
                (folder / name).unlink()


def file_name(now: float) -> str:
    """The name of a backup that begins now."""
    moment = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now))
    return f"{NAME}{moment}-{int(now * 1000) % 1000:03}{SUFFIX}"


def written_to(
    path: Path,
    collected: Collected,
    locks: Locks,
    states: Mapping[str, str],
    more: Iterable[Item] = (),
) -> Written:
    """Write what was collected, and then the bots' states. Blocking.

    `states`: by bot, what becomes of its state.
    """
    if not path.parent.is_dir():
        raise BadInput(
            f"There is no folder {path.parent}.", hint="Create it first.", code="bad-file"
        )
    items = itertools.chain(collected.items, more)
    return write(path, collected.header, items, lambda: collected.story(states), locks)
