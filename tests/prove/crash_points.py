"""The points at which the controller is killed: a table by operation.

Next door: crash_controller.py has the points in the process, crash_driver.py brings a bot there.
"""

from __future__ import annotations

from dataclasses import dataclass

BEFORE = {  # the state that each operation's bot must be in
    "create": "none",
    "secrets": "created",
    "start": "stopped",
    "stop": "running",
    "restart": "running",
    "rotate": "running",
    "delete": "running",
    # For a bot with everything: its first container with all it needs, and what is done inside.
    "prepare": "created",
    "reload": "running",
    "do": "running",
    "edit": "running",
    "crash": "running",
    # Changes that fail or go back: settings, secrets, and a rollback to the former settings.
    "fail": "running",
    "wrong": "running",
    "rollback": "changed",
    "restore": "changed",
}
AFTER = {
    "create": "created",
    "secrets": "running",
    "start": "running",
    "stop": "stopped",
    "restart": "running",
    "rotate": "running",
    "delete": "none",
    "prepare": "running",
    "reload": "running",
    "do": "running",
    "edit": "running",
    "crash": "running",
    "fail": "running",
    "wrong": "running",
    "rollback": "changed",
    "restore": "changed",
}
OF_A_WHOLE = {"prepare", "reload", "do", "edit", "fail", "wrong", "rollback", "restore"}
FAILS = {"fail", "wrong"}  # what comes back is what was there before
SUBMITS = {
    "secrets": "created",
    "prepare": "created",
    "rotate": "running",
    "reload": "running",
    "wrong": "running",
}
UNTOUCHED = {"reload", "do"}  # operations during which even their own bot keeps running


@dataclass(frozen=True, slots=True)
class Point:
    """One point during one operation; `name` may end in #n for the n-th time."""

    operation: str
    name: str

    def __str__(self) -> str:
        return f"{self.operation}/{self.name}"


def _points(operation: str, both: str, single: str) -> list[Point]:
    """Points before and after each of `both`; `x#2` is the second time, in full `x:before#2`."""
    names = []
    for effect in both.split():
        name, mark, nth = effect.partition("#")
        names += [f"{name}:{side}{mark}{nth}" for side in ("before", "after")]
    return [Point(operation, name) for name in [*names, *single.split()]]


POINTS = [
    *_points(
        "create",
        "store.asked store.add_bot store.add_form discord.dm discord.post store.save_card",
        "discord.answer:after discord.complete:after",
    ),
    *_points(
        "secrets",
        "store.use_form vault.mkdir vault.write vault.rename vault.rename#2 store.save_bot "
        "files.write files.rename runtime.create runtime.start",
        "store.asked:after vault.write:after#2 store.settle_forms:after "
        "runtime.pin_image:after store.outcome:after "
        "engine.POST-volumes-create:before engine.POST-containers-create:before "
        "runtime.create:during runtime.start:during discord.edit:after",
    ),
    *_points(
        "start",
        "store.save_bot runtime.start",
        "store.asked:after runtime.start:during store.outcome:before",
    ),
    *_points(
        "stop",
        "store.save_bot store.save_bot#2 runtime.stop store.save_bot#3",
        "store.asked:after runtime.stop:during store.outcome:before discord.edit:after",
    ),
    *_points(
        "restart",
        "store.save_bot runtime.restart store.save_bot#2",
        "store.asked:after runtime.restart:during store.outcome:before",
    ),
    *_points(
        "rotate",
        "sets.write sets.rename vault.rename runtime.restart store.releases.end sets.remove",
        "store.use_form:after vault.rename:after#2 store.save_bot:before store.save_bot:after",
    ),
    *_points(
        "delete",
        "store.save_bot runtime.remove runtime.remove_volume vault.remove#2 vault.rmdir "
        "files.rmdir store.drop_bot discord.edit store.drop_card",
        "store.asked:after runtime.remove:during engine.DELETE-containers-one:before "
        "engine.DELETE-volumes-one:before files.remove:after store.outcome:before",
    ),
    # Containers are made to look into the image, to check the config, to seed the volume; then
    # the bot's own. The third secret file is the config with secrets in it.
    *_points(
        "prepare",
        "runtime.image_has vault.write#3 vault.rename#3 runtime.rehearse runtime.create",
        "runtime.rehearse:during runtime.create:during engine.POST-containers-start:before "
        "engine.POST-containers-create:before#2 engine.POST-containers-create:before#3 "
        "engine.POST-containers-create:before#4 engine.PUT-containers-archive:before "
        "engine.DELETE-containers-one:before engine.DELETE-containers-one:before#2 "
        "engine.DELETE-containers-one:before#3",
    ),
    *_points(
        "reload",
        "store.save_bot vault.write#3 vault.rename#3 runtime.execute store.save_bot#2",
        "store.use_form:after vault.rename:after vault.rename:after#2 runtime.execute:during "
        "engine.POST-containers-exec:before engine.POST-exec-start:before store.outcome:before",
    ),
    *_points(
        "do",
        "runtime.execute",
        "store.asked:after runtime.execute:during engine.POST-exec-start:before "
        "store.outcome:before",
    ),
    *_points(
        "edit",
        "store.save_bot store.releases.add runtime.rehearse runtime.park runtime.create "
        "runtime.start store.releases.end runtime.remove_previous",
        "store.asked:after runtime.park:during runtime.rehearse:during runtime.start:during "
        "engine.POST-containers-rename:before engine.POST-containers-update:before "
        "engine.PUT-containers-archive:before store.outcome:before",
    ),
    # It fails at its start, so the former container comes back, and what it had in its volume.
    *_points(
        "fail",
        "runtime.park runtime.create runtime.start store.releases.end runtime.remove "
        "runtime.reseed runtime.unpark runtime.start#2",
        "store.asked:after store.releases.add:after runtime.remove:during runtime.unpark:during "
        "engine.POST-containers-update:before#2 engine.POST-containers-rename:before#2 "
        "engine.PUT-containers-archive:before#2",
    ),
    # The program refuses the new key, so the former one comes back from where it was sealed.
    *_points(
        "wrong",
        "sets.write sets.rename vault.rename runtime.execute runtime.restart store.releases.end "
        "vault.rename#4 vault.rename#5 sets.remove",
        "store.use_form:after vault.rename:after#2 store.releases.add:after vault.write:after#5",
    ),
    *_points(
        "rollback",
        "store.releases.add runtime.park runtime.save_state snapshots.rename runtime.create "
        "runtime.start runtime.keep_images store.releases.end runtime.remove_previous",
        "store.asked:after runtime.park:during store.outcome:before store.snapshot:after",
    ),
    # Its state is copied, then replaced by the snapshot of an earlier rollback.
    *_points(
        "restore",
        "store.save_bot runtime.stop runtime.remove runtime.save_state snapshots.rename "
        "runtime.remove_volume runtime.fill_state runtime.create runtime.start",
        "store.asked:after store.snapshot:after store.snapshot:after#2 runtime.save_state:during "
        "runtime.fill_state:during engine.PUT-containers-archive:before "
        "engine.PUT-containers-archive:before#2 engine.DELETE-containers-one:before#2 "
        "store.outcome:before",
    ),
    # Its process ends by itself: the crash, the row and the journal are one transaction.
    *_points(
        "crash",
        "store.save_bot store.add_crashes store.crash",
        "store.add_crashes:during discord.edit:before discord.edit:after",
    ),
]
