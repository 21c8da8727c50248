"""Readiness: every part of the deployment is asked whether it can do its work, all at once, none for long."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Final

import msgspec
import sqlalchemy as sa

from kernel.database.statements import Query
from kernel.members import Member, State

if TYPE_CHECKING:
    from kernel.lifecycle import Platform

PROBE_SECONDS: Final = 2.0  # for each probe
PING: Final = Query(sa.select(sa.literal(1).label("one")), int)

Probe = Callable[[], Awaitable[object]]


class Verdict(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one probe found."""

    plugin: str
    check: str
    ok: bool
    required: bool
    reason: str = ""  #: why not, for operators


class Readiness:
    """Asks the parts of *platform*; who asks while others wait for the verdicts gets theirs."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._asking: asyncio.Task[list[Verdict]] | None = None

    async def ask(self) -> list[Verdict]:
        """Return the verdict of every probe, in the order in which the plugins start."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask_all(), name="readiness")
        return await asyncio.shield(self._asking)

    async def _ask_all(self) -> list[Verdict]:
        return list(await asyncio.gather(*self._verdicts()))

    def _verdicts(self) -> Iterator[Awaitable[Verdict]]:
        if self._platform.config.redis.url:
            yield _try("kernel", "redis", self._platform.redis.check, required=True)
        for member in self._platform.states():
            if member.state is not State.DISABLED:
                yield from (
                    _try(member.name, name, probe, required=not member.optional) for name, probe in _probes(member)
                )
        for plugin, breaker in self._platform.containment:
            if (held := breaker.quarantine()) and breaker.shut:
                # never required: the routes of this one plugin are closed, and everything else serves
                yield _try(plugin, "quarantine", _raising(held.reason), required=False)


def _raising(reason: str) -> Probe:
    async def probe() -> None:
        raise RuntimeError(reason)

    return probe


def _probes(member: Member) -> Iterator[tuple[str, Probe]]:
    async def runs() -> None:
        if member.state is not State.STARTED:
            raise RuntimeError(member.reason or f"the plugin is {member.state}")

    yield "state", runs
    if member.state is State.STARTED and (running := member.running):
        database = running.database
        yield "database", lambda: database.one(PING)
        for check in running.declarations.checks:
            yield check.name, check.probe


async def _try(plugin: str, name: str, probe: Probe, *, required: bool) -> Verdict:
    reason = ""
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            await probe()
    except TimeoutError:
        reason = f"no answer within {PROBE_SECONDS:g} s"
    except Exception as error:
        reason = str(error) or type(error).__name__
    return Verdict(plugin=plugin, check=name, ok=not reason, required=required, reason=reason)
