"""The revisions make the tables exactly, on both ends."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pytest
import sqlalchemy as sa

from kernel import Secrets, errors, new_id
from kernel.database import Query, Timestamp
from kernel.database.location import DatabaseSettings
from kernel.database.migrations import Target, downgrade, upgrade
from kernel.database.opening import open_database
from kernel.testing.migrations import assert_revisions_make_exactly
from kernel.testing.servers import PostgresServer
from plugins.payments import migrations
from plugins.payments.chain import Seal
from plugins.payments.holdings import HELD, Held
from plugins.payments.tables import charges, metadata
from plugins.payments.verify import Progress, verify

MOMENT: Final = datetime(2026, 1, 1, tzinfo=UTC)


def target(url: str) -> Target:
    return Target(plugin="payments", settings=DatabaseSettings(url=url), metadata=metadata, revisions=migrations)


async def test_revisions_make_the_tables_on_sqlite(tmp_path: Path) -> None:
    """Up, down and up again leaves the tables that the code knows."""
    await assert_revisions_make_exactly(target(f"sqlite:///{tmp_path}"))


async def test_revisions_make_the_tables_on_postgresql(postgres_server: PostgresServer) -> None:
    """Up, down and up again leaves the tables that the code knows."""
    async with postgres_server.fresh_database() as url:
        await assert_revisions_make_exactly(target(url))


def old(table: str, **columns: object) -> sa.Insert:
    """Insert a row as it was before there was promotional credit."""
    types: dict[type, Any] = {UUID: sa.Uuid(), datetime: Timestamp()}
    shown: list[sa.ColumnClause[Any]] = [sa.column(name, types.get(type(value))) for name, value in columns.items()]
    return sa.insert(sa.table(table, *shown)).values(columns)


def old_ledger(buyer: UUID) -> list[sa.Insert]:
    """Return the rows of somebody who had 1000, bought for 600, and got it back in two parts."""
    purchase, course, voucher, batch = (new_id() for _ in range(4))
    common = {"currency": "EUR", "user_id": buyer, "reason": "", "created_at": MOMENT}
    revenue, wallet = f"course:{course}:revenue", f"wallet:{buyer}"
    moves = (
        (f"voucher:{voucher}:{buyer}", "voucher", "platform:voucher_float", 1000, voucher, None),
        (f"charge:{purchase}", "charge", revenue, -600, purchase, course),
        ("refund:a", "refund", revenue, 200, purchase, course),
        ("refund:b", "refund", revenue, 400, purchase, course),
    )
    made = {"count": 1, "amount": 1000, "currency": "EUR", "max_uses": 1, "created_by": buyer, "created_at": MOMENT}
    words = {"tag": "", "comment": "", "prefix": "", "request_key": "a", "request_hash": b"a"}
    rows = [
        old("wallets", user_id=buyer, balance=1000, version=4),
        old("voucher_batches", id=batch, **made, **words),
        old("vouchers", id=voucher, batch_id=batch, number=0, code_hash=b"a", uses=1, max_uses=1, withdrawn=False),
        old("redemptions", voucher_id=voucher, user_id=buyer, batch_id=batch, created_at=MOMENT),
        old(
            "charges",
            purchase_id=purchase,
            id=new_id(),
            user_id=buyer,
            course_id=course,
            amount=600,
            currency="EUR",
            refunded=600,
            created_at=MOMENT,
        ),
    ]
    for key, amount, after in (("a", 200, 200), ("b", 400, 600)):
        given = {"requested": amount, "amount": amount, "refunded_after": after, "reason": "", "created_at": MOMENT}
        rows.append(old("refunds", key=key, purchase_id=purchase, **given))
    balance = 0
    for version, (key, kind, other, amount, reference, course_id) in enumerate(moves, 1):
        transfer, balance = new_id(), balance + amount
        giver, taker = (other, wallet) if amount > 0 else (wallet, other)
        moved = {"from_account": giver, "to_account": taker, "amount": abs(amount), "reference": reference}
        of_course = {} if course_id is None else {"course_id": course_id}
        rows.append(old("transfers", id=transfer, key=key, kind=kind, **moved, **of_course, **common))
        ours = {"wallet_id": buyer, "balance_after": balance, "version": version}
        rows.append(old("entries", transfer_id=transfer, account=wallet, amount=amount, **ours))
        rows.append(old("entries", transfer_id=transfer, account=other, amount=-amount))
    return rows


async def check_old_ledger(url: str) -> None:
    """Bring a ledger from before the chain up to date, go on with it, and go back."""
    here, buyer, secrets = target(url), new_id(), Secrets(bytes(32))
    await upgrade([here])
    await downgrade(here, "payments_0001")
    db = open_database("payments", here.settings)
    async with db.engine().begin() as connection:
        for row in old_ledger(buyer):
            await connection.execute(row)
    await db.close()

    await upgrade([here])

    db = open_database("payments", here.settings)
    progress = Progress()
    assert [fault async for fault in verify(db, Seal(secrets), progress)] == []
    assert progress.rows["entries from before the chain"] == 4
    assert (await db.one(HELD, user_id=buyer)) == Held(1000, 0)
    charge = await db.one(Query(sa.select(charges.c.returned), bool))
    assert charge is True
    async with db.engine().connect() as connection:
        with pytest.raises(sa.exc.DBAPIError, match="entries is append-only"):
            await connection.execute(sa.text("UPDATE entries SET amount = 1"))
    async with db.engine().begin() as connection:
        await connection.execute(sa.text("UPDATE wallets SET promotional = 1"))
    await db.close()
    with pytest.raises(errors.MigrationFailed, match="promotional credit"):
        await downgrade(here, "payments_0001")
    db = open_database("payments", here.settings)
    async with db.engine().begin() as connection:
        await connection.execute(sa.text("UPDATE wallets SET promotional = 0"))
    await db.close()
    await downgrade(here, "payments_0001")
    await upgrade([here])


async def test_old_ledger_is_brought_along_on_sqlite(tmp_path: Path) -> None:
    """Its credit is refundable, its entries count as older than the chain, and it still agrees."""
    await check_old_ledger(f"sqlite:///{tmp_path}")


async def test_old_ledger_is_brought_along_on_postgresql(postgres_server: PostgresServer) -> None:
    """Its credit is refundable, its entries count as older than the chain, and it still agrees."""
    async with postgres_server.fresh_database() as url:
        await check_old_ledger(url)
