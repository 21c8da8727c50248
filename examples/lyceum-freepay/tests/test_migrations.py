"""The revisions make the tables exactly, on both ends, and keep what people had."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import lyceum_freepay.migrations
import pytest
import pytest_asyncio
import sqlalchemy as sa
from lyceum_freepay.tables import batches, metadata, redemptions, uses, vouchers

from kernel import errors, new_id
from kernel.database.location import DatabaseSettings
from kernel.database.migrations import Target, downgrade, upgrade
from kernel.database.opening import open_database
from kernel.testing.migrations import assert_revisions_make_exactly
from kernel.testing.servers import PostgresServer

NOW = datetime(2030, 1, 1, tzinfo=UTC)
TEXTS = {"currency": "EUR", "tag": "", "comment": "", "prefix": ""}


@pytest_asyncio.fixture
async def target(end: str, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Target]:
    """A database without tables."""
    async with AsyncExitStack() as stack:
        url = f"sqlite:///{tmp_path}"
        if end == "postgresql":
            server: PostgresServer = request.getfixturevalue("postgres_server")
            url = await stack.enter_async_context(server.fresh_database())
        settings = DatabaseSettings(url=url)
        yield Target(plugin="freepay", settings=settings, metadata=metadata, revisions=lyceum_freepay.migrations)


async def test_revisions_make_the_tables_and_undo_them(target: Target) -> None:
    """Up, down and up again leaves the tables that the code knows."""
    await assert_revisions_make_exactly(target)


async def test_redemptions_of_old_count_as_uses(target: Target) -> None:
    """Nobody can redeem again what was redeemed before there were kinds of vouchers, and everybody keeps the credit."""
    await upgrade([target])
    await downgrade(target, "freepay_0001")
    voucher, person = await make_batch(target, amount=700), new_id()
    redeemed = {"id": new_id(), "voucher_id": voucher, "batch_id": new_id(), "user_id": person, "amount": 700}
    await run(target, sa.insert(redemptions).values(**redeemed, created_at=NOW))

    await upgrade([target])

    assert await run(target, sa.select(uses)) == [(voucher, person, 1)]
    columns = (redemptions.c.user_id, redemptions.c.amount, redemptions.c.credit, redemptions.c.request_key)
    assert await run(target, sa.select(*columns)) == [(person, 700, "refundable", None)]
    terms = (batches.c.kind, batches.c.amount, batches.c.course_ids, batches.c.credit, batches.c.max_uses_per_person)
    assert await run(target, sa.select(*terms)) == [("top-up", 700, [], "refundable", 1)]


async def test_downgrade_leaves_no_voucher_that_would_come_to_mean_more(target: Target) -> None:
    """The version before takes every voucher for a top-up, and knows of none that was withdrawn."""
    await upgrade([target])
    kept = await make_batch(target, amount=700)
    await make_batch(target, amount=700, kind="discount", credit=None)
    await make_batch(target, kind="enrol", credit=None)
    await make_batch(target, amount=700, withdrawn_at=NOW)

    await downgrade(target, "freepay_0001")

    assert await run(target, sa.select(vouchers.c.id)) == [(kept,)]


async def test_downgrade_refuses_what_the_version_before_can_not_hold(target: Target) -> None:
    """Credit of somebody who redeemed a voucher twice is not thrown away: nothing is changed."""
    await upgrade([target])
    voucher, person = new_id(), new_id()
    rows = [
        {"id": new_id(), "voucher_id": voucher, "batch_id": voucher, "user_id": person, "amount": 1, "created_at": NOW}
        for _ in range(2)
    ]
    await run(target, sa.insert(redemptions).values(rows))

    with pytest.raises(errors.MigrationFailed):
        await downgrade(target, "freepay_0001")

    assert len(await run(target, sa.select(redemptions.c.request_key))) == 2


async def make_batch(target: Target, **terms: object) -> UUID:
    """Make a batch of one voucher; return the voucher's id."""
    batch, voucher = new_id(), new_id()
    maker = {"created_by": new_id(), "created_at": NOW, "request_key": str(batch), "request_hash": b"-"}
    await run(target, sa.insert(batches).values(id=batch, count=1, max_uses=1, **TEXTS, **maker, **terms))
    await run(target, sa.insert(vouchers).values(code_hash=voucher.bytes, id=voucher, batch_id=batch, uses=0))
    return voucher


async def run(target: Target, statement: sa.sql.base.Executable) -> list[tuple[Any, ...]]:
    """Run *statement*; return its rows."""
    db = open_database("freepay", target.settings)
    try:
        async with db.engine().begin() as connection:
            result = await connection.execute(statement)
            return [tuple(row) for row in result] if result.returns_rows else []
    finally:
        await db.close()
