"""The web application: every running plugin's routes below its mount, and an answer for everything else."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from aiohttp import web
from multidict import CIMultiDict
from structlog.typing import FilteringBoundLogger

from kernel import errors
from kernel.clock import Clock
from kernel.containment.containment import KERNEL, Containment
from kernel.database import Database
from kernel.deployment import Deployment
from kernel.http import problems
from kernel.http.access import AccessLog, JsonAccessLog, StructuredAccessLog
from kernel.http.callers import CALLERS, Addresses, Callers, origin_of
from kernel.http.deadlines import Deadlines
from kernel.http.endpoint import Endpoint
from kernel.http.failures import ErrorPage, ErrorResponse, Failures
from kernel.http.frame import SECURITY_HEADERS, SHARED, Frame, Shared, complete_streamed
from kernel.http.headers import HTTPS_ONLY
from kernel.http.limits import GeneralLimit, Limiter
from kernel.http.metrics import HttpMetrics
from kernel.http.openapi import Json, Operation
from kernel.http.reference import REFERENCE, Reference, Serve
from kernel.http.request import Request
from kernel.http.routes import DEFAULT_TIMEOUT, Route, check_path
from kernel.http.settings import API_PREFIX, HttpSettings
from kernel.http.signatures import read_signature
from kernel.http.sockets.declaring import Socket
from kernel.http.sockets.endpoint import SocketEndpoint
from kernel.http.sockets.tickets import Tickets
from kernel.http.sockets.watching import Watch
from kernel.http.switchboard import SWITCHBOARD, Switchboard
from kernel.services import Services

BODY_LIMIT: Final = 64 * 1024  # bytes, for what reads a body without a route of ours

#: Of the API's answers: one that a browser is tricked into showing can load and do nothing.
API_HEADERS: Final[Mapping[str, str]] = {
    "Content-Type": "application/json",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


_PLACEHOLDER: Final = re.compile(r"{[^}]*}")


@dataclass(frozen=True, kw_only=True)
class _Speech:
    """What all WebSockets of one application share."""

    watch: Watch
    tickets: Tickets
    origins: frozenset[str]
    handshakes: GeneralLimit


@dataclass(frozen=True, kw_only=True)
class Mounted:
    """One running plugin's routes and sockets."""

    plugin: str
    mount: str  #: the segment after `/api/v1/`
    routes: tuple[Route, ...]
    db: Database
    sockets: tuple[Socket, ...] = ()
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
    containment: Containment | None = None,
    tickets: Tickets | None = None,
) -> web.Application:
    """Return the application; *disabled* maps mounts to the plugins that are switched off.

    Serve it with `serving.runner`, which also answers what aiohttp refuses before a route is found.

    Raises:
        errors.InvalidDeclaration: a route can not be served.
    """
    headers = CIMultiDict({**API_HEADERS, **_security_headers(deployment)})
    containment = containment or Containment(clock=clock, log=log)
    shared = Shared(
        callers=Callers(services, Addresses(settings.trusted_proxies)),
        deployment=deployment,
        settings=settings,
        security=_security_headers(deployment),
        headers=headers,
        deadlines=Deadlines(),
        failures=Failures(headers, error_page, containment),
        containment=containment,
        limiter=limiter,
        metrics=metrics,
        access=access or StructuredAccessLog(log),
        clock=clock,
        log=log,
    )
    speech = _Speech(
        watch=Watch(settings, services=services, clock=clock, log=log),
        tickets=tickets or Tickets(None, clock),
        origins=frozenset((origin_of(deployment.public_url), *settings.socket_origins)),
        handshakes=GeneralLimit(settings.socket_handshakes, limiter),
    )
    app = web.Application(client_max_size=BODY_LIMIT)
    app.cleanup_ctx.append(speech.watch.running)
    app.on_shutdown.append(speech.watch.drain)
    app[SHARED], app[CALLERS] = shared, shared.callers
    app[SWITCHBOARD] = switchboard = Switchboard()
    if isinstance(access, JsonAccessLog):
        app.on_cleanup.append(_flushing(access))
    operations = {plugin.mount: _operations(plugin) for plugin in mounted}
    app[REFERENCE] = Reference([one for several in operations.values() for one in several], deployment)
    for path, serve in app[REFERENCE].handlers().items():
        app.router.add_get(path, _framed(KERNEL, path, "GET", shared, serve))
    for plugin in mounted:
        app.add_subapp(
            f"{API_PREFIX}/{plugin.mount}",
            _plugin_application(plugin, operations[plugin.mount], speech, shared, switchboard),
        )
    for mount, name in disabled.items():
        off = problems.PluginDisabled(f"The plugin {name!r} is switched off.", extensions={"plugin": name})
        app.add_subapp(f"{API_PREFIX}/{mount}", _closed_application(name, mount, shared, off))
    return app


