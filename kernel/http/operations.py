"""What those who run a deployment ask it: is it alive, is it ready, what is on, how does it fare.

`/-/live` and `/-/ready` are open to everyone, without the reasons of a failure. The reasons, `/-/plugins.json` and
`/metrics` are for operators (see `kernel.http.operators`); to others they are not there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec
from aiohttp import web
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from kernel.containment.containment import Containment
from kernel.events.administration import Lag
from kernel.gauges import Gauges
from kernel.http import problems
from kernel.http.metrics import HttpMetrics
from kernel.http.operators import Identify, Operators
from kernel.http.readiness import Readiness
from kernel.http.report import report

if TYPE_CHECKING:
    from kernel.lifecycle import Platform


class LagMetrics(Collector):
    """What waits in the outboxes and inboxes, as it was when last asked."""

    def __init__(self) -> None:
        self._lag = Lag((), ())

    def take(self, lag: Lag) -> None:
        """Show *lag* from now on."""
        self._lag = lag

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the samples."""
        unpublished = GaugeMetricFamily(
            "lyceum_events_unpublished", "Events that wait for their relay", labels=["plugin"]
        )
        for source in self._lag.sources:
            unpublished.add_metric([source.plugin], source.waiting)
        labels = ["plugin", "handler"]
        waiting = GaugeMetricFamily("lyceum_events_waiting", "Events to be handled", labels=labels)
        dead = GaugeMetricFamily("lyceum_events_dead", "Events that a handler gave up on", labels=labels)
        for backlog in self._lag.handlers:
            waiting.add_metric([backlog.plugin, backlog.handler], backlog.unreceived + backlog.waiting)
            dead.add_metric([backlog.plugin, backlog.handler], backlog.dead)
        yield from (unpublished, waiting, dead)


class GaugeMetrics(Collector):
    """What plugins have set."""

    def __init__(self, gauges: Gauges) -> None:
        self._gauges = gauges

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the samples."""
        for name, meaning, values in self._gauges:
            family = GaugeMetricFamily(f"lyceum_{name}", meaning, labels=["plugin"])
            for plugin, value in values.items():
                family.add_metric([plugin], value)
            yield family


class FaultMetrics(Collector):
    """What plugins did wrong, and which of them rest."""

    def __init__(self, containment: Containment) -> None:
        self._containment = containment

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        """Yield the samples."""
        faults = CounterMetricFamily("lyceum_plugin_faults", "What a plugin did wrong", labels=["plugin", "kind"])
        resting = GaugeMetricFamily("lyceum_plugin_quarantined", "1 while a plugin is in quarantine", labels=["plugin"])
        for plugin, breaker in self._containment:
            resting.add_metric([plugin], breaker.rests())
            for kind, count in breaker.counts.items():
                faults.add_metric([plugin, kind], count)
        yield from (faults, resting)


class OneOfSeveral(CollectorRegistry):
    """A registry that names its process in every sample: behind one socket, each scrape reaches another process."""

    def collect(self) -> Iterator[Metric]:
        """Yield the samples."""
        process = {"process": str(os.getpid())}
        for metric in super().collect():
            metric.samples = [sample._replace(labels={**sample.labels, **process}) for sample in metric.samples]
            yield metric


class Operations:
    """The operators' routes of *platform*."""

    def __init__(self, platform: Platform, *, identify: Identify, metrics: HttpMetrics) -> None:
        self._platform = platform
        config = platform.config
        self._operators = Operators(config.operations, identify, development=config.server.development)
        self._readiness = Readiness(platform)
        self._lag = LagMetrics()
        self._registry = OneOfSeveral() if platform.config.server.workers > 1 else CollectorRegistry()
        self._registry.register(metrics)
        self._registry.register(self._lag)
        self._registry.register(GaugeMetrics(platform.gauges))
        self._registry.register(FaultMetrics(platform.containment))
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self._registry)

    def install(self, app: web.Application) -> None:
        """Add the routes to *app*."""
        app.router.add_get("/-/live", self.live)
        app.router.add_get("/-/ready", self.ready)
        app.router.add_get("/-/plugins.json", self.plugins)
        app.router.add_get("/metrics", self.metrics)

    async def live(self, http: web.Request) -> web.Response:
        """Answer: the process runs its loop."""
        return _json({"status": "live"})

    async def ready(self, http: web.Request) -> web.Response:
        """Answer 200 when every required part works, else 503, with the verdict of each probe."""
        verdicts = await self._readiness.ask()
        ready = all(verdict.ok for verdict in verdicts if verdict.required)
        if not await self._operators.include(http):
            verdicts = [msgspec.structs.replace(verdict, reason="") for verdict in verdicts]
        return _json({"status": "ready" if ready else "not-ready", "checks": verdicts}, status=200 if ready else 503)

    async def plugins(self, http: web.Request) -> web.Response:
        """Answer with everything that is known of each plugin."""
        await self._admit(http)
        return _json(await report(self._platform))

    async def metrics(self, http: web.Request) -> web.Response:
        """Answer in the format of Prometheus."""
        await self._admit(http)
        self._lag.take(await self._platform.events.administration.lag())
        body = generate_latest(self._registry)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _admit(self, http: web.Request) -> None:
        if not await self._operators.include(http):
            raise problems.NotFound


def _json(value: object, *, status: int = 200) -> web.Response:
    headers = {"Cache-Control": "no-store"}
    body = msgspec.json.encode(value)
    return web.Response(body=body, status=status, content_type="application/json", headers=headers)
