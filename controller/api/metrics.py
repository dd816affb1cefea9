"""The metrics page for Prometheus, read from the fleet at each scrape."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector

import controller
from controller.domain.phase import Phase
from controller.manager import Manager


class Metrics:
    """Everything that is measured, of one installation."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self, manager: Manager, connected: Callable[[], bool]) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_FleetCollector(manager, connected))
        ProcessCollector(registry=self._registry)

    def page(self) -> bytes:
        """What it all is now."""
        return generate_latest(self._registry)


class _FleetCollector:
    def __init__(self, manager: Manager, connected: Callable[[], bool]) -> None:
        self._manager = manager
        self._connected = connected

    def collect(self) -> Iterator[Metric]:
        manager = self._manager
        bots = GaugeMetricFamily("botmaker_bots", "Bots by phase.", labels=["phase"])
        phases = Counter(view.phase for view in manager.bots)
        for phase in Phase:
            bots.add_metric([phase.value], phases[phase])
        yield bots
        build = GaugeMetricFamily("botmaker_build_info", "Always 1.", labels=["version"])
        build.add_metric([controller.__version__], 1)
        yield build
        for name, text, value in (
            ("botmaker_engine_up", "Whether the engine answers.", manager.bots.engine.reachable),
            ("botmaker_discord_up", "Whether Discord is connected.", self._connected()),
            ("botmaker_secrets_up", "Whether the secrets disk answers.", manager.secrets_answer()),
            ("botmaker_start_time_seconds", "When the controller started.", manager.started_at),
        ):
            yield GaugeMetricFamily(name, text, value=float(value))
