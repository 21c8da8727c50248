"""Our own provider of `audit/1` keeps the contract, on both ends."""

from __future__ import annotations

import pytest_asyncio

from kernel.testing.contracts.audit import AuditContract, DeployedAudit, deploy_audit
from kernel.testing.deploying import Deploy


@pytest_asyncio.fixture
async def harness(deploy: Deploy) -> DeployedAudit:
    return await deploy_audit(deploy, "audit")


class TestOurAudit(AuditContract):
    """What is kept, and the HTTP surface."""
