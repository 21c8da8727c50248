"""What a change of plugins means, found out before it is made."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

import msgspec

from kernel.http.report import routes
from kernel.members import Member
from kernel.web.declarations import Page

if TYPE_CHECKING:
    from kernel.lifecycle import Platform


class Dependant(msgspec.Struct, frozen=True):
    """A plugin that uses one that goes away."""

    plugin: str
    capability: str
    provider: str
    required: bool


class Step(msgspec.Struct, frozen=True):
    """One plugin in the order of the start."""

    plugin: str
    version: str
    provides: tuple[str, ...]
    change: str  #: `new`, or empty


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What there will be, and what will be no more."""

    boots: bool
    reason: str = ""  #: why it does not boot
    order: tuple[Step, ...] = ()
    stops: tuple[str, ...] = ()
    providers: dict[str, str] = {}  #: those that change
    dependants: tuple[Dependant, ...] = ()
    routes: tuple[str, ...] = ()  #: that answer 404 from then on
    pages: tuple[str, ...] = ()  #: that vanish
    handlers: tuple[str, ...] = ()  #: whose events wait
    migrations: tuple[str, ...] = ()  #: plugins whose database is not up to date


def alive(platform: Platform) -> set[str]:
    """Return the names of the plugins that start."""
    return {member.name for member in platform.states() if member.alive}


def losses(before: Platform, off: Collection[str]) -> Plan:
    """Return what is lost when the plugins *off* of the deployment *before* no longer start."""
    gone = [member for member in before.states() if member.name in off and member.alive]
    return Plan(
        boots=True,
        stops=tuple(member.name for member in gone),
        dependants=tuple(_dependants(before, {member.name for member in gone})),
        routes=tuple(route for member in gone for route in routes(member)),
        pages=tuple(_pages(gone)),
        handlers=tuple(_handlers(gone)),
    )


def order(before: Platform | None, after: Platform) -> tuple[Step, ...]:
    """Return the order in which the plugins of *after* start; what is not in *before* is new."""
    known = alive(before) if before else set()
    return tuple(
        Step(member.name, member.manifest.version, tuple(map(str, member.manifest.provides)), change)
        for member in after.assembly.order()
        if member.manifest
        for change in ["" if member.name in known or before is None else "new"]
    )


def changed_providers(before: Platform | None, after: Platform) -> dict[str, str]:
    """Return the capabilities whose provider changes, with the new one."""
    old = before.assembly.resolution.providers if before else {}
    new = after.assembly.resolution.providers
    return {str(one): name for one, name in new.items() if one in old and old[one] != name}


def _dependants(before: Platform, gone: set[str]) -> Iterator[Dependant]:
    providers = before.assembly.resolution.providers
    for member in before.assembly.order():
        if member.name in gone or member.manifest is None:
            continue
        for required, wanted in ((True, member.manifest.requires), (False, member.manifest.wants)):
            for capability in wanted:
                provider = next((name for one, name in providers.items() if one == capability), None)
                if provider in gone:
                    yield Dependant(member.name, str(capability), str(provider), required)


def _pages(gone: Collection[Member]) -> Iterator[str]:
    for member in gone:
        for page in member.running.declarations.pages if member.running else ():
            if isinstance(page, Page):
                yield page.path


def _handlers(gone: Collection[Member]) -> Iterator[str]:
    for member in gone:
        for handler in member.running.declarations.event_handlers if member.running else ():
            yield f"{handler.wanted} for {member.name}"
