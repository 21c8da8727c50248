"""The kit of `users/1`: the service by `UsersContract`, its HTTP surface by `UsersHttpContract`."""

from kernel.testing.contracts.users.deployed import DeployedUsers, deploy_users
from kernel.testing.contracts.users.directory import DirectoryContract
from kernel.testing.contracts.users.harness import UsersHarness
from kernel.testing.contracts.users.names import NamesContract
from kernel.testing.contracts.users.profiles import ProfilesContract

__all__ = ["DeployedUsers", "UsersContract", "UsersHarness", "UsersHttpContract", "deploy_users"]


class UsersContract(NamesContract):
    """Supply the fixture `harness`: a `UsersHarness` of a provider that has heard of nobody yet."""


class UsersHttpContract(ProfilesContract, DirectoryContract):
    """Supply the fixture `harness`: `deploy_users(deploy, "your-plugin")`."""
