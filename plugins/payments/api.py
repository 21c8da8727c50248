"""The HTTP routes of payments, but for those of vouchers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Final
from uuid import UUID

import msgspec
from aiohttp import web

from kernel import (
    SIGNED_IN,
    Begin,
    Context,
    Idempotency,
    Page,
    PageQuery,
    Request,
    Route,
    get,
    post,
    problems,
    stream_csv,
    wants_csv,
)
from kernel.contracts.audit import ActRecorded, act
from kernel.contracts.payments import (
    MAX_AMOUNT,
    Charge,
    ChargeConflict,
    InsufficientFunds,
    NothingToRefund,
    Quote,
)
from kernel.contracts.payments_http import StatementLine, Wallet
from kernel.contracts.users import USERS
from plugins.payments.adjustments import Adjusted, Adjustments, NewAdjustment
from plugins.payments.refunds import Refunds, Wish
from plugins.payments.service import PaymentsService
from plugins.payments.settings import PaymentsSettings
from plugins.payments.spreadsheet import COLUMNS, table_of
from plugins.payments.voucher_api import voucher_routes
from plugins.payments.wallets import Wallets

VIEW_ANY: Final = "payments.view_any"
REFUND: Final = "payments.refund"
ADJUST: Final = "payments.adjust"


class QuoteQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to price."""

    course_id: UUID


class NewRefund(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Money to give back."""

    amount: Annotated[int, msgspec.Meta(ge=1, le=MAX_AMOUNT)] | None = None  #: None for all that is left
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=500, pattern=r"\S")]


class PaymentsApi:
    """What learners do with their money."""

    def __init__(self, ctx: Context[PaymentsSettings]) -> None:
        self._service = ctx.own(PaymentsService)
        self._wallets = ctx.own(Wallets)

    async def wallet(self, request: Request) -> Wallet:
        """Return what the caller has."""
        return await self._wallets.wallet(request.principal.id)

    async def statement(self, request: Request, query: PageQuery) -> Page[StatementLine] | web.StreamResponse:
        """List the movements of the caller's wallet, the newest first; with `Accept: text/csv` all, as a table."""
        return await _statement(self._wallets, request, request.principal.id, query)

    async def quote(self, request: Request, query: QuoteQuery) -> Quote:
        """Return what a course costs the caller now, and how the price came about."""
        return await self._service.quote(request.principal.id, query.course_id)


class AdministrationApi:
    """What administrators do with vouchers and other people's money."""

    def __init__(self, ctx: Context[PaymentsSettings]) -> None:
        self._services = ctx.services
        self._service = ctx.own(PaymentsService)
        self._wallets = ctx.own(Wallets)
        self._adjustments = ctx.own(Adjustments)
        self._refunds = ctx.own(Refunds)

    async def wallet_of(self, user_id: UUID) -> Wallet:
        """Return what a person has."""
        return await self._wallets.wallet(user_id)

    async def statement_of(
        self, request: Request, user_id: UUID, query: PageQuery
    ) -> Page[StatementLine] | web.StreamResponse:
        """List the movements of a person's wallet, the newest first; with `Accept: text/csv` all, as a table."""
        return await _statement(self._wallets, request, user_id, query)

    async def adjust(self, request: Request, user_id: UUID, body: NewAdjustment, begin: Begin) -> Adjusted:
        """Put credit into a person's wallet, or take it out."""
        if body.amount > 0:  # out of the wallet of somebody who is gone it may always be taken
            await self._require_somebody(user_id)
        return await self._adjustments.adjust(await begin(), request, user_id, body)

    async def _require_somebody(self, user_id: UUID) -> None:
        users = self._services.find(USERS)
        if users is not None and user_id not in await users.people([user_id]):
            raise problems.Invalid(fields=[problems.FieldError("path.user_id", "is nobody's id")])

    async def charge(self, purchase_id: UUID) -> Charge:
        """Return what was taken for a purchase."""
        found = await self._service.find_charge(purchase_id)
        if found is None:
            raise problems.NotFound
        return found

    async def refund(self, request: Request, purchase_id: UUID, body: NewRefund) -> Charge:
        """Give back some or all of what was taken for a purchase."""
        key = f"{request.principal.id}:{request.idempotency_key}"
        wish = Wish(purchase_id=purchase_id, amount=body.amount, key=key, reason=body.reason)
        return await self._refunds.give(wish, lambda before, after: _refund_act(request, before, after, body.reason))


def payments_routes(ctx: Context[PaymentsSettings]) -> Iterable[Route]:
    """Return the routes of everybody and of administrators."""
    api = PaymentsApi(ctx)
    yield get("/wallet", api.wallet, permission=SIGNED_IN)
    yield get("/statement", api.statement, permission=SIGNED_IN)
    yield get(
        "/quote",
        api.quote,
        permission=SIGNED_IN,
        problems=(problems.NotFound, problems.Conflict, problems.Unavailable),
    )
    yield from voucher_routes(ctx)
    yield from _administration_routes(AdministrationApi(ctx))


def _administration_routes(api: AdministrationApi) -> Iterable[Route]:
    yield get("/wallets/{user_id}", api.wallet_of, permission=VIEW_ANY)
    yield get("/wallets/{user_id}/statement", api.statement_of, permission=VIEW_ANY)
    yield post(
        "/wallets/{user_id}/adjustments",
        api.adjust,
        permission=ADJUST,
        status=201,
        problems=(InsufficientFunds, problems.Conflict),
        idempotency=Idempotency.REQUIRED,
    )
    yield get("/charges/{purchase_id}", api.charge, permission=VIEW_ANY)
    yield post(
        "/charges/{purchase_id}/refunds",
        api.refund,
        permission=REFUND,
        problems=(NothingToRefund, ChargeConflict),
        idempotency=Idempotency.HANDLER,
    )


async def _statement(
    wallets: Wallets, request: Request, user_id: UUID, query: PageQuery
) -> Page[StatementLine] | web.StreamResponse:
    if wants_csv(request.http):
        return await stream_csv(request.http, "statement", COLUMNS, table_of(wallets.whole_statement(user_id)))
    return await wallets.statement(user_id, query)


def _refund_act(request: Request, before: Charge, after: Charge, reason: str) -> ActRecorded:
    return act(
        request,
        "payments.refund_charge",
        f"purchase:{after.purchase_id}",
        before={"refunded": before.refunded},
        after={"refunded": after.refunded},
        reason=reason,
        about=after.user_id,
    )