def check_routes(plugin: Mounted) -> None:
    """Refuse *plugin* alone where `build_application` would refuse all.

    Raises:
        errors.InvalidDeclaration: a route can not be served.
    """
    _operations(plugin)


def _security_headers(deployment: Deployment) -> Mapping[str, str]:
    return {**SECURITY_HEADERS, **HTTPS_ONLY} if deployment.public_url.startswith("https:") else SECURITY_HEADERS


def describe(mounted: Sequence[Mounted], deployment: Deployment) -> Json:
    """Return the OpenAPI document of the routes, without serving them."""
    return Reference([operation for plugin in mounted for operation in _operations(plugin)], deployment).document


def _operations(plugin: Mounted) -> list[Operation]:
    if plugin.failed is not None:
        return []
    _check_paths(plugin)
    return [
        Operation(plugin=plugin.plugin, mount=plugin.mount, route=route, signature=read_signature(plugin.plugin, route))
        for route in sorted(plugin.routes, key=lambda route: _specificity(route.path))
    ]


def _check_paths(plugin: Mounted) -> None:
    """Refuse what aiohttp would trip over, or take in silence: the same route twice, one path under two names."""
    methods: set[tuple[str, str]] = set()
    paths: dict[str, str] = {}
    declared = [(route.method, route.path) for route in plugin.routes]
    for method, own in (*declared, *(("GET", socket.path) for socket in plugin.sockets)):
        name = f"{method} {own or '/'}"
        check_path(plugin.plugin, "routes()", own)
        path = paths.setdefault(_PLACEHOLDER.sub("{}", own), own)
        if path != own:
            message = f"routes(): {name} and {path} are one path; give its placeholders the same names"
            raise errors.InvalidDeclaration(message, plugin=plugin.plugin)
        if (method, path) in methods:
            message = f"routes(): {name} is declared twice; remove one of them"
            raise errors.InvalidDeclaration(message, plugin=plugin.plugin)
        methods.add((method, path))


def _specificity(path: str) -> tuple[list[bool], str]:
    """Return a key that sorts a literal segment before a placeholder, since aiohttp takes the first path that fits."""
    return ["{" in segment for segment in path.split("/")], path


