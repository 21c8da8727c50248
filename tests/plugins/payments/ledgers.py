"""How the tests look into the ledger, and break it."""

from __future__ import annotations

from kernel.database import Database
from kernel.testing.contracts.payments import DeployedPayments
from plugins.payments.tables import APPEND_ONLY
from plugins.payments.verify import Fault, Progress, verify


def database(bank: DeployedPayments) -> Database:
    db: Database = bank.deployment.platform.context("payments").db
    return db


async def faults(bank: DeployedPayments) -> list[Fault]:
    """Return what `lyceum payments verify` finds."""
    return [fault async for fault in verify(database(bank), Progress())]


async def rows(bank: DeployedPayments, sql: str) -> list[tuple[object, ...]]:
    """Return what a query says."""
    async with database(bank).engine().connect() as connection:
        return [tuple(row) for row in await connection.exec_driver_sql(sql)]


async def change(bank: DeployedPayments, *statements: str) -> None:
    """Run *statements* as the plugin itself could."""
    async with database(bank).engine().begin() as connection:
        for statement in statements:
            await connection.exec_driver_sql(statement)


async def tamper(bank: DeployedPayments, *statements: str) -> None:
    """Run *statements* with the guards of the history off, as only somebody with the database in hands could."""
    if database(bank).dialect == "postgresql":
        off = [f"ALTER TABLE {table.name} DISABLE TRIGGER USER" for table in APPEND_ONLY]
        on = [f"ALTER TABLE {table.name} ENABLE TRIGGER USER" for table in APPEND_ONLY]
    else:
        off = [f"DROP TRIGGER {table.name}_{what}" for table in APPEND_ONLY for what in ("update", "delete")]
        on = []
    await change(bank, *off, *statements, *on)
