"""The in-memory `payments/1` keeps the contract, so that tests with it mean something."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import pytest

from kernel import Event
from kernel.contracts.payments import Credit
from kernel.contracts.payments_http import Wallet
from kernel.testing.clock import MovableClock
from kernel.testing.contracts.payments import PaymentsContract
from kernel.testing.fakes.courses import InMemoryCourses
from kernel.testing.fakes.payments import InMemoryPayments


class FakeHarness:
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


class TestFakePayments(PaymentsContract):
    """The service; there is no HTTP."""

    @pytest.fixture
    def harness(self) -> FakeHarness:
        return FakeHarness()
