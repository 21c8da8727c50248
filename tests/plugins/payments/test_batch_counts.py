"""How often the vouchers of a batch were used is told exactly, and without looking at those that nobody used."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final
from uuid import UUID

import pytest
import sqlalchemy as sa

from kernel import new_id
from kernel.testing.contracts.payments import DeployedPayments
from kernel.testing.contracts.payments.deployed import BATCHES, REDEEM, create, fresh_key
from plugins.payments.batches import BATCHES as LISTED
from tests.plugins.payments.ledgers import database

MANY: Final = 2000  # vouchers of a batch


async def listed(bank: DeployedPayments) -> dict[UUID, int]:
    """Return what the list of batches says of each."""
    found = await bank.administrator().call("GET", BATCHES, params={"limit": 100})
    return {UUID(batch["id"]): batch["redeemed"] for batch in found["items"]}


async def test_uses_are_counted_and_those_that_went_back_are_not(bank: DeployedPayments) -> None:
    """Of one voucher several, of several vouchers, and none."""
    administrator, people = bank.administrator(), [bank.person() for _ in range(2)]
    several = await create(administrator, {"count": 3, "amount": 100, "max_uses": 5})
    unused = await create(administrator, {"count": 3, "amount": 100})
    free = await create(administrator, {"count": 1, "kind": "discount", "percent": 100})
    for person, code in ((people[0], 0), (people[1], 0), (people[1], 2)):
        await person.call("POST", REDEEM, {"code": several.codes[code]}, headers=fresh_key())
    purchase, course = new_id(), await bank.offer(100)
    await bank.payments.charge(purchase, new_id(), course, 0, voucher=free.codes[0])

    before = await listed(bank)
    await bank.payments.refund(purchase, None, key="all", reason="undo")

    assert before == {several.batch.id: 3, unused.batch.id: 0, free.batch.id: 1}
    assert await listed(bank) == {**before, free.batch.id: 0}


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield each node of a plan."""
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes(part)


@pytest.mark.postgresql_only
async def test_a_page_of_batches_looks_only_at_vouchers_that_were_used(bank: DeployedPayments) -> None:
    """In one query, by an index: of thousands of vouchers it reads as many as were used."""
    administrator = bank.administrator()
    made = [await create(administrator, {"count": MANY, "amount": 100}) for _ in range(3)]
    for batch, used in zip(made, (0, 1, 3), strict=True):
        for code in batch.codes[:used]:
            await bank.person().call("POST", REDEEM, {"code": code}, headers=fresh_key())
    values = {"before": UUID(int=2**128 - 1), "tag": None, "limit": 50}

    engine = database(bank).engine()
    async with engine.connect() as connection:
        await connection.execute(sa.text("ANALYZE vouchers"))
        bound = LISTED.statement.params(values)  # type: ignore[attr-defined]
        query = bound.compile(dialect=engine.dialect, compile_kwargs={"literal_binds": True})
        told = await connection.scalar(sa.text(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}"))
    (plan,) = told if isinstance(told, list) else json.loads(told)
    on_vouchers = [node for node in nodes(plan["Plan"]) if node.get("Relation Name") == "vouchers"]

    assert {node.get("Index Name", "ix_vouchers_used") for node in on_vouchers} == {"ix_vouchers_used"}
    assert {node["Node Type"] for node in on_vouchers} <= {"Index Scan", "Bitmap Heap Scan"}
    assert sum(node["Actual Rows"] * node["Actual Loops"] for node in on_vouchers) == pytest.approx(4, abs=0.1)
    assert all(node.get("Rows Removed by Filter", 0) == 0 for node in on_vouchers)
    assert [count for _, count in sorted((await listed(bank)).items())] == [0, 1, 3]
