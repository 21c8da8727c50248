"""What requests say and what is answered."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from kernel import PageQuery
from lyceum_webhooks.endpoints import Endpoint
from lyceum_webhooks.queue import State
from lyceum_webhooks.subscriptions import Pattern

Url = Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]
Description = Annotated[str, msgspec.Meta(max_length=500)]
Patterns = Annotated[tuple[Pattern, ...], msgspec.Meta(min_length=1, max_length=100)]
Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class NewEndpoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is to be told of which events."""

    url: Url
    event_types: Patterns  #: names such as `courses.lesson_added.v1`, beginnings such as `courses.*`, or `*`
    description: Description = ""


class EndpointChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be different; what is left out stays."""

    url: Url | None = None
    event_types: Patterns | None = None
    description: Description | None = None


class WithSecret(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint with its secret, which is shown this once."""

    endpoint: Endpoint
    secret: str  #: `whsec_…`


class Disabling(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why."""

    reason: Annotated[str, msgspec.Meta(max_length=500)] = ""


class Recovery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From when on what failed or was held is to be sent again."""

    since: Moment


class Recovered(msgspec.Struct, frozen=True, kw_only=True):
    """How many deliveries are under way again."""

    count: int


class DeliveryQuery(PageQuery, frozen=True, kw_only=True):
    """Which deliveries to list."""

    state: State | None = None
