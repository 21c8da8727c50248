"""What the kit of `users/1` needs beside the provider, and what its tests share."""

from __future__ import annotations

from typing import Protocol
from uuid import UUID

from kernel import Event, new_id
from kernel.contracts.auth import UserRegistered
from kernel.contracts.users import Users


class UsersHarness(Protocol):
    """What the kit needs beside the provider itself."""

    @property
    def users(self) -> Users:
        """The provider."""
        ...

    async def tell(self, *events: Event) -> None:
        """Publish events of `auth/1`; return when the provider has handled them."""
        ...

    async def rename(self, user_id: UUID, display_name: str) -> None:
        """Have the person change the name."""
        ...


def registered(
    name: str, *roles: str, user_id: UUID | None = None, email: str = "", locale: str = "en"
) -> UserRegistered:
    """Return the event of somebody's registration, with the role `student` where none is said."""
    return UserRegistered(
        user_id=user_id or new_id(),
        email=email or f"{name.lower().replace(' ', '.')}@example.org",
        display_name=name,
        locale=locale,
        roles=roles or ("student",),
        version=1,
    )
