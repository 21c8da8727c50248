"""The front of a deployment: the API, the pages and the operators' routes in one application."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, cast

from aiohttp import web

from kernel import logs
from kernel.containment.containment import KERNEL
from kernel.http import application
from kernel.http.access import AccessLog, JsonAccessLog, StructuredAccessLog
from kernel.http.callers import identify
from kernel.http.limits import Limiter
from kernel.http.metrics import HttpMetrics
from kernel.http.operations import Operations
from kernel.http.sockets.tickets import MOUNT
from kernel.members import Member, State
from kernel.web.parts import Part
from kernel.web.site import Site

if TYPE_CHECKING:
    from kernel.database import Database
    from kernel.lifecycle import Platform


def build(platform: Platform) -> web.Application:
    """Return the application of *platform*, whose plugins have started.

    Raises:
        errors.InvalidDeclaration: a route or a page can not be served.
    """
    config, metrics = platform.config, HttpMetrics()
    limiter = Limiter(platform.redis.shared, platform.log)
    site = _site(platform, platform.states(), limiter)
    app = application.build_application(
        mounted(platform),
        disabled=_disabled(platform),
        services=platform.services,
        deployment=config.deployment(),
        settings=config.http,
        limiter=limiter,
        metrics=metrics,
        clock=platform.clock,
        log=platform.log,
        access=_access_log(platform),
        error_page=site.error_page,
        containment=platform.containment,
        tickets=platform.tickets,
    )
    site.install(app)
    Operations(platform, identify=identify, metrics=metrics).install(app)
    return app


def check_routes(platform: Platform, member: Member) -> None:
    """Refuse *member* alone where its routes would keep the application from being built.

    Raises:
        errors.InvalidDeclaration: a route can not be served.
    """
    application.check_routes(_mounted(platform, member))


def check_pages(platform: Platform, member: Member) -> None:
    """Refuse *member* alone where the site can be made of those that are there already, but not with its pages.

    Those are the required plugins, and the optional ones that have started.

    Raises:
        errors.InvalidDeclaration: a page can not be served.
    """
    if member.equipped().declarations.pages:
        _site(platform, [one for one in platform.states() if one is member or _is_certain(one)])


def mounted(platform: Platform) -> tuple[application.Mounted, ...]:
    """Return the routes of every plugin that is on, those that failed included, and the kernel's own."""
    taken = {member.mount for member in platform.states() if member.alive}
    found = [
        _mounted(platform, member)
        for member in platform.states()
        if member.alive or (member.state is State.FAILED and (member.mount or member.name) not in taken)
    ]
    return (*found, *_tickets(platform, found))


def _tickets(platform: Platform, found: Iterable[application.Mounted]) -> Iterator[application.Mounted]:
    """Yield what hands tickets out, where there is a socket that takes them."""
    if any(plugin.sockets for plugin in found):
        no_database = cast("Database", None)  # its route asks for none
        yield application.Mounted(plugin=KERNEL, mount=MOUNT, routes=platform.tickets.routes(), db=no_database)


def parts(platform: Platform) -> tuple[Part, ...]:
    """Return what every running plugin gives to the site."""
    return tuple(_parts(platform.states()))


def _site(platform: Platform, members: Iterable[Member], limiter: Limiter | None = None) -> Site:
    return Site(
        tuple(_parts(members)),
        deployment=platform.config.deployment(),
        identify=identify,
        containment=platform.containment,
        limiter=limiter,
    )


def _is_certain(member: Member) -> bool:
    return member.state is State.STARTED or not member.optional


def _mounted(platform: Platform, member: Member) -> application.Mounted:
    hooks, running = platform.assembly.hooks, member.running
    return application.Mounted(
        plugin=member.name,
        mount=member.mount or member.name,
        routes=running.declarations.routes if running else (),
        sockets=running.declarations.sockets if running else (),
        db=cast("Database", running.database if running else None),  # of a failed plugin nobody asks it
        error_response=hooks.error_response if hooks.answers_errors() else None,
        failed=member.reason if member.state is State.FAILED else None,
    )


def _parts(members: Iterable[Member]) -> Iterator[Part]:
    for member in members:
        if member.alive and member.manifest and member.running:
            pages = member.running.declarations.pages
            yield Part(plugin=member.name, summary=member.manifest.summary, declarations=pages)


def _disabled(platform: Platform) -> dict[str, str]:
    # what a plugin that is off would provide is not known without importing it: its name has to do
    taken = {member.mount or member.name for member in platform.states() if member.state is not State.DISABLED}
    off = (member.name for member in platform.states() if member.state is State.DISABLED)
    return {name: name for name in off if name not in taken}


def _access_log(platform: Platform) -> AccessLog:
    if logs.for_people(platform.config):
        return StructuredAccessLog(platform.log)
    return JsonAccessLog(sys.stderr.buffer)
