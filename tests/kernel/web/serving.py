"""A site of a few parts, served on a real port as a deployment would."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import structlog
from aiohttp import web

from kernel.clock import SystemClock
from kernel.containment.containment import Containment
from kernel.deployment import Deployment
from kernel.http.application import build_application
from kernel.http.callers import identify
from kernel.http.identity import IDENTITY, Identity
from kernel.http.limits import Limiter
from kernel.http.metrics import HttpMetrics
from kernel.http.principal import Principal
from kernel.http.serving import runner
from kernel.http.settings import HttpSettings
from kernel.ids import new_id
from kernel.services import Services
from kernel.web.parts import Part
from kernel.web.site import Site

DEPLOYMENT = Deployment(name="Fern & Oak", public_url="http://localhost:8080", currency="EUR", development=False)


def principal(*permissions: str) -> Principal:
    return Principal(id=new_id(), session=new_id(), roles=frozenset(), permissions=frozenset(permissions))


def templates(folder: Path, files: Mapping[str, str]) -> Path:
    """Write *files* below *folder* and return it."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


class Known(Identity):
    """Vouches for one person, whoever asks."""

    def __init__(self, caller: Principal | None) -> None:
        self._caller = caller

    async def authenticate(self, request: web.Request) -> Principal | None:
        return self._caller


@asynccontextmanager
async def browsing(
    parts: Sequence[Part],
    *,
    caller: Principal | None = None,
    deployment: Deployment = DEPLOYMENT,
    containment: Containment | None = None,
) -> AsyncIterator[aiohttp.ClientSession]:
    """Serve *parts*, as *caller* sees them in a browser."""
    site = Site(parts, deployment=deployment, identify=identify, containment=containment)
    services, log, settings = Services(), structlog.get_logger(), HttpSettings()
    services.provide(IDENTITY, Known(caller))
    app = build_application(
        (),
        disabled={},
        services=services,
        deployment=deployment,
        settings=settings,
        limiter=Limiter(None, log),
        metrics=HttpMetrics(),
        clock=SystemClock(),
        log=log,
        error_page=site.error_page,
        containment=containment,
    )
    site.install(app)
    server = runner(app, settings)
    await server.setup()
    try:
        await web.TCPSite(server, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{server.addresses[0][1]}"
        async with aiohttp.ClientSession(url, headers={"Accept": "text/html"}) as browser:
            yield browser
    finally:
        await server.cleanup()
