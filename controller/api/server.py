"""The HTTP server: health and metrics from the fleet in memory; the API and the dashboard."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

import controller
from controller.api.callers import Callers
from controller.api.dashboard_pages import add_pages
from controller.api.late_loading import Late, LateApi
from controller.api.paths import ASSISTANTS, PREFIX
from controller.api.problems import HttpProblem, problem_of
from controller.api.request_rates import Limits, Pace
from controller.domain.disk_words import FAULTS
from controller.domain.errors import BadSetting
from controller.domain.phase import Phase
from controller.manager import Manager

if TYPE_CHECKING:
    from controller.api.metrics import Metrics

Connected = Callable[[], bool]
LINGER_MOST = 10.0  # seconds
HEAD_MOST = 9_000  # bytes: a long cookie, and what proxies add


class _WithoutMalformed(logging.Filter):
    """Leaves out requests that can't be parsed: anybody can send them, and their bytes may be a key
    in a header. The sender is answered 400."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is about anything else."""
        error = record.exc_info[1] if record.exc_info else None
        return not isinstance(error, HttpProcessingError)


log = logging.getLogger(__name__)
log.addFilter(_WithoutMalformed())


def health(manager: Manager, connected: Connected) -> dict[str, object]:
    """The controller's state: `ok`, or `degraded` if Discord, the engine or the secrets disk
    doesn't answer."""
    engine = manager.bots.engine
    phases = Counter(view.phase for view in manager.bots)
    discord, secrets = connected(), manager.secrets_answer()
    return {
        "status": "ok" if discord and engine.reachable and secrets else "degraded",
        "version": controller.__version__,
        "uptime_seconds": round(time.time() - manager.started_at, 1),
        "discord": {"connected": discord},
        "engine": {"reachable": engine.reachable, "reason": engine.reason, "since": engine.since},
        "secrets": {"answering": secrets},
        "bots": {phase.value: phases[phase] for phase in Phase},
    }


def application(
    manager: Manager,
    connected: Connected,
    callers: Callers | None = None,
    limits: Limits | None = None,
) -> web.Application:
    """The web application: health and metrics; API and dashboard where somebody says who asks."""

    def measured() -> Metrics:
        from controller.api.metrics import Metrics  # noqa: PLC0415 - only where they are asked for

        return Metrics(manager, connected)

    metrics = Late(measured)

    async def get_health(_: web.Request) -> web.Response:
        return web.json_response(health(manager, connected))

    async def get_metrics(_: web.Request) -> web.Response:
        found = await metrics.get()
        return web.Response(body=found.page(), headers={"Content-Type": found.content_type})

    app = web.Application()
    app.add_routes([web.get("/health", get_health), web.get("/metrics", get_metrics)])
    if callers is not None:
        add_api(app, manager, callers, limits)
        if callers.gate is not None:
            add_pages(app, callers.gate)
    return app


def add_api(
    app: web.Application, manager: Manager, callers: Callers, limits: Limits | None = None
) -> None:
    """Add everything below /api/v1, and what assistants ask, for those whom `callers` knows."""
    api = LateApi(manager, callers, limits or Limits())
    # With line breaks, which stand decoded here: no path below it is answered by anybody else.
    app.router.add_route("*", f"{PREFIX}/{{rest:(?s:.*)}}", api.answer)
    app.router.add_route("*", ASSISTANTS, api.answer_assistant)

    async def end(_: web.Application) -> None:
        await api.end()

    app.on_shutdown.append(end)


@web.middleware
async def _with_a_small_head(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answers 431 where the head is larger than anybody needs, before anything is done."""
    size = len(request.raw_path) + sum(len(name) + len(text) for name, text in request.raw_headers)
    if size <= HEAD_MOST:
        return await handler(request)
    words = f"The head of a request has {HEAD_MOST} bytes at most."
    return problem_of(HttpProblem(431, words, code="head-too-large"), secrets.token_hex(8))


def runner_of(app: web.Application, pace: Pace) -> web.AppRunner:
    """What serves an application. It waits for nobody for ever: a head has to come whole in time,
    whether or not a request came before on that connection."""
    app.middlewares.append(_with_a_small_head)
    return web.AppRunner(
        app,
        access_log=None,
        logger=log,
        keepalive_timeout=pace.head,  # a connection counts as idle until a head is whole
        lingering_time=min(LINGER_MOST, pace.body),  # for the rest of a body that nobody wants
    )


async def serve(
    manager: Manager,
    connected: Connected,
    listen: str,
    callers: Callers | None = None,
    limits: Limits | None = None,
    opened: Callable[[], None] = lambda: None,
    more: Callable[[web.Application], None] = lambda _: None,
) -> None:
    """Serve on `host:port` until cancelled; BadSetting if that address can't be used.

    With `callers` the API and the dashboard are served too. `opened` is called once it serves,
    `more` adds routes of another edge.
    """
    host, _, port = listen.rpartition(":")
    limits = limits or Limits()
    app = application(manager, connected, callers, limits)
    more(app)
    runner = runner_of(app, limits.pace)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host.strip("[]"), int(port)).start()
        except FAULTS as error:  # a host name that no resolver takes is a UnicodeError
            why = error.strerror if isinstance(error, OSError) else "it isn't a host name"
            raise BadSetting(
                f"BOTMAKER_HTTP_LISTEN={listen} can't be used: {why}.",
                hint="Choose another port, or leave it empty to turn the pages off.",
            ) from error
        opened()
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()
