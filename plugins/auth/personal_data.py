"""The account of a person: the address, the sign-ins, the devices, and what was typed at them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import Context, problems
from kernel.contracts.personal_data import Document, Kept, Receipt, Subject, document
from kernel.database import Command, Query
from plugins.auth.accounts import find
from plugins.auth.administration import Administration
from plugins.auth.settings import AuthSettings
from plugins.auth.tables import accounts, addresses, devices, sessions


class _SignIn(msgspec.Struct, frozen=True):
    """A session, living or ended."""

    id: UUID
    created_at: datetime
    used_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    address: str
    client: str
    signed_in_by: str


class _Device(msgspec.Struct, frozen=True):
    """A device that is known: by a digest, which says nothing."""

    seen_at: datetime


class _Codes(msgspec.Struct, frozen=True):
    """What is remembered of the codes that were asked for."""

    email: str
    sent_1: datetime
    used_at: datetime | None
    failures: int


SIGN_INS: Final = Query(
    sa.select(*(sessions.c[name] for name in _SignIn.__struct_fields__))
    .where(sessions.c.account_id == bindparam("account"))
    .order_by(sessions.c.id),
    _SignIn,
)
DEVICES: Final = Query(
    sa.select(devices.c.seen_at).where(devices.c.account_id == bindparam("account")).order_by(devices.c.seen_at),
    _Device,
)
CODES: Final = Query(
    sa.select(*(addresses.c[name] for name in _Codes.__struct_fields__)).where(addresses.c.email == bindparam("email")),
    _Codes,
)
#: The row stays, so that the number is nobody else's. `.invalid` gets no mail, and so no code to sign in with.
FORGET_ADDRESS: Final = Command(
    sa.update(accounts)
    .where(accounts.c.id == bindparam("account"))
    .values(email=bindparam("nobody"), signed_in_at=sa.null())
)
#: The rows stay for the day in which every process learns from them that their tokens are good no more.
FORGET_ORIGINS: Final = Command(
    sa.update(sessions)
    .where(sessions.c.account_id == bindparam("account"))
    .values(address=sa.literal_column("''"), client=sa.literal_column("''"))
)
FORGET_DEVICES: Final = Command(sa.delete(devices).where(devices.c.account_id == bindparam("account")))
#: Unless the address has become somebody else's.
FORGET_CODES: Final = Command(
    sa.delete(addresses).where(
        addresses.c.email == bindparam("email"), ~sa.exists().where(accounts.c.email == addresses.c.email)
    )
)

RECEIPT: Final = Receipt(
    erased=("your mail address, your roles, your known devices, and from where and with what you signed in",),
    kept=(
        Kept(what="your account's number and when it was made", why="others' records refer to it"),
        Kept(what="the numbers of your sign-ins, for a day", why="so that nobody can use them any more"),
    ),
)


class AuthPersonalData:
    """Contributes to `personal_data/1`."""

    def __init__(self, ctx: Context[AuthSettings]) -> None:
        self._ctx = ctx
        self._administration = ctx.own(Administration)

    async def export(self, subject: Subject) -> AsyncIterator[Document]:
        row = await find(self._ctx.db, subject.user_id)
        if row is not None:
            yield document("account.json", row)
        if sign_ins := await self._ctx.db.all(SIGN_INS, account=subject.user_id):
            yield document("sign-ins.json", sign_ins)
        if known := await self._ctx.db.all(DEVICES, account=subject.user_id):
            yield document("devices.json", known)
        if codes := await self._ctx.db.all(CODES, email=subject.email):
            yield document("codes.json", codes)

    async def erase(self, subject: Subject) -> Receipt:
        async with self._ctx.db.transaction() as session:
            with contextlib.suppress(problems.NotFound):
                await self._administration.retire(session, subject.user_id)
            await session.run(FORGET_ADDRESS, account=subject.user_id, nobody=f"{subject.user_id}@erased.invalid")
            await session.run(FORGET_ORIGINS, account=subject.user_id)
            await session.run(FORGET_DEVICES, account=subject.user_id)
            await session.run(FORGET_CODES, email=subject.email)
        return RECEIPT
