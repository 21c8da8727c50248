"""What this plugin keeps of a person: handed out whole, and erased but for what has to stay, on both ends."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest_asyncio
import sqlalchemy as sa
from lyceum_freepay.personal_data import KNOWN, PAGE
from lyceum_freepay.tables import charges, uses, vouchers

from kernel import new_id
from kernel.contracts.personal_data import PERSONAL_DATA, PersonalData, Receipt, Subject
from kernel.database import Command, Query
from kernel.testing.contracts.payments import DeployedPayments, deploy_payments
from kernel.testing.contracts.payments.deployed import create
from kernel.testing.contracts.payments.harness import bought_with
from kernel.testing.deploying import Deploy

USES = Query(sa.select(uses.c.user_id).order_by(uses.c.user_id), UUID)
USES_OF_VOUCHERS = Query(sa.select(vouchers.c.uses).order_by(vouchers.c.uses), int)
ADD_CHARGE = Command(sa.insert(charges).values({column.name: sa.bindparam(column.name) for column in charges.c}))


@pytest_asyncio.fixture
async def freepay(deploy: Deploy) -> DeployedPayments:
    return await deploy_payments(deploy, "freepay", charges_money=False)


def contribution(freepay: DeployedPayments) -> PersonalData:
    return dict(freepay.deployment.platform.services.named(PERSONAL_DATA))["freepay"]


def subject(user: UUID) -> Subject:
    return Subject(user_id=user, email="ada@example.org")


async def exported(freepay: DeployedPayments, user: UUID) -> dict[str, list[dict[str, Any]]]:
    return {
        document.name: json.loads(document.content) async for document in contribution(freepay).export(subject(user))
    }


async def live(freepay: DeployedPayments, user: UUID) -> None:
    """Let the person get credit, buy with a voucher, and make vouchers."""
    await freepay.fund(user, 700)
    code = await freepay.voucher(kind="discount", percent=50, max_uses=9)
    await bought_with(freepay, code, user_id=user)
    await create(freepay.deployment.client("admin", user=user), {"count": 2, "amount": 5, "comment": "For my class"})


async def test_person_gets_all_that_is_kept_of_them(freepay: DeployedPayments) -> None:
    """And nothing of anybody else; who did nothing here gets no file."""
    ada, bob = new_id(), new_id()
    await live(freepay, ada)
    await live(freepay, bob)

    files = await exported(freepay, ada)

    assert files.keys() == {f"{name}-1.json" for name in KNOWN}
    assert [row["amount"] for row in files["credit-1.json"]] == [700]
    assert len(files["purchases-1.json"]) == 1
    assert [row["uses"] for row in files["vouchers-used-1.json"]] == [1, 1]
    assert [row["comment"] for row in files["voucher-batches-1.json"]] == ["For my class"]
    assert await exported(freepay, new_id()) == {}


async def test_uses_are_forgotten_and_credit_and_purchases_stay(freepay: DeployedPayments) -> None:
    """Under the number, as the receipt says; vouchers are used up as before, and others keep what they have."""
    ada, bob = new_id(), new_id()
    await live(freepay, ada)
    await live(freepay, bob)
    db = freepay.deployment.platform.context("freepay").db
    counts = await db.all(USES_OF_VOUCHERS)

    receipt = await contribution(freepay).erase(subject(ada))

    assert await contribution(freepay).erase(subject(ada)) == receipt
    assert isinstance(receipt, Receipt)
    assert (len(receipt.erased), len(receipt.kept)) == (1, 2)
    assert await db.all(USES) == [bob, bob]
    assert await db.all(USES_OF_VOUCHERS) == counts
    assert await freepay.balance(ada) == 700
    assert (await exported(freepay, ada)).keys() == {"credit-1.json", "purchases-1.json", "voucher-batches-1.json"}


async def test_use_of_an_erased_person_is_given_back(freepay: DeployedPayments) -> None:
    """The voucher's own count goes down, though nobody knows any more how often the person had used it."""
    ada, code = new_id(), await freepay.voucher(kind="discount", percent=50)
    charge = await bought_with(freepay, code, user_id=ada)
    await contribution(freepay).erase(subject(ada))

    await freepay.payments.refund(charge.purchase_id, None, key="back", reason="Sorry.")

    assert await freepay.deployment.platform.context("freepay").db.all(USES_OF_VOUCHERS) == [0]
    await bought_with(freepay, code)


async def test_much_comes_in_several_files(freepay: DeployedPayments) -> None:
    """Each row once."""
    ada, now = new_id(), freepay.clock.now()
    same = {"user_id": ada, "course_id": new_id(), "asked": 0, "currency": "EUR", "created_at": now, "voucher_id": None}
    rows = [same | {"purchase_id": new_id(), "id": new_id()} for _ in range(PAGE + 3)]
    await freepay.deployment.platform.context("freepay").db.run_many(ADD_CHARGE, rows)

    files = await exported(freepay, ada)

    assert [len(files[f"purchases-{number}.json"]) for number in (1, 2)] == [PAGE, 3]
    found = {row["purchase_id"] for rows in files.values() for row in rows}
    assert len(found) == PAGE + 3
