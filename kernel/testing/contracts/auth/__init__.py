"""The kit of `auth/1`: service and identity by `AuthContract`, the HTTP surface by `AuthHttpContract`."""

from kernel.testing.contracts.auth.accounts import AccountsContract
from kernel.testing.contracts.auth.administration import AdministrationContract
from kernel.testing.contracts.auth.closing import ClosingContract
from kernel.testing.contracts.auth.deployed import DeployedAuth, NotLetIn, SignIn, by_code, deploy_auth
from kernel.testing.contracts.auth.identity import IdentityContract
from kernel.testing.contracts.auth.sessions import SessionsContract
from kernel.testing.contracts.auth.vouching import VouchingContract

__all__ = ["AuthContract", "AuthHttpContract", "DeployedAuth", "NotLetIn", "SignIn", "by_code", "deploy_auth"]


class AuthContract(AccountsContract, ClosingContract, IdentityContract, VouchingContract):
    """Supply the fixture `harness`: `deploy_auth(deploy, "your-plugin", sign_in=…)`."""


class AuthHttpContract(SessionsContract, AdministrationContract):
    """Supply the same fixture."""
