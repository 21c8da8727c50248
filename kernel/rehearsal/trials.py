"""Trials: the revisions of a new version, up, down and up again, on a copy of the data."""

from __future__ import annotations

import time

import msgspec
import sqlalchemy as sa

from kernel import errors
from kernel.database.migrations import Target, downgrade, upgrade
from kernel.database.opening import open_database

Counts = dict[str, int]  #: table → rows


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    steps: tuple[str, ...] = ()  #: revisions that would be applied
    seconds: float = 0.0  #: that they took on the copy
    failed: str = ""
    lost_up: Counts = {}  #: table → rows that were there before
    lost_down: Counts = {}


async def rehearse(target: Target, back_to: str) -> Trial:
    """Apply what is missing to *target*, a copy; go back to the revision *back_to*, and apply it again."""
    steps: list[str] = []
    try:
        before = await _counts(target)
        began = time.perf_counter()
        await upgrade([target], on_step=lambda plugin, revision: steps.append(revision))
        seconds = time.perf_counter() - began
        if not steps:
            return Trial()
        after = await _counts(target)
        made = tuple(steps)
        await downgrade(target, back_to)
        back = await _counts(target)
        await upgrade([target])
    except errors.MigrationFailed as error:
        return Trial(steps=tuple(steps), failed=error.message)
    return Trial(steps=made, seconds=round(seconds, 3), lost_up=_lost(before, after), lost_down=_lost(before, back))


def _lost(before: Counts, after: Counts) -> Counts:
    return {table: rows - after.get(table, 0) for table, rows in before.items() if rows > after.get(table, 0)}


async def _counts(target: Target) -> Counts:
    versions = {history.version_table for history in target.histories}

    def count(connection: sa.Connection) -> Counts:
        names = set(sa.inspect(connection).get_table_names()) - versions
        return {name: connection.scalar(sa.select(sa.func.count()).select_from(sa.table(name))) or 0 for name in names}

    db = open_database(target.plugin, target.settings)
    try:
        async with db.engine().connect() as connection:
            return await connection.run_sync(count)
    finally:
        await db.close()
