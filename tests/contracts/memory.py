"""What the tests of the kit of `payments/1` share."""

from __future__ import annotations

from kernel.testing.contracts.in_memory import InMemoryPaymentsHarness
from kernel.testing.contracts.payments import PaymentsHarness
from kernel.testing.fakes.payments import InMemoryPayments
from tests.contracts import broken

#: A test of the kit.
Test = broken.Test[PaymentsHarness]


async def assert_found(provider: type[InMemoryPayments], test: Test) -> None:
    """Fail unless *test* fails with the broken *provider* and passes with the whole one."""
    await broken.assert_found(test, whole=InMemoryPaymentsHarness(), broken=InMemoryPaymentsHarness(provider))
