"""Standing in for somebody, to help: a short token that says who is behind it.

The token belongs to the administrator's own session and ends with it. It is good only as long as the administrator may
stand in and the person may nothing that the administrator may not; both are looked at whenever either changes.
"""

from __future__ import annotations

from collections.abc import Set
from typing import Final
from uuid import UUID

from kernel import Context, Principal, problems
from kernel.database import Session
from plugins.auth.accounts import ADMIN, BY_ID, AccountRow, split_roles
from plugins.auth.permissions import permissions_of
from plugins.auth.settings import AuthSettings

ACT_AS: Final = "auth.act_as"


def may_act(actor: Set[str], roles: Set[str], permissions: Set[str]) -> bool:
    """Return whether who has the permissions *actor* may stand in for a person with *roles* and *permissions*.

    Nobody stands in for an administrator, nor gets a permission by standing in.
    """
    return ACT_AS in actor and ADMIN not in roles and permissions <= actor


def require_self(principal: Principal) -> None:
    """Refuse what only the person may do: look after the person's sign-ins.

    Raises:
        problems.Forbidden: somebody stands in for the person.
    """
    if principal.actor is not None:
        raise problems.Forbidden("Who stands in for a person has nothing to do with the person's sign-ins.")


class Acting:
    """Decides who may stand in for whom."""

    def __init__(self, ctx: Context[AuthSettings]) -> None:
        self._roles = ctx.roles

    async def person(self, session: Session, actor: Principal, account: UUID) -> AccountRow:
        """Return the account for which *actor* may stand in.

        Raises:
            problems.NotFound: there is no such account.
            problems.Conflict: it is closed.
            problems.Forbidden: *actor* may not.
        """
        row = await session.first(BY_ID, account=account)
        if row is None:
            raise problems.NotFound
        if not row.active:
            raise problems.Conflict("The account is closed.")
        roles = split_roles(row.roles)
        if not may_act(actor.permissions, roles, permissions_of(roles, self._roles)):
            raise problems.Forbidden("The person administers, or may something that you may not.")
        return row
