"""An examination: every rule, one after the other, of one plugin."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final, TypeVar

from kernel import errors
from kernel.database.location import locate
from kernel.testing.clock import StandingClock
from kernel.testing.conformance import borders, declared
from kernel.testing.conformance.lifecycle import starts_and_stops
from kernel.testing.conformance.personal import personal_data
from kernel.testing.conformance.redelivery import tolerates_redelivery
from kernel.testing.conformance.schemas import event_schemas_kept
from kernel.testing.conformance.subject import Booted, Subject, alive
from kernel.testing.conformance.tables import tables
from kernel.testing.conformance.verdicts import BROKEN, KEPT, NOT_CHECKED, Finding, Verdict, judged

T = TypeVar("T")

#: Rule → what looks at a plugin that was loaded.
LOADED: Final[Mapping[str, Callable[[Subject], Iterator[Finding]]]] = MappingProxyType(
    {
        "manifest": declared.manifest,
        "hooks": declared.hooks,
        "schemas": event_schemas_kept,
        "isolation": borders.isolation,
        "distribution": borders.distribution,
    }
)
#: Rule → what looks at a plugin that was booted.
BOOTED: Final[Mapping[str, Callable[[Booted], Iterator[Finding]]]] = MappingProxyType(
    {
        "events": declared.events,
        "permissions": declared.permissions,
        "routes": declared.routes,
        "revisions": declared.revisions,
        "foreign keys": borders.foreign_keys,
    }
)
TABLES: Final = "tables"
LIFECYCLE: Final = "lifecycle"
RUNNING: Final = ("redelivery", "personal data")
#: What is not looked at where a plugin does not boot.
LATER: Final = (*BOOTED, TABLES, LIFECYCLE, *RUNNING)


async def examine(subject: Subject) -> AsyncIterator[Verdict]:
    """Yield the verdicts on every rule; what builds on a rule that is broken is not checked."""
    for rule, look in LOADED.items():
        for verdict in await looked(rule, _each(look, subject)):
            yield verdict
    try:
        booted = await boot(subject)
    except errors.BootError as error:
        yield Verdict("boot", BROKEN, error.message)
        for rule in LATER:
            yield Verdict(rule, NOT_CHECKED, "it does not boot")
        return
    yield Verdict("boot", KEPT)
    async for verdict in _examine_booted(booted):
        yield verdict


async def boot(subject: Subject) -> Booted:
    """Return the subject, booted with nobody but who provides what it requires.

    Raises:
        errors.BootError: why it does not boot so.
    """
    return Booted(subject=subject, member=alive(subject.boot(await subject.place()), subject.name))


async def _examine_booted(booted: Booted) -> AsyncIterator[Verdict]:
    for rule, look in BOOTED.items():
        for verdict in await looked(rule, _each(look, booted)):
            yield verdict
    place = await booted.subject.place()
    dialect = locate(booted.subject.name, place.database).dialect
    for verdict in await looked(f"{TABLES} ({dialect})", tables(booted, place.database)):
        yield verdict
    stopping = await looked(LIFECYCLE, starts_and_stops(booted.subject))
    for verdict in stopping:
        yield verdict
    async for verdict in _examine_running(booted.subject, runs=all(one.verdict == KEPT for one in stopping)):
        yield verdict


async def _examine_running(subject: Subject, *, runs: bool) -> AsyncIterator[Verdict]:
    if not runs:
        for rule in RUNNING:
            yield Verdict(rule, NOT_CHECKED, "it does not start and stop as it should")
        return
    # Nothing happens by itself meanwhile, and time stands still: what changes, the events have changed.
    async with subject.running(await subject.place(), background=False, clock=StandingClock()) as (platform, member):
        looks = (tolerates_redelivery(subject, platform, member), personal_data(platform, member))
        found = [verdict for rule, look in zip(RUNNING, looks, strict=True) for verdict in await looked(rule, look)]
    for verdict in found:
        yield verdict


async def looked(rule: str, findings: AsyncIterator[Finding]) -> list[Verdict]:
    """Return the verdicts on *rule*; what keeps it from being looked at breaks it."""
    try:
        return judged(rule, [finding async for finding in findings])
    except Exception as error:
        remedy = f"it can not be looked at: {type(error).__name__}: {error}; mend what raises this"
        return [Verdict(rule, BROKEN, remedy)]


async def _each(look: Callable[[T], Iterator[Finding]], subject: T) -> AsyncIterator[Finding]:
    for finding in look(subject):
        yield finding
