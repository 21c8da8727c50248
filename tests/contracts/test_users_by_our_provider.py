"""Our own provider of `users/1` keeps the contract, on both ends."""

from __future__ import annotations

import pytest_asyncio

from kernel.testing.contracts.users import DeployedUsers, UsersContract, UsersHttpContract, deploy_users
from kernel.testing.deploying import Deploy


@pytest_asyncio.fixture
async def harness(deploy: Deploy) -> DeployedUsers:
    return await deploy_users(deploy, "users")


class TestOurService(UsersContract):
    """The service."""


class TestOurHttpSurface(UsersHttpContract):
    """The HTTP surface."""
