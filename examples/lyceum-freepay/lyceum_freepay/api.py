"""The HTTP surface that `payments/1` asks for."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

import msgspec

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
    get,
    post,
    problems,
)
from kernel.contracts.payments import Quote, Redemption, VoucherRefused
from kernel.contracts.payments_http import (
    MANAGE_VOUCHERS,
    NewVoucherBatch,
    RedeemVoucher,
    StatementLine,
    VoucherBatch,
    VoucherCodes,
    Wallet,
)
from kernel.database import Session
from lyceum_freepay.batches import Batches
from lyceum_freepay.service import FreePayments
from lyceum_freepay.settings import FreePaySettings
from lyceum_freepay.wallets import Wallets


class QuoteQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to price."""

    course_id: UUID


class FreePayApi:
    """What people and administrators ask."""

    def __init__(self, ctx: Context[FreePaySettings]) -> None:
        self._payments = ctx.own(FreePayments)
        self._wallets = ctx.own(Wallets)
        self._batches = ctx.own(Batches)

    async def wallet(self, request: Request) -> Wallet:
        """Return what the caller has."""
        return await self._wallets.wallet(request.principal.id)

    async def statement(self, request: Request, query: PageQuery) -> Page[StatementLine]:
        """List the vouchers that the caller redeemed, the newest first."""
        return await self._wallets.statement(request.principal.id, query)

    async def quote(self, request: Request, query: QuoteQuery) -> Quote:
        """Return that a course costs nothing, and what it would cost."""
        return await self._payments.quote(request.principal.id, query.course_id)

    async def redeem(self, request: Request, body: RedeemVoucher, session: Session) -> Redemption:
        """Redeem a voucher."""
        return await self._wallets.redeem(session, request.principal.id, body.code)

    async def create_batch(
        self, request: Request, body: NewVoucherBatch, session: Session
    ) -> Answer[Encoded[VoucherCodes]]:
        """Make vouchers. Only this answer shows their codes, with `Accept: text/csv` as a table."""
        made = await self._batches.create(session, body, request.principal.id, request.idempotency_key or "")
        if "text/csv" in request.http.headers.get("Accept", ""):
            table = "\r\n".join(["code", *made.codes, ""])
            return Answer(Encoded(table.encode()), headers={"Content-Type": "text/csv; charset=utf-8"})
        return Answer(Encoded(msgspec.json.encode(made)))

    async def list_batches(self, query: PageQuery) -> Page[VoucherBatch]:
        """List the batches of vouchers, the newest first."""
        return await self._batches.list(query)

    async def batch(self, batch_id: UUID) -> VoucherBatch:
        """Return one batch of vouchers."""
        return await self._batches.find(batch_id)


def freepay_routes(ctx: Context[FreePaySettings]) -> Iterable[Route]:
    api = FreePayApi(ctx)
    yield get("/wallet", api.wallet, permission=SIGNED_IN)
    yield get("/statement", api.statement, permission=SIGNED_IN)
    yield get("/quote", api.quote, permission=SIGNED_IN)
    yield post(
        "/vouchers/redeem",
        api.redeem,
        permission=SIGNED_IN,
        problems=(VoucherRefused,),
        idempotency=Idempotency.REQUIRED,
        rate_limits=(RateLimit(ctx.settings.redeem_limit),),
    )
    yield post(
        "/voucher-batches",
        api.create_batch,
        permission=MANAGE_VOUCHERS,
        status=201,
        problems=(problems.IdempotencyKeyReused,),
        idempotency=Idempotency.HANDLER,
    )
    yield get("/voucher-batches", api.list_batches, permission=MANAGE_VOUCHERS)
    yield get("/voucher-batches/{batch_id}", api.batch, permission=MANAGE_VOUCHERS)
