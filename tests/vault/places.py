"""Bots, owners and values that these tests share, and a way to run code without privileges."""

from __future__ import annotations

import contextlib
import os
import pickle
import stat
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from controller.domain.errors import BadInput, BadSetting, StorageTrouble

BOT = "6f1c1b9e-7a60-4b8e-9a55-0d6f3f3c2f11"
OTHER = "0b7a5f52-0c3d-4a0e-8f0e-5b8f2b3c4d5e"
ROOT = os.geteuid() == 0
ME = (os.geteuid(), os.getegid())
OWNER = (4242, 4343) if ROOT else ME
NOBODY = 65534
OLD = {"api_key": "fake-old-key", "channel_token": "fake-old-token"}
NEW = {"api_key": "fake-new-key", "channel_token": "fake-new-token"}


def as_nobody(call: Callable[[], Any]) -> Any:
    """What the call returns, or its error's code, in a process without any privilege."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        child = os.fork()
    if child == 0:
        answer: Any = "broken"
        with contextlib.suppress(BaseException):
            if ROOT:
                os.setgroups([])
                os.setresgid(NOBODY, NOBODY, NOBODY)
                os.setresuid(NOBODY, NOBODY, NOBODY)
            try:
                answer = call()
            except (BadInput, BadSetting, StorageTrouble) as error:
                answer = error.code
        os.write(writer, pickle.dumps(answer))
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        data = stream.read()
    os.waitpid(child, 0)
    return pickle.loads(data)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def owner(path: Path) -> tuple[int, int]:
    seen = path.lstat()
    return seen.st_uid, seen.st_gid
