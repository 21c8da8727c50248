"""The web application: every running plugin's routes below its mount, and an answer for everything else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from aiohttp import web
from multidict import CIMultiDict
from structlog.typing import FilteringBoundLogger

from kernel import errors
from kernel.clock import Clock
from kernel.correlation import current_cause
from kernel.database import Database
from kernel.deployment import Deployment
from kernel.http import problems
from kernel.http.access import AccessLog, StructuredAccessLog
from kernel.http.callers import CALLERS, Addresses, Callers
from kernel.http.deadlines import Deadlines
from kernel.http.endpoint import Endpoint
from kernel.http.failures import ErrorPage, ErrorResponse, Failures
from kernel.http.frame import SHARED, Frame, Shared
from kernel.http.limits import GeneralLimit, Limiter
from kernel.http.metrics import HttpMetrics
from kernel.http.routes import Route
from kernel.http.settings import API_PREFIX, HttpSettings
from kernel.http.signatures import read_signature
from kernel.services import Services

DEFAULT_TIMEOUT: Final = 30.0  # seconds, for pages and static files
BODY_LIMIT: Final = 64 * 1024  # bytes, for what reads a body without a route of ours

#: Of every answer that does not say otherwise.
SECURITY_HEADERS: Final[Mapping[str, str]] = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Server": "Lyceum",
}
#: Of the API's: an answer that a browser is tricked into showing can load and do nothing.
API_HEADERS: Final[Mapping[str, str]] = {
    **SECURITY_HEADERS,
    "Content-Type": "application/json",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


@dataclass(frozen=True, kw_only=True)
class Mounted:
    """One running plugin's routes."""

    plugin: str
    mount: str  #: the segment after `/api/v1/`
    routes: tuple[Route, ...]
    db: Database
    error_response: ErrorResponse | None = None
    failed: str | None = None  #: why the plugin failed; all of its mount answers 503


def build_application(
    mounted: Sequence[Mounted],
    *,
    disabled: Mapping[str, str],
    services: Services,
    deployment: Deployment,
    settings: HttpSettings,
    limiter: Limiter,
    metrics: HttpMetrics,
    clock: Clock,
    log: FilteringBoundLogger,
    access: AccessLog | None = None,
    error_page: ErrorPage | None = None,
) -> web.Application:
    """Return the application; *disabled* maps mounts to the plugins that are switched off.

    Serve it with `serving.runner`, which also answers what aiohttp refuses before a route is found.

    Raises:
        errors.InvalidDeclaration: a route can not be served.
    """
    headers = CIMultiDict(API_HEADERS)
    shared = Shared(
        callers=Callers(services, Addresses(settings.trusted_proxies)),
        deployment=deployment,
        settings=settings,
        headers=headers,
        deadlines=Deadlines(),
        failures=Failures(headers, error_page),
        limiter=limiter,
        metrics=metrics,
        access=access or StructuredAccessLog(log),
        clock=clock,
        log=log,
    )
    app = web.Application(client_max_size=BODY_LIMIT)
    app[SHARED], app[CALLERS] = shared, shared.callers
    app.on_response_prepare.append(_complete_headers)
    for plugin in mounted:
        app.add_subapp(f"{API_PREFIX}/{plugin.mount}", _plugin_application(plugin, shared))
    for mount, name in disabled.items():
        off = problems.PluginDisabled(f"The plugin {name!r} is switched off.", extensions={"plugin": name})
        app.add_subapp(f"{API_PREFIX}/{mount}", _closed_application(name, mount, shared, off))
    return app


def _plugin_application(plugin: Mounted, shared: Shared) -> web.Application:
    if plugin.failed is not None:
        down = problems.Unavailable(f"The plugin {plugin.plugin!r} does not run.", extensions={"plugin": plugin.plugin})
        return _closed_application(plugin.plugin, plugin.mount, shared, down)
    _check_unique(plugin)
    app = web.Application()
    general_limit = GeneralLimit(shared.settings.unsafe_rate, shared.limiter)
    for route in sorted(plugin.routes, key=_specificity):
        endpoint = Endpoint(
            route, read_signature(plugin.plugin, route), _frame(plugin, route, shared), plugin.db, general_limit
        )
        app.router.add_route(route.method, route.path, endpoint.serve)
        if route.method == "GET":
            app.router.add_route("HEAD", route.path, endpoint.serve)
    return app


def _frame(plugin: Mounted, route: Route, shared: Shared) -> Frame:
    path = f"{API_PREFIX}/{plugin.mount}{route.path}"
    return Frame(
        shared=shared,
        plugin=plugin.plugin,
        route=path,
        timeout=route.timeout,
        numbers=shared.metrics.route(plugin.plugin, path, route.method),
        log=shared.log.bind(plugin=plugin.plugin),
        error_response=plugin.error_response,
    )


def _check_unique(plugin: Mounted) -> None:
    seen: set[tuple[str, str]] = set()
    for route in plugin.routes:
        if (route.method, route.path) in seen:
            message = f"routes(): {route.method} {route.path or '/'} is declared twice; remove one of them"
            raise errors.InvalidDeclaration(message, plugin=plugin.plugin)
        seen.add((route.method, route.path))


def _specificity(route: Route) -> list[bool]:
    """Return a key that sorts a literal segment before a placeholder, since aiohttp takes the first that fits."""
    return ["{" in segment for segment in route.path.split("/")]


def _closed_application(plugin: str, mount: str, shared: Shared, problem: problems.Problem) -> web.Application:
    """Return what answers *problem* to everything below a mount."""
    path = f"{API_PREFIX}/{mount}"
    frame = Frame(
        shared=shared,
        plugin=plugin,
        route=path,
        timeout=DEFAULT_TIMEOUT,
        numbers=shared.metrics.route(plugin, path, "*"),
        log=shared.log.bind(plugin=plugin),
    )

    async def refuse(_: object) -> web.StreamResponse:
        raise problem

    async def serve(http: web.Request) -> web.StreamResponse:
        return await frame.run(http, refuse)

    app = web.Application()
    app.router.add_route("*", "", serve)
    app.router.add_route("*", "/{tail:.*}", serve)
    return app


async def _complete_headers(http: web.Request, response: web.StreamResponse) -> None:
    """Add what an answer lacks that no endpoint of the API made: pages, files, downloads."""
    if "X-Content-Type-Options" not in response.headers:
        for name, value in SECURITY_HEADERS.items():
            response.headers.setdefault(name, value)
    if "X-Request-ID" not in response.headers:
        response.headers["X-Request-ID"] = str(current_cause().correlation)
