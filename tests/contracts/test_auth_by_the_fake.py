"""The in-memory `auth/1` keeps the contract, so that tests with it mean something."""

from __future__ import annotations

import pytest
import pytest_asyncio

from kernel.contracts.auth import AUTH
from kernel.testing.contracts.auth import AuthContract, AuthHttpContract, DeployedAuth
from kernel.testing.deploying import Deploy
from kernel.testing.fakes.auth import InMemoryAuth, InMemoryAuthPlugin
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


async def test_role_without_a_sign_in_is_not_believed_where_that_is_off(deploy: Deploy) -> None:
    """As in what begins as the fake, and is to become a provider that others than tests can call."""

    class Strict(InMemoryAuth):
        believes_roles = False

    class StrictPlugin(InMemoryAuthPlugin):
        kind = Strict

    harness = await deploy_memory(deploy, StrictPlugin)

    assert await harness.is_refused(harness.deployment.client("admin"))
    await harness.who(await harness.sign_in("ada@example.org"))
