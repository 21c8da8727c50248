"""The HTTP surface: copies for oneself, and erasures."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

import msgspec
from aiohttp import web

from kernel import (
    SIGNED_IN,
    Context,
    Idempotency,
    Page,
    PageQuery,
    Principal,
    RateLimit,
    Request,
    Route,
    get,
    new_id,
    page,
    post,
    problems,
)
from kernel.contracts.audit import act
from kernel.contracts.auth import AUTH, Account, LastAdministrator
from kernel.contracts.personal_data import Kept
from plugins.privacy import erasures
from plugins.privacy.archive import pieces
from plugins.privacy.contributors import contributors_on
from plugins.privacy.erasing import LEASE, Erasing
from plugins.privacy.erasures import Erasure, Step
from plugins.privacy.exporting import Exporting
from plugins.privacy.exports import Export, Exports
from plugins.privacy.settings import PrivacySettings
from plugins.privacy.tables import READY

ERASE: Final = "privacy.erase"
DOWNLOAD_SECONDS: Final = 600.0
OFF: Final = "off"

Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=500, pattern=r"\S")]


class Confirmation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The own mail address, typed by whoever means it."""

    confirm: Annotated[str, msgspec.Meta(max_length=254)]


class WithReason(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why."""

    reason: Reason


class StepSeen(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an erasure in one plugin."""

    plugin: str
    state: str  #: `unanswered`, `off` (asked when it is on again), `answered` or `confirmed`
    failures: int  #: since it last answered
    erased: tuple[str, ...]
    kept: tuple[Kept, ...]


class ErasureSeen(msgspec.Struct, frozen=True, kw_only=True):
    """An erasure and what came of it."""

    id: UUID
    user_id: UUID
    #: `asked`, `refused`, `erasing`, `mailing`, `confirming`, `waiting` (for plugins that are off) or `done`
    state: str
    created_at: datetime
    done_at: datetime | None
    receipt_unsent_at: datetime | None  #: when it was given up to tell the person what came of it by mail
    steps: tuple[StepSeen, ...]


class PrivacyApi:
    """Takes what people want done with what is kept of them."""

    def __init__(self, ctx: Context[PrivacySettings]) -> None:
        self._ctx = ctx
        self._exports = ctx.own(Exports)
        self._exporting = ctx.own(Exporting)
        self._erasing = ctx.own(Erasing)

    def routes(self) -> Iterable[Route]:
        yield from self._export_routes()
        yield from self._erasure_routes()

    def _export_routes(self) -> Iterable[Route]:
        one, own = "/exports/{export_id}", (problems.Forbidden, problems.NotFound)
        yield post(
            "/exports",
            self.ask_export,
            permission=SIGNED_IN,
            status=202,
            rate_limits=(RateLimit(self._ctx.settings.exports),),
            idempotency=Idempotency.NONE,  # while one is in the making, it is that one
            problems=(problems.Forbidden,),
        )
        yield get("/exports", self.exports, permission=SIGNED_IN, problems=(problems.Forbidden, problems.InvalidCursor))
        yield get(one, self.export, permission=SIGNED_IN, problems=own)
        yield get(f"{one}/archive", self.archive, permission=SIGNED_IN, timeout=DOWNLOAD_SECONDS, problems=own)

    def _erasure_routes(self) -> Iterable[Route]:
        none = Idempotency.NONE  # nobody is erased twice
        own = (problems.Forbidden, problems.Invalid, LastAdministrator)
        yield post("/erasures", self.erase_own, permission=SIGNED_IN, status=202, idempotency=none, problems=own)
        yield get("/erasures/{erasure_id}", self.erasure, permission=SIGNED_IN, problems=(problems.NotFound,))
        yield post(
            "/accounts/{user_id}/erasure",
            self.erase,
            permission=ERASE,
            status=202,
            idempotency=none,
            problems=(problems.NotFound, LastAdministrator),
        )

    async def ask_export(self, request: Request) -> Export:
        """Ask for a copy of all that is kept of oneself; while one is in the making, it is that one."""
        export = await self._exports.ask(_oneself(request).id)
        self._exporting.asked.set()
        return export

    async def exports(self, request: Request, query: PageQuery) -> Page[Export]:
        """List one's copies, the newest first."""
        person = _oneself(request).id
        rows = await self._exports.own(person, limit=query.limit + 1, before=query.after(UUID))
        return page(rows, query, lambda export: export.id)

    async def export(self, request: Request, export_id: UUID) -> Export:
        """Read how far a copy is."""
        return await self._exports.one(_oneself(request).id, export_id)

    async def archive(self, request: Request, export_id: UUID) -> web.StreamResponse:
        """Fetch a copy as a ZIP archive, while it is ready."""
        export = await self._exports.one(_oneself(request).id, export_id)
        if export.state != READY:
            raise problems.NotFound
        headers = {
            "Content-Type": "application/zip",
            "Content-Disposition": f'attachment; filename="export-{export.id}.zip"',
            "Content-Length": str(export.size),
            "Cache-Control": "no-store",
        }
        response = web.StreamResponse(headers=headers)
        await response.prepare(request.http)
        async for piece in pieces(self._ctx, export):
            await response.write(piece)
        await response.write_eof()
        return response

    async def erase_own(self, request: Request, body: Confirmation) -> ErasureSeen:
        """Have oneself erased, for good; *confirm* is one's own mail address."""
        account = await self._account(_oneself(request).id)
        if body.confirm.strip().lower() != account.email:
            message = "type the mail address of the account that is to be erased"
            raise problems.Invalid(fields=[problems.FieldError("body.confirm", message)])
        return await self._erase(account, request, reason=None)

    async def erase(self, request: Request, user_id: UUID, body: WithReason) -> ErasureSeen:
        """Have somebody erased, for good."""
        return await self._erase(await self._account(user_id), request, reason=body.reason)

    async def erasure(self, request: Request, erasure_id: UUID) -> ErasureSeen:
        """Read what came of an erasure: one's own, or anybody's by permission."""
        found = await self._ctx.db.first(erasures.ONE, erasure=erasure_id)
        person = request.principal
        if found is None or (found.user_id != person.id and ERASE not in person.permissions):
            raise problems.NotFound
        return await self._seen(found)

    async def _account(self, user_id: UUID) -> Account:
        account = await self._ctx.services.get(AUTH).account(user_id)
        if account is None:
            raise problems.NotFound
        return account

    async def _erase(self, account: Account, request: Request, *, reason: str | None) -> ErasureSeen:
        """Write the erasure down and close the account, in this order: whatever dies in between, it goes on."""
        erasure = await self._ask(account, request, reason)
        if erasure.state == erasures.ASKED:
            await self._erasing.close(erasure)
        self._erasing.asked.set()
        return await self._seen(await self._ctx.db.one(erasures.ONE, erasure=erasure.id))

    async def _ask(self, account: Account, request: Request, reason: str | None) -> Erasure:
        now = self._ctx.clock.now()
        sealed = self._ctx.secrets.seal(account.email.encode())
        values = {"id": new_id(), "user_id": account.id, "sealed_email": sealed, "now": now, "until": now + LEASE}
        async with self._ctx.db.transaction() as session:
            asked = await session.first(erasures.ASK, **values)
            if asked is None:
                return await session.one(erasures.OF_PERSON, person=account.id)
            if reason is not None:
                told = act(request, "privacy.erase", f"account:{account.id}", reason=reason)
                await self._ctx.events.publish(session, told)
        return asked

    async def _seen(self, erasure: Erasure) -> ErasureSeen:
        on = contributors_on(self._ctx)
        steps = await self._ctx.db.all(erasures.STEPS, erasure=erasure.id)
        return ErasureSeen(
            id=erasure.id,
            user_id=erasure.user_id,
            state=erasure.state,
            created_at=erasure.created_at,
            done_at=erasure.done_at,
            receipt_unsent_at=erasure.unsent_at,
            steps=tuple(_step(step, on=step.plugin in on) for step in steps),
        )


def _oneself(request: Request) -> Principal:
    """Return who is signed in; an administrator who stands in for somebody may not do this in their name."""
    if request.principal.actor is not None:
        raise problems.Forbidden("Only the person alone may do this.")
    return request.principal


def _step(step: Step, *, on: bool) -> StepSeen:
    waits = step.state != erasures.CONFIRMED
    return StepSeen(
        plugin=step.plugin,
        state=OFF if waits and not on else step.state,
        failures=step.attempts,
        erased=step.receipt.erased if step.receipt else (),
        kept=step.receipt.kept if step.receipt else (),
    )
