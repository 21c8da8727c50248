"""The site: the pages of all running plugins put together into one application."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

from aiohttp import web

from kernel import errors
from kernel.containment.containment import Containment
from kernel.correlation import current_cause
from kernel.deployment import Deployment
from kernel.http import problems
from kernel.http.callers import check_permission
from kernel.http.frame import PAGES
from kernel.http.limits import Limiter, RouteLimits, address_key
from kernel.http.request import Request
from kernel.http.routes import RateLimit, check_path
from kernel.web.assets import Assets
from kernel.web.declarations import Page, StaticFiles, Templates
from kernel.web.parts import KERNEL, Part, declared
from kernel.web.rendering import Renderer, log

_HERE: Final = Path(__file__).parent
_OWN: Final = Part(
    plugin=KERNEL, summary="", declarations=(Templates(_HERE / "templates"), StaticFiles(_HERE / "static"))
)
#: What pages must leave to others.
_RESERVED: Final = ("/api/v", "/static/", "/metrics")

#: Finds out who asks, as for a route.
Identify = Callable[[web.Request], Awaitable[Request]]


class Site:
    """The pages, slots, navigation and static files of *parts*, in the order in which the plugins started.

    Raises:
        errors.InvalidDeclaration: a template is broken or missing, or a path is taken.
    """

    def __init__(
        self,
        parts: Sequence[Part],
        *,
        deployment: Deployment,
        identify: Identify,
        containment: Containment | None = None,
        limiter: Limiter | None = None,
    ) -> None:
        self._parts = (_OWN, *parts)
        self._identify = identify
        self._containment = containment or Containment()
        self._limiter = limiter or Limiter(None, log)  # in this process
        self._pages = _pages(self._parts)
        self._assets = Assets()
        for plugin, files in declared(self._parts, StaticFiles):
            self._assets.add(plugin, files.folder)
        self._renderer = Renderer(self._parts, self._assets, deployment, self._containment)

    def install(self, app: web.Application) -> None:
        """Add the pages and the static files to *app*."""
        self._renderer.install(app)
        app.router.add_get("/static/{name:.+}", self._assets.serve)
        app[PAGES] = pages = {}
        for plugin, page in self._pages:
            resource = app.router.add_resource(page.path)
            for method in ("GET", "HEAD"):
                resource.add_route(method, self._answer(plugin, page))
            pages[resource.canonical] = (plugin, page.timeout)

    def error_page(self, request: web.Request, problem: problems.Problem) -> web.Response:
        """Return *problem* as a page for people."""
        values = {
            "title": problem.title,
            "status": problem.status,
            "detail": problem.detail,
            "request_id": current_cause().correlation,
        }
        response = self._renderer.render(request, "error.html", values, caller=None, status=problem.status)
        response.headers.update({"Cache-Control": "no-store", **problem.headers})
        return response

    def _answer(self, plugin: str, page: Page) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        breaker, limits = self._containment.of(plugin), self._limits(plugin, page)

        async def answer(http: web.Request) -> web.StreamResponse:
            if breaker.shut:
                breaker.refuse(plugin)
            request = await self._identify(http)
            if limits is not None:
                await limits.check(address_key(request.address))
            return await self._render(page, request)

        return answer

    def _limits(self, plugin: str, page: Page) -> RouteLimits | None:
        limits = [RateLimit(page.rate, by="address")]
        return RouteLimits(f"page {page.path}", plugin, limits, self._limiter) if page.rate else None

    async def _render(self, page: Page, request: Request) -> web.StreamResponse:
        check_permission(request.caller, page.permission)
        values = await page.handler(request)
        if isinstance(values, web.StreamResponse):
            self._renderer.secure(values)
            return values
        return self._renderer.render(request.http, page.template, values, caller=request.caller)


def _pages(parts: Sequence[Part]) -> tuple[tuple[str, Page], ...]:
    owners: dict[str, str] = {}
    for plugin, page in declared(parts, Page):
        _check_path(plugin, page.path, owners)
    return tuple(declared(parts, Page))


def _check_path(plugin: str, path: str, owners: dict[str, str]) -> None:
    if not path.startswith("/") or path.startswith(_RESERVED):
        reserved = ", ".join(_RESERVED)
        message = f"pages(): the path {path!r} must begin with '/' and not with one of {reserved}"
        raise errors.InvalidDeclaration(message, plugin=plugin)
    check_path(plugin, "pages()", path)
    if path in owners:
        message = f"pages(): the path {path!r} belongs to the plugin {owners[path]!r}; choose another one"
        raise errors.InvalidDeclaration(message, plugin=plugin)
    owners[path] = plugin
