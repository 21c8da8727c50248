"""Signing in whom another plugin vouches for: a browser's session, as after a code."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from kernel import Context, Event, Request
from kernel.contracts.auth import AccountClosed, AddressTaken, SignedIn, Vouched
from kernel.contracts.auth_http import MANAGE_ACCOUNTS
from kernel.database import Session
from plugins.auth.accounts import ADMIN, BY_ID, NOTE_SIGN_IN, AccountRow, arrive, split_roles
from plugins.auth.acting import ACT_AS
from plugins.auth.addresses import checked
from plugins.auth.cookies import Cookies
from plugins.auth.permissions import permissions_of
from plugins.auth.sessions import SECONDS_A_DAY, Origin
from plugins.auth.settings import AuthSettings
from plugins.auth.sign_in import Browser, SignIn

_RULING: Final = frozenset({MANAGE_ACCOUNTS, ACT_AS})


class Vouching:
    """Opens sessions without a code."""

    def __init__(self, ctx: Context[AuthSettings]) -> None:
        self._ctx = ctx
        self._cookies = ctx.own(Cookies)
        self._sign_in = ctx.own(SignIn)

    async def sign_in(self, request: Request, person: Vouched) -> SignedIn:
        """Do what `Auth.sign_in` says; account, session and the events that tell of them commit together."""
        self._cookies.require_usable()
        log = self._ctx.log.bind(action="sign-in", by=person.by, address=request.address)
        value = self._cookies.new()
        browser = Browser.given(self._cookies, value, request.http)
        try:
            async with self._ctx.db.transaction() as session:
                row, events = await self._account(session, person)
                granted = await self._sign_in.open(session, row, events, Origin.of(request), browser, person.by)
        except (AccountClosed, AddressTaken) as refusal:
            log.warning("sign-in refused", reason=refusal.type)
            raise
        log.info("signed in", user=str(granted.account), session=str(granted.session))
        cookie = self._cookies.cookie(value, self._ctx.settings.session_days * SECONDS_A_DAY)
        kept = (cookie, self._cookies.device_cookie(browser.device))
        return SignedIn(user_id=granted.account, new=bool(events), cookies=kept)

    async def _account(self, session: Session, person: Vouched) -> tuple[AccountRow, list[Event]]:
        """Return the account that is to be opened, and the events of its making."""
        if person.user_id is not None:
            return await self._known(session, person.user_id), []
        row, events = await arrive(
            self._ctx,
            session,
            checked(person.email),
            display_name=person.display_name,
            locale=person.locale,
            signs_in=True,
        )
        if not events and not (person.adopts and not self._rules(row)):
            raise AddressTaken
        _require_open(row)
        return row, events

    async def _known(self, session: Session, account: UUID) -> AccountRow:
        await session.run(NOTE_SIGN_IN, account=account, now=self._ctx.clock.now())
        row = await session.first(BY_ID, account=account)
        if row is None:
            raise AccountClosed
        _require_open(row)
        return row

    def _rules(self, row: AccountRow) -> bool:
        """Return whether more than the person's own things are at stake: who rules, proves the address by a code."""
        roles = split_roles(row.roles)
        return ADMIN in roles or not _RULING.isdisjoint(permissions_of(roles, self._ctx.roles))


def _require_open(row: AccountRow) -> None:
    if not row.active:
        raise AccountClosed
