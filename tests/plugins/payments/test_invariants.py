"""Whatever people do in whichever order, the ledger agrees with itself and with what they were told."""

from __future__ import annotations

import operator
from collections import defaultdict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernel import new_id
from kernel.contracts.payments import ChargeConflict, InsufficientFunds, NothingToRefund
from kernel.testing.contracts.payments import DeployedPayments
from kernel.testing.contracts.payments.deployed import BASE, REDEEM, fresh_key
from tests.plugins.payments.ledgers import faults, rows

PEOPLE = 3
amounts = st.integers(min_value=0, max_value=300)
people = st.integers(min_value=0, max_value=PEOPLE - 1)
choices = st.integers(min_value=0, max_value=9)
credits_ = st.sampled_from(["refundable", "promotional"])
positive = amounts.map(lambda amount: amount + 1)
actions = st.one_of(
    st.tuples(st.just("fund"), people, positive),
    st.tuples(st.just("adjust"), people, st.tuples(credits_, positive | positive.map(operator.neg))),
    st.tuples(st.just("adjust_again"), choices, amounts),
    st.tuples(st.just("redeem_expired"), people, positive),
    st.tuples(st.just("charge"), people, amounts),
    st.tuples(st.just("charge_again"), choices, amounts),
    st.tuples(st.just("refund"), choices, st.none() | positive),
    st.tuples(st.just("refund_again"), choices, st.none() | positive),
)


@dataclass
class Purse:
    """What one person has."""

    refundable: int = 0
    promotional: int = 0

    @property
    def balance(self) -> int:
        return self.refundable + self.promotional


@dataclass
class Bought:
    """One charge: of which units of money it was, in the order in which they were taken."""

    purchase: UUID
    user: UUID
    course: UUID
    amount: int
    promotional: int
    left: list[str]  #: those that have not gone back
    again: list[tuple[str, int | None]] = field(default_factory=list)  #: the refunds by their keys

    @property
    def refunded(self) -> int:
        return self.amount - len(self.left)


@dataclass
class Model:
    """The simplest bank there could be, and the real one beside it: after each action both say the same."""

    bank: DeployedPayments
    people: list[UUID] = field(default_factory=lambda: [new_id() for _ in range(PEOPLE)])
    purses: dict[UUID, Purse] = field(default_factory=lambda: defaultdict(Purse))
    charges: list[Bought] = field(default_factory=list)

    async def fund(self, person: int, amount: int) -> None:
        user = self.people[person]
        await self.bank.fund(user, amount)
        self.purses[user].refundable += amount

    async def adjust(self, person: int, change: tuple[str, int]) -> None:
        user, (credit, amount) = self.people[person], change
        purse, body = self.purses[user], {"amount": amount, "credit": credit, "reason": "random"}
        path, headers = f"{BASE}/wallets/{user}/adjustments", fresh_key()
        enough = getattr(purse, credit) + amount >= 0
        await self.bank.administrator().call("POST", path, body, expect=201 if enough else 409, headers=headers)
        if enough:
            setattr(purse, credit, getattr(purse, credit) + amount)

    async def adjust_again(self, which: int, amount: int) -> None:
        administrator, user = self.bank.administrator(), self.people[which % PEOPLE]
        path, headers = f"{BASE}/wallets/{user}/adjustments", fresh_key()
        body = {"amount": amount + 1, "credit": "promotional", "reason": "random"}
        first = await administrator.call("POST", path, body, expect=201, headers=headers)
        assert await administrator.call("POST", path, body, expect=201, headers=headers) == first
        await administrator.call("POST", path, {**body, "amount": amount + 2}, expect=422, headers=headers)
        self.purses[user].promotional += amount + 1

    async def redeem_expired(self, person: int, amount: int) -> None:
        soon = self.bank.deployment.clock.now() + timedelta(seconds=1)
        (code,) = await self.bank.vouchers(amount=amount, valid_until=soon.isoformat())
        self.bank.deployment.clock.advance(2)
        person_ = self.bank.person(self.people[person])
        await person_.call("POST", REDEEM, {"code": code}, expect=409, headers=fresh_key())

    async def charge(self, person: int, amount: int) -> None:
        user, purchase, course = self.people[person], new_id(), new_id()
        purse = self.purses[user]
        call = self.bank.payments.charge(purchase, user, course, amount)
        if amount > purse.balance:
            await refused(call, InsufficientFunds)
            return
        promotional = min(purse.promotional, amount)
        assert (await call).promotional == promotional
        purse.promotional -= promotional
        purse.refundable -= amount - promotional
        taken = ["promotional"] * promotional + ["refundable"] * (amount - promotional)
        self.charges.append(Bought(purchase, user, course, amount, promotional, taken))

    async def charge_again(self, which: int, amount: int) -> None:
        if not self.charges:
            return
        first = self.charges[which % len(self.charges)]
        call = self.bank.payments.charge(first.purchase, first.user, first.course, amount)
        if amount == first.amount:
            assert (await call).refunded == first.refunded
        else:
            await refused(call, ChargeConflict, InsufficientFunds)

    async def refund(self, which: int, amount: int | None) -> None:
        if not self.charges:
            return
        bought = self.charges[which % len(self.charges)]
        key = str(new_id())
        call = self.bank.payments.refund(bought.purchase, amount, key=key, reason="random")
        if not bought.left or (amount or 0) > len(bought.left):
            await refused(call, NothingToRefund)
            return
        for _ in range(len(bought.left) if amount is None else amount):  # the last that was taken goes back first
            credit = bought.left.pop()
            setattr(self.purses[bought.user], credit, getattr(self.purses[bought.user], credit) + 1)
        charge = await call
        assert (charge.refunded, charge.returned) == (bought.refunded, not bought.left)
        bought.again.append((key, amount))

    async def refund_again(self, which: int, amount: int | None) -> None:
        given = [(bought, key, first) for bought in self.charges for key, first in bought.again]
        if not given:
            return
        bought, key, first = given[which % len(given)]
        call = self.bank.payments.refund(bought.purchase, amount, key=key, reason="random")
        if amount == first:
            await call
        else:
            await refused(call, ChargeConflict)

    async def agrees(self) -> None:
        for user in self.people:
            wallet = await self.bank.person(user).call("GET", f"{BASE}/wallet")
            purse = self.purses[user]
            assert (wallet["refundable"], wallet["promotional"]) == (purse.refundable, purse.promotional)
            assert wallet["balance"] == purse.balance
        for bought in self.charges:
            charge = await self.bank.payments.find_charge(bought.purchase)
            assert charge is not None
            assert (charge.refunded, charge.promotional) == (bought.refunded, bought.promotional)
        assert await faults(self.bank) == []
        sums = await rows(self.bank, "SELECT coalesce(sum(amount), 0), coalesce(sum(promotional), 0) FROM entries")
        assert sums == [(0, 0)]


async def refused(call: Coroutine[Any, Any, object], *reasons: type[Exception]) -> None:
    try:
        await call
    except reasons:
        return
    raise AssertionError(f"expected one of {reasons}")


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(actions, min_size=5, max_size=25))
async def test_ledger_agrees_after_any_sequence(bank: DeployedPayments, steps: list[tuple[str, int, Any]]) -> None:
    """Of both credits: sums are 0, nothing is negative, money goes back the way it came, repeats change nothing."""
    model = Model(bank)
    for name, which, amount in steps:
        act: Callable[[int, Any], Coroutine[Any, Any, None]] = getattr(model, name)
        await act(which, amount)
    await model.agrees()
