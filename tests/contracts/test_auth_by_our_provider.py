"""Our own provider of `auth/1` keeps the contract, on both ends."""

from __future__ import annotations

import pytest_asyncio

from kernel.testing.contracts.auth import AuthContract, AuthHttpContract, DeployedAuth, deploy_auth
from kernel.testing.deploying import Deploy


@pytest_asyncio.fixture
async def harness(deploy: Deploy) -> DeployedAuth:
    return await deploy_auth(deploy, "auth", "mail")


class TestOurService(AuthContract):
    """The service, and the identity behind requests."""


class TestOurHttpSurface(AuthHttpContract):
    """The HTTP surface."""
