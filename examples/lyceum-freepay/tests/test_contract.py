"""This provider of `payments/1` keeps the contract, on both ends."""

from __future__ import annotations

import pytest_asyncio

from kernel.testing.contracts.payments import (
    DeployedPayments,
    PaymentsContract,
    PaymentsHttpContract,
    deploy_payments,
)
from kernel.testing.deploying import Deploy


@pytest_asyncio.fixture
async def harness(deploy: Deploy) -> DeployedPayments:
    return await deploy_payments(deploy, "freepay", charges_money=False)


class TestFreePayments(PaymentsContract):
    """The service."""


class TestFreePayHttpSurface(PaymentsHttpContract):
    """The HTTP surface."""
