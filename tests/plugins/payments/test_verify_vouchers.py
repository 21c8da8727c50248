"""`lyceum payments verify` finds what does not agree about vouchers and their uses."""

from __future__ import annotations

import pytest

from kernel import new_id
from kernel.testing.contracts.payments import DeployedPayments
from tests.plugins.payments.ledgers import faults, tamper

TOP_UP = "purchase_id IS NULL"
USE = "purchase_id IS NOT NULL"
#: What somebody did to the database → what the report says.
TAMPERINGS = {
    f"UPDATE redemptions SET amount = 701 WHERE {TOP_UP}": "brought 701, but its batch brings 700",
    f"UPDATE redemptions SET balance = 9 WHERE {TOP_UP}": "says that the wallet held 9 after it, but its entry 700",
    "UPDATE voucher_batches SET credit = 'refundable'": "says promotional 0, but its transfer 700",
    f"INSERT INTO voucher_returns SELECT id, created_at FROM redemptions WHERE {TOP_UP}": (
        "was given back, which a top-up can not be"
    ),
    "DELETE FROM voucher_returns": "was not given back, but its charge is the other way round",
    f"INSERT INTO voucher_returns SELECT id, created_at FROM redemptions WHERE {USE} AND amount = 0 AND number = 2": (
        "was given back, but its charge is the other way round"
    ),
    f"DELETE FROM redemptions WHERE {USE} AND number = 2": "of which 0 uses are for its purchase",
    "UPDATE charges SET voucher_id = NULL WHERE NOT returned": "which was not charged with it",
    "UPDATE vouchers SET uses = uses + 1 WHERE max_uses > 1": "says 2 uses, but has 1 redemptions",
}


async def happen(bank: DeployedPayments) -> None:
    """Let somebody redeem a top-up, buy twice with a discount and give one of the two back."""
    buyer = new_id()
    await bank.fund(buyer, 700, credit="promotional")
    code = await bank.voucher(kind="discount", percent=50, max_uses=9, max_uses_per_person=9)
    first, second = new_id(), new_id()
    for purchase in (first, second):
        await bank.payments.charge(purchase, buyer, new_id(), 100, voucher=code)
    await bank.payments.refund(first, None, key="all", reason="all")


@pytest.mark.parametrize("statement", TAMPERINGS, ids=lambda statement: statement[:60])
async def test_verify_finds(bank: DeployedPayments, statement: str) -> None:
    """Each thing that somebody could do to the database shows."""
    await happen(bank)
    assert await faults(bank) == []

    await tamper(bank, statement)

    found = [f"{fault.where}: {fault.what}" for fault in await faults(bank)]
    assert any(TAMPERINGS[statement] in line for line in found), found
