"""The operation resource: how a request that was made goes, or ended."""

from __future__ import annotations

from controller.api.operation import Answer, Assistant, Call, Nothing, Operation, Operations
from controller.api.resources import OperationOut, operation_out
from controller.domain import acts
from controller.domain.errors import NotFound


async def get_operation(call: Call[Nothing, Nothing]) -> Answer:
    """One request, by the number of its entry in the journal."""
    number = call.path["operation"]
    if not (number.isascii() and number.isdigit() and len(number) <= 15):
        raise NotFound("There is no such operation.", code="no-such-operation")
    event = await call.manager.history.of_request(call.caller, int(number))
    return Answer(operation_out(event))


REQUEST_OPERATIONS: Operations = (
    Operation(
        id="getOperation",
        method="GET",
        path="/operations/{operation}",
        act=acts.BOT_HISTORY,
        summary="A request that changes something: under way, or how it ended.",
        query=Nothing,
        body=Nothing,
        answer=OperationOut,
        handler=get_operation,
        assistant=Assistant.LOOK,
    ),
)
