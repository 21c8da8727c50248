"""The in-memory `payments/1` keeps the contract, so that tests with it mean something."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import pytest

from kernel import Event
from kernel.testing.contracts.payments import PaymentsContract
from kernel.testing.fakes.courses import InMemoryCourses
from kernel.testing.fakes.payments import InMemoryPayments


class FakeHarness:
    """Funds by writing the balance."""

    charges_money = True

    def __init__(self) -> None:
        self.courses = InMemoryCourses()
        self.payments = InMemoryPayments(self.courses)

    async def fund(self, user_id: UUID, amount: int) -> None:
        self.payments.fund(user_id, amount)

    async def balance(self, user_id: UUID) -> int:
        return self.payments.wallet(user_id).balance

    async def offer(self, price: int, *, status: str = "published") -> UUID:
        return self.courses.add(price, status=status)

    async def events(self) -> Sequence[Event]:
        return self.payments.events


class TestFakePayments(PaymentsContract):
    """The service; there is no HTTP."""

    @pytest.fixture
    def harness(self) -> FakeHarness:
        return FakeHarness()
