"""The HTTP surface for administrators who help: they end a person's sessions, and stand in for the person."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated
from uuid import UUID

import msgspec

from kernel import Context, Idempotency, Page, PageQuery, Request, Route, delete, get, page, post, problems
from kernel.contracts.audit import act
from kernel.contracts.auth_http import MANAGE_ACCOUNTS
from kernel.database import Session
from plugins.auth.accounts import split_roles
from plugins.auth.acting import ACT_AS, Acting, require_self
from plugins.auth.administration import Administration
from plugins.auth.keys import TOKEN_LIFE
from plugins.auth.sessions import Sessions
from plugins.auth.settings import AuthSettings
from plugins.auth.tokens import AccessTokens, Actor
from plugins.auth.views import SessionSeen, User, session_seen

Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=500, pattern=r"\S")]


class ActAs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why somebody stands in for another; it stays in the audit log."""

    reason: Reason


class ActingToken(msgspec.Struct, frozen=True, kw_only=True):
    """A token with which requests count as the person's; nothing renews it."""

    access_token: str
    token_type: str = "Bearer"  # noqa: S105  # the name of a scheme
    expires_in: int  #: seconds; less where the administrator's own session ends before
    user: User  #: the person


class SupportApi:
    """Looks after others' sessions."""

    def __init__(self, ctx: Context[AuthSettings]) -> None:
        self._ctx = ctx
        self._administration = ctx.own(Administration)
        self._sessions = ctx.own(Sessions)
        self._acting = ctx.own(Acting)
        self._tokens = ctx.own(AccessTokens)

    def routes(self) -> Iterable[Route]:
        """Return the routes."""
        sessions, absent = "/accounts/{account_id}/sessions", (problems.NotFound,)
        return (
            get(sessions, self.sessions, permission=MANAGE_ACCOUNTS, problems=absent),
            delete(sessions, self.end_sessions, permission=MANAGE_ACCOUNTS, problems=absent),
            delete(f"{sessions}/{{session_id}}", self.end_session, permission=MANAGE_ACCOUNTS, problems=absent),
            post(
                "/accounts/{account_id}/act-as",
                self.act_as,
                permission=ACT_AS,
                status=201,
                idempotency=Idempotency.NONE,  # a kept answer would hold a credential
                problems=(problems.NotFound, problems.Conflict, problems.Forbidden),
            ),
        )

    async def sessions(self, request: Request, account_id: UUID, query: PageQuery) -> Page[SessionSeen]:
        """List the sessions of a person, the newest first."""
        await self._administration.account(account_id)
        rows = await self._sessions.of(account_id, limit=query.limit + 1, after=query.after(UUID))
        return page([session_seen(row, request.principal.session) for row in rows], query, lambda seen: seen.id)

    async def end_sessions(self, request: Request, account_id: UUID, session: Session) -> None:
        """End all sessions of a person; every process refuses them within five seconds."""
        await self._administration.account(account_id, session)
        ended = await self._sessions.end_all(session, account_id, "administrator")
        if ended:
            await self._record_end(session, request, account_id, ended)

    async def end_session(self, request: Request, account_id: UUID, session_id: UUID, session: Session) -> None:
        """End one session of a person."""
        if not await self._sessions.end(session, account_id, session_id, "administrator"):
            raise problems.NotFound
        await self._record_end(session, request, account_id, [session_id])

    async def act_as(self, request: Request, account_id: UUID, body: ActAs, session: Session) -> ActingToken:
        """Get a token with which one stands in for a person for ten minutes, as long as one's own session lasts."""
        me = request.principal
        require_self(me)
        person = await self._acting.person(session, me, account_id)
        after = {"seconds": int(TOKEN_LIFE.total_seconds()), "session": str(me.session)}
        told = act(request, "auth.act_as", f"account:{account_id}", after=after, reason=body.reason)
        await self._ctx.events.publish(session, told)
        roles = tuple(sorted(split_roles(person.roles)))
        actor = Actor(sub=me.id, roles=tuple(sorted(me.roles)))
        return ActingToken(
            access_token=await self._tokens.issue(person.id, me.session, roles, actor=actor),
            expires_in=int(TOKEN_LIFE.total_seconds()),
            user=User(id=person.id, email=person.email, roles=roles),
        )

    async def _record_end(self, session: Session, request: Request, account: UUID, ended: list[UUID]) -> None:
        before = {"sessions": [str(one) for one in ended]}
        told = act(request, "auth.end_sessions", f"account:{account}", before=before, after={"sessions": []})
        await self._ctx.events.publish(session, told)
