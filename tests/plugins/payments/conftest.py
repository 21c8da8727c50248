"""A deployment with payments, and courses that the test makes."""

from __future__ import annotations

import pytest_asyncio

from kernel.testing.contracts.payments import DeployedPayments, deploy_payments
from kernel.testing.deploying import Deploy

#: So that a test's hundreds of attempts are not those of somebody who guesses.
GENEROUS = {"payments": {"redeem_per_person": ["10000/minute"], "redeem_per_address": ["10000/minute"]}}


@pytest_asyncio.fixture
async def bank(deploy: Deploy) -> DeployedPayments:
    sections = {"database": {"pool_size": 16}}  # so that what is sent at once runs at once
    return await deploy_payments(deploy, "payments", charges_money=True, settings=GENEROUS, sections=sections)
