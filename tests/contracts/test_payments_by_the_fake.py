"""The in-memory `payments/1` keeps the contract, so that tests with it mean something."""

from __future__ import annotations

import pytest

from kernel.testing.contracts.in_memory import InMemoryPaymentsHarness
from kernel.testing.contracts.payments import PaymentsContract


class TestFakePayments(PaymentsContract):
    """The service; there is no HTTP."""

    @pytest.fixture
    def harness(self) -> InMemoryPaymentsHarness:
        return InMemoryPaymentsHarness()
