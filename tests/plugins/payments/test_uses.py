"""The statement that takes a use of a voucher: alone it touches nothing where there is none left."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from uuid import UUID

import pytest

from kernel import new_id
from kernel.contracts.payments import Charge
from kernel.testing.contracts.payments import DeployedPayments
from kernel.testing.contracts.payments.deployed import BATCHES, create
from plugins.payments.terms import Voucher
from plugins.payments.uses import TAKE_USE, Use
from plugins.payments.voucher_use import VoucherUses
from plugins.payments.vouchers import Vouchers
from tests.plugins.payments.ledgers import database, rows


async def made(bank: DeployedPayments, **terms: object) -> Voucher:
    """Return a voucher with these terms."""
    code = await bank.voucher(**{"kind": "discount", "percent": 10, **terms})
    found = await bank.deployment.platform.context("payments").own(Vouchers).find(code)
    assert found is not None
    return found


async def take(bank: DeployedPayments, voucher: Voucher, person: UUID, *, most: int = 1) -> Use | None:
    """Run the statement, with nothing that follows."""
    return await database(bank).first(TAKE_USE, voucher=voucher.id, transfer_user_id=person, most_by_person=most)


async def test_use_is_taken_while_there_are_uses(bank: DeployedPayments) -> None:
    """Then nothing is touched, without an error of the database."""
    voucher = await made(bank, max_uses=2)

    assert [await take(bank, voucher, new_id()) for _ in range(3)] == [Use(voucher.id, 1), Use(voucher.id, 1), None]
    assert await rows(bank, "SELECT uses FROM vouchers") == [(2,)]


async def test_use_of_a_withdrawn_voucher_is_not_taken(bank: DeployedPayments) -> None:
    """The row itself says so, whatever somebody had read of it before."""
    voucher = await made(bank)
    await bank.administrator().call("POST", f"{BATCHES}/{voucher.batch_id}/withdraw")

    assert await take(bank, voucher, new_id()) is None


async def test_use_is_taken_as_often_as_one_person_may(bank: DeployedPayments) -> None:
    """Uses that were given back do not count, but keep their numbers."""
    voucher, buyer, first = await made(bank, percent=100, max_uses=9, max_uses_per_person=2), new_id(), new_id()
    ctx = bank.deployment.platform.context("payments")
    for purchase in (first, new_id()):
        async with ctx.db.transaction() as session:
            await ctx.own(VoucherUses).take(session, voucher, charge(voucher, purchase, buyer), 0)

    assert await take(bank, voucher, buyer, most=2) is None
    async with ctx.db.transaction() as session:
        await ctx.own(VoucherUses).give_back(session, charge(voucher, first, buyer), ctx.clock.now())
    assert await take(bank, voucher, buyer, most=2) == Use(voucher.id, 3)


@pytest.mark.postgresql_only
async def test_batch_is_not_deleted_under_a_use(bank: DeployedPayments) -> None:
    """A deletion waits for whoever holds a voucher, and is refused for what was written meanwhile."""
    administrator = bank.administrator()
    made = await create(administrator, {"count": 2, "kind": "discount", "percent": 100})
    batch, codes = made.batch, made.codes
    ctx = bank.deployment.platform.context("payments")
    held = await ctx.own(Vouchers).find(codes[0])
    assert held is not None

    async with ctx.db.transaction() as session:
        await ctx.own(VoucherUses).take(session, held, charge(held, new_id(), new_id()), 0)
        deletion = asyncio.create_task(administrator.call("DELETE", f"{BATCHES}/{batch.id}", expect=409))
        await asyncio.sleep(0.3)
        assert not deletion.done()

    assert "withdraw it instead" in (await deletion)["detail"]
    assert await rows(bank, "SELECT count(*) FROM vouchers") == [(2,)]


def charge(voucher: Voucher, purchase_id: UUID, user_id: UUID) -> Charge:
    """Return a charge of nothing with *voucher*."""
    return Charge(
        id=new_id(),
        purchase_id=purchase_id,
        user_id=user_id,
        course_id=new_id(),
        amount=0,
        currency="EUR",
        refunded=0,
        created_at=datetime.now(UTC),
        voucher_id=voucher.id,
    )
