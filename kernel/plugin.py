"""Plugins: the manifest, and the one class that is both hook specification and typed base class.

Hooks are synchronous, called once at boot, one plugin at a time in dependency order, and return declarations.
What is asynchronous is a value inside a declaration.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from types import ModuleType
from typing import ClassVar, Final, Generic

import click
import pluggy
import sqlalchemy as sa
from aiohttp import web
from typing_extensions import TypeVar

from kernel.capabilities import Capability, Contribution
from kernel.context import Context
from kernel.events.event import Event, EventHandler
from kernel.http.routes import Route
from kernel.http.sockets.declaring import Socket
from kernel.settings import NoSettings, Settings
from kernel.web.declarations import PageDeclaration

PROJECT: Final = "lyceum"
#: The version of everything that `kernel` exports; a manifest names the range it was made for.
API_VERSION: Final = "1.0"

hookspec: Final = pluggy.HookspecMarker(PROJECT)
hookimpl: Final = pluggy.HookimplMarker(PROJECT)

S = TypeVar("S", bound=Settings, default=NoSettings)
P_co = TypeVar("P_co", covariant=True)


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a plugin is and what it needs, known before anything of it runs."""

    name: str  #: equals the name of its entry point: lower-case letters, digits and hyphens
    version: str
    kernel_api: str = ">=1,<2"  #: the range of `kernel.API_VERSION` it was made for (PEP 440)
    summary: str = ""
    provides: tuple[Capability[object] | Contribution[object], ...] = ()
    requires: tuple[Capability[object], ...] = ()  #: start after their providers, or refuse to start
    wants: tuple[Capability[object] | Contribution[object], ...] = ()  #: start after them where they are there
    publishes: tuple[type[Event], ...] = ()
    optional: bool = False  #: may fail without stopping the deployment


@dataclass(frozen=True)
class Provide(Generic[P_co]):
    """Declares the service behind a capability or contribution of the manifest.

    *factory* opens it when the plugin starts and closes it when the plugin stops.
    """

    capability: Capability[P_co] | Contribution[P_co]
    factory: Callable[[], AbstractAsyncContextManager[P_co]]


@dataclass(frozen=True)
class Migrations:
    """The tables of a plugin and the Alembic revisions that make them."""

    metadata: sa.MetaData
    revisions: ModuleType  #: the package that holds the revision files, such as `plugins.courses.migrations`


@dataclass(frozen=True, kw_only=True)
class Permission:
    """Something that roles allow, such as `courses.publish`; the name begins with the plugin or capability."""

    name: str
    summary: str
    roles: tuple[str, ...] = ()  #: the roles that have it by default


@dataclass(frozen=True)
class Check:
    """A readiness probe: *probe* returns when all is well and raises with the reason when not."""

    name: str
    probe: Callable[[], Awaitable[None]]


class Plugin(Generic[S]):
    """One module of the platform.

    Subclass it, set `manifest`, override the hooks you need and mark each with `@hookimpl`. *S* is the type of the
    settings. The class is instantiated once for each deployment, without arguments; it holds no state.
    """

    manifest: ClassVar[Manifest]

    @hookspec
    def settings(self) -> type[S] | None:
        """Return the type of the plugin's settings."""
        return None

    @hookspec
    def migrations(self) -> Migrations | None:
        """Return the plugin's tables and revisions."""
        return None

    @hookspec
    def permissions(self) -> Iterable[Permission]:
        """Return the permissions that the plugin's routes ask for."""
        return ()

    @hookspec
    def services(self, ctx: Context[S]) -> Iterable[Provide[object]]:
        """Return a `Provide` for each capability and contribution of the manifest."""
        return ()

    @hookspec
    def event_handlers(self, ctx: Context[S]) -> Iterable[EventHandler]:
        """Return what the plugin does about events, its own or others'."""
        return ()

    @hookspec
    def routes(self, ctx: Context[S]) -> Iterable[Route | Socket]:
        """Return the HTTP routes and WebSockets, relative to `/api/v1/<capability or plugin>`."""
        return ()

    @hookspec
    def pages(self, ctx: Context[S]) -> Iterable[PageDeclaration]:
        """Return HTML pages, slots, navigation entries, templates and static files."""
        return ()

    @hookspec
    def lifespan(self, ctx: Context[S]) -> AbstractAsyncContextManager[None]:
        """Return a context manager around the running plugin: before its `yield` start, after it stop."""
        return contextlib.nullcontext()

    @hookspec
    def checks(self, ctx: Context[S]) -> Iterable[Check]:
        """Return the probes that `/-/ready` asks."""
        return ()

    @hookspec
    def commands(self) -> Iterable[click.Command]:
        """Return commands for `lyceum <plugin> …`; they reach the plugin through `kernel.cli.Console`."""
        return ()

    @hookspec(firstresult=True)
    def error_response(self, request: web.Request, error: Exception) -> web.StreamResponse | None:
        """Return the answer to a request whose handler raised *error*, or None; no I/O."""
        return None
