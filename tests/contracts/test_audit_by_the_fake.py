"""The in-memory `audit/1` keeps the contract, so that tests with it mean something."""

from __future__ import annotations

import pytest
import pytest_asyncio

from kernel.testing.contracts.audit import AuditContract, DeployedAudit, deploy_audit
from kernel.testing.deploying import Deploy
from kernel.testing.fakes.audit import InMemoryAuditPlugin

pytestmark = pytest.mark.sqlite_only


@pytest_asyncio.fixture
async def harness(deploy: Deploy) -> DeployedAudit:
    return await deploy_audit(deploy, plugins=[InMemoryAuditPlugin])


class TestFakeAudit(AuditContract):
    """What is kept, and the HTTP surface."""
