"""Secret files: one private folder per bot, owned by the user that its container runs as.

Every call blocks, so the manager makes them in a thread. Ids and names are checked before a path is
touched, and everything below the root goes through open folders (`disk`). `checks` says what is
wrong with a folder that somebody else has changed.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from controller.domain.errors import BadInput, BadSetting
from controller.domain.names import is_bot_id, is_secret_name
from controller.vault import checks, disk

VALUE_MAX = 65_536  # bytes of one secret
_USER = re.compile(r"([1-9]\d{0,9})(?::([1-9]\d{0,9}))?", re.ASCII)

Owner = tuple[int, int]  # uid, gid


class Vault:
    """The secrets root. All state is on disk, so two objects for one root behave like one."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self._can_chown: bool | None = None

    def open(self) -> None:
        """Create the root if it is missing, and make sure it is private, ours and writable.

        Raises BadSetting that says what to do; StorageTrouble when the disk is full.
        """
        try:
            os.makedirs(self.root, 0o700, exist_ok=True)  # noqa: PTH103 - Path.mkdir follows umask
            with disk.folder(self.root) as root:
                self._make_private(root)
                self._prove_writable(root)
        except OSError as error:
            trouble = disk.trouble(f"The secrets folder {self.root} can't be used", error)
            if trouble.code == "disk-full":
                raise trouble from error
            raise BadSetting(trouble.message, hint=trouble.hint, code=trouble.code) from error
        except ValueError as error:  # a NUL in its name
            raise BadSetting(
                "The secrets folder can't be used: its name has a NUL character.",
                hint="Set BOTMAKER_SECRETS_DIR to another folder.",
            ) from error

    def exists(self) -> bool:
        """Whether the root exists and is ours. Changes nothing; raises what `open` would raise."""
        try:
            with disk.folder(self.root) as root:
                self._refuse_foreign(root)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise disk.trouble(f"The secrets folder {self.root} can't be used", error) from error
        return True

    def _make_private(self, root: int) -> None:
        self._refuse_foreign(root)
        if os.fstat(root).st_mode & 0o077:
            os.fchmod(root, 0o700)

    def _refuse_foreign(self, root: int) -> None:
        seen = os.fstat(root)
        if seen.st_uid != os.geteuid():
            raise BadSetting(
                f"The secrets folder {self.root} belongs to user {seen.st_uid}, but BotMaker "
                f"runs as user {os.geteuid()}.",
                hint=f"Run `chown {os.geteuid()} {self.root}`, or set BOTMAKER_SECRETS_DIR to "
                "another folder.",
                code="foreign-folder",
            )

    def _prove_writable(self, root: int) -> None:
        name = disk.temp_name("probe")
        disk.write_new(name, b"?", root)
        os.unlink(name, dir_fd=root)

    @property
    def can_chown(self) -> bool:
        """Whether we may give files to other users and still replace them. Tried out once."""
        if self._can_chown is None:
            with (
                disk.storage(f"The secrets folder {self.root} can't be used"),
                self._open() as root,
            ):
                self._can_chown = _rehearse(root)
        return self._can_chown

    def owner_for(self, user: str) -> Owner:
        """Who should own the secrets of a container whose template asks for this `user`.

        That user, if we may give files away. Otherwise ourselves, and then the container must run
        as us too.
        """
        match = _USER.fullmatch(user)
        if match is None:
            raise BadInput(
                "A container's user must be numeric and not 0.",
                hint='For example "1000:1000".',
                code="bad-user",
            )
        if self.can_chown:
            return int(match[1]), int(match[2] or match[1])
        if os.geteuid() == 0:
            raise BadSetting(
                "BotMaker runs as root but can't give files to other users.",
                hint="Give it the capabilities CHOWN, DAC_OVERRIDE and FOWNER, or run it as "
                "another user.",
                code="cannot-chown",
            )
        return os.geteuid(), os.getegid()

    def folder(self, bot_id: str) -> Path:
        """The bot's secrets folder, which is the source of its mount."""
        return self.root / _checked_id(bot_id)

    def write(self, bot_id: str, values: Mapping[str, str], owner: Owner) -> None:
        """Add or replace these values; the bot's other values stay. Creates the folder if needed.

        All values are on disk under temporary names before the first is renamed. So a full disk
        changes nothing, and a kill leaves each file either old or new, never torn.
        """
        _checked_id(bot_id)
        contents = {name: _encoded(name, value) for name, value in values.items()}
        what = f"The secrets of bot {bot_id} couldn't be written"
        with disk.storage(what), self._open() as root, _made(root, bot_id, owner) as home:
            _refuse_folders(home, contents)
            waiting: dict[str, str] = {}
            try:
                for name, data in contents.items():
                    temp = disk.temp_name(name)
                    disk.write_new(temp, data, home, owner)
                    waiting[temp] = name
                disk.require_wanted()
                for temp, name in list(waiting.items()):
                    os.rename(temp, name, src_dir_fd=home, dst_dir_fd=home)
                    del waiting[temp]
            finally:
                for temp in waiting:
                    disk.discard(temp, home)
            os.fsync(home)

    def discard(self, bot_id: str, names: Iterable[str]) -> None:
        """Remove these secrets of the bot; its others stay. Fine if they are already gone."""
        gone = [_checked_name(name) for name in names]
        with self._home(bot_id, "removed") as home:
            if home is None or not gone:
                return
            disk.require_wanted()
            for name in gone:
                with suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=home)
            os.fsync(home)

    def ensure(self, bot_id: str, owner: Owner) -> None:
        """Create the bot's folder if it has none: the engine mounts no folder that isn't there."""
        _checked_id(bot_id)
        what = f"The secrets folder of bot {bot_id} couldn't be created"
        with disk.storage(what), self._open() as root:
            try:
                os.stat(bot_id, dir_fd=root, follow_symlinks=False)
            except FileNotFoundError:
                with _made(root, bot_id, owner):
                    pass

    def names(self, bot_id: str) -> tuple[str, ...]:
        """The names of the bot's secret files, sorted; none without a folder."""
        with self._home(bot_id, "listed") as home:
            return () if home is None else _secret_files(home)

    def written_at(self, bot_id: str) -> dict[str, float]:
        """When each secret file was written, in seconds since the epoch, by name."""
        with self._home(bot_id, "listed") as home:
            names = () if home is None else _secret_files(home)
            return {n: os.stat(n, dir_fd=home, follow_symlinks=False).st_mtime for n in names}

    def read(self, bot_id: str) -> dict[str, str]:
        """The values of all small plain files, by name; for redaction and fingerprints only."""
        with self._home(bot_id, "read") as home:
            if home is None:
                return {}
            found = {name: disk.read_small(name, home, VALUE_MAX) for name in _secret_files(home)}
        return {n: data.decode("utf-8", "replace") for n, data in found.items() if data is not None}

    def check(self, bot_id: str, names: Iterable[str], owner: Owner) -> tuple[str, ...]:
        """Which of these secrets a container of that owner couldn't read or mustn't trust."""
        return tuple(self.explain(bot_id, names, owner))

    def explain(self, bot_id: str, names: Iterable[str], owner: Owner) -> dict[str, str]:
        """The same names as `check`, each with the reason and what to do."""
        wanted = [_checked_name(name) for name in names]
        _checked_id(bot_id)
        with (
            disk.storage(f"The secrets of bot {bot_id} couldn't be checked"),
            self._open() as root,
        ):
            return checks.faults(root, bot_id, wanted, owner)

    def drop(self, bot_id: str) -> None:
        """Remove the bot's folder and everything in it. Fine if it is already gone."""
        _checked_id(bot_id)
        what = f"The secrets of bot {bot_id} couldn't be removed"
        with disk.storage(what), self._open() as root:
            try:
                _empty(root, bot_id)
                os.rmdir(bot_id, dir_fd=root)
            except FileNotFoundError:
                return
            except NotADirectoryError:
                os.unlink(bot_id, dir_fd=root)  # a symlink or a file: remove it, not its target
            os.fsync(root)

    def bots(self) -> tuple[str, ...]:
        """The ids of all bots with a folder here, sorted."""
        with disk.storage("The secrets folder couldn't be listed"), self._open() as root:
            return _bot_folders(root)

    def sweep(self) -> int:
        """Remove what crashed writes left behind; returns how many files.

        Call it at boot, when nobody writes. If a folder can't be swept, it sweeps all the others
        first and then raises StorageTrouble.
        """
        swept = 0
        failed: OSError | None = None
        with disk.storage("The secrets folder couldn't be swept"), self._open() as root:
            swept += _sweep_probes(root)
            for bot_id in _bot_folders(root):
                try:
                    swept += _sweep(root, bot_id)
                except OSError as error:
                    failed = error
            if failed is not None:
                raise failed
        return swept

    @contextmanager
    def _open(self) -> Iterator[int]:
        with disk.folder(self.root) as root:
            yield root

    @contextmanager
    def _home(self, bot_id: str, verb: str) -> Iterator[int | None]:
        """The bot's open folder, or None if it has none."""
        _checked_id(bot_id)
        with disk.storage(f"The secrets of bot {bot_id} couldn't be {verb}"), self._open() as root:
            try:
                os.stat(bot_id, dir_fd=root, follow_symlinks=False)
            except FileNotFoundError:
                yield None
                return
            with disk.folder(bot_id, root) as home:
                yield home


