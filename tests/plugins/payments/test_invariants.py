"""Whatever people do in whichever order, the ledger agrees with itself and with what they were told."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernel import new_id
from kernel.contracts.payments import ChargeConflict, InsufficientFunds, NothingToRefund
from kernel.testing.contracts.payments import DeployedPayments
from tests.plugins.payments.ledgers import faults, rows

PEOPLE = 3
amounts = st.integers(min_value=0, max_value=300)
people = st.integers(min_value=0, max_value=PEOPLE - 1)
choices = st.integers(min_value=0, max_value=9)
actions = st.one_of(
    st.tuples(st.just("fund"), people, amounts.map(lambda amount: amount + 1)),
    st.tuples(st.just("charge"), people, amounts),
    st.tuples(st.just("charge_again"), choices, amounts),
    st.tuples(st.just("refund"), choices, st.none() | amounts.map(lambda amount: amount + 1)),
    st.tuples(st.just("refund_again"), choices, st.none() | amounts.map(lambda amount: amount + 1)),
)


@dataclass
class Model:
    """The simplest bank there could be, and the real one beside it: after each action both say the same."""

    bank: DeployedPayments
    people: list[UUID] = field(default_factory=lambda: [new_id() for _ in range(PEOPLE)])
    balances: dict[UUID, int] = field(default_factory=dict)
    charges: list[tuple[UUID, UUID, UUID, int]] = field(default_factory=list)
    refunded: dict[UUID, int] = field(default_factory=dict)
    refunds: list[tuple[str, UUID, int | None]] = field(default_factory=list)

    async def fund(self, person: int, amount: int) -> None:
        user = self.people[person]
        await self.bank.fund(user, amount)
        self.balances[user] = self.balances.get(user, 0) + amount

    async def charge(self, person: int, amount: int) -> None:
        user, purchase, course = self.people[person], new_id(), new_id()
        call = self.bank.payments.charge(purchase, user, course, amount)
        if amount > self.balances.get(user, 0):
            await refused(call, InsufficientFunds)
            return
        await call
        self.balances[user] = self.balances.get(user, 0) - amount
        self.charges.append((purchase, user, course, amount))
        self.refunded[purchase] = 0

    async def charge_again(self, which: int, amount: int) -> None:
        if not self.charges:
            return
        purchase, user, course, first = self.charges[which % len(self.charges)]
        call = self.bank.payments.charge(purchase, user, course, amount)
        if amount == first:
            assert (await call).refunded == self.refunded[purchase]
        else:
            await refused(call, ChargeConflict, InsufficientFunds)

    async def refund(self, which: int, amount: int | None) -> None:
        if not self.charges:
            return
        purchase, user, _course, charged = self.charges[which % len(self.charges)]
        left = charged - self.refunded[purchase]
        key = str(new_id())
        call = self.bank.payments.refund(purchase, amount, key=key, reason="random")
        if left == 0 or (amount or 0) > left:
            await refused(call, NothingToRefund)
            return
        back = left if amount is None else amount
        self.refunded[purchase] += back
        self.balances[user] += back
        assert (await call).refunded == self.refunded[purchase]
        self.refunds.append((key, purchase, amount))

    async def refund_again(self, which: int, amount: int | None) -> None:
        if not self.refunds:
            return
        key, purchase, first = self.refunds[which % len(self.refunds)]
        call = self.bank.payments.refund(purchase, amount, key=key, reason="random")
        if amount == first:
            await call
        else:
            await refused(call, ChargeConflict)

    async def agrees(self) -> None:
        for user in self.people:
            assert await self.bank.balance(user) == self.balances.get(user, 0)
        for purchase, refunded in self.refunded.items():
            charge = await self.bank.payments.find_charge(purchase)
            assert charge is not None
            assert charge.refunded == refunded
        assert await faults(self.bank) == []
        assert await rows(self.bank, "SELECT coalesce(sum(amount), 0) FROM entries") == [(0,)]


async def refused(call: Coroutine[Any, Any, object], *reasons: type[Exception]) -> None:
    try:
        await call
    except reasons:
        return
    raise AssertionError(f"expected one of {reasons}")


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(actions, min_size=5, max_size=25))
async def test_ledger_agrees_after_any_sequence(bank: DeployedPayments, steps: list[tuple[str, int, Any]]) -> None:
    """The sum of all entries is 0, balances are sums of entries, nothing is negative, repeats change nothing."""
    model = Model(bank)
    for name, which, amount in steps:
        act: Callable[[int, Any], Coroutine[Any, Any, None]] = getattr(model, name)
        await act(which, amount)
    await model.agrees()
