"""The HTTP surface for whoever looks after their own sessions."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

import msgspec

from kernel import SIGNED_IN, Answer, Context, Page, PageQuery, Request, Route, delete, get, page, post, problems
from kernel.database import Session
from plugins.auth.acting import require_self
from plugins.auth.cookies import Cookies
from plugins.auth.sessions import Sessions
from plugins.auth.settings import AuthSettings
from plugins.auth.views import SessionSeen, session_seen


class CsrfToken(msgspec.Struct, frozen=True, kw_only=True):
    """What a page sends as `X-CSRF-Token` with each request that changes something."""

    csrf_token: str


class SessionsApi:
    """Lists and ends one's own sessions; not those of a person for whom one stands in."""

    def __init__(self, ctx: Context[AuthSettings]) -> None:
        self._sessions = ctx.own(Sessions)
        self._cookies = ctx.own(Cookies)

    def routes(self) -> Iterable[Route]:
        """Return the routes."""
        acting, one = (problems.Forbidden,), (problems.NotFound, problems.Forbidden)
        return (
            get("/csrf", self.csrf, permission=SIGNED_IN, problems=acting),
            get("/sessions", self.sessions, permission=SIGNED_IN, problems=acting),
            delete("/sessions/{session_id}", self.end_session, permission=SIGNED_IN, problems=one),
            delete("/sessions", self.end_other_sessions, permission=SIGNED_IN, problems=acting),
            post("/sign-out", self.sign_out, permission=SIGNED_IN, status=204, problems=acting),
        )

    async def csrf(self, request: Request) -> Answer[CsrfToken]:
        """Read the token that a page with a session in a cookie sends with each change."""
        require_self(request.principal)
        token = self._cookies.csrf_token(request.principal.session)
        return Answer(CsrfToken(csrf_token=token), headers={"Cache-Control": "no-store"})

    async def sessions(self, request: Request, query: PageQuery) -> Page[SessionSeen]:
        """List one's own sessions, the newest first."""
        me = request.principal
        require_self(me)
        rows = await self._sessions.of(me.id, limit=query.limit + 1, after=query.after(UUID))
        return page([session_seen(row, me.session) for row in rows], query, lambda seen: seen.id)

    async def end_session(self, request: Request, session_id: UUID, session: Session) -> None:
        """End one of one's own sessions."""
        require_self(request.principal)
        if not await self._sessions.end(session, request.principal.id, session_id, "sign-out"):
            raise problems.NotFound

    async def end_other_sessions(self, request: Request, session: Session) -> None:
        """End all of one's sessions but this one."""
        require_self(request.principal)
        await self._sessions.end_others(session, request.principal.id, request.principal.session)

    async def sign_out(self, request: Request, session: Session) -> Answer[None]:
        """End this session, and take its cookie back."""
        require_self(request.principal)
        await self._sessions.end(session, request.principal.id, request.principal.session, "sign-out")
        had = self._cookies.value(request.http) is not None
        return Answer(None, cookies=(self._cookies.cookie("", 0),) if had else ())