def _checked_id(bot_id: str) -> str:
    if not is_bot_id(bot_id):
        raise BadInput("That isn't a bot id.", code="bad-id")
    return bot_id


def _checked_name(name: str) -> str:
    if not is_secret_name(name):
        raise BadInput("That isn't the name of a secret.", code="bad-secret-name")
    return name


def _encoded(name: str, value: str) -> bytes:
    _checked_name(name)
    try:
        data = value.encode()
    except UnicodeEncodeError:
        data = b""
    if not data or len(data) > VALUE_MAX:
        raise BadInput(
            f"The value of `{name}` can't be stored.",
            hint="Enter text of at most 64 KiB, and not empty.",
            code="bad-secret",
        )
    return data


@contextmanager
def _made(root: int, bot_id: str, owner: Owner) -> Iterator[int]:
    """The bot's open folder with the right mode and owner; created if needed."""
    with suppress(FileExistsError):
        os.mkdir(bot_id, 0o700, dir_fd=root)
    with disk.folder(bot_id, root) as home:
        disk.hand_over(home, 0o700, owner)
        os.fsync(root)
        yield home


def _refuse_folders(home: int, names: Iterable[str]) -> None:
    """Raise before anything is written if a folder is in the way of a rename."""
    for name in names:
        with suppress(FileNotFoundError):
            if stat.S_ISDIR(os.stat(name, dir_fd=home, follow_symlinks=False).st_mode):
                raise IsADirectoryError(errno.EISDIR, "a folder", name)


