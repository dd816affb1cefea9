"""How a command ends: every expected error becomes one sentence on stderr, and a status."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from controller.domain.disk_words import reason
from controller.domain.errors import BadSetting, ControllerError, Unreachable

FAILED = 1
UNREACHABLE = 3  # no controller answers
WOULD_CHANGE = 4  # `plan` found something to change
CANNOT_START = 78
INTERRUPTED = 130


def status_of(work: Callable[[], int | None], on_trouble: int = FAILED) -> int:
    """Do the work and return the exit status; 78 for a setting that can't work, 3 where no
    controller answers."""
    try:
        return work() or 0
    except ControllerError as error:
        complain(str(error))
        if isinstance(error, Unreachable):
            return UNREACHABLE
        return CANNOT_START if isinstance(error, BadSetting) else on_trouble
    except OSError as error:
        if error.filename is None and on_trouble == FAILED:
            raise  # the output, which `checked_output` knows
        place = os.fsdecode(error.filename or "a file")
        complain(f"Can't use {place}: {reason(error)}. Check that this user may use it.")
        return on_trouble
    except KeyboardInterrupt:
        return INTERRUPTED


def status_of_async(work: Callable[[], Coroutine[Any, Any, int | None]], on_trouble: int) -> int:
    """The same for work that awaits."""
    return status_of(lambda: asyncio.run(work()), on_trouble)


def exit_after(work: Callable[[], Coroutine[Any, Any, int | None]], on_trouble: int) -> NoReturn:
    """Do the work and exit with its status."""
    sys.exit(status_of_async(work, on_trouble))


def exit_with(work: Callable[[], int | None]) -> NoReturn:
    """The same for work that doesn't await."""
    sys.exit(status_of(work))


@contextmanager
def checked_output() -> Iterator[None]:
    """End the program with a sentence if its output can't be written, instead of a traceback.

    A reader that has seen enough (`| head`) is no error.
    """
    status: object = 0
    try:
        try:
            yield
        except SystemExit as end:
            status = end.code
        sys.stdout.flush()
    except BrokenPipeError:
        _drop_output()
        sys.exit(FAILED)
    except OSError as error:
        _drop_output()
        complain(f"The output can't be written: {reason(error)}.")
        sys.exit(FAILED)
    sys.exit(status)  # type: ignore[arg-type]  # what click gave


def _drop_output() -> None:
    """Keep the interpreter from writing the rest at its end, which would fail as well."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def complain(sentence: str) -> None:
    """Say on stderr what is wrong."""
    sys.stderr.write(f"botmaker: {sentence}\n")
