"""Backups by the console without a controller, by themselves, and what is left without any.

Next door: ../prove/test_restore_elsewhere.py has a restore on another engine.
"""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pyrage
import pytest

from tests.process.console import botmaker
from tests.process.process import Place, disguises

pytestmark = pytest.mark.engine


def a_key(folder: Path) -> tuple[str, str]:
    """A new identity's file, and its recipient."""
    identity, file = pyrage.x25519.Identity.generate(), folder / "key.txt"
    file.touch(0o600)
    file.write_text(str(identity))
    return str(file), str(identity.to_public())


async def test_a_backup_needs_no_controller(place: Place, tmp_path: Path) -> None:
    """The console makes it under the controller's lock; a wrong key, an open key file and a name
    that is taken are refused in a sentence."""
    key, recipient = a_key(tmp_path)
    await place.bot("kept")
    await place.controller.stop()
    file, words = str(tmp_path / "copy.age"), ("backup", "--recipient", recipient, "--json")
    status, out, err = await botmaker(place.controller, *words, "--out", file)
    assert status == 0, err
    assert json.loads(out)["outcome"]["file"] == file
    encrypted = Path(file).read_bytes().decode("latin-1")
    assert not [v for v in place.controller.entered for d in disguises(v) if d in encrypted]
    status, out, err = await botmaker(
        place.controller, "backup", "verify", file, "--identity", key, "--json"
    )
    assert status == 0, err
    assert [bot["name"] for bot in json.loads(out)["bots"]] == ["kept"]
    status, _, err = await botmaker(place.controller, *words, "--out", file)
    assert (status, "exists already" in err) == (1, True)
    status, _, err = await botmaker(place.controller, *words, "--volumes")
    assert (status, "running controller" in err) == (1, True)
    status, _, err = await botmaker(place.controller, "backup")
    assert (status, "either recipients or a passphrase" in err) == (1, True)
    Path(key).chmod(0o644)
    status, _, err = await botmaker(place.controller, "backup", "verify", file, "--identity", key)
    assert (status, "chmod 600" in err) == (1, True)
    await place.controller.start()
    status, _, err = await botmaker(place.controller, *words, "--out", f"{file}.2")
    assert status == 0, err  # now the controller makes it


async def test_a_scheduled_backup_that_fails_is_told_once_and_again_when_it_is_made(
    idle: Place, tmp_path: Path
) -> None:
    """In the channel and by the doctor; then it is made, and the message says so."""
    _, recipient = a_key(tmp_path)
    folder = tmp_path / "backups"
    idle.controller.env |= {
        "BOTMAKER_BACKUP_DIR": str(folder),
        "BOTMAKER_BACKUP_RECIPIENTS": recipient,
        "BOTMAKER_BACKUP_EVERY": "1d",
    }
    await idle.controller.start()
    message = await idle.channel_says("The scheduled backup wasn't made")
    assert "There is no folder" in message.content
    doctor = await idle.ann.slash("fleet doctor")
    await doctor.until(lambda i: "❌ backup: the scheduled one wasn't made" in i.text)
    folder.mkdir()
    answer = await idle.ann.slash("fleet backup")
    await answer.until(lambda i: "Backed up" in i.text)
    await idle.channel_says("Backups are made again")
    assert len([m for m in idle.cards if "backup" in m.content.lower()]) == 1
    assert len(list(folder.glob("botmaker-*.age"))) == 1
    await idle.controller.restart()
    await idle.welcomed()
    assert len(list(folder.glob("*"))) == 1  # not due before tomorrow
    assert len([m for m in idle.cards if "backup" in m.content.lower()]) == 1


async def test_a_lost_database_is_rebuilt_from_what_is_provably_ours(place: Place) -> None:
    """The bot runs on in the same run; what only carries our labels, and what was made of other
    settings, stays alone."""
    controller = place.controller
    bot_id = await place.bot("lost")
    run, instance = controller.started_at(bot_id), controller.instance
    await controller.stop()
    inspected = controller.inspect(bot_id)
    assert inspected is not None
    other = str(uuid.uuid4())
    changed = {"botmaker.bot-id": other, "botmaker.instance": "0" * 12}
    labels = inspected["Config"]["Labels"] | changed
    foreign = controller.engine.create_container(
        inspected["Config"]["Image"], name=f"botmaker-{other}", labels=labels
    )
    status, _, err = await botmaker(controller, "adopt")
    assert (status, "nothing is lost" in err) == (1, True)
    for file in controller.data.glob("botmaker.db*"):
        file.unlink()
    status, out, err = await botmaker(controller, "adopt", "--dry-run")
    assert (status, err) == (0, "")
    assert "can be adopted" in out
    assert not (controller.data / "botmaker.db").exists()
    status, out, err = await botmaker(controller, "adopt")
    assert (status, err) == (0, "")
    assert bot_id in out
    assert other not in out
    await controller.start()
    assert controller.instance == instance
    await place.card_says(f"adopted-{bot_id[:8]}", "— running")
    assert controller.started_at(bot_id) == run
    assert controller.engine.inspect_container(foreign["Id"])["State"]["Status"] == "created"
    controller.engine.remove_container(foreign["Id"])
    status, out, _ = await botmaker(controller, "history", "--verify")
    assert status == 0
