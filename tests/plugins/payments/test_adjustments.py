"""Adjustments: administrators change wallets by hand, with a reason, once, and never below zero."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, ClassVar
from uuid import UUID

import pytest

from kernel import Context, Manifest, Plugin, Provide, hookimpl, new_id
from kernel.contracts.audit import ActRecorded
from kernel.contracts.payments import WalletAdjusted
from kernel.contracts.users import USERS, Person
from kernel.testing.contracts.payments import DeployedPayments, deploy_payments
from kernel.testing.contracts.payments.deployed import BASE, fresh_key
from kernel.testing.deploying import Deploy
from plugins.payments.tables import MAX_BALANCE
from tests.plugins.payments.ledgers import change, faults, outbox, rows


class Directory(Plugin):
    """Provides `users/1`: a directory of one person."""

    manifest: ClassVar[Manifest] = Manifest(name="test-directory", version="1", provides=(USERS,))
    known: ClassVar[Mapping[UUID, Person]] = {UUID(int=1): Person(id=UUID(int=1), display_name="Ada")}

    @hookimpl
    def services(self, ctx: Context) -> Iterable[Provide[Any]]:
        yield Provide(USERS, lambda: nullcontext(self))

    async def people(self, ids: Sequence[UUID]) -> Mapping[UUID, Person]:
        return {one: self.known[one] for one in ids if one in self.known}


def path(user: UUID) -> str:
    return f"{BASE}/wallets/{user}/adjustments"


def body(amount: int, credit: str = "refundable") -> dict[str, Any]:
    return {"amount": amount, "credit": credit, "reason": "the wrong voucher was sent"}


@pytest.mark.parametrize("credit", ["refundable", "promotional"])
async def test_administrator_gives_and_takes_credit(bank: DeployedPayments, credit: str) -> None:
    """Each of the two credits by itself; the other account of the ledger is the platform's."""
    user, administrator = new_id(), bank.administrator()

    given = await administrator.call("POST", path(user), body(1000, credit), expect=201, headers=fresh_key())
    taken = await administrator.call("POST", path(user), body(-400, credit), expect=201, headers=fresh_key())

    held = {"balance": 600, "currency": "EUR", "refundable": 0, "promotional": 0, credit: 600}
    assert taken["wallet"] == held == await bank.person(user).call("GET", f"{BASE}/wallet")
    assert given["adjustment"]["adjusted_by"] == str(administrator.user)
    sums = await rows(bank, "SELECT sum(amount), sum(promotional) FROM entries WHERE account = 'platform:adjustments'")
    assert sums == [(-600, -600 if credit == "promotional" else 0)]
    assert await faults(bank) == []


@pytest.mark.parametrize(("credit", "held"), [("refundable", 300), ("promotional", 200)])
async def test_no_credit_is_taken_below_zero(bank: DeployedPayments, credit: str, held: int) -> None:
    """Also where the other credit would be enough; the problem says what there is, and nothing was moved."""
    user, administrator = new_id(), bank.administrator()
    for kind, amount in (("refundable", 300), ("promotional", 200)):
        await administrator.call("POST", path(user), body(amount, kind), expect=201, headers=fresh_key())

    refused = body(-held - 1, credit)
    problem = await administrator.call("POST", path(user), refused, expect=409, headers=fresh_key())
    await administrator.call("POST", path(user), body(-held, credit), expect=201, headers=fresh_key())

    assert (problem["type"], problem["credit"], problem["held"]) == ("/problems/insufficient-funds", credit, held)
    assert await bank.balance(user) == 500 - held
    assert await rows(bank, "SELECT count(*) FROM adjustments") == [(3,)]
    assert await faults(bank) == []


async def test_reason_of_blanks_is_none(bank: DeployedPayments) -> None:
    """Whoever reads the books in ten years wants to know why."""
    refused = {**body(100), "reason": "  "}
    problem = await bank.administrator().call("POST", path(new_id()), refused, expect=422, headers=fresh_key())

    assert problem["errors"][0]["field"] == "body.reason"


