"""The ledger: two entries for each movement, history that nobody changes, wallets that never owe."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from kernel import new_id
from kernel.contracts.payments import InsufficientFunds, PurchaseCharged
from kernel.testing.contracts.payments import DeployedPayments
from plugins.payments.refunds import GIVE_BACK
from plugins.payments.tables import APPEND_ONLY
from tests.plugins.payments.ledgers import adjust, change, database, faults, rows


async def test_ledger_has_two_entries_for_each_movement(bank: DeployedPayments) -> None:
    """What one account gives another takes: all entries add up to 0, and the wallet to its own."""
    buyer, course, purchase = new_id(), await bank.offer(1500), new_id()
    await bank.fund(buyer, 4000)
    await bank.payments.charge(purchase, buyer, course, 1500)
    await bank.payments.refund(purchase, 500, key="part", reason="part")

    found = await rows(bank, "SELECT account, amount, balance_after, version FROM entries ORDER BY transfer_id, amount")

    assert found == [
        ("platform:voucher_float", -4000, None, None),
        (f"wallet:{buyer}", 4000, 4000, 1),
        (f"wallet:{buyer}", -1500, 2500, 2),
        (f"course:{course}:revenue", 1500, None, None),
        (f"course:{course}:revenue", -500, None, None),
        (f"wallet:{buyer}", 500, 3000, 3),
    ]
    assert await faults(bank) == []


async def test_charge_of_nothing_moves_nothing(bank: DeployedPayments) -> None:
    """A free purchase is a charge without a movement."""
    await bank.payments.charge(new_id(), new_id(), new_id(), 0)

    assert await rows(bank, "SELECT count(*) FROM transfers") == [(0,)]
    assert await rows(bank, "SELECT amount FROM charges") == [(0,)]
    assert await faults(bank) == []


async def test_charge_refused_leaves_no_row(bank: DeployedPayments) -> None:
    """Neither a movement nor a charge nor an event is left of a refusal, which says what is missing."""
    buyer = new_id()
    with pytest.raises(InsufficientFunds, match="Nothing was ever paid into the wallet"):
        await bank.payments.charge(new_id(), buyer, new_id(), 1500)
    await bank.fund(buyer, 1000)

    with pytest.raises(InsufficientFunds, match="The wallet holds 1000") as refusal:
        await bank.payments.charge(new_id(), buyer, new_id(), 1500)

    assert refusal.value.extensions == {"balance": 1000, "price": 1500, "currency": "EUR"}
    assert await rows(bank, "SELECT count(*) FROM transfers") == [(1,)]
    assert await rows(bank, "SELECT count(*) FROM charges") == [(0,)]
    assert await rows(bank, "SELECT count(*) FROM outbox WHERE type LIKE '%charged%'") == [(0,)]


async def test_history_can_not_be_changed(bank: DeployedPayments) -> None:
    """The database refuses every change of what was written, to the plugin's own role, too."""
    buyer, purchase = new_id(), new_id()
    await bank.fund(buyer, 4000)
    code = await bank.voucher(kind="discount", price=1500)
    await bank.payments.charge(purchase, buyer, new_id(), 1500, voucher=code)
    await bank.payments.refund(purchase, None, key="all", reason="all")
    await adjust(bank, buyer, 100)

    for table in APPEND_ONLY:
        column = next(iter(table.columns)).name
        for statement in (f"UPDATE {table.name} SET {column} = {column}", f"DELETE FROM {table.name}"):
            with pytest.raises(sa.exc.DBAPIError, match=f"{table.name} is append-only"):
                await change(bank, statement)

    assert await faults(bank) == []


@pytest.mark.postgresql_only
async def test_history_can_not_be_truncated(bank: DeployedPayments) -> None:
    """PostgreSQL empties a table without looking at its rows; not this one."""
    for table in APPEND_ONLY:
        with pytest.raises(sa.exc.DBAPIError, match=f"{table.name} is append-only"):
            await change(bank, f"TRUNCATE {table.name} CASCADE")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE wallets SET balance = -1",
        "UPDATE charges SET refunded = amount + 1",
        "UPDATE charges SET refunded = -1",
        "UPDATE vouchers SET uses = max_uses + 1",
        "INSERT INTO transfers SELECT * FROM transfers",
    ],
)
async def test_database_refuses_what_would_break_a_rule(bank: DeployedPayments, statement: str) -> None:
    """The rules stand in the database, below every mistake of ours."""
    buyer = new_id()
    await bank.fund(buyer, 4000)
    await bank.payments.charge(new_id(), buyer, new_id(), 1500)

    with pytest.raises(sa.exc.IntegrityError):
        await change(bank, statement)

    assert await faults(bank) == []


@pytest.mark.parametrize(
    ("before", "amount", "state"),
    [
        (0, 1501, "refunded = 0"),  # more than was taken
        (0, 500, "refunded = 100"),  # something went back meanwhile: how it splits would be guessed
        (0, 0, f"amount = 0, voucher_id = course_id, returned = {True}"),  # a voucher's use, which went back before
    ],
)
async def test_statement_of_a_refund_touches_nothing_if_the_charge_is_another(
    bank: DeployedPayments, before: int, amount: int, state: str
) -> None:
    """That no charge gives back more than it took rests on the statement alone, whoever runs it."""
    buyer, purchase = new_id(), new_id()
    await bank.fund(buyer, 1500)
    charge = await bank.payments.charge(purchase, buyer, new_id(), 1500)
    await change(bank, f"UPDATE charges SET {state}")  # ours
    ctx = bank.deployment.platform.context("payments")
    event = PurchaseCharged(
        purchase_id=purchase, charge_id=charge.id, user_id=buyer, course_id=new_id(), amount=1, currency="EUR"
    )

    refunded = await database(bank).guarded(
        GIVE_BACK,
        purchase=purchase,
        before=before,
        sum=amount,
        refund_key="too much",
        refund_requested=None,
        refund_reason="",
        refund_created_at=ctx.clock.now(),
        **ctx.events.row(event),
    )

    assert refunded is None
    assert await rows(bank, "SELECT count(*) FROM refunds") == [(0,)]
