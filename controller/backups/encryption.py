"""Encryption in the age format: to recipients, or with a passphrase. Blocking: for a thread.

Everything is streamed, but with a passphrase: the library takes that only for a whole text, so such
a backup is small or refused.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, cast

from controller.backups import passphrase_files
from controller.domain.errors import BadInput, StorageTrouble

FIRST_LINE = b"age-encryption.org/v1\n"
_SCRYPT = b"-> scrypt "
PASSPHRASE_MAX = 256 << 20  # bytes of a backup with a passphrase
TEXT_MAX = 65_536  # bytes of a file with recipients, identities or a passphrase
PASSPHRASE_LEAST = 12  # characters


def _age() -> Any:
    """The age library, from its first use on: it takes 1 MB, and most controllers never need it."""
    import pyrage  # noqa: PLC0415

    return pyrage


@dataclass(frozen=True, slots=True)
class Locks:
    """Who can open a backup: the holders of these recipients' identities, or of a passphrase."""

    recipients: tuple[str, ...] = ()
    passphrase: str = field(default="", repr=False)

    @property
    def words(self) -> str:
        """Who they are, without a secret."""
        if self.passphrase:
            return "a passphrase"
        count = len(self.recipients)
        return "1 recipient" if count == 1 else f"{count} recipients"


@dataclass(frozen=True, slots=True)
class Keys:
    """What opens a backup."""

    identities: tuple[str, ...] = field(default=(), repr=False)
    passphrase: str = field(default="", repr=False)


def locks_from(recipients: Iterable[str], passphrase: str = "") -> Locks:
    """The locks as a person gave them; BadInput that says what is wrong with them."""
    given = tuple(dict.fromkeys(line for one in recipients for line in _lines(one)))
    if bool(given) == bool(passphrase):
        raise BadInput(
            "A backup needs either recipients or a passphrase."
            if not given
            else "A backup takes recipients or a passphrase, not both.",
            hint="Create a key with `age-keygen -o key.txt`, keep key.txt elsewhere, and give its "
            "public part, age1…, with --recipient.",
            code="bad-recipient",
        )
    if passphrase and len(passphrase) < PASSPHRASE_LEAST:
        raise BadInput(
            f"The passphrase is too short: use at least {PASSPHRASE_LEAST} characters.",
            hint="Four random words are easy to write down.",
            code="bad-passphrase",
        )
    for one in given:
        _recipient(one)
    return Locks(given, passphrase)


def keys_from(identities: str = "", passphrase: str = "") -> Keys:
    """The keys from the text of an identity file, or a passphrase. BadInput never shows a part."""
    found = tuple(_lines(identities))
    for one in found:
        _identity(one)
    if not found and not passphrase:
        raise BadInput(
            "Nothing was given that could open the backup.",
            hint="Give the identity file with --identity, or --passphrase-file.",
            code="wrong-key",
        )
    return Keys(found, passphrase)


def _lines(text: str) -> Iterator[str]:
    for line in text.splitlines():
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            yield stripped


def _recipient(text: str) -> Any:
    try:
        if text.startswith("ssh-"):
            return _age().ssh.Recipient.from_str(text)
        return _age().x25519.Recipient.from_str(text)
    except _age().RecipientError:
        # It isn't shown: somebody may have given the secret part.
        raise BadInput(
            "That isn't an age recipient.",
            hint="It begins with age1; or use an ssh-ed25519 or ssh-rsa public key.",
            code="bad-recipient",
        ) from None


def _identity(text: str) -> Any:
    try:
        return _age().x25519.Identity.from_str(text)
    except _age().IdentityError:
        raise BadInput(
            "The identity file has a line that isn't an age identity.",
            hint="`age-keygen` writes such files; a line begins with AGE-SECRET-KEY-1.",
            code="wrong-key",
        ) from None


def seal(pieces: Iterator[bytes], out: BinaryIO, locks: Locks) -> None:
    """Encrypt all pieces into the file. What a piece or the file raises is raised here."""
    if locks.passphrase:
        passphrase_files.write(_gathered(pieces), locks.passphrase, out)
        return
    source, target = _Source(pieces), _Target(out.write)
    recipients = [_recipient(one) for one in locks.recipients]
    try:
        _age().encrypt_io(
            cast(io.BufferedIOBase, source), cast(io.BufferedIOBase, target), recipients
        )
    except Exception:  # the library hides what reading or writing raised: that is told instead
        trouble = source.trouble or target.trouble
        if trouble is not None:
            raise trouble from None
        raise


def _gathered(pieces: Iterator[bytes]) -> bytes:
    found = bytearray()
    for piece in pieces:
        found += piece
        if len(found) > PASSPHRASE_MAX:
            raise BadInput(
                "With a passphrase a backup can have 256 MiB at most.",
                hint="Use a recipient (--recipient age1…), or leave out --volumes.",
                code="backup-too-large",
            )
    return bytes(found)


