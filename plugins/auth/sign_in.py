"""Signing in: a right code becomes a session, and an account where there was none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from aiohttp import web

from kernel import Context, Event
from kernel.contracts.auth import CodeRefused, SessionStarted, SignedInFromNewDevice
from kernel.database import Session
from plugins.auth.accounts import AccountRow, arrive
from plugins.auth.browsers import Browsers
from plugins.auth.codes import Codes
from plugins.auth.cookies import Cookies
from plugins.auth.devices import Devices
from plugins.auth.rotation import Granted
from plugins.auth.sessions import Origin, Sessions
from plugins.auth.settings import AuthSettings

#: How somebody signed in, unless somebody else vouched for them.
BY_CODE: Final = "code"


@dataclass(frozen=True, kw_only=True)
class Browser:
    """The digests of the cookie that a browser gets, and of the one that it had; and what it is known by."""

    digest: bytes
    former: bytes | None
    device: str  #: the value of its second cookie

    @classmethod
    def given(cls, cookies: Cookies, value: str, http: web.Request) -> Browser:
        """Return the browser that sent a request and gets the cookie *value*."""
        former = cookies.value(http)
        return cls(
            digest=cookies.digest(value),
            former=cookies.digest(former) if former else None,
            device=cookies.device(http),
        )


class SignIn:
    """Brings codes, accounts and sessions together."""

    def __init__(self, ctx: Context[AuthSettings]) -> None:
        self._ctx = ctx
        self._codes = ctx.own(Codes)
        self._browsers = ctx.own(Browsers)
        self._devices = ctx.own(Devices)
        self._sessions = ctx.own(Sessions)

    async def with_code(
        self,
        challenge: UUID,
        code: str,
        origin: Origin,
        *,
        display_name: str,
        locale: str,
        browser: Browser | None = None,
    ) -> Granted:
        """Return a new session for the address that *code* was sent to: of an application, or of a *browser*.

        The code, the account, the session and the events that tell of them commit together.

        Raises:
            CodeRefused: the code is not good, or the account is disabled.
        """
        log = self._ctx.log.bind(action="sign-in", challenge=str(challenge), address=origin.address)
        try:
            email = await self._codes.try_(challenge, code)
            granted = await self._start(challenge, email, origin, browser, display_name=display_name, locale=locale)
        except CodeRefused:
            log.warning("sign-in refused")
            raise
        log.info("signed in", user=str(granted.account), session=str(granted.session))
        return granted

    async def _start(
        self, challenge: UUID, email: str, origin: Origin, browser: Browser | None, *, display_name: str, locale: str
    ) -> Granted:
        async with self._ctx.db.transaction() as session:
            await self._codes.use(session, challenge)
            row, events = await arrive(
                self._ctx, session, email, display_name=display_name, locale=locale, signs_in=True
            )
            if not row.active:
                raise CodeRefused
            return await self.open(session, row, events, origin, browser)

    async def open(
        self,
        session: Session,
        row: AccountRow,
        events: Sequence[Event],
        origin: Origin,
        browser: Browser | None,
        by: str = BY_CODE,
    ) -> Granted:
        """Start a session of an account whose owner has proved to be that; tell of it, and of *events*."""
        account = row.account()
        if browser is not None and browser.former is not None:
            await self._browsers.replace(session, browser.former)
        kept = None if browser is None else self._browsers.kept(browser.digest)
        started_id, refresh_token, expires_at = await self._sessions.start(session, account.id, origin, kept, by)
        started = SessionStarted(user_id=account.id, session_id=started_id)
        alarm = await self._alarm(session, started, origin, browser)
        await self._ctx.events.publish_all(session, [*events, started, *alarm])
        return Granted(
            account=account.id,
            email=account.email,
            roles=account.roles,
            session=started_id,
            refresh_token=refresh_token,
            expires_at=expires_at,
        )

    async def _alarm(
        self, session: Session, started: SessionStarted, origin: Origin, browser: Browser | None
    ) -> list[SignedInFromNewDevice]:
        """Return what is to be told of the device that the session was *started* from: nothing if it is known."""
        client = origin.shortened()
        device = f"application {client}" if browser is None else f"browser {browser.device}"
        if not await self._devices.is_new(session, started.user_id, device):
            return []
        told = SignedInFromNewDevice(
            user_id=started.user_id, session_id=started.session_id, address=origin.address, client=client
        )
        return [told]
