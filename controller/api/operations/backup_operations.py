"""The operations on backups."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from controller.api.operation import Answer, Call, Given, Nothing, Operation, Operations
from controller.api.resources import OperationOut
from controller.domain import acts
from controller.manager.backups import BackupOrder


class BackupIn(Given):
    """For whom a backup is encrypted. With nothing, it is as the settings say."""

    recipients: Annotated[
        tuple[Annotated[str, Field(max_length=4000)], ...],
        Field(max_length=20, description="age recipients, or ssh public keys."),
    ] = ()
    passphrase: Annotated[str, Field(max_length=1000, repr=False)] = ""
    volumes: Annotated[bool, Field(description="With the bots' states.")] = False
    out: Annotated[
        str, Field(max_length=4000, description="The file; only over the console's socket.")
    ] = ""


async def create_backup(call: Call[Nothing, BackupIn]) -> Answer:
    """Back everything up."""
    wanted = call.body
    order = BackupOrder(
        recipients=wanted.recipients,
        passphrase=wanted.passphrase,
        volumes=wanted.volumes,
        out=wanted.out,
    )
    await call.manager.backups.write(call.caller, order)
    return Answer()


BACKUP_OPERATIONS: Operations = (
    Operation(
        id="createBackup",
        method="POST",
        path="/backups",
        act=acts.FLEET_BACKUP,
        summary="Back everything up into an encrypted file on the controller's machine.",
        query=Nothing,
        body=BackupIn,
        answer=OperationOut,
        deed=True,
        secret=True,
        handler=create_backup,
    ),
)
