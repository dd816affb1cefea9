"""Unfinished forms on the disk: private, whole or absent, and gone when nobody needs them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.domain.errors import BadInput, StorageTrouble
from controller.vault import AtRest, Staged, Staging, Vault
from controller.vault.staging import FILE_MAX
from tests.vault.places import BOT, OTHER, OWNER, as_nobody, mode

BOX = AtRest((bytes(32),))
FORM, LATER = "0123456789abcdef01234567", "fedcba9876543210fedcba98"
STAGED = Staged({"api_key": "fake-key\n😀 \0 ü"}, {"mood": "steady"})
TEMP = f".{BOT}.{FORM}.json.0011223344556677.tmp"


@pytest.fixture
def staging(vault: Vault) -> Staging:
    return Staging(vault.root, BOX)


@pytest.fixture
def forms(vault: Vault) -> Path:
    return vault.root / ".forms"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def everything(_: str, __: str) -> bool:
    return True


def nothing(_: str, __: str) -> bool:
    return False


def test_what_was_kept_is_read_back(staging: Staging) -> None:
    """Of the form that it was typed into, also by another object; the last page's word counts."""
    assert staging.read(BOT, FORM) == Staged()
    staging.keep(BOT, FORM, Staged({"api_key": "fake-old"}))
    staging.keep(BOT, FORM, STAGED)
    staging.keep(BOT, LATER, Staged({}, {"mood": "wild"}))
    assert staging.read(BOT, FORM) == STAGED
    assert staging.read(OTHER, FORM) == Staged()
    assert {form.fields["mood"] for _, _, form in staging.everything()} == {"steady", "wild"}
    assert (staging.has(BOT), staging.has(OTHER)) == (True, False)


def test_nothing_that_was_typed_can_be_read_from_the_disk(staging: Staging, forms: Path) -> None:
    """Nor moved to another form or bot, changed, or opened with another key."""
    staging.keep(BOT, FORM, STAGED)
    (file,) = forms.iterdir()
    sealed = file.read_bytes()
    typed = [*STAGED.secrets.values(), *STAGED.secrets, *STAGED.fields.values(), *STAGED.fields]
    assert not any(text.encode() in sealed for text in typed)
    file.with_name(f"{BOT}.{LATER}.json").write_bytes(sealed)
    file.with_name(f"{OTHER}.{FORM}.json").write_bytes(sealed)
    assert staging.read(BOT, LATER) == staging.read(OTHER, FORM) == Staged()
    assert Staging(forms.parent, AtRest((bytes([1] * 32),))).read(BOT, FORM) == Staged()
    assert Staging(forms.parent, AtRest(())).read(BOT, FORM) == Staged()
    assert Staging(forms.parent, AtRest((bytes([1] * 32), bytes(32)))).read(BOT, FORM) == STAGED
    for at in range(len(sealed)):
        file.write_bytes(sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :])
        assert staging.read(BOT, FORM) == Staged()


def test_what_an_earlier_version_kept_is_still_there(staging: Staging, forms: Path) -> None:
    """It wrote plain JSON; what is kept next is sealed."""
    forms.mkdir()
    file = forms / f"{BOT}.{FORM}.json"
    file.write_text('{"secrets": {"api_key": "fake-old"}, "fields": {}}')
    assert staging.read(BOT, FORM) == Staged({"api_key": "fake-old"})
    staging.keep(BOT, FORM, staging.read(BOT, FORM))
    assert b"fake-old" not in file.read_bytes()


def test_every_text_survives(staging: Staging) -> None:
    """Whatever somebody typed: NUL, half characters, emoji, long lines."""
    texts = st.text(max_size=60)

    @settings(max_examples=60, suppress_health_check=list(HealthCheck), deadline=None)
    @given(st.dictionaries(texts, texts, max_size=3), st.dictionaries(texts, texts, max_size=3))
    def claim(secrets: dict[str, str], fields: dict[str, str]) -> None:
        staging.keep(BOT, FORM, Staged(secrets, fields))
        assert staging.read(BOT, FORM) == Staged(secrets, fields)

    claim()
    odd = Staged({"api_key": "a\udc80\ud800b"})
    staging.keep(BOT, FORM, odd)
    assert staging.read(BOT, FORM) == odd


def test_a_secret_is_not_shown_by_accident() -> None:
    """What is staged has no secret in its repr."""
    assert "fake-key" not in repr(STAGED)


@pytest.mark.parametrize("umask", [0o000, 0o077, 0o777])
def test_nobody_else_can_read_it(staging: Staging, forms: Path, umask: int) -> None:
    """Mode 0700 and 0600 under every umask, also where somebody opened the folder up."""
    before = os.umask(umask)
    try:
        staging.keep(BOT, FORM, STAGED)
        forms.chmod(0o777)
        staging.keep(BOT, FORM, STAGED)
    finally:
        os.umask(before)
    assert mode(forms) == 0o700
    assert [mode(path) for path in forms.iterdir()] == [0o600]
    assert staging.read(BOT, FORM) == STAGED


