"""The HTTP surface for those who sign in and out."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec

from kernel import (
    PUBLIC,
    SIGNED_IN,
    Answer,
    Context,
    Idempotency,
    Page,
    PageQuery,
    RateLimit,
    Request,
    Route,
    delete,
    get,
    page,
    post,
    problems,
)
from kernel.contracts.auth import CodeRefused, Locale, TokenRefused
from kernel.database import Session
from plugins.auth.addresses import Email, normal
from plugins.auth.codes import DIGITS, LIFE, Codes
from plugins.auth.keys import TOKEN_LIFE, KeyRing
from plugins.auth.rotation import Granted, Rotation
from plugins.auth.sessions import Origin, OwnSession, Sessions
from plugins.auth.settings import AuthSettings
from plugins.auth.sign_in import SignIn
from plugins.auth.tokens import AccessTokens

#: How long others may keep our public keys; a new one is announced before it signs.
KEYS_FRESH: int = 60  # seconds

Line = Annotated[str, msgspec.Meta(max_length=80, pattern=r"^[^\x00-\x1f\x7f]*$(?!\n)")]
Code = Annotated[str, msgspec.Meta(pattern=rf"^[0-9]{{{DIGITS}}}$(?!\n)")]


class CodeRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who wants to sign in."""

    email: Email


class CodeSent(msgspec.Struct, frozen=True, kw_only=True):
    """A mail is on its way, if the address exists."""

    challenge_id: UUID  #: keep it for the sign-in; the code is good only together with it
    expires_in: int  #: seconds


class SignInRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The code from the mail; the rest counts at the first sign-in only."""

    challenge_id: UUID
    code: Code
    display_name: Line = ""
    locale: Locale = "en"


class RefreshRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The refresh token that came last."""

    refresh_token: Annotated[str, msgspec.Meta(max_length=200)]


class User(msgspec.Struct, frozen=True, kw_only=True):
    """Who is signed in."""

    id: UUID
    email: str
    roles: tuple[str, ...]


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """What to send with requests, and what to get the next from."""

    access_token: str
    token_type: str = "Bearer"  # noqa: S105  # the name of a scheme
    expires_in: int  #: seconds
    refresh_token: str  #: use it once; each answer brings the next
    session_id: UUID
    user: User


class SessionSeen(msgspec.Struct, frozen=True, kw_only=True):
    """One of the caller's sessions."""

    id: UUID
    created_at: datetime
    last_used_at: datetime  #: when its tokens were last renewed
    expires_at: datetime
    address: str
    client: str
    current: bool  #: the session of this request


class KeySet(msgspec.Struct, frozen=True, kw_only=True):
    """The keys with which anyone can verify an access token."""

    keys: list[dict[str, str]]


class AuthApi:
    """Codes, sessions and tokens."""

    def __init__(self, ctx: Context[AuthSettings]) -> None:
        self._settings = ctx.settings
        self._codes = ctx.own(Codes)
        self._sign_in = ctx.own(SignIn)
        self._sessions = ctx.own(Sessions)
        self._rotation = ctx.own(Rotation)
        self._tokens = ctx.own(AccessTokens)
        self._keys = ctx.own(KeyRing)

    def routes(self) -> Iterable[Route]:
        def limited(rate: str) -> tuple[RateLimit, ...]:
            return (RateLimit(rate, by="address"),)

        none, settings = Idempotency.NONE, self._settings
        return (
            post(
                "/codes",
                self.request_code,
                permission=PUBLIC,
                status=202,
                idempotency=none,
                rate_limits=limited(settings.code_requests),
                problems=(problems.TooManyRequests,),
            ),
            post(
                "/sessions",
                self.sign_in,
                permission=PUBLIC,
                status=201,
                idempotency=none,
                rate_limits=limited(settings.sign_ins),
                problems=(CodeRefused, problems.TooManyRequests),
            ),
            post(
                "/tokens",
                self.refresh,
                permission=PUBLIC,
                idempotency=none,
                rate_limits=limited(settings.refreshes),
                problems=(TokenRefused, problems.TooManyRequests),
            ),
            get("/jwks.json", self.keys, permission=PUBLIC),
            get("/sessions", self.sessions, permission=SIGNED_IN),
            delete("/sessions/{session_id}", self.end_session, permission=SIGNED_IN, problems=(problems.NotFound,)),
            delete("/sessions", self.end_other_sessions, permission=SIGNED_IN),
            post("/sign-out", self.sign_out, permission=SIGNED_IN, status=204),
        )

    async def request_code(self, request: Request, body: CodeRequest) -> CodeSent:
        """Send a one-time code to an address, known or not; a code sent earlier is no longer good."""
        challenge = await self._codes.send(normal(body.email))
        return CodeSent(challenge_id=challenge, expires_in=int(LIFE.total_seconds()))

    async def sign_in(self, request: Request, body: SignInRequest) -> Tokens:
        """Sign in with the code from the mail; the first time, this registers."""
        granted = await self._sign_in.with_code(
            body.challenge_id, body.code, _origin(request), display_name=body.display_name, locale=body.locale
        )
        return await self._tokens_for(granted)

    async def refresh(self, request: Request, body: RefreshRequest) -> Tokens:
        """Get the next access token and the next refresh token."""
        return await self._tokens_for(await self._rotation.refresh(body.refresh_token))

    async def keys(self, request: Request) -> Answer[KeySet]:
        """Read the public keys of access tokens, as a JSON Web Key Set (RFC 7517)."""
        return Answer(KeySet(keys=self._keys.public()), headers={"Cache-Control": f"public, max-age={KEYS_FRESH}"})

    async def sessions(self, request: Request, query: PageQuery) -> Page[SessionSeen]:
        """List one's own sessions, the newest first."""
        me = request.principal
        rows = await self._sessions.own(me.id, limit=query.limit + 1, after=query.after(UUID))
        return page([_seen(row, me.session) for row in rows], query, lambda seen: seen.id)

    async def end_session(self, request: Request, session_id: UUID, session: Session) -> None:
        """End one of one's own sessions."""
        if not await self._sessions.end(session, request.principal.id, session_id, "sign-out"):
            raise problems.NotFound

    async def end_other_sessions(self, request: Request, session: Session) -> None:
        """End all of one's sessions but this one."""
        await self._sessions.end_others(session, request.principal.id, request.principal.session)

    async def sign_out(self, request: Request, session: Session) -> None:
        """End this session."""
        await self._sessions.end(session, request.principal.id, request.principal.session, "sign-out")

    async def _tokens_for(self, granted: Granted) -> Tokens:
        return Tokens(
            access_token=await self._tokens.issue(granted.account, granted.session, granted.roles),
            expires_in=int(TOKEN_LIFE.total_seconds()),
            refresh_token=granted.refresh_token,
            session_id=granted.session,
            user=User(id=granted.account, email=granted.email, roles=granted.roles),
        )


def _origin(request: Request) -> Origin:
    return Origin(address=request.address, client=request.http.headers.get("User-Agent", ""))


def _seen(row: OwnSession, current: UUID) -> SessionSeen:
    return SessionSeen(
        id=row.id,
        created_at=row.created_at,
        last_used_at=row.used_at,
        expires_at=row.expires_at,
        address=row.address,
        client=row.client,
        current=row.id == current,
    )
