"""The table of operations: everything that can be asked for over HTTP, and the way to find it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from controller.api.operation import Operation, Operations
from controller.api.operations.access_operations import ACCESS_OPERATIONS
from controller.api.operations.alert_operations import ALERT_OPERATIONS
from controller.api.operations.backup_operations import BACKUP_OPERATIONS
from controller.api.operations.batch_operations import BATCH_OPERATIONS
from controller.api.operations.bot_operations import BOT_OPERATIONS
from controller.api.operations.edge_operations import EDGE_OPERATIONS
from controller.api.operations.fleet_operations import FLEET_OPERATIONS
from controller.api.operations.incident_operations import INCIDENT_OPERATIONS
from controller.api.operations.inside_operations import INSIDE_OPERATIONS
from controller.api.operations.orphan_operations import ORPHAN_OPERATIONS
from controller.api.operations.release_operations import RELEASE_OPERATIONS
from controller.api.operations.request_operations import REQUEST_OPERATIONS
from controller.api.operations.schedule_operations import SCHEDULE_OPERATIONS
from controller.api.operations.snapshot_operations import SNAPSHOT_OPERATIONS
from controller.api.operations.stats_operations import STATS_OPERATIONS
from controller.api.operations.stream_operations import STREAM_OPERATIONS
from controller.api.operations.token_operations import TOKEN_OPERATIONS
from controller.api.operations.update_operations import UPDATE_OPERATIONS
from controller.api.operations.webhook_operations import WEBHOOK_OPERATIONS
from controller.api.paths import PREFIX
from controller.api.problems import HttpProblem
from controller.domain.errors import NotFound

OPERATIONS: Operations = (
    *BOT_OPERATIONS,
    *INSIDE_OPERATIONS,
    *RELEASE_OPERATIONS,
    *SNAPSHOT_OPERATIONS,
    *FLEET_OPERATIONS,
    *ORPHAN_OPERATIONS,
    *STATS_OPERATIONS,
    *SCHEDULE_OPERATIONS,
    *BATCH_OPERATIONS,
    *BACKUP_OPERATIONS,
    *UPDATE_OPERATIONS,
    *INCIDENT_OPERATIONS,
    *ALERT_OPERATIONS,
    *STREAM_OPERATIONS,
    *REQUEST_OPERATIONS,
    *ACCESS_OPERATIONS,
    *TOKEN_OPERATIONS,
    *WEBHOOK_OPERATIONS,
    *EDGE_OPERATIONS,
)


@dataclass(frozen=True, slots=True)
class Found:
    """An operation, and what its path names."""

    operation: Operation[Any, Any]
    path: Mapping[str, str]


class Table:
    """Finds operations by method and path. A path counts as it is sent: nothing is decoded."""

    def __init__(self, operations: Operations = OPERATIONS) -> None:
        self.operations = operations
        self._rows: dict[int, list[tuple[re.Pattern[str], Operation[Any, Any]]]] = {}
        for operation in operations:
            row = re.compile(PREFIX + operation.pattern, re.ASCII), operation
            self._rows.setdefault(operation.path.count("/"), []).append(row)

    def find(self, method: str, path: str) -> Found:
        """The operation. NotFound (`no-such-path`), or 405 with what the path does allow."""
        allowed = []
        for pattern, operation in self._rows.get(path.count("/") - PREFIX.count("/"), []):
            match = pattern.fullmatch(path)
            if match is None:
                continue
            if operation.method == method:
                return Found(operation, match.groupdict())
            allowed.append(operation.method)
        if not allowed:
            raise NotFound(
                "There is nothing at this path.",
                hint=f"GET {PREFIX}/openapi.json describes what there is.",
                code="no-such-path",
            )
        raise HttpProblem(
            405,
            f"This path doesn't take {method}."
            if method.isascii() and method.isalpha()
            else "This path doesn't take that method.",
            code="method-not-allowed",
            headers={"Allow": ", ".join(sorted(allowed))},
        )