async def test_nobody_is_given_credit(deploy: Deploy) -> None:
    """A mistyped id is refused; out of the wallet of somebody who is gone credit may be taken."""
    bank = await deploy_payments(deploy, "payments", charges_money=True, plugins=[Directory])
    known, administrator = next(iter(Directory.known)), bank.administrator()

    refused = await administrator.call("POST", path(new_id()), body(100), expect=422, headers=fresh_key())
    taken = await administrator.call("POST", path(new_id()), body(-100), expect=409, headers=fresh_key())
    given = await administrator.call("POST", path(known), body(100), expect=201, headers=fresh_key())

    assert refused["errors"] == [{"field": "path.user_id", "message": "is nobody's id"}]
    assert taken["type"] == "/problems/insufficient-funds"
    assert given["wallet"]["balance"] == 100


async def test_wallet_is_given_no_more_than_can_be_counted(bank: DeployedPayments) -> None:
    """What would be over the limit is refused whole."""
    user, administrator = new_id(), bank.administrator()
    await administrator.call("POST", path(user), body(100), expect=201, headers=fresh_key())
    await change(bank, f"UPDATE wallets SET balance = {MAX_BALANCE - 50}")

    problem = await administrator.call("POST", path(user), body(100), expect=409, headers=fresh_key())

    assert problem["type"] == "/problems/conflict"
    assert await bank.balance(user) == MAX_BALANCE - 50


async def test_nothing_is_taken_from_a_wallet_that_is_not_there(bank: DeployedPayments) -> None:
    """Whoever never had anything has 0."""
    problem = await bank.administrator().call("POST", path(new_id()), body(-1), expect=409, headers=fresh_key())

    assert (problem["type"], problem["held"]) == ("/problems/insufficient-funds", 0)


async def test_adjustment_is_made_once_for_its_key(bank: DeployedPayments) -> None:
    """A repeat is answered alike and moves nothing; the key is required."""
    user, administrator, headers = new_id(), bank.administrator(), fresh_key()

    first = await administrator.call("POST", path(user), body(700), expect=201, headers=headers)
    again = await administrator.call("POST", path(user), body(700), expect=201, headers=headers)
    missing = await administrator.call("POST", path(user), body(700), expect=400)

    assert again == first
    assert missing["type"] == "/problems/idempotency-key-missing"
    assert await bank.balance(user) == 700


@pytest.mark.parametrize(
    ("field", "value"), [("amount", 0), ("amount", 10**12 + 1), ("credit", "free"), ("reason", ""), ("reason", None)]
)
async def test_adjustment_out_of_bounds_is_refused(bank: DeployedPayments, field: str, value: object) -> None:
    """An amount that is nothing or too much, another credit, and no reason."""
    user = new_id()

    wrong = body(500) | {field: value}
    problem = await bank.administrator().call("POST", path(user), wrong, expect=422, headers=fresh_key())

    assert field in str(problem)
    assert await bank.balance(user) == 0


async def test_adjustment_is_told_with_who_did_it(bank: DeployedPayments) -> None:
    """To whoever keeps an eye on wallets, and to the audit log, with the wallet before and after."""
    user, administrator = new_id(), bank.administrator()
    await bank.fund(user, 1000)

    await administrator.call("POST", path(user), body(500, "promotional"), expect=201, headers=fresh_key())

    (adjusted,) = await outbox(bank, WalletAdjusted)
    assert (adjusted.user_id, adjusted.amount, adjusted.credit) == (user, 500, "promotional")
    assert (adjusted.adjusted_by, adjusted.reason) == (administrator.user, "the wrong voucher was sent")
    told = [one for one in await outbox(bank, ActRecorded) if one.action == "payments.adjust_wallet"]
    assert [(one.subject, one.actor, one.reason) for one in told] == [
        (f"account:{user}", administrator.user, "the wrong voucher was sent")
    ]
    assert told[0].before == {"balance": 1000, "promotional": 0}
    assert told[0].after == {"balance": 1500, "promotional": 500}


async def test_only_administrators_adjust(bank: DeployedPayments) -> None:
    """Nobody makes money for themselves."""
    for role in ("student", "instructor"):
        client = bank.deployment.client(role)
        assert client.user is not None
        await client.call("POST", path(client.user), body(500), expect=403, headers=fresh_key())
