"""The in-memory `users/1` keeps the contract, so that tests with it mean something."""

from __future__ import annotations

import pytest
import pytest_asyncio

from kernel.contracts.users import Person
from kernel.testing.contracts.users import DeployedUsers, UsersContract, UsersHttpContract, deploy_users
from kernel.testing.deploying import Deploy
from kernel.testing.fakes.users import InMemoryUsers, InMemoryUsersPlugin

pytestmark = pytest.mark.sqlite_only


@pytest_asyncio.fixture
async def harness(deploy: Deploy) -> DeployedUsers:
    return await deploy_users(deploy, plugins=[InMemoryUsersPlugin])


class TestFakeUsers(UsersContract):
    """The service."""


class TestFakeHttpSurface(UsersHttpContract):
    """The HTTP surface."""


async def test_person_whom_a_test_made_is_known() -> None:
    """Without any deployment."""
    users = InMemoryUsers()

    ada = users.add("Ada", "instructor")

    assert await users.people([ada]) == {ada: Person(id=ada, display_name="Ada")}
    assert users.teacher(ada) is not None
