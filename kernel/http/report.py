"""What is known of every plugin, for operators to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

import msgspec
from yarl import URL

from kernel.containment.breaker import Breaker
from kernel.database.migrations import History
from kernel.events.administration import Backlog
from kernel.hooks import Hooks
from kernel.http.settings import API_PREFIX
from kernel.members import Member, State
from kernel.settings import Secret, Url

if TYPE_CHECKING:
    from kernel.lifecycle import Platform

HIDDEN: Final = "…"


class HandlerReport(msgspec.Struct, frozen=True):
    """What waits for one event handler."""

    name: str
    lag: int
    dead: int


class PluginReport(msgspec.Struct, frozen=True, kw_only=True):
    """One installed plugin; a plugin that is off tells only its first facts."""

    name: str
    distribution: str
    version: str
    state: str
    reason: str | None
    optional: bool
    summary: str = ""
    provides: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    wants: tuple[str, ...] = ()
    mount: str = ""
    hooks: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()
    handlers: tuple[HandlerReport, ...] = ()
    migration: str | None = None  #: the newest revision, which its database has: it would not have started without
    start_seconds: float = 0.0
    settings: object = None
    faults: Mapping[str, int] = {}  #: kind → how many since the process started
    since: datetime | None = None  #: when the quarantine began, in which it is or after which it is on probation
    until: datetime | None = None  #: when that ends or has ended


async def report(platform: Platform) -> list[PluginReport]:
    """Return what is known of each installed plugin, in the order of their start."""
    backlogs = (await platform.events.administration.lag()).handlers
    described = [describe(member, platform.assembly.hooks, backlogs) for member in platform.states()]
    return [
        _contained(facts, platform.containment.of(facts.name)) if facts.state == State.STARTED else facts
        for facts in described
    ]


def _contained(facts: PluginReport, breaker: Breaker) -> PluginReport:
    """Return *facts* of a running plugin with what it did wrong; its state is that of its quarantine, if any."""
    facts = msgspec.structs.replace(facts, faults={str(fault): count for fault, count in breaker.counts.items()})
    if (held := breaker.quarantine()) is None:
        return facts
    state = "quarantined" if breaker.shut else "probation"
    return msgspec.structs.replace(facts, state=state, reason=held.reason, since=held.since, until=held.until)


def describe(member: Member, hooks: Hooks, backlogs: Sequence[Backlog] = ()) -> PluginReport:
    """Return what is known of *member*."""
    facts = PluginReport(
        name=member.name,
        distribution=member.installed.distribution,
        version=member.manifest.version if member.manifest else member.installed.version,
        state=str(member.state),
        reason=member.reason,
        optional=member.optional,
    )
    if member.manifest is None or member.plugin is None:
        return facts
    return msgspec.structs.replace(
        facts,
        summary=member.manifest.summary,
        provides=tuple(map(str, member.manifest.provides)),
        requires=tuple(map(str, member.manifest.requires)),
        wants=tuple(map(str, member.manifest.wants)),
        mount=member.mount,
        hooks=hooks.names(member.plugin),
        routes=routes(member),
        migration=_head(member),
        handlers=tuple(_handlers(member.name, backlogs)),
        start_seconds=round(member.seconds, 3),
        settings=shown(member.settings),
    )


def routes(member: Member) -> tuple[str, ...]:
    """Return method and path of each route of *member*; a WebSocket's method is shown as WS."""
    if member.running is None:
        return ()
    declared = member.running.declarations
    served = [
        *((route.method, route.path) for route in declared.routes),
        *(("WS", one.path) for one in declared.sockets),
    ]
    return tuple(f"{method} {API_PREFIX}/{member.mount}{path}" for method, path in served)


def _head(member: Member) -> str | None:
    if member.migrations is None:
        return None
    history = History("alembic_version", member.migrations.revisions, member.migrations.metadata)
    return ", ".join(sorted(history.heads()))


def _handlers(plugin: str, backlogs: Sequence[Backlog]) -> list[HandlerReport]:
    return [
        HandlerReport(name=one.handler, lag=one.unreceived + one.waiting, dead=one.dead)
        for one in backlogs
        if one.plugin == plugin
    ]


def shown(value: object) -> object:
    """Return *value* as JSON can hold it, without anything that is secret by its type."""
    if isinstance(value, Secret):
        return HIDDEN
    if isinstance(value, Url):
        return str(URL(value).with_user(None))
    if isinstance(value, msgspec.Struct):
        return {name: shown(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, Mapping):
        return {str(key): shown(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [shown(item) for item in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
