"""What the manager does by itself, beside whoever asks: backups, schedules, figures, incidents."""

from __future__ import annotations

import asyncio

from controller.manager.manager import Manager


async def run_chores(manager: Manager) -> None:
    """Do all of it until cancelled."""
    async with asyncio.TaskGroup() as group:
        group.create_task(manager.backups.run(), name="backups")
        group.create_task(manager.schedule_runs.run(), name="schedules")
        group.create_task(manager.batches.run(), name="batches")
        group.create_task(manager.sampler.run(), name="sampler")
        group.create_task(manager.incidents.run(), name="incidents")
