"""Request metrics: plain numbers while a request runs, Prometheus samples when somebody asks.

Counting through prometheus-client's own counters costs a lock for each number; here a request adds to three
fields of an object that its route holds, and the collector turns those into samples.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from kernel.http.sockets.metrics import SocketMetrics

BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)  # seconds
LABELS: Final = ("plugin", "route", "method")


class RouteMetrics:
    """The numbers of one route."""

    __slots__ = ("buckets", "labels", "seconds", "statuses")

    def __init__(self, labels: tuple[str, str, str]) -> None:
        self.labels = labels
        self.statuses: dict[int, int] = {}
        self.buckets = [0] * (len(BUCKETS) + 1)
        self.seconds = 0.0

    def observe(self, status: int, seconds: float) -> None:
        """Count one request."""
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.buckets[bisect_left(BUCKETS, seconds)] += 1
        self.seconds += seconds


class HttpMetrics(Collector):
    """The numbers of every route; register it in the registry that `/metrics` shows."""

    def __init__(self) -> None:
        self._routes: dict[tuple[str, str, str], RouteMetrics] = {}
        self._sockets: dict[tuple[str, str], SocketMetrics] = {}

    def route(self, plugin: str, route: str, method: str) -> RouteMetrics:
        """Return the numbers of the route, the same object for the same labels."""
        labels = (plugin, route, method)
        return self._routes.setdefault(labels, RouteMetrics(labels))

    def socket(self, plugin: str, route: str) -> SocketMetrics:
        """Return the numbers of the WebSocket, the same object for the same labels."""
        return self._sockets.setdefault((plugin, route), SocketMetrics((plugin, route)))

    def collect(self) -> Iterator[Metric]:
        """Yield the samples."""
        requests = CounterMetricFamily("lyceum_http_requests", "Requests answered", labels=(*LABELS, "status"))
        seconds = HistogramMetricFamily("lyceum_http_request_seconds", "Time to the answer", labels=LABELS)
        for route in self._routes.values():
            for status, count in route.statuses.items():
                requests.add_metric((*route.labels, str(status)), count)
            seconds.add_metric(route.labels, _cumulated(route.buckets), route.seconds)
        yield from (requests, seconds, *self._of_sockets())

    def _of_sockets(self) -> Iterator[Metric]:
        labels = ("plugin", "route")
        live = GaugeMetricFamily("lyceum_sockets_open", "WebSockets that are open", labels=labels)
        messages = CounterMetricFamily("lyceum_socket_messages", "Messages of clients", labels=labels)
        closed = CounterMetricFamily("lyceum_sockets_closed", "WebSockets that ended", labels=(*labels, "code"))
        for socket in self._sockets.values():
            live.add_metric(socket.labels, socket.opened - socket.closed.total())
            messages.add_metric(socket.labels, socket.messages)
            for code, count in socket.closed.items():
                closed.add_metric((*socket.labels, str(code)), count)
        yield from (live, messages, closed)


def _cumulated(buckets: list[int]) -> list[tuple[str, float]]:
    bounds = [*map(str, BUCKETS), "+Inf"]
    return [(bound, float(sum(buckets[: place + 1]))) for place, bound in enumerate(bounds)]
