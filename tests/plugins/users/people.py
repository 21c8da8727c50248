"""People for the tests of users: registered by events, as `auth` tells them."""

from __future__ import annotations

from uuid import UUID

from kernel import Event, Manifest, Plugin, new_id
from kernel.contracts.auth import RolesChanged, UserDisabled, UserEnabled, UserRegistered
from kernel.testing.deployment import Deployment

ME = "/api/v1/users/me"
USERS = "/api/v1/users"


class AccountsPlugin(Plugin):
    """Tells of accounts, and has none."""

    manifest = Manifest(
        name="accounts", version="1.0.0", publishes=(UserRegistered, RolesChanged, UserDisabled, UserEnabled)
    )


async def tell(deployment: Deployment, *events: Event) -> None:
    """Publish *events* and return when they have been handled."""
    ctx = deployment.platform.context("accounts")
    async with ctx.db.transaction() as session:
        for event in events:
            await ctx.events.publish(session, event)
    await deployment.settle()


def registered(
    name: str, *roles: str, email: str = "", locale: str = "en", user_id: UUID | None = None
) -> UserRegistered:
    """Return the event of somebody's registration."""
    return UserRegistered(
        user_id=user_id or new_id(),
        email=email or f"{name.lower().replace(' ', '.')}@example.org",
        display_name=name,
        locale=locale,
        roles=roles or ("student",),
    )
