"""The HTTP surface: the sign-ins that are linked to one's account."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec

from kernel import SIGNED_IN, Answer, Context, Idempotency, RateLimit, Request, Route, delete, get, post, problems
from kernel.contracts.audit import act
from kernel.database import Session
from lyceum_oidc.links import Links
from lyceum_oidc.refusals import ProviderUnavailable
from lyceum_oidc.settings import OidcSettings
from lyceum_oidc.signing_in import ACCOUNT, SigningIn, require_self


class LinkSeen(msgspec.Struct, frozen=True, kw_only=True):
    """One linked sign-in."""

    id: UUID
    label: str  #: of the provider, its address where it is set no more
    linked_at: datetime


class LinksSeen(msgspec.Struct, frozen=True, kw_only=True):
    """All linked sign-ins."""

    items: list[LinkSeen]


class NewLink(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which provider to link."""

    provider: Annotated[str, msgspec.Meta(max_length=40)]


class LinkBegun(msgspec.Struct, frozen=True, kw_only=True):
    """The browser is to go on to the provider."""

    url: str


class OidcApi:
    """Shows, begins and removes links."""

    def __init__(self, ctx: Context[OidcSettings]) -> None:
        self._ctx = ctx
        self._links = ctx.own(Links)
        self._signing_in = ctx.own(SigningIn)
        self._labels = {one.issuer: one.label for one in ctx.settings.providers.values()}

    def routes(self) -> Iterable[Route]:
        acting = (problems.Forbidden,)
        yield get("/links", self.links, permission=SIGNED_IN, problems=acting)
        yield post(
            "/links",
            self.begin,
            permission=SIGNED_IN,
            status=200,
            idempotency=Idempotency.NONE,
            rate_limits=(RateLimit(self._ctx.settings.rate),),
            problems=(*acting, problems.NotFound, ProviderUnavailable, problems.TooManyRequests),
        )
        yield delete("/links/{link_id}", self.unlink, permission=SIGNED_IN, problems=(*acting, problems.NotFound))

    async def links(self, request: Request) -> LinksSeen:
        """List the sign-ins that are linked to one's account."""
        return LinksSeen(items=await self.seen(require_self(request)))

    async def begin(self, request: Request, body: NewLink) -> Answer[LinkBegun]:
        """Begin to link a provider: the browser that asks is to go to the address."""
        going = await self._signing_in.begin(request.http, body.provider, ACCOUNT, require_self(request))
        return Answer(LinkBegun(url=going.to), cookies=going.cookies)

    async def unlink(self, request: Request, link_id: UUID, session: Session) -> None:
        """Remove a link; the sign-in by email code stays."""
        person = require_self(request)
        issuer = await self._links.remove(session, person, link_id)
        if issuer is None:
            raise problems.NotFound
        told = act(request, "oidc.unlink", f"account:{person}", before={"issuer": issuer})
        await self._ctx.events.publish(session, told)

    async def seen(self, person: UUID) -> list[LinkSeen]:
        """Return the links of *person* as they are shown."""
        return [
            LinkSeen(id=one.id, label=self._labels.get(one.issuer, one.issuer), linked_at=one.created_at)
            for one in await self._links.of(person)
        ]
