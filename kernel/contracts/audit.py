"""`audit/1`: what administrators did, so that it can be looked up who did what, to whom, and what it was before.

There is nothing to call: publish `ActRecorded` in the transaction of the act. Whatever somebody does by a permission
that is over other people's things, or on the command line, is such an act. How they are looked up over HTTP is in
`audit_http`.
"""

from __future__ import annotations

import getpass
import os
from typing import Any, ClassVar, Final, Protocol
from uuid import UUID

from kernel import Event, Personal, Request
from kernel.capabilities import Capability


class ActRecorded(Event, frozen=True, kw_only=True):
    """Somebody did something as an administrator. *before* and *after* hold no secrets, and no more than changed."""

    name: ClassVar[str] = "audit.act_recorded.v1"
    key: ClassVar[str] = "subject"
    #: Why it was done and what was changed stay: the log of acts is not to lose what it has not heard of yet.
    personal: ClassVar[Personal] = {"actor": {"origin": ""}}
    action: str  #: the plugin and what was done, such as `auth.set_roles`
    subject: str  #: its kind and id, such as `account:0198…`
    actor: UUID | None  #: who; None on the command line
    acting_as: UUID | None = None  #: whom the actor stood in for
    origin: str = ""  #: the client's address, or `command line: <user of the machine>`
    reason: str = ""
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    about: UUID | None = None  #: the person whom it concerns, where the subject is not their account


def act(
    request: Request,
    action: str,
    subject: str,
    *,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    reason: str = "",
    about: UUID | None = None,
) -> ActRecorded:
    """Return the act of who sent *request*; *before* and *after* hold what JSON can say.

    Say whom the act is *about* where the subject is something of a person's, a purchase say: without it nobody knows
    that the act belongs into the copy of what is kept of them.
    """
    person = request.principal
    return ActRecorded(
        action=action,
        subject=subject,
        actor=person.actor or person.id,
        acting_as=person.id if person.actor is not None else None,
        origin=request.address,
        reason=reason,
        before=before,
        after=after,
        about=about,
    )


def command_act(
    action: str, subject: str, *, before: dict[str, Any] | None = None, after: dict[str, Any] | None = None
) -> ActRecorded:
    """Return the act of whoever runs a command on this machine."""
    origin = f"command line: {_machine_user()}"
    return ActRecorded(action=action, subject=subject, actor=None, origin=origin, before=before, after=after)


def _machine_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number that has no name
        return str(os.getuid())


class Audit(Protocol):
    """Keeps the acts."""

    async def count(self, subject: str) -> int:
        """Return how many acts concern *subject*."""
        ...


AUDIT: Final[Capability[Audit]] = Capability("audit", 1)
