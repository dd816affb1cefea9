"""Waiting for long work only as long as somebody still wishes for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from controller.fleet.views import Fleet, View

T = TypeVar("T")


async def while_wished(
    fleet: Fleet,
    bot_id: str,
    wished: Callable[[View | None], bool],
    work: Coroutine[Any, Any, T],
) -> T | None:
    """The work's result; or None as soon as `wished(view)` is false, and the work is given up.

    A person who stops a bot must not have to wait for what was begun to start it.
    """
    task = asyncio.ensure_future(work)
    task.add_done_callback(
        lambda done: done.cancelled() or done.exception()
    )  # else asyncio logs it
    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def listener(changed: str) -> None:
        if changed == bot_id and not ended.done() and not wished(fleet.get(bot_id)):
            ended.set_result(None)

    try:
        with fleet.listening(listener):
            if wished(fleet.get(bot_id)):
                either: set[asyncio.Future[Any]] = {task, ended}
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        task.cancel()
