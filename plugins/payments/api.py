"""The HTTP routes of payments."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Final
from uuid import UUID

import msgspec
from aiohttp import web

from kernel import (
    SIGNED_IN,
    Answer,
    Context,
    Encoded,
    Idempotency,
    Page,
    PageQuery,
    RateLimit,
    Request,
    Route,
    delete,
    get,
    patch,
    post,
    problems,
)
from kernel.contracts.audit import ActRecorded, act
from kernel.contracts.payments import (
    MAX_AMOUNT,
    Charge,
    ChargeConflict,
    InsufficientFunds,
    NothingToRefund,
    Quote,
    Redemption,
    VoucherOffer,
    VoucherRefused,
)
from kernel.contracts.payments_http import (
    MANAGE_VOUCHERS,
    CheckVoucher,
    NewVoucherBatch,
    QuoteOrder,
    RedeemVoucher,
    StatementLine,
    VoucherBatch,
    VoucherCodes,
    Wallet,
)
from kernel.database import Session
from plugins.payments.adjustments import Adjusted, Adjustments, NewAdjustment
from plugins.payments.batches import Batches, BatchQuery
from plugins.payments.changes import BatchChange
from plugins.payments.export import answer_with, wants_csv
from plugins.payments.redemption import Redeeming
from plugins.payments.refunds import Refunds, Wish
from plugins.payments.service import PaymentsService
from plugins.payments.settings import PaymentsSettings
from plugins.payments.spreadsheet import stream_statement
from plugins.payments.vouchers import Vouchers
from plugins.payments.wallets import Wallets

VIEW_ANY: Final = "payments.view_any"
REFUND: Final = "payments.refund"
ADJUST: Final = "payments.adjust"

TRIES: Final = "voucher-codes"  # what the limits on codes count, whichever route they came to
_REPLAYED: Final = {"Idempotency-Replayed": "true"}


class QuoteQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to price."""

    course_id: UUID


