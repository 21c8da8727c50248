"""Contract kits: the tests that every provider of a capability passes, ours and anybody's.

A kit is a class of tests. Subclass it in your tests with a name that begins with `Test`, and supply the fixture
that its docstring names:

    class TestAcmePayments(PaymentsContract):
        @pytest_asyncio.fixture
        async def harness(self, deploy: Deploy) -> PaymentsHarness:
            return await deploy_payments(deploy, "acme-payments", charges_money=True)
"""

import pytest

KITS = (
    "audit",
    "auth",
    "chat",
    "courses",
    "enrollments",
    "mail",
    "notifications",
    "payments",
    "personal_data",
    "policies",
    "search",
    "users",
)

pytest.register_assert_rewrite(*(f"kernel.testing.contracts.{name}" for name in KITS))
