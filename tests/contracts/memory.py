"""What the kit of `payments/1` needs beside a provider in memory."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

import pytest

from kernel import Event, errors
from kernel.contracts.payments import Credit
from kernel.contracts.payments_http import Wallet
from kernel.testing.clock import MovableClock
from kernel.testing.contracts.payments import PaymentsHarness
from kernel.testing.fakes.courses import InMemoryCourses
from kernel.testing.fakes.payments import InMemoryPayments

#: A test of the kit.
Test = Callable[[PaymentsHarness], Awaitable[None]]


class InMemoryHarness:
    """Funds and makes vouchers without a way for administrators."""

    charges_money = True

    def __init__(self, provider: type[InMemoryPayments] = InMemoryPayments) -> None:
        self.clock = MovableClock()
        self.courses = InMemoryCourses()
        self.payments = provider(self.courses, clock=self.clock)

    async def fund(self, user_id: UUID, amount: int, *, credit: Credit = "refundable") -> None:
        self.payments.fund(user_id, amount, credit=credit)

    async def balance(self, user_id: UUID) -> int:
        return self.payments.wallet(user_id).balance

    async def wallet(self, user_id: UUID) -> Wallet:
        return self.payments.wallet(user_id)

    async def voucher(self, **terms: object) -> str:
        return self.payments.voucher(**terms)

    async def withdraw(self, code: str) -> None:
        self.payments.withdraw(code)

    async def offer(self, price: int, *, status: str = "published") -> UUID:
        return self.courses.add(price, status=status)

    async def events(self) -> Sequence[Event]:
        return self.payments.events


async def assert_found(provider: type[InMemoryPayments], test: Test) -> None:
    """Fail unless *test* fails with the broken *provider* and passes with the whole one."""
    await test(InMemoryHarness())
    with pytest.raises((AssertionError, pytest.fail.Exception, errors.LyceumError)):
        await test(InMemoryHarness(provider))