def _plugin_application(
    plugin: Mounted, operations: Sequence[Operation], speech: _Speech, shared: Shared, switchboard: Switchboard
) -> web.Application:
    if plugin.failed is not None:
        down = problems.Unavailable(f"The plugin {plugin.plugin!r} does not run.", extensions={"plugin": plugin.plugin})
        return _closed_application(plugin.plugin, plugin.mount, shared, down)
    app = web.Application()
    general_limit = GeneralLimit(shared.settings.unsafe_rate, shared.limiter)
    of_path = {path: list(several) for path, several in groupby(operations, lambda operation: operation.route.path)}
    sockets = {socket.path: socket for socket in plugin.sockets}
    for path in sorted({*of_path, *sockets}, key=_specificity):
        resource = app.router.add_resource(path)
        whole = f"{API_PREFIX}/{plugin.mount}{path}"
        methods = {"OPTIONS"}
        if path in sockets:
            spoken = _socket(sockets[path], plugin, whole, speech, shared)
            resource.add_route("GET", spoken.serve)
            switchboard.add("GET", whole, spoken.answer)
            methods.add("GET")
        for operation in of_path.get(path, ()):
            frame = _frame(operation, shared, plugin.error_response)
            endpoint = Endpoint(operation.route, operation.signature, frame, plugin.db, general_limit)
            for method in ("GET", "HEAD") if operation.route.method == "GET" else (operation.route.method,):
                resource.add_route(method, endpoint.serve)
                # a response that prepares itself needs aiohttp's signals, and with them the long way
                switchboard.add(method, whole, endpoint.answer if operation.signature.encode else None)
                methods.add(method)
        resource.add_route("*", _other_methods(plugin, path, methods, shared))
    if any(operation.signature.encode is None for operation in operations):
        app.on_response_prepare.append(complete_streamed)
    return app


def _socket(socket: Socket, plugin: Mounted, path: str, speech: _Speech, shared: Shared) -> SocketEndpoint:
    frame = Frame(
        shared=shared,
        plugin=plugin.plugin,
        route=path,
        timeout=socket.timeout,
        numbers=shared.metrics.route(plugin.plugin, path, "GET"),
        log=shared.log.bind(plugin=plugin.plugin),
        breaker=shared.containment.of(plugin.plugin),
        error_response=plugin.error_response,
    )
    return SocketEndpoint(
        socket,
        frame,
        origins=speech.origins,
        handshakes=speech.handshakes,
        tickets=speech.tickets,
        watch=speech.watch,
    )


def _other_methods(plugin: Mounted, path: str, methods: set[str], shared: Shared) -> Serve:
    """Return what answers the methods that *path* has not: no placeholder is to take its last segment for a value."""

    async def refuse(http: web.Request) -> web.StreamResponse:
        raise web.HTTPMethodNotAllowed(http.method, methods)

    return _framed(plugin.plugin, f"{API_PREFIX}/{plugin.mount}{path}", "*", shared, refuse)


def _frame(operation: Operation, shared: Shared, error_response: ErrorResponse | None) -> Frame:
    return Frame(
        shared=shared,
        plugin=operation.plugin,
        route=operation.path,
        timeout=operation.route.timeout,
        numbers=shared.metrics.route(operation.plugin, operation.path, operation.route.method),
        log=shared.log.bind(plugin=operation.plugin),
        breaker=shared.containment.of(operation.plugin),
        error_response=error_response,
    )


def _closed_application(plugin: str, mount: str, shared: Shared, problem: problems.Problem) -> web.Application:
    """Return what answers *problem* to everything below a mount."""

    async def refuse(http: web.Request) -> web.StreamResponse:
        raise problem

    serve = _framed(plugin, f"{API_PREFIX}/{mount}", "*", shared, refuse)
    app = web.Application()
    app.router.add_route("*", "", serve)
    app.router.add_route("*", "/{tail:.*}", serve)
    return app


def _framed(plugin: str, path: str, method: str, shared: Shared, serve: Serve) -> Serve:
    """Return *serve* in a frame of its own."""
    frame = Frame(
        shared=shared,
        plugin=plugin,
        route=path,
        timeout=DEFAULT_TIMEOUT,
        numbers=shared.metrics.route(plugin, path, method),
        log=shared.log.bind(plugin=plugin),
        breaker=shared.containment.of(KERNEL),  # which is never shut: it says what is not there
    )

    async def respond(request: Request) -> web.StreamResponse:
        return await serve(request.http)

    async def framed(http: web.Request) -> web.StreamResponse:
        return await frame.run(http, respond)

    return framed


def _flushing(access: JsonAccessLog) -> Callable[[web.Application], Awaitable[None]]:
    async def flush(app: web.Application) -> None:
        access.flush()

    return flush