class NewRefund(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Money to give back."""

    amount: Annotated[int, msgspec.Meta(ge=1, le=MAX_AMOUNT)] | None = None  #: None for all that is left
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]


class PaymentsApi:
    """What learners do with their money."""

    def __init__(self, ctx: Context[PaymentsSettings]) -> None:
        self._service = ctx.own(PaymentsService)
        self._wallets = ctx.own(Wallets)
        self._vouchers = ctx.own(Vouchers)
        self._redeeming = ctx.own(Redeeming)

    async def wallet(self, request: Request) -> Wallet:
        """Return what the caller has."""
        return await self._wallets.wallet(request.principal.id)

    async def statement(self, request: Request, query: PageQuery) -> Page[StatementLine] | web.StreamResponse:
        """List the movements of the caller's wallet, the newest first; with `Accept: text/csv` all, as a table."""
        return await _statement(self._wallets, request, request.principal.id, query)

    async def quote(self, request: Request, query: QuoteQuery) -> Quote:
        """Return what a course costs the caller now, and how the price came about."""
        return await self._service.quote(request.principal.id, query.course_id)

    async def quote_with_voucher(self, request: Request, body: QuoteOrder) -> Quote:
        """Return what a course costs the caller now, with a voucher."""
        return await self._service.quote(request.principal.id, body.course_id, voucher=body.voucher)

    async def check(self, request: Request, body: CheckVoucher) -> VoucherOffer:
        """Return what a voucher would do for the caller now; nothing is used."""
        return await self._vouchers.check(request.principal.id, body.code, body.course_id)

    async def redeem(self, request: Request, body: RedeemVoucher) -> Answer[Redemption]:
        """Turn a voucher into credit in the caller's wallet."""
        redeemed = await self._redeeming.redeem(request.principal.id, body.code, request.idempotency_key or "")
        return Answer(redeemed.redemption, headers=_REPLAYED if redeemed.replayed else {})


class AdministrationApi:
    """What administrators do with vouchers and other people's money."""

    def __init__(self, ctx: Context[PaymentsSettings]) -> None:
        self._service = ctx.own(PaymentsService)
        self._wallets = ctx.own(Wallets)
        self._adjustments = ctx.own(Adjustments)
        self._refunds = ctx.own(Refunds)
        self._batches = ctx.own(Batches)

    async def create_batch(
        self, request: Request, body: NewVoucherBatch, session: Session
    ) -> Answer[Encoded[VoucherCodes]]:
        """Make vouchers. Only this answer shows their codes, with `Accept: text/csv` as a table."""
        made = await self._batches.create(session, body, request)
        return answer_with(made, request.http.headers.get("Accept", ""))

    async def list_batches(self, query: BatchQuery) -> Page[VoucherBatch]:
        """List the batches of vouchers, the newest first."""
        return await self._batches.list(query)

    async def batch(self, batch_id: UUID) -> VoucherBatch:
        """Return one batch of vouchers."""
        return await self._batches.find(batch_id)

    async def change_batch(self, request: Request, batch_id: UUID, body: BatchChange, session: Session) -> VoucherBatch:
        """Change the tag, the comment or the end of a batch's validity; what is not named stays."""
        return await self._batches.change(session, batch_id, body, request)

    async def withdraw_batch(self, request: Request, batch_id: UUID, session: Session) -> VoucherBatch:
        """Make the vouchers of a batch worthless from now on."""
        return await self._batches.withdraw(session, batch_id, request)

    async def delete_batch(self, request: Request, batch_id: UUID) -> None:
        """Delete a batch of which no voucher was ever redeemed."""
        await self._batches.delete(batch_id, request)

    async def wallet_of(self, user_id: UUID) -> Wallet:
        """Return what a person has."""
        return await self._wallets.wallet(user_id)

    async def statement_of(
        self, request: Request, user_id: UUID, query: PageQuery
    ) -> Page[StatementLine] | web.StreamResponse:
        """List the movements of a person's wallet, the newest first; with `Accept: text/csv` all, as a table."""
        return await _statement(self._wallets, request, user_id, query)

    async def adjust(self, request: Request, user_id: UUID, body: NewAdjustment, session: Session) -> Adjusted:
        """Put credit into a person's wallet, or take it out."""
        return await self._adjustments.adjust(session, request, user_id, body)

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
    yield from _voucher_routes(api, _limits(ctx.settings))
    yield from _administration_routes(AdministrationApi(ctx))


def _voucher_routes(api: PaymentsApi, limits: tuple[RateLimit, ...]) -> Iterable[Route]:
    """Return the routes that take a code: whoever tries codes is counted over all of them."""
    yield post(
        "/quote",
        api.quote_with_voucher,
        permission=SIGNED_IN,
        problems=(problems.NotFound, problems.Conflict, problems.Unavailable, VoucherRefused),
        idempotency=Idempotency.NONE,  # it changes nothing
        rate_limits=limits,
    )
    yield post(
        "/vouchers/check",
        api.check,
        permission=SIGNED_IN,
        problems=(VoucherRefused,),
        idempotency=Idempotency.NONE,
        rate_limits=limits,
    )
    yield post(
        "/vouchers/redeem",
        api.redeem,
        permission=SIGNED_IN,
        problems=(VoucherRefused, problems.Conflict, problems.IdempotencyKeyReused),
        idempotency=Idempotency.HANDLER,  # the redemption itself holds the key
        rate_limits=limits,
    )


def _administration_routes(api: AdministrationApi) -> Iterable[Route]:
    yield post(
        "/voucher-batches",
        api.create_batch,
        permission=MANAGE_VOUCHERS,
        status=201,
        problems=(problems.Conflict, problems.IdempotencyKeyReused),
        idempotency=Idempotency.HANDLER,  # the kernel would store the answer, and with it the codes
    )
    yield get("/voucher-batches", api.list_batches, permission=MANAGE_VOUCHERS)
    yield get("/voucher-batches/{batch_id}", api.batch, permission=MANAGE_VOUCHERS)
    yield patch("/voucher-batches/{batch_id}", api.change_batch, permission=MANAGE_VOUCHERS)
    yield delete(
        "/voucher-batches/{batch_id}",
        api.delete_batch,
        permission=MANAGE_VOUCHERS,
        problems=(problems.Conflict,),
        idempotency=Idempotency.NONE,  # what is deleted stays so
    )
    yield post("/voucher-batches/{batch_id}/withdraw", api.withdraw_batch, permission=MANAGE_VOUCHERS)
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
    if wants_csv(request.http.headers.get("Accept", "")):
        return await stream_statement(request.http, wallets.whole_statement(user_id))
    return await wallets.statement(user_id, query)


def _refund_act(request: Request, before: Charge, after: Charge, reason: str) -> ActRecorded:
    return act(
        request,
        "payments.refund_charge",
        f"purchase:{after.purchase_id}",
        before={"refunded": before.refunded},
        after={"refunded": after.refunded},
        reason=reason,
    )


def _limits(settings: PaymentsSettings) -> tuple[RateLimit, ...]:
    """Return what keeps people from guessing codes, shared by every route that takes one."""
    people = (RateLimit(rate, by="principal", scope=TRIES) for rate in settings.redeem_per_person)
    return (*people, *(RateLimit(rate, by="address", scope=TRIES) for rate in settings.redeem_per_address))
