"""A backup, restored into empty folders, is the same installation."""

from __future__ import annotations

import asyncio
import stat
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from controller.backups import keys_from, locks_from
from controller.domain.errors import BadInput, BadSetting, Conflict
from controller.domain.journal import Kind
from controller.domain.phase import Phase
from controller.domain.usage import FINE, Point
from controller.fleet.threads import Threads
from controller.manager.history import verify as verify_history
from controller.manager.restore_places import MARK, Places, require_finished
from controller.manager.restoring import restore, verify
from controller.manager.webhooks import WebhookOrder
from controller.vault import Vault, WebhookVault
from tests.backups.reopened import reopened
from tests.backups.safe import IDENTITY, KEYS, backed_up, empty, everything, restored
from tests.conftest import ROOT
from tests.manager.rig import ANN_ASKS, KEY, SECRETS, Rig

USED = Point(at=60, cpu=1.0, cpu_most=1.0, memory=1024.0, memory_most=1024.0, network=0, disk=0)
KEPT = "fake-key-of-an-unfinished-form"


async def test_everything_comes_back_and_runs_once_somebody_says_so(
    rig: Rig, tmp_path: Path
) -> None:
    """The same bots, secrets by fingerprint, and history; held back with the reason until started.

    A bot that was stopped stays stopped, and nothing of a secret is in the file in the clear.
    """
    runs, stopped = await rig.running(), await rig.running()
    await rig.manager.lifecycle.stop(ANN_ASKS, stopped)
    async with rig.store.transaction() as write:
        await write.usage.add({runs.id: USED})
    file = await backed_up(rig)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    for value in SECRETS.values():
        assert value.encode() not in file.read_bytes()
    before = await rig.manager.credentials.fingerprints_of(ANN_ASKS, runs)
    entries = await rig.store.newest()
    await restored(file, empty(tmp_path / "new"))
    async with reopened(rig, tmp_path / "new") as other:
        threads = Threads()
        checked = await verify_history(other.store, other.data / "journal", KEY, threads)
        threads.close()
        assert checked.fault == ""
        assert checked.entries > entries - 2
        assert await other.manager.credentials.fingerprints_of(ANN_ASKS, runs) == before
        # What it used stays where it was measured.
        kept = [len(await one.store.points(runs.id, FINE, 0)) for one in (rig, other)]
        assert kept == [1, 0]
        (note, *_) = await other.entries(Kind.RESTORED)
        assert note.data["held"] == 1
        other.run()
        view = await other.becomes(runs, Phase.ERROR)
        assert view.bot.problem is not None
        assert "the old installation may still be running" in view.bot.problem.message
        assert other.runtime.containers == {}
        await other.becomes(stopped, Phase.STOPPED)
        await other.manager.lifecycle.start(ANN_ASKS, runs)
        await other.becomes(runs, Phase.RUNNING)


async def test_with_start_nothing_holds_the_bots_back(rig: Rig, tmp_path: Path) -> None:
    """Whoever restores it says that the old installation is off."""
    bot = await rig.running()
    await restored(await backed_up(rig), empty(tmp_path / "new"), start=True)
    async with reopened(rig, tmp_path / "new") as other:
        other.run()
        await other.becomes(bot, Phase.RUNNING)


async def test_a_bot_that_runs_here_already_goes_on(rig: Rig, tmp_path: Path) -> None:
    """Where the folders were lost and the engine wasn't, nothing runs twice."""
    here, elsewhere = await rig.running(), await rig.running()
    file = await backed_up(rig)
    with file.open("rb") as opened:
        found = await asyncio.to_thread(verify, opened, KEYS)
        running, places = frozenset({here.id}), empty(tmp_path / "new")
        held = await restore(opened, KEYS, found, places, start=False, running=running)
    assert held == [elsewhere.name]


async def test_a_passphrase_opens_it_too(rig: Rig, tmp_path: Path) -> None:
    """And only that one does."""
    await rig.running()
    file = await backed_up(rig, locks=locks_from([], "four random plain words"))
    await restored(file, empty(tmp_path / "new"), keys_from(passphrase="four random plain words"))
    with file.open("rb") as opened, pytest.raises(BadInput) as caught:
        verify(opened, keys_from(passphrase="four other plain words"))
    assert caught.value.code == "wrong-key"


async def test_an_unfinished_form_comes_back(rig: Rig, tmp_path: Path) -> None:
    """What was typed on its first page isn't asked for again."""
    bot = await rig.create()
    form = await rig.form(bot)
    await rig.fill_in(form, {"api_key": SECRETS["api_key"]}, names=["api_key"], last=False)
    await restored(await backed_up(rig), empty(tmp_path / "new"))
    left = {str(one.relative_to(rig.secrets)) for one in rig.secrets.rglob("*.json")}
    there = tmp_path / "new" / "secrets"
    assert {str(one.relative_to(there)) for one in there.rglob("*.json")} == left != set()


