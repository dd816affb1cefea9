"""What a disk refused, in words: every cause that a person can mend has its own."""

from __future__ import annotations

import errno

import pytest

from controller.domain.disk_words import trouble

FULL = ("disk-full", "the disk is full", "Free some space")
MAY_NOT = ("not-permitted", "permission denied", "mode 0700")
IN_THE_WAY = ("not-a-folder", "where a folder should be", "remove it")
CAUSES = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), FULL),
    **dict.fromkeys((errno.EACCES, errno.EPERM), MAY_NOT),
    **dict.fromkeys((errno.ENOTDIR, errno.ELOOP, errno.EEXIST), IN_THE_WAY),
    errno.EROFS: ("read-only", "read-only", "Mount it writable"),
    errno.ENOENT: ("gone", "the folder is gone", "Restart BotMaker"),
    errno.EISDIR: ("not-a-file", "a folder is where a file should be", "remove it"),
    errno.EIO: ("storage", "Input/output error", "system log"),
}


@pytest.mark.parametrize("number", CAUSES, ids=lambda number: errno.errorcode[number])
def test_a_cause_is_named_with_its_remedy(number: int) -> None:
    """What failed, why, and what to do."""
    code, why, hint = CAUSES[number]
    found = trouble("It failed", OSError(number, "Input/output error"))
    assert found.code == code
    assert found.message.startswith("It failed: ")
    assert why in found.message
    assert hint in found.hint
