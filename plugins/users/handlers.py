"""What users does about events."""

from __future__ import annotations

from collections.abc import Iterable

from kernel import Context, Delivery, EventHandler, on
from kernel.contracts.auth import RolesChanged, UserDisabled, UserEnabled, UserRegistered
from kernel.database import Session
from plugins.users.registry import Moment, Registry
from plugins.users.settings import UsersSettings


class UsersHandlers:
    """Keeps the directory in step with the accounts."""

    def __init__(self, ctx: Context[UsersSettings]) -> None:
        self._registry = ctx.own(Registry)

    def declare(self) -> Iterable[EventHandler]:
        return (
            on(UserRegistered, self.registered, name="registered"),
            on(RolesChanged, self.roles_changed, name="roles-changed"),
            on(UserDisabled, self.disabled, name="disabled"),
            on(UserEnabled, self.enabled, name="enabled"),
        )

    async def registered(self, session: Session, delivery: Delivery[UserRegistered]) -> None:
        event = delivery.event
        await self._registry.register(
            session, event.user_id, email=event.email, name=event.display_name, locale=event.locale
        )
        await self._registry.set_roles(session, event.user_id, event.roles, _moment(delivery))

    async def roles_changed(self, session: Session, delivery: Delivery[RolesChanged]) -> None:
        await self._registry.set_roles(session, delivery.event.user_id, delivery.event.roles, _moment(delivery))

    async def disabled(self, session: Session, delivery: Delivery[UserDisabled]) -> None:
        await self._registry.set_active(session, delivery.event.user_id, False, _moment(delivery))

    async def enabled(self, session: Session, delivery: Delivery[UserEnabled]) -> None:
        await self._registry.set_active(session, delivery.event.user_id, True, _moment(delivery))


def _moment(
    delivery: Delivery[UserRegistered] | Delivery[RolesChanged] | Delivery[UserDisabled] | Delivery[UserEnabled],
) -> Moment:
    return Moment(delivery.event.version, delivery.time)
