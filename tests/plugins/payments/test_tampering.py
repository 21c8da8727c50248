"""Whoever holds the database can change any row of the ledger, and `verify` finds any one row that was changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import pytest
import sqlalchemy as sa

from kernel import new_id
from kernel.testing.contracts.payments import DeployedPayments
from plugins.payments.tables import adjustments, charges, entries, redemptions, refunds, transfers, wallets
from tests.plugins.payments.ledgers import adjust, change, database, faults, tamper

TABLES = (wallets, transfers, entries, charges, refunds, adjustments, redemptions)
Row = Mapping[str, Any]


#: What tells nothing of money: the last digest of a wallet, and the key under which a request may come again.
SCRATCH: Final = ("moved_digest", "request_key")


async def live(bank: DeployedPayments) -> None:
    """Let two people do everything that moves money."""
    for _ in range(2):
        person, purchase = new_id(), new_id()
        await bank.fund(person, 4000)
        await adjust(bank, person, 700, "promotional")
        await adjust(bank, person, -100)
        await bank.payments.charge(purchase, person, new_id(), 1500)
        await bank.payments.refund(purchase, 300, key=f"{purchase} part", reason="part")
        await bank.payments.refund(purchase, 600, key=f"{purchase} more", reason="more")
        await bank.payments.charge(new_id(), person, new_id(), 200)


async def run(bank: DeployedPayments, statement: sa.Executable) -> None:
    async with database(bank).engine().begin() as connection:
        await connection.execute(statement)


async def everything(bank: DeployedPayments, table: sa.Table) -> list[Row]:
    async with database(bank).engine().connect() as connection:
        return [dict(row._mapping) for row in await connection.execute(sa.select(table))]


def row_of(table: sa.Table, row: Row) -> sa.ColumnElement[bool]:
    return sa.and_(*(column == row[column.name] for column in table.primary_key))


def other(value: object) -> object:
    """Return another value of the same kind."""
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case str():
            return f"{value}x"
        case bytes():
            return value[:-1] + bytes([value[-1] ^ 1])
        case UUID():
            return new_id()
        case datetime():
            return value + timedelta(seconds=1)
    raise AssertionError(f"what is another {value!r}?")


def changes(table: sa.Table, row: Row) -> Iterator[Row]:
    """Yield *row* with one value changed, once for each."""
    for name, value in row.items():
        if value is not None and name not in SCRATCH:
            yield {**row, name: other(value)}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
async def test_any_value_that_was_changed_is_found(bank: DeployedPayments, table: sa.Table) -> None:
    """In every column of every row, but for those that the database itself refuses to have changed."""
    await live(bank)
    await tamper(bank)
    assert await faults(bank) == []
    found = 0

    for row in await everything(bank, table):
        for changed in changes(table, row):
            try:
                await run(bank, sa.update(table).where(row_of(table, row)).values(changed))
            except sa.exc.IntegrityError:
                continue
            assert await faults(bank), {name: value for name, value in changed.items() if value != row[name]}
            await run(bank, sa.update(table).where(row_of(table, changed)).values(row))
            found += 1

    assert found
    assert await faults(bank) == []


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
async def test_any_row_that_is_gone_is_missed(bank: DeployedPayments, table: sa.Table) -> None:
    """Also where the database does not keep it for another that refers to it."""
    await live(bank)
    await tamper(bank)

    for row in await everything(bank, table):
        try:
            await run(bank, sa.delete(table).where(row_of(table, row)))
        except sa.exc.IntegrityError:
            continue
        assert await faults(bank), row
        await run(bank, sa.insert(table).values(row))

    assert await faults(bank) == []


async def test_entries_that_were_cut_off_are_missed_by_what_they_were_of(bank: DeployedPayments) -> None:
    """A wallet whose newest entries were taken away has a whole chain; what they were of is left."""
    await live(bank)
    person = (await everything(bank, wallets))[0]["user_id"]
    chain = sorted(
        (row for row in await everything(bank, entries) if row["wallet_id"] == person), key=lambda row: row["version"]
    )
    kept, cut = chain[2], chain[3:]
    await tamper(bank)
    lost = [row["transfer_id"] for row in cut]
    await run(bank, sa.delete(entries).where(entries.c.transfer_id.in_(lost)))
    await run(bank, sa.delete(transfers).where(transfers.c.id.in_(lost)))
    state = {
        "balance": kept["balance_after"],
        "promotional": 700,
        "moved_promotional": kept["promotional"],
        "version": kept["version"],
        "head": kept["hash"],
    }
    await run(bank, sa.update(wallets).where(wallets.c.user_id == person).values(state))

    found = await faults(bank)

    assert not [fault for fault in found if fault.where.startswith("wallet")]
    assert sorted({fault.where.split()[0] for fault in found}) == ["charge", "ledger", "refund"]


async def test_wallet_made_up_whole_has_no_chain(bank: DeployedPayments) -> None:
    """Money that somebody wrote into the database, both sides and all, lacks the key of the deployment."""
    await live(bank)
    (movement,) = [row for row in await everything(bank, adjustments) if row["amount"] > 0][:1]
    (transfer,) = [row for row in await everything(bank, transfers) if row["id"] == movement["id"]]
    thief, made_up = new_id(), new_id()
    sides = [row for row in await everything(bank, entries) if row["transfer_id"] == movement["id"]]
    account = f"wallet:{thief}"
    wallet = {
        "user_id": thief,
        "balance": 700,
        "promotional": 700,
        "moved_promotional": 700,
        "version": 1,
        "head": bytes(range(32)),
    }
    ours = {"wallet_id": thief, "account": account, "balance_after": 700, "version": 1, "hash": bytes(range(32))}

    await run(bank, sa.insert(adjustments).values({**movement, "id": made_up, "user_id": thief}))
    key = transfer["key"].replace(str(movement["id"]), str(made_up))
    moved = {"id": made_up, "key": key, "to_account": account, "user_id": thief, "reference": made_up}
    await run(bank, sa.insert(transfers).values({**transfer, **moved}))
    await run(bank, sa.insert(wallets).values(wallet))
    for side in sides:
        of_wallet = ours if side["wallet_id"] else {}
        await run(bank, sa.insert(entries).values({**side, "transfer_id": made_up, **of_wallet}))

    assert [(fault.where, fault.what) for fault in await faults(bank)] == [
        (f"wallet {thief}", f"has a chain of hashes that breaks at entry 1, of transfer {made_up}")
    ]


async def test_history_passed_off_as_older_than_the_chain_is_found(bank: DeployedPayments) -> None:
    """Entries from before there were chains have no hash of their own: but none is younger than a chain."""
    await live(bank)
    await tamper(bank)
    nothing = "'\\x" + "00" * 32 + "'" if database(bank).dialect == "postgresql" else "x'" + "00" * 32 + "'"
    person = (await everything(bank, wallets))[-1]["user_id"]
    shown = str(person) if database(bank).dialect == "postgresql" else person.hex
    await change(
        bank,
        f"UPDATE entries SET hash = {nothing} WHERE wallet_id = '{shown}'",  # ours
        f"UPDATE wallets SET head = {nothing} WHERE user_id = '{shown}'",  # ours
    )

    (fault,) = await faults(bank)

    assert fault.where == "ledger"
    assert "without a hash" in fault.what
