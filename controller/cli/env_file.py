"""`.env`, changed without losing anything else in it; and files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import io
import os
import re
import signal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dotenv.parser import parse_stream

_HEAD = "# Settings of BotMaker, written by `botmaker init`. The environment comes before them.\n"
_BARE = re.compile(r"[\w./:@%+,-]*", re.ASCII)
_BEFORE = re.compile(r"(?:\s*[\r\n])?[^\S\r\n]*(?:export )?")
_PRIVATE = 0o600
_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def merged(text: str, values: Mapping[str, str | None]) -> str:
    """The file's text with these settings. None removes one; everything else stays as it is.

    Of a setting that the file has several times, the last one counts; the others go.
    """
    kept = [(binding.key, binding.original.string) for binding in parse_stream(io.StringIO(text))]
    last = {key.upper(): at for at, (key, _) in enumerate(kept) if key}
    found: list[str] = []
    for at, (key, line) in enumerate(kept):
        name = (key or "").upper()
        if name not in values:
            found.append(line)
            continue
        value = values[name]
        if value is not None and at == last[name]:
            found.append(f"{_above(line)}{name}={_quoted(value)}\n")
        else:
            found.append(_above(line).removesuffix("export "))
    whole = "".join(found) or _HEAD
    if not whole.endswith("\n"):
        whole += "\n"
    more = [
        f"{name}={_quoted(value)}\n"
        for name, value in values.items()
        if value is not None and name not in last
    ]
    return whole + "".join(more)


def _above(line: str) -> str:
    """What stands before a setting's name: empty lines, and `export`."""
    before = _BEFORE.match(line)
    return before[0] if before else ""


def _quoted(value: str) -> str:
    if _BARE.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file as it shall be: readable by its owner only."""

    path: Path
    text: str


def write_all(files: Sequence[NewFile]) -> None:
    """Put the files in place, in this order, each whole. Raises OSError with nothing changed.

    Whoever interrupts meanwhile is heard afterwards; a power cut leaves the first files only.
    """
    with _uninterrupted():
        drafts: list[tuple[Path, Path]] = []
        try:
            for file in files:
                target = Path(os.path.realpath(file.path))  # a link stays a link
                draft = target.with_name(f"{target.name}.new")
                drafts.append((draft, target))
                _write(draft, file.text, _owner(target))
            for draft, target in drafts:
                draft.replace(target)
        finally:
            for draft, _ in drafts:
                with contextlib.suppress(OSError):
                    draft.unlink(missing_ok=True)
        for folder in {target.parent for _, target in drafts}:
            _settle(folder)


def _owner(target: Path) -> os.stat_result:
    """Whose the file shall be: whose it is, or whose its folder is."""
    return target.stat() if target.exists() else target.parent.stat()


def _write(draft: Path, text: str, owner: os.stat_result) -> None:
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, _PRIVATE)
    with open(handle, "w", encoding="utf-8") as out:  # noqa: PTH123 - it is open already
        os.fchmod(handle, _PRIVATE)
        if os.geteuid() == 0:
            os.fchown(handle, owner.st_uid, owner.st_gid)
        out.write(text)
        out.flush()
        os.fsync(handle)


def _settle(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDINGS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