def test_another_user_is_told_that_they_may_not(reachable: Path) -> None:
    """A folder of somebody else's is StorageTrouble, not an empty form."""

    def kept() -> str:
        Vault(reachable / "secrets").open()
        staging = Staging(reachable / "secrets", BOX)
        staging.keep(BOT, FORM, STAGED)
        (reachable / "secrets" / ".forms").chmod(0o000)
        staging.read(BOT, FORM)
        return "read"

    assert as_nobody(kept) == "not-permitted"


@pytest.mark.parametrize(
    ("bot_id", "form_id"),
    [
        ("", FORM),
        ("..", FORM),
        (f"../{BOT}"[:36], FORM),
        (BOT.upper(), FORM),
        (BOT.replace("-", ""), FORM),
        (BOT + "\n", FORM),
        (BOT, ""),
        (BOT, "../../etc"),
        (BOT, "ABCDEF01"),
        (BOT, "0123456"),
        (BOT, "0" * 65),
        (BOT, FORM + "\n"),
        (BOT, "٠١٢٣٤٥٦٧"),
    ],
)
def test_a_hostile_id_touches_no_path(staging: Staging, bot_id: str, form_id: str) -> None:
    """Refused before anything is made or read."""
    for work in (staging.read, lambda bot, form: staging.keep(bot, form, STAGED)):
        with pytest.raises(BadInput) as caught:
            work(bot_id, form_id)
        assert caught.value.code == "bad-id"
    assert not (staging._root / ".forms").exists()


def test_a_hostile_id_drops_nothing(staging: Staging) -> None:
    """It names no form, so every form stays."""
    staging.keep(BOT, FORM, STAGED)
    staging.drop("../" + BOT)
    staging.drop("", FORM)
    staging.drop(BOT, "../" + FORM)
    assert staging.read(BOT, FORM) == STAGED


@pytest.mark.parametrize("target", ["folder", "file", "nothing"])
def test_a_symlink_in_the_folders_place_is_told(
    staging: Staging, forms: Path, tmp_path: Path, target: str
) -> None:
    """Nothing is written where it points to, nothing read from there, nothing removed."""
    elsewhere = tmp_path / "elsewhere"
    if target == "folder":
        elsewhere.mkdir()
        (elsewhere / f"{BOT}.{FORM}.json").write_text("{}")
    elif target == "file":
        elsewhere.write_text("x")
    forms.symlink_to(elsewhere)
    works: list[Callable[[], object]] = [
        lambda: staging.keep(BOT, FORM, STAGED),
        lambda: staging.read(BOT, FORM),
        lambda: staging.drop(BOT),
        lambda: staging.sweep(nothing),
        lambda: staging.has(BOT),
    ]
    for work in works:
        with pytest.raises(StorageTrouble) as caught:
            work()
        assert caught.value.code == "not-a-folder"
        assert caught.value.hint
    if target == "folder":
        assert [path.read_text() for path in elsewhere.iterdir()] == ["{}"]


def test_a_symlink_in_a_files_place_is_replaced_and_never_followed(
    staging: Staging, forms: Path, tmp_path: Path
) -> None:
    """It reads as nothing; keeping puts a file there, and what it pointed to stays."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text('{"secrets": {"a": "b"}, "fields": {}}')
    forms.mkdir(0o700)
    path = forms / f"{BOT}.{FORM}.json"
    path.symlink_to(elsewhere)
    assert staging.read(BOT, FORM) == Staged()
    staging.keep(BOT, FORM, STAGED)
    assert not path.is_symlink()
    path.unlink()
    path.symlink_to(elsewhere)
    staging.drop(BOT)
    assert names(forms) == []
    assert elsewhere.read_text().startswith("{")


DAMAGED = {
    "empty": b"",
    "torn": b'{"secrets": {"a": "b"',
    "no text": b"\xff\xfe",
    "a list": b"[]",
    "a number": b"5",
    "half": b'{"secrets": {}}',
    "pairs": b'{"secrets": [["a", "b"]], "fields": {}}',
    "numbers": b'{"secrets": {"a": 5}, "fields": {}}',
    "nested": b'{"secrets": {"a": {"b": "c"}}, "fields": {}}',
    "deep": b"[" * 200_000,
    "huge": b" " * FILE_MAX + b'{"secrets": {}, "fields": {}}',
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_file_is_asked_for_again(staging: Staging, forms: Path, kind: str) -> None:
    """It reads as nothing, stops neither the other forms nor a new word, and can be dropped."""
    staging.keep(BOT, LATER, STAGED)
    (forms / f"{BOT}.{FORM}.json").write_bytes(DAMAGED[kind])
    assert staging.read(BOT, FORM) == Staged()
    assert (BOT, LATER, STAGED) in staging.everything()
    staging.keep(BOT, FORM, STAGED)
    assert staging.read(BOT, FORM) == STAGED
    (forms / f"{BOT}.{FORM}.json").write_bytes(DAMAGED[kind])
    staging.drop(BOT, FORM)
    assert names(forms) == [f"{BOT}.{LATER}.json"]


@pytest.mark.parametrize("kind", ["pipe", "folder"])
def test_what_is_no_file_reads_as_nothing_or_is_told(
    staging: Staging, forms: Path, kind: str
) -> None:
    """A pipe doesn't hang the controller, and neither does a folder stop the other forms' drop."""
    staging.keep(BOT, LATER, STAGED)
    path = forms / f"{BOT}.{FORM}.json"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    assert staging.read(BOT, FORM) == Staged()
    if kind == "pipe":
        staging.drop(BOT)
        assert names(forms) == []
        return
    with pytest.raises(StorageTrouble) as caught:
        staging.drop(BOT)
    assert caught.value.code in {"not-a-file", "not-permitted"}
    assert names(forms) == [path.name]


def test_a_drop_is_of_one_form_or_of_one_bot(staging: Staging, forms: Path) -> None:
    """Everything else stays; dropping what doesn't exist is fine."""
    staging.drop(BOT)
    for bot, form in [(BOT, FORM), (BOT, LATER), (OTHER, FORM)]:
        staging.keep(bot, form, STAGED)
    staging.drop(BOT, FORM)
    staging.drop(BOT, FORM)
    assert names(forms) == sorted([f"{OTHER}.{FORM}.json", f"{BOT}.{LATER}.json"])
    staging.drop(BOT)
    assert names(forms) == [f"{OTHER}.{FORM}.json"]