def _secret_files(home: int) -> tuple[str, ...]:
    with os.scandir(home) as entries:
        found = [e.name for e in entries if e.is_file(follow_symlinks=False)]
    return tuple(sorted(name for name in found if is_secret_name(name)))


def _bot_folders(root: int) -> tuple[str, ...]:
    with os.scandir(root) as entries:
        found = [e.name for e in entries if e.is_dir(follow_symlinks=False)]
    return tuple(sorted(name for name in found if is_bot_id(name)))


def _empty(root: int, bot_id: str) -> None:
    with disk.folder(bot_id, root) as home:
        for name in disk.names_in(home):
            os.unlink(name, dir_fd=home)
        os.fsync(home)


def _sweep(root: int, bot_id: str) -> int:
    with disk.folder(bot_id, root) as home:
        left = [name for name in disk.names_in(home) if disk.is_temp(name)]
        for name in left:
            os.unlink(name, dir_fd=home)
        if left:
            os.fsync(home)
    return len(left)


def _sweep_probes(root: int) -> int:
    left = [
        name for name in disk.names_in(root) if name.startswith(".probe.") and disk.is_temp(name)
    ]
    for name in left:
        if stat.S_ISDIR(os.stat(name, dir_fd=root, follow_symlinks=False).st_mode):
            _empty(root, name)
            os.rmdir(name, dir_fd=root)
        else:
            os.unlink(name, dir_fd=root)
    return len(left)


def _rehearse(root: int) -> bool:
    """Try on a throw-away folder everything we'd ever do to another user's folder."""
    other = 1000 if os.geteuid() != 1000 else 1001
    name = f".probe.{secrets.token_hex(8)}.tmp"
    os.mkdir(name, 0o700, dir_fd=root)
    try:
        with disk.folder(name, root) as home:
            os.fchown(home, other, other)
            os.fchmod(home, 0o700)  # on a folder that is no longer ours
            disk.write_new("secret", b"?", home, (other, other))
            readable = disk.read_small("secret", home, 1) == b"?"
            os.unlink("secret", dir_fd=home)
    except OSError as error:
        # EINVAL: a user namespace without that user. A full or broken disk answers nothing, so it
        # is raised and the result isn't cached.
        if isinstance(error, PermissionError) or error.errno == errno.EINVAL:
            return False
        raise
    finally:
        with suppress(OSError):
            _empty(root, name)
        with suppress(OSError):
            os.rmdir(name, dir_fd=root)
    return readable