def needs_passphrase(file: BinaryIO) -> bool:
    """Whether the file was encrypted with a passphrase. BadInput if it is no age file at all."""
    file.seek(0)
    begin = file.read(len(FIRST_LINE) + len(_SCRYPT))
    file.seek(0)
    if not begin.startswith(FIRST_LINE):
        raise BadInput(
            "This isn't a backup of BotMaker: it isn't in the age format.",
            hint="Give the file that `botmaker backup` wrote.",
            code="backup-foreign",
        )
    return begin[len(FIRST_LINE) :] == _SCRYPT


def unseal(file: BinaryIO, take: Callable[[bytes], object], keys: Keys) -> None:
    """Decrypt the file from its beginning, and hand over each piece; only what is authentic.

    Raises BadInput for a wrong key, StorageTrouble for a damaged file, and what `take` raises.
    That the file is whole is only known when this returns.
    """
    if needs_passphrase(file):
        take(_whole(file, keys))
        return
    target = _Target(take)
    identities = [_identity(one) for one in keys.identities]
    try:
        _age().decrypt_io(
            cast(io.BufferedIOBase, file), cast(io.BufferedIOBase, target), identities
        )
    except Exception as error:  # noqa: BLE001 - the library's, of whatever kind, or `take`'s own
        if target.trouble is not None:
            raise target.trouble from None
        raise _refused(error, identities) from None


def _whole(file: BinaryIO, keys: Keys) -> bytes:
    if not keys.passphrase:
        raise BadInput(
            "This backup was made with a passphrase.",
            hint="Put it into a file and give that with --passphrase-file.",
            code="wrong-key",
        )
    _require_bounded(file)
    data = file.read(PASSPHRASE_MAX + (1 << 20) + 1)
    try:
        return bytes(_age().passphrase.decrypt(data, keys.passphrase))
    except Exception as error:  # noqa: BLE001 - the library's, of whatever kind
        raise _refused(error, ()) from None


def _require_bounded(file: BinaryIO) -> None:
    """Refuse a file that somebody made to take the machine's memory, or minutes, to be opened."""
    factor = passphrase_files.work_factor(file)
    if factor is None:
        raise damaged("its header isn't one of a file with a passphrase")
    if factor > passphrase_files.MOST_FACTOR:
        raise BadInput(
            "Opening this backup would take more than 256 MiB of memory: its scrypt work factor is "
            f"{factor}, and {passphrase_files.MOST_FACTOR} is the most that is allowed.",
            hint="If you trust it, encrypt it again with the age tool, as a whole: "
            "`age -d FILE | age -p > NEW`.",
            code="backup-too-costly",
        )


def _refused(error: Exception, identities: Sequence[Any]) -> Exception:
    said = str(error)
    if "No matching keys" in said and not identities:
        return BadInput(
            "This backup was made for recipients.",
            hint="Give the identity file with --identity.",
            code="wrong-key",
        )
    if "No matching keys" in said or said == "Decryption failed":
        return BadInput(
            "The key doesn't open this backup.",
            hint="Use the identity or the passphrase that belongs to it.",
            code="wrong-key",
        )
    return damaged("it can't be decrypted")


def damaged(why: str) -> StorageTrouble:
    """The one refusal of a file that isn't as it was written."""
    return StorageTrouble(
        f"The backup is damaged: {why}.",
        hint="Use another backup. Nothing was written.",
        code="backup-damaged",
    )


class _Source(io.RawIOBase):
    """Pieces as a file to read from. It keeps what they raise: the library loses it."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        super().__init__()
        self._pieces = pieces
        self._rest = memoryview(b"")
        self.trouble: BaseException | None = None

    def readable(self) -> bool:
        """It is."""
        return True

    def read(self, size: int = -1) -> bytes:
        """The next bytes; none at the end."""
        try:
            while not self._rest:
                piece = next(self._pieces, None)
                if piece is None:
                    return b""
                self._rest = memoryview(piece)
        except BaseException as error:  # the library would hide it: kept, and raised again
            self.trouble = error
            raise
        taken = self._rest if size < 0 else self._rest[:size]
        self._rest = self._rest[len(taken) :]
        return bytes(taken)


class _Target:
    """Somewhere to write to. It keeps what that raises."""

    def __init__(self, take: Callable[[bytes], object]) -> None:
        self._take = take
        self.trouble: BaseException | None = None

    def write(self, data: bytes) -> int:
        """Hand it over, all of it. After a fault nothing more: the library may try again."""
        if self.trouble is None:
            try:
                self._take(data)
            except BaseException as error:  # the library would hide it: kept, and raised again
                self.trouble = error
                raise
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""
