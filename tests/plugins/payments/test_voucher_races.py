"""Races for vouchers, in one process and in two: a cap is exact, for all people together and for each."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any
from uuid import UUID

import aiohttp
import pytest

from kernel import new_id
from kernel.contracts.payments import Charge, InsufficientFunds, NothingToRefund, VoucherRedeemed, VoucherRefused
from kernel.testing.clients import Client
from kernel.testing.contracts.payments import DeployedPayments
from kernel.testing.contracts.payments.deployed import BATCHES, REDEEM, create, fresh_key
from kernel.testing.contracts.payments.harness import outcomes
from tests.plugins.payments.ledgers import database, faults, outbox, rows

pytestmark = pytest.mark.postgresql_only  # SQLite lets one writer in at a time

ROUNDS = 10
USES = "SELECT sum(uses) FROM vouchers"


async def answers(*requests: AbstractAsyncContextManager[aiohttp.ClientResponse]) -> list[tuple[int, Any]]:
    """Send *requests* at once; return the status and the body of each answer."""

    async def answer(request: AbstractAsyncContextManager[aiohttp.ClientResponse]) -> tuple[int, Any]:
        async with request as response:
            return response.status, await response.json()

    return await asyncio.gather(*(answer(request) for request in requests))


async def redeem_at_once(people: Sequence[Client], code: str) -> list[int]:
    """Let each of *people* redeem *code* at the same moment, with a key of its own; return the statuses."""
    found = await answers(*(person.post(REDEEM, json={"code": code}, headers=fresh_key()) for person in people))
    return [status for status, _ in found]


async def test_voucher_of_one_use_is_redeemed_by_one_of_fifty(bank: DeployedPayments) -> None:
    """One has the money, forty-nine are told that it was used up."""
    people = [bank.person() for _ in range(50)]

    for _ in range(ROUNDS):
        (code,) = await bank.vouchers(amount=100)
        statuses = await redeem_at_once(people, code)
        assert (statuses.count(200), statuses.count(409)) == (1, 49)

    assert sum([await bank.balance(person.user) for person in people if person.user]) == 100 * ROUNDS
    assert await faults(bank) == []


async def test_cap_of_seven_gives_seven_of_two_hundred(bank: DeployedPayments) -> None:
    """Not one use more, and none is lost."""
    people = [bank.person() for _ in range(200)]

    for _ in range(3):
        (code,) = await bank.vouchers(amount=100, max_uses=7)
        statuses = await redeem_at_once(people, code)
        assert (statuses.count(200), statuses.count(409)) == (7, 193)

    assert await rows(bank, USES) == [(21,)]
    assert len(await outbox(bank, VoucherRedeemed)) == 21
    assert await faults(bank) == []


@pytest.mark.parametrize("most", [1, 3])
async def test_person_uses_a_voucher_as_often_as_one_may_and_no_more(bank: DeployedPayments, most: int) -> None:
    """Of twenty requests at once, in two processes."""
    twin = await bank.deployment.twin()

    for _ in range(ROUNDS):
        user = new_id()
        clients = [deployment.client("student", user=user) for deployment in (bank.deployment, twin)]
        (code,) = await bank.vouchers(amount=100, max_uses=50, max_uses_per_person=most)
        statuses = await redeem_at_once(clients * 10, code)
        assert (statuses.count(200), statuses.count(409)) == (most, 20 - most)
        assert await bank.balance(user) == 100 * most

    assert await faults(bank) == []


async def test_as_many_requests_as_one_person_may_make_all_succeed(bank: DeployedPayments) -> None:
    """Two that meet are not refused for that: the one that came second is tried again."""
    twin = await bank.deployment.twin()

    for _ in range(ROUNDS):
        user = new_id()
        clients = [deployment.client("student", user=user) for deployment in (bank.deployment, twin)]
        (code,) = await bank.vouchers(amount=100, max_uses=50, max_uses_per_person=6)
        assert await redeem_at_once(clients * 3, code) == [200] * 6

    assert await faults(bank) == []


async def test_cap_holds_over_two_processes(bank: DeployedPayments) -> None:
    """Fifty people, half of them in each process."""
    twin = await bank.deployment.twin()
    people = [deployment.client("student", user=new_id()) for deployment in (bank.deployment, twin) for _ in range(25)]

    for _ in range(ROUNDS):
        (code,) = await bank.vouchers(amount=100, max_uses=7)
        statuses = await redeem_at_once(people, code)
        assert (statuses.count(200), statuses.count(409)) == (7, 43)

    assert await faults(bank) == []


async def test_many_vouchers_at_once_are_each_redeemed(bank: DeployedPayments) -> None:
    """Those that wait share a statement, and each person has the own amount, also with several vouchers."""
    codes = await bank.vouchers(count=60, amount=100)
    people = [bank.person() for _ in range(20)]

    requests = [
        person.post(REDEEM, json={"code": code}, headers=fresh_key())
        for person, code in zip(people * 3, codes, strict=True)
    ]
    found = await answers(*requests)

    assert {status for status, _ in found} == {200}
    for place, person in enumerate(people):
        balances = sorted(body["balance"] for _, body in found[place::20])
        assert balances == [100, 200, 300], person.user
    assert await faults(bank) == []


async def test_twins_of_a_redemption_have_one_answer(bank: DeployedPayments) -> None:
    """Twenty requests with one key, in two processes, move the money once and are answered alike."""
    twin = await bank.deployment.twin()

    for _ in range(ROUNDS):
        user, headers = new_id(), fresh_key()
        clients = [deployment.client("student", user=user) for deployment in (bank.deployment, twin)]
        (code,) = await bank.vouchers(amount=100, max_uses=50, max_uses_per_person=50)
        found = await answers(*(client.post(REDEEM, json={"code": code}, headers=headers) for client in clients * 10))
        assert found == [found[0]] * 20
        assert found[0][0] == 200
        assert await bank.balance(user) == 100

    assert await faults(bank) == []


async def test_purchases_with_a_voucher_take_a_use_and_the_money_or_neither(bank: DeployedPayments) -> None:
    """Money for five, uses for three, ten purchases at once: three come about, seven are refused the voucher."""
    course = await bank.offer(1500)

    for _ in range(ROUNDS):
        buyer = new_id()
        await bank.fund(buyer, 5000)
        (code,) = await bank.vouchers(kind="discount", amount=500, max_uses=3, max_uses_per_person=3)
        tried = await outcomes(*(bank.payments.charge(new_id(), buyer, course, 1000, voucher=code) for _ in range(10)))
        assert sum(isinstance(one, Charge) for one in tried) == 3
        assert sum(isinstance(one, VoucherRefused) for one in tried) == 7
        assert await bank.balance(buyer) == 2000

    assert await faults(bank) == []


async def test_purchases_with_a_voucher_are_never_overdrawn(bank: DeployedPayments) -> None:
    """Uses for ten, money for three: seven are refused for want of money, and used nothing."""
    course = await bank.offer(1500)
    buyer = new_id()
    await bank.fund(buyer, 3000)
    (code,) = await bank.vouchers(kind="discount", amount=500, max_uses=10, max_uses_per_person=10)

    tried = await outcomes(*(bank.payments.charge(new_id(), buyer, course, 1000, voucher=code) for _ in range(10)))

    assert sum(isinstance(one, Charge) for one in tried) == 3
    assert sum(isinstance(one, InsufficientFunds) for one in tried) == 7
    assert await bank.balance(buyer) == 0
    assert await rows(bank, "SELECT uses FROM vouchers WHERE max_uses = 10") == [(3,)]
    assert await faults(bank) == []


async def test_twins_of_a_purchase_use_its_voucher_once(bank: DeployedPayments) -> None:
    """Twenty calls for one purchase have one charge and one use."""
    course = await bank.offer(1500)

    for _ in range(ROUNDS):
        buyer, purchase = new_id(), new_id()
        (code,) = await bank.vouchers(kind="discount", percent=100, max_uses=20, max_uses_per_person=20)
        charges = await asyncio.gather(
            *(bank.payments.charge(purchase, buyer, course, 0, voucher=code) for _ in range(20))
        )
        assert len(set(charges)) == 1

    assert await rows(bank, USES) == [(ROUNDS,)]
    assert await faults(bank) == []


async def test_refunds_and_purchases_with_a_voucher_do_not_block_each_other(bank: DeployedPayments) -> None:
    """Everything that touches a voucher and a wallet takes its locks in the same order; a use goes back once."""
    course = await bank.offer(1500)

    for _ in range(ROUNDS):
        buyer, purchase = new_id(), new_id()
        await bank.fund(buyer, 5000)
        (code,) = await bank.vouchers(kind="discount", amount=500, max_uses=9, max_uses_per_person=9)
        await bank.payments.charge(purchase, buyer, course, 1000, voucher=code)
        refunds = [bank.payments.refund(purchase, None, key=f"{purchase} {n}", reason="race") for n in range(5)]
        charges = [bank.payments.charge(new_id(), buyer, course, 1000, voucher=code) for _ in range(4)]
        tried = await outcomes(*refunds, *charges)
        assert sum(isinstance(one, Charge) for one in tried) == 5
        assert sum(isinstance(one, NothingToRefund) for one in tried) == 4
        assert await bank.balance(buyer) == 1000

    assert await rows(bank, "SELECT sum(uses) FROM vouchers WHERE max_uses = 9") == [(4 * ROUNDS,)]
    assert await faults(bank) == []


async def test_batch_is_deleted_or_redeemed_never_both(bank: DeployedPayments) -> None:
    """Whoever comes second is refused: the code is unknown, or the batch stays."""
    administrator, people = bank.administrator(), [bank.person() for _ in range(5)]
    seen = set()

    for _ in range(3 * ROUNDS):
        made = await create(administrator, {"count": 3, "amount": 100, "max_uses": 5})
        requests = [person.post(REDEEM, json={"code": made.codes[1]}, headers=fresh_key()) for person in people]
        deletion = administrator.delete(f"{BATCHES}/{made.batch.id}")
        redeemed, deleted = await asyncio.gather(answers(*requests), status_of(deletion))
        statuses = {status for status, _ in redeemed}
        assert (statuses, deleted) in (({200}, 409), ({409}, 204))
        seen.add(deleted)
        assert {body.get("reason", "unknown") for _, body in redeemed} == {"unknown"}

    assert seen <= {204, 409}
    assert await faults(bank) == []


async def test_whatever_happens_to_a_batch_at_once_nobody_meets_a_deadlock(bank: DeployedPayments) -> None:
    """Deletions, withdrawals, changes and redemptions of several vouchers: what was redeemed stays, whole."""
    administrator, people = bank.administrator(), [bank.person() for _ in range(8)]

    for turn in range(2 * ROUNDS):
        made = await create(administrator, {"count": 4, "amount": 100, "max_uses": 8, "max_uses_per_person": 8})
        path, batch = f"{BATCHES}/{made.batch.id}", made.batch.id
        redemptions = [
            person.post(REDEEM, json={"code": code}, headers=fresh_key())
            for person, code in zip(people, made.codes * 2, strict=True)
        ]
        others = [
            administrator.delete(path),
            administrator.post(f"{path}/withdraw", headers=fresh_key()),
            administrator.patch(path, json={"tag": f"{turn}"}),
            administrator.delete(path),
        ]
        shift = turn % 4  # so that each comes first at times
        told = await asyncio.gather(*map(status_of, others[shift:] + redemptions + others[:shift]))
        statuses = told[4 - shift : 12 - shift]

        assert set(told) <= {200, 204, 404, 409}
        redeemed = await count(bank, "redemptions", "batch_id", batch)
        vouchers = await count(bank, "vouchers", "batch_id", batch)
        batches = await count(bank, "voucher_batches", "id", batch)
        assert redeemed == statuses.count(200)
        assert (vouchers, batches) == ((0, 0) if 204 in told else (4, 1))
        assert not (redeemed and 204 in told)
    assert await faults(bank) == []


async def test_a_deletion_lets_a_redemption_under_way_end(bank: DeployedPayments) -> None:
    """It waits for the redemption, which does not wait for it: a circle would cost one of them its answer."""
    made = await create(bank.administrator(), {"count": 1, "amount": 100})
    db, person = database(bank), bank.person()

    async with db.engine().connect() as redemption:
        voucher = f"UPDATE vouchers SET uses = uses + 1 WHERE batch_id = '{made.batch.id}'"
        await redemption.exec_driver_sql(voucher)
        deletion = asyncio.create_task(status_of(bank.administrator().delete(f"{BATCHES}/{made.batch.id}")))
        await asyncio.sleep(0.3)  # within which it has locked what it locks, and waits for the voucher
        share = f"SELECT id FROM voucher_batches WHERE id = '{made.batch.id}' FOR KEY SHARE NOWAIT"
        await redemption.exec_driver_sql(share)
        await redemption.rollback()

    assert await deletion == 204
    assert await redeem_at_once([person], made.codes[0]) == [409]


async def test_changes_of_a_batch_at_once_all_count(bank: DeployedPayments) -> None:
    """Who changes the tag does not undo what somebody else makes of the comment."""
    administrator = bank.administrator()

    for turn in range(ROUNDS):
        made = await create(administrator, {"count": 1, "amount": 100})
        path = f"{BATCHES}/{made.batch.id}"
        await asyncio.gather(
            administrator.call("PATCH", path, {"tag": f"tag {turn}"}),
            administrator.call("PATCH", path, {"comment": f"comment {turn}"}),
        )
        batch = await administrator.call("GET", path)
        assert (batch["tag"], batch["comment"]) == (f"tag {turn}", f"comment {turn}")


async def status_of(request: AbstractAsyncContextManager[aiohttp.ClientResponse]) -> int:
    """Return the status of the answer to *request*."""
    async with request as answer:
        return answer.status


async def count(bank: DeployedPayments, table: str, column: str, batch: UUID) -> object:
    """Return how many rows of *table* are of the *batch*."""
    return (await rows(bank, f"SELECT count(*) FROM {table} WHERE {column} = '{batch}'"))[0][0]