def test_a_sweep_leaves_what_is_wanted(staging: Staging, forms: Path) -> None:
    """What a kill left goes, and forms that can't be used any more; it says how many."""
    assert staging.sweep(nothing) == 0
    staging.keep(BOT, FORM, STAGED)
    staging.keep(BOT, LATER, STAGED)
    (forms / TEMP).write_text("half")
    (forms / "stranger").write_text("?")
    assert staging.sweep(lambda bot, form: (bot, form) == (BOT, LATER)) == 3
    assert names(forms) == [f"{BOT}.{LATER}.json"]
    assert staging.sweep(everything) == 0
    assert staging.sweep(nothing) == 1
    assert not forms.exists(), "nothing is left of forms, not even their folder"


def test_a_drop_leaves_what_another_thread_is_writing(staging: Staging, forms: Path) -> None:
    """A form's file has another name before it has its own; only a sweep takes that for a rest."""
    staging.keep(BOT, LATER, STAGED)
    (forms / TEMP).write_text("on its way")
    staging.drop(BOT, LATER)
    assert names(forms) == [TEMP]


def test_keeping_and_dropping_at_once_fail_for_nobody(staging: Staging) -> None:
    """One person ends a form while another fills in theirs."""
    troubles: list[Exception] = []

    def work(bot: str, *, drops: bool) -> None:
        try:
            for _ in range(40):
                staging.keep(bot, FORM, STAGED)
                if drops:
                    staging.drop(bot, FORM)
        except Exception as error:  # noqa: BLE001 - whatever it is, the test tells
            troubles.append(error)

    workers = [
        threading.Thread(target=work, args=(BOT,), kwargs={"drops": True}),
        threading.Thread(target=work, args=(OTHER,), kwargs={"drops": False}),
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert troubles == []
    assert staging.read(OTHER, FORM) == STAGED


_LOOP = """
import sys
from pathlib import Path
from controller.vault import AtRest, Staged, Staging
staging = Staging(Path(sys.argv[1]), AtRest((bytes(32),)))
number = 0
while True:
    number += 1
    staging.keep(sys.argv[2], sys.argv[3], Staged({"a": str(number) * 5000}, {"n": str(number)}))
    print(number, flush=True)
"""


def test_a_kill_leaves_the_old_or_the_new_values(
    vault: Vault, staging: Staging, forms: Path
) -> None:
    """Never a torn file; what was half-written goes with the next sweep."""
    for _ in range(5):
        child = subprocess.Popen(
            [sys.executable, "-c", _LOOP, vault.root, BOT, FORM], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        said = [int(child.stdout.readline()) for _ in range(20)]
        child.kill()
        said += [int(line) for line in child.stdout if line.endswith("\n")]
        child.wait()
        child.stdout.close()
        found = staging.read(BOT, FORM)
        number = found.fields["n"]
        assert int(number) in {said[-1], said[-1] + 1}
        assert found.secrets == {"a": number * 5000}
        staging.sweep(everything)
        assert names(forms) == [f"{BOT}.{FORM}.json"]


def test_a_disk_that_is_gone_is_told(tmp_path: Path) -> None:
    """Without the secrets folder nothing is kept, and the reason is said."""
    with pytest.raises(StorageTrouble) as caught:
        Staging(tmp_path / "nowhere", BOX).keep(BOT, FORM, STAGED)
    assert caught.value.code == "gone"


def test_the_vault_sees_no_bot_in_it(vault: Vault, staging: Staging, forms: Path) -> None:
    """Forms lie beside the bots' folders; neither the vault's sweep nor its list counts them."""
    staging.keep(BOT, FORM, STAGED)
    vault.write(OTHER, {"api_key": "fake-key"}, OWNER)
    assert tuple(vault.bots()) == (OTHER,)
    vault.sweep()
    assert names(forms) == [f"{BOT}.{FORM}.json"]