async def test_restored_secrets_are_private_and_their_bots(rig: Rig, tmp_path: Path) -> None:
    """As the vault writes them: folder 0700, files 0600, of the uid that the container runs as."""
    bot = await rig.running()
    await restored(await backed_up(rig), empty(tmp_path / "new"))
    vault = Vault(tmp_path / "new" / "secrets")
    owner = vault.owner_for("1000:1000")
    assert vault.read(bot.id) == SECRETS
    assert vault.check(bot.id, SECRETS, owner) == ()
    for path in (tmp_path / "new" / "data").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


@pytest.mark.parametrize("place", ["data", "secrets"])
async def test_a_folder_with_anything_in_it_is_refused(
    rig: Rig, tmp_path: Path, place: str
) -> None:
    """Nothing is written, and what is there stays."""
    file, new = await backed_up(rig), tmp_path / "new"
    (new / place).mkdir(parents=True)
    (new / place / "mine").write_text("keep")
    before = everything(new)
    with pytest.raises(Conflict) as caught:
        await restored(file, empty(new))
    assert caught.value.code == "not-empty"
    assert everything(new) == before


async def test_a_template_that_is_there_already_is_kept_if_it_says_the_same(
    rig: Rig, tmp_path: Path
) -> None:
    """Another one of that name is refused; the backup needs a folder for its templates."""
    file, new = await backed_up(rig), tmp_path / "new"
    (new / "templates").mkdir(parents=True)
    (new / "templates" / "plain.toml").write_bytes((rig.templates / "plain.toml").read_bytes())
    await restored(file, empty(new))
    other = tmp_path / "other"
    (other / "templates").mkdir(parents=True)
    (other / "templates" / "plain.toml").write_text("mine")
    with pytest.raises(Conflict):
        await restored(file, empty(other))
    with pytest.raises(BadSetting, match="BOTMAKER_TEMPLATES_DIR"):
        await restored(file, Places(tmp_path / "d", tmp_path / "s", None))
    assert not (tmp_path / "d").exists()


async def test_what_a_killed_backup_left_goes_with_the_next_one(rig: Rig) -> None:
    """And nothing that is called anything else."""
    await rig.running()
    left = rig.folder / ".botmaker-20261128-040000-000.age.tmp"
    other = rig.folder / ".botmaker.tmp"
    for file in (left, other):
        file.write_bytes(b"half")
    await backed_up(rig)
    assert (left.exists(), other.exists()) == (False, True)


async def test_a_backup_never_replaces_a_file(rig: Rig) -> None:
    """The name is taken: it says so."""
    file = await backed_up(rig)
    before = file.read_bytes()
    with pytest.raises(Conflict) as caught:
        await backed_up(rig)
    assert caught.value.code == "backup-exists"
    assert file.read_bytes() == before
    assert [one.name for one in rig.folder.glob(".*.tmp")] == []


async def test_wherever_a_restore_is_cut_it_can_be_done_again(rig: Rig, tmp_path: Path) -> None:
    """Before the database is in place a start is refused; afterwards nothing is left to do."""
    await rig.running()
    file, key = await backed_up(rig, volumes=True), tmp_path / "key.txt"
    key.write_text(str(IDENTITY))
    words = ("tests.backups.dying", str(file), str(key), str(tmp_path / "new"))
    run = asyncio.create_subprocess_exec(sys.executable, "-m", *words, cwd=ROOT, stdout=PIPE)
    told, _ = await (await run).communicate()
    assert int(told) >= 5  # secrets, template, key, the bot's state, database
    for count in range(int(told)):
        new = tmp_path / "new" / str(count)
        assert not (new / "data" / "botmaker.db").exists()
        with pytest.raises(BadSetting) as caught:
            require_finished(empty(new))
        assert caught.value.code == "restore-cut-short"
        await restored(file, empty(new))
        require_finished(empty(new))
        assert not list(new.rglob(MARK))
        assert Vault(new / "secrets").bots() == Vault(rig.secrets).bots()


async def test_what_was_sealed_and_where_webhooks_go_comes_back(rig: Rig, tmp_path: Path) -> None:
    """The master key, unfinished forms, addresses that were given out, and webhooks' files."""
    bot, wide = await rig.running(), await rig.create()
    form = await rig.form(wide)
    await rig.fill_in(form, {"api_key": KEPT}, names=["api_key"], last=False)
    address = await rig.manager.credentials.sealed.address(ANN_ASKS, bot)
    hook = WebhookOrder(name="ops", url="https://hooks.example/fake-part-of-the-address")
    await rig.manager.webhooks.add(ANN_ASKS, hook)
    (one,) = await rig.store.webhooks()
    before = WebhookVault(rig.secrets).read(one.id)
    await restored(await backed_up(rig), empty(tmp_path / "new"))
    async with reopened(rig, tmp_path / "new") as other:
        assert WebhookVault(other.secrets).read(one.id) == before
        page = await other.manager.credentials.form(ANN_ASKS, form)
        assert page.staged.secrets == {"api_key": KEPT}
        sealed = address.seal("api_key", "fake-sealed-before-the-backup")
        await other.manager.credentials.put(ANN_ASKS, bot, {"api_key": sealed})
        stored = other.secrets / bot.id / "api_key"
        assert stored.read_text() == "fake-sealed-before-the-backup"
