"""A harness for a provider that runs in a deployment: it hears of accounts that a test makes up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from kernel import Event
from kernel.contracts.auth import RolesChanged, UserDisabled, UserEnabled, UserRegistered
from kernel.contracts.users import USERS, ProfileChanged, Users
from kernel.testing import teller, witness
from kernel.testing.choices import PluginClass, Tables
from kernel.testing.clients import Client
from kernel.testing.deploying import Deploy
from kernel.testing.deployment import Deployment

BASE: Final = "/api/v1/users"
ME: Final = f"{BASE}/me"
HEARD: Final = (UserRegistered, RolesChanged, UserDisabled, UserEnabled)


@dataclass
class DeployedUsers:
    """Fulfils `UsersHarness`, and gives clients for the HTTP surface."""

    deployment: Deployment

    @property
    def users(self) -> Users:
        return self.deployment.platform.services.get(USERS)

    async def tell(self, *events: Event) -> None:
        await teller.tell(self.deployment, *events)

    async def rename(self, user_id: UUID, display_name: str) -> None:
        await self.person(user_id).call("PATCH", ME, {"display_name": display_name})

    async def told(self) -> Sequence[Event]:
        """Return every `ProfileChanged` that the provider has published."""
        await self.deployment.settle()
        return self.deployment.platform.context(witness.NAME).own(witness.Witnessed).events

    def person(self, user_id: UUID | None = None) -> Client:
        """Return a client for a learner."""
        return self.deployment.client("student", user=user_id)

    def administrator(self) -> Client:
        """Return a client for somebody who may look at the directory."""
        return self.deployment.client("admin")


async def deploy_users(
    deploy: Deploy,
    *names: str,
    plugins: Sequence[PluginClass] = (),
    settings: Tables | None = None,
    sections: Tables | None = None,
) -> DeployedUsers:
    """Deploy the plugins *names*, one of which provides `users/1`, without the real `auth`.

    The other arguments are those of `deploy`.
    """
    classes: list[PluginClass] = [teller.teller_of(*HEARD), witness.witness_of(ProfileChanged), *plugins]
    return DeployedUsers(await deploy(*names, plugins=classes, settings=settings, sections=sections))
