"""The HTTP surface of `audit/1`: what every provider serves under `/api/v1/audit`. A provider may serve and show more.

`GET /acts` answers those who may (`audit.view`) with a page of `ActSeen`, the newest first, of those that an `ActQuery`
asks for. Looking is no act.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec

from kernel import PageQuery

#: The permission of whoever looks at acts.
VIEW_ACTS: Final = "audit.view"

_FIRST_YEAR: Final = 2000
_LAST_YEAR: Final = 9000  # short of where a change of time zone leaves the calendar

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
Action = Annotated[str, msgspec.Meta(max_length=100, pattern=r"^[a-z][a-z0-9_.-]*$(?!\n)")]
Subject = Annotated[str, msgspec.Meta(max_length=200, pattern=r"^[\x21-\x7e]+$(?!\n)")]


class ActQuery(PageQuery, frozen=True, kw_only=True):
    """Which acts to list; the filters combine."""

    actor: UUID | None = None
    subject: Subject | None = None  #: such as `account:0198…`
    about: UUID | None = None  #: the person whom it concerns, where the subject is a grant, say
    action: Action | None = None  #: such as `auth.set_roles`
    since: Moment | None = None
    until: Moment | None = None  #: the first moment that does not count

    def __post_init__(self) -> None:
        for name in ("since", "until"):
            moment = getattr(self, name)
            if moment and not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
                raise ValueError(f"'{name}' must lie between the years {_FIRST_YEAR} and {_LAST_YEAR}")


class ActSeen(msgspec.Struct, frozen=True, kw_only=True):
    """One act."""

    event_id: UUID  #: of the `ActRecorded`: each is one act, however often it comes
    time: datetime  #: when it was told
    action: str
    subject: str
    about: UUID | None  #: the person whom it concerns, where the subject does not say it
    actor: UUID | None  #: who; null for the command line
    acting_as: UUID | None  #: whom the actor stood in for
    origin: str
    reason: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    source: str  #: the plugin that told it
    request_id: UUID  #: of the request, by which its log lines are found
