"""The in-memory `auth/1` keeps the contract, so that tests with it mean something."""

from __future__ import annotations

import pytest
import pytest_asyncio

from kernel.contracts.auth import AUTH
from kernel.testing.contracts.auth import AuthContract, AuthHttpContract, DeployedAuth
from kernel.testing.deploying import Deploy
from tests.contracts.memory_auth import deploy_memory

pytestmark = pytest.mark.sqlite_only


@pytest_asyncio.fixture
async def harness(deploy: Deploy) -> DeployedAuth:
    return await deploy_memory(deploy)


class TestFakeAuth(AuthContract):
    """The service, and the identity behind requests."""


class TestFakeHttpSurface(AuthHttpContract):
    """The HTTP surface."""


async def test_client_with_a_role_has_an_account(harness: DeployedAuth) -> None:
    """As soon as it has asked for something, and until it is closed."""
    client = harness.deployment.client("instructor+student")
    assert client.user is not None

    await harness.who(client)

    account = await harness.deployment.platform.services.get(AUTH).account(client.user)
    assert account is not None
    assert account.roles == ("instructor", "student")
    await harness.auth.close(client.user)
    assert await harness.is_refused(client)
