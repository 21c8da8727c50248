"""The HTTP surface for those who sign in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Annotated, Final
from uuid import UUID

import msgspec

from kernel import (
    PUBLIC,
    Answer,
    Context,
    Idempotency,
    RateLimit,
    Request,
    Route,
    get,
    post,
    problems,
)
from kernel.contracts.auth import CodeRefused, Email, Locale, TokenRefused
from plugins.auth.addresses import normal
from plugins.auth.codes import DIGITS, LIFE, Codes
from plugins.auth.cookies import Cookies
from plugins.auth.keys import TOKEN_LIFE, KeyRing
from plugins.auth.rotation import Granted, Rotation
from plugins.auth.sessions import SECONDS_A_DAY, Origin
from plugins.auth.settings import AuthSettings
from plugins.auth.sign_in import Browser, SignIn
from plugins.auth.tokens import AccessTokens
from plugins.auth.views import User

#: How long others may keep our public keys; a new one is announced before it signs.
KEYS_FRESH: Final = 60  # seconds

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


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """What to send with requests, and what to get the next from."""

    access_token: str
    token_type: str = "Bearer"  # noqa: S105  # the name of a scheme
    expires_in: int  #: seconds
    refresh_token: str  #: use it once; each answer brings the next
    session_id: UUID
    user: User


class BrowserSession(msgspec.Struct, frozen=True, kw_only=True):
    """A session whose proof is a cookie, which comes with this answer."""

    csrf_token: str  #: send it as `X-CSRF-Token` with each request that changes something
    expires_in: int  #: seconds, at most: a session that nobody uses ends before
    session_id: UUID
    user: User


class KeySet(msgspec.Struct, frozen=True, kw_only=True):
    """The keys with which anyone can verify an access token."""

    keys: list[dict[str, str]]


class AuthApi:
    """Codes, sign-ins and tokens."""

    def __init__(self, ctx: Context[AuthSettings]) -> None:
        self._settings = ctx.settings
        self._codes = ctx.own(Codes)
        self._sign_in = ctx.own(SignIn)
        self._cookies = ctx.own(Cookies)
        self._rotation = ctx.own(Rotation)
        self._tokens = ctx.own(AccessTokens)
        self._keys = ctx.own(KeyRing)

    def routes(self) -> Iterable[Route]:
        settings = self._settings
        yield _credential("/codes", self.request_code, settings.code_requests, status=202)
        yield _credential("/sessions", self.sign_in, settings.sign_ins, CodeRefused, status=201)
        yield _credential(
            "/browser-sessions", self.sign_in_browser, settings.sign_ins, CodeRefused, problems.Conflict, status=201
        )
        yield _credential("/tokens", self.refresh, settings.refreshes, TokenRefused)
        yield get("/jwks.json", self.keys, permission=PUBLIC)

    async def request_code(self, request: Request, body: CodeRequest) -> CodeSent:
        """Send a one-time code to an address, known or not; a code sent earlier is no longer good."""
        challenge = await self._codes.send(normal(body.email))
        return CodeSent(challenge_id=challenge, expires_in=int(LIFE.total_seconds()))

    async def sign_in(self, request: Request, body: SignInRequest) -> Tokens:
        """Sign in with the code from the mail; the first time, this registers."""
        return await self._tokens_for(await self._granted(request, body))

    async def refresh(self, request: Request, body: RefreshRequest) -> Tokens:
        """Get the next access token and the next refresh token."""
        return await self._tokens_for(await self._rotation.refresh(body.refresh_token))

    async def keys(self, request: Request) -> Answer[KeySet]:
        """Read the public keys of access tokens, as a JSON Web Key Set (RFC 7517)."""
        return Answer(KeySet(keys=self._keys.public()), headers={"Cache-Control": f"public, max-age={KEYS_FRESH}"})

    async def sign_in_browser(self, request: Request, body: SignInRequest) -> Answer[BrowserSession]:
        """Sign a browser in: as `/sessions`, with a cookie instead of tokens."""
        self._cookies.require_usable()
        value = self._cookies.new()
        browser = Browser.given(self._cookies, value, request.http)
        granted = await self._granted(request, body, browser)
        seconds = self._settings.session_days * SECONDS_A_DAY
        session = BrowserSession(
            csrf_token=self._cookies.csrf_token(granted.session),
            expires_in=seconds,
            session_id=granted.session,
            user=_user(granted),
        )
        kept = (self._cookies.cookie(value, seconds), self._cookies.device_cookie(browser.device))
        return Answer(session, cookies=kept)

    async def _granted(self, request: Request, body: SignInRequest, browser: Browser | None = None) -> Granted:
        return await self._sign_in.with_code(
            body.challenge_id,
            body.code,
            Origin.of(request),
            display_name=body.display_name,
            locale=body.locale,
            browser=browser,
        )

    async def _tokens_for(self, granted: Granted) -> Tokens:
        return Tokens(
            access_token=await self._tokens.issue(granted.account, granted.session, granted.roles),
            expires_in=int(TOKEN_LIFE.total_seconds()),
            refresh_token=granted.refresh_token,
            session_id=granted.session,
            user=_user(granted),
        )


def _credential(
    path: str,
    handler: Callable[..., Awaitable[object]],
    rate: str,
    *refusals: type[problems.Problem],
    status: int = 200,
) -> Route:
    """Return a route by which strangers get a credential, each address so often; a kept answer would hold it."""
    return post(
        path,
        handler,
        permission=PUBLIC,
        status=status,
        idempotency=Idempotency.NONE,
        rate_limits=(RateLimit(rate, by="address"),),
        problems=(*refusals, problems.TooManyRequests),
    )


def _user(granted: Granted) -> User:
    return User(id=granted.account, email=granted.email, roles=granted.roles)
