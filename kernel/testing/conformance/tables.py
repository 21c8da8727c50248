"""The rule for tables: the revisions make them exactly, and undo what they do, on either kind of database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

from kernel import errors
from kernel.database.location import DatabaseSettings
from kernel.lifecycle import target
from kernel.testing.conformance.subject import Booted
from kernel.testing.conformance.verdicts import Finding, broken, not_checked
from kernel.testing.migrations import revision_faults
from kernel.testing.processes import ServerFailed
from kernel.testing.servers import postgres


async def tables(booted: Booted, url: str) -> AsyncIterator[Finding]:
    """Up, down and up again in the empty database at *url* leaves the tables that the code knows."""
    if booted.migrations is None:
        return
    try:
        faults = await revision_faults(replace(target(booted.member), settings=DatabaseSettings(url=url)))
    except errors.MigrationFailed as error:
        yield broken(f"{error.message}; mend the revision")
        return
    for fault in faults:
        yield broken(f"{fault}; mend the revisions, or the tables in the code")


async def tables_on_postgresql(booted: Booted) -> AsyncIterator[Finding]:
    """The same on a PostgreSQL that is started for it, where there is one to start."""
    if booted.migrations is None:
        return
    try:
        with postgres() as server:
            async with server.fresh_database() as url:
                async for finding in tables(booted, url):
                    yield finding
    except ServerFailed as error:
        yield not_checked(f"no PostgreSQL can be started ({error}); install lyceum-platform[test]")
