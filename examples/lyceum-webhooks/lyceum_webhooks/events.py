"""What this plugin itself tells."""

from __future__ import annotations

from typing import ClassVar, Final
from uuid import UUID

from kernel import Event

#: The type of the event that an administrator sends to one endpoint to see whether it arrives; nobody else is told.
TEST: Final = "webhooks.test.v1"


class EndpointDisabled(Event, frozen=True, kw_only=True):
    """An endpoint is told of nothing any more until somebody enables it: it was gone, or failed for too long."""

    name: ClassVar[str] = "webhooks.endpoint_disabled.v1"
    key: ClassVar[str] = "endpoint_id"
    endpoint_id: UUID
    url: str  #: without its query
    reason: str
