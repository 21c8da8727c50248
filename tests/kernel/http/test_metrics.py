"""Metrics and the request log."""

from __future__ import annotations

import asyncio
import io
import json
from datetime import UTC, datetime

import structlog
from prometheus_client import CollectorRegistry, generate_latest
from structlog.testing import capture_logs

from kernel import PUBLIC, get, new_id
from kernel.http.access import AccessLine, JsonAccessLog, StructuredAccessLog
from kernel.http.metrics import HttpMetrics
from tests.kernel.http.serving import MOUNT, serving


async def by_number(number: int) -> int:
    return 1 // number


LINE = AccessLine(
    timestamp=datetime(2026, 1, 2, 3, 4, 5, 678900, tzinfo=UTC),
    plugin="notes",
    method="GET",
    route=f"{MOUNT}/{{note_id}}",
    path=f"{MOUNT}/7",
    status=200,
    microseconds=1234,
    request_id=new_id(),
    address="203.0.113.9",
    person=None,
)


async def test_metrics_count_by_route_and_status() -> None:
    """Requests are counted under the path with its placeholders, so ids make no labels."""
    metrics, registry = HttpMetrics(), CollectorRegistry()
    registry.register(metrics)
    async with serving([get("/{number}", by_number, permission=PUBLIC)], metrics=metrics) as client:
        for path in ("/1", "/2", "/0", "/x"):
            await client.get(MOUNT + path)
        await client.get("/nowhere")
        await client.get("/problems/bad-request", allow_redirects=False)

    labels = f'method="GET",plugin="notes",route="{MOUNT}/{{number}}"'
    text = generate_latest(registry).decode()
    for status, count in ((200, 2), (500, 1), (404, 1)):
        assert f'lyceum_http_requests_total{{{labels},status="{status}"}} {count}.0' in text
    assert f"lyceum_http_request_seconds_count{{{labels}}} 4.0" in text
    assert f'lyceum_http_request_seconds_bucket{{le="+Inf",{labels}}} 4.0' in text
    assert 'lyceum_http_requests_total{method="GET",plugin="web",route="(none)",status="404"} 1.0' in text


async def test_json_lines_look_like_those_of_structlog() -> None:
    """A line is one JSON object with time, level, event and what there is to tell."""
    stream = io.BytesIO()
    log = JsonAccessLog(stream)
    log(LINE)
    log(LINE)
    await asyncio.sleep(0)
    log.flush()

    first, second = map(json.loads, stream.getvalue().splitlines())
    assert first.keys() == second.keys()
    assert (first["level"], first["event"], first["plugin"], first["status"]) == ("info", "request", "notes", 200)
    assert first["timestamp"] == "2026-01-02T03:04:05.678900Z"
    assert first["request_id"] == str(LINE.request_id)


def test_structured_lines_go_through_structlog() -> None:
    """For people the same line goes where all other lines go."""
    with capture_logs() as logs:
        StructuredAccessLog(structlog.get_logger())(LINE)

    (line,) = logs
    assert (line["event"], line["log_level"], line["route"]) == ("request", "info", f"{MOUNT}/{{note_id}}")
