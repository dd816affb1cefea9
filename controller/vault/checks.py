"""Says in words what is wrong with a bot's secret files: before each start, and for the doctor."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence

from controller.vault import disk

_AGAIN = "Enter it again with `/bot secrets`."
_MISSING = (f"The file is missing. {_AGAIN}", f"The bot has no secrets folder. {_AGAIN}")


def simply_missing(reason: str) -> bool:
    """Whether a reason from `faults` only means that nobody has entered the secret yet."""
    return reason in _MISSING


def faults(root: int, bot_id: str, names: Sequence[str], owner: tuple[int, int]) -> dict[str, str]:
    """For each secret that can't be used: the reason, and what to do about it."""
    try:
        with disk.folder(bot_id, root) as home:
            fault = _folder_fault(os.fstat(home), owner)
            if fault:
                return dict.fromkeys(names, fault)
            found = {name: _file_fault(_look(name, home), owner) for name in names}
    except FileNotFoundError:
        return dict.fromkeys(names, _MISSING[1])
    except NotADirectoryError:
        return dict.fromkeys(
            names,
            "A symlink or a file is where the bot's secrets folder should be. "
            f"Find out who put it there and remove it. {_AGAIN}",
        )
    except PermissionError:
        return dict.fromkeys(
            names,
            "BotMaker can't open the bot's secrets folder: it belongs to another user. "
            "Run BotMaker as root or as that user.",
        )
    return {name: fault for name, fault in found.items() if fault}


def _look(name: str, home: int) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=home, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _folder_fault(seen: os.stat_result, owner: tuple[int, int]) -> str:
    if (seen.st_uid, seen.st_gid) != owner:
        return (
            f"The secrets folder belongs to {seen.st_uid}:{seen.st_gid}, but the bot runs as "
            f"{owner[0]}:{owner[1]} and can't open it. {_AGAIN}"
        )
    if seen.st_mode & 0o077 or seen.st_mode & 0o500 != 0o500:
        mode = seen.st_mode & 0o7777
        return f"The secrets folder has mode {mode:04o} instead of 0700. {_AGAIN}"
    return ""


def _file_fault(seen: os.stat_result | None, owner: tuple[int, int]) -> str:
    if seen is None:
        return _MISSING[0]
    if stat.S_ISLNK(seen.st_mode):
        return f"A symlink is in its place. Find out who put it there. {_AGAIN}"
    if not stat.S_ISREG(seen.st_mode):
        return f"Something that isn't a file is in its place. Remove it by hand. {_AGAIN}"
    if seen.st_size == 0:
        return f"The file is empty. {_AGAIN}"
    if seen.st_nlink != 1:
        return (
            "The file has a second name somewhere (a hard link), so others may be able to read it. "
            f"{_AGAIN}"
        )
    if (seen.st_uid, seen.st_gid) != owner:
        return (
            f"The file belongs to {seen.st_uid}:{seen.st_gid}, but the bot runs as "
            f"{owner[0]}:{owner[1]} and can't read it. {_AGAIN}"
        )
    if seen.st_mode & 0o077 or not seen.st_mode & 0o400:
        return f"The file has mode {seen.st_mode & 0o7777:04o} instead of 0600. {_AGAIN}"
    return ""
