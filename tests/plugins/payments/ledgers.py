"""How the tests look into the ledger, and break it."""

from __future__ import annotations

from typing import TypeVar, cast
from uuid import UUID

import msgspec

from kernel import Event
from kernel.database import Database
from kernel.testing.contracts.payments import DeployedPayments
from kernel.testing.contracts.payments.deployed import BASE, fresh_key
from plugins.payments.chain import Seal
from plugins.payments.tables import APPEND_ONLY
from plugins.payments.verify import Fault, Progress, verify

E = TypeVar("E", bound=Event)


def database(bank: DeployedPayments) -> Database:
    db: Database = bank.deployment.platform.context("payments").db
    return db


def seal(bank: DeployedPayments) -> Seal:
    return Seal(bank.deployment.platform.context("payments").secrets)


async def faults(bank: DeployedPayments) -> list[Fault]:
    """Return what `lyceum payments verify` finds."""
    return [fault async for fault in verify(database(bank), seal(bank), Progress())]


async def rows(bank: DeployedPayments, sql: str) -> list[tuple[object, ...]]:
    """Return what a query says."""
    async with database(bank).engine().connect() as connection:
        return [tuple(row) for row in await connection.exec_driver_sql(sql)]


async def change(bank: DeployedPayments, *statements: str) -> None:
    """Run *statements* as the plugin itself could."""
    async with database(bank).engine().begin() as connection:
        for statement in statements:
            await connection.exec_driver_sql(statement)


async def adjust(bank: DeployedPayments, user: UUID, amount: int, credit: str = "refundable") -> None:
    """Put credit into a wallet as administrators do, or take it out."""
    body = {"amount": amount, "credit": credit, "reason": "test"}
    path = f"{BASE}/wallets/{user}/adjustments"
    await bank.administrator().call("POST", path, body, expect=201, headers=fresh_key())


async def tamper(bank: DeployedPayments, *statements: str) -> None:
    """Switch the guards of the history off, as only somebody with the database in hands could, and run *statements*."""
    if database(bank).dialect == "postgresql":
        off = [f"ALTER TABLE {table.name} DISABLE TRIGGER USER" for table in APPEND_ONLY]
    else:
        off = [f"DROP TRIGGER IF EXISTS {table.name}_{what}" for table in APPEND_ONLY for what in ("update", "delete")]
    await change(bank, *off, *statements)


async def outbox(bank: DeployedPayments, kind: type[E]) -> list[E]:
    """Return the events of *kind* that were written, the oldest first."""
    found = await rows(bank, f"SELECT data FROM outbox WHERE type = '{kind.name}' ORDER BY seq")  # ours
    return [msgspec.json.decode(cast(bytes, data), type=kind) for (data,) in found]
