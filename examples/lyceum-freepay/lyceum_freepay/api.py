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
    shared_page,
    wants_csv,
)
from kernel.contracts.payments import Quote, Redemption, VoucherOffer, VoucherRefused
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
from lyceum_freepay.batches import Batches
from lyceum_freepay.export import table_of_codes, table_of_lines
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

    async def statement(self, request: Request, query: PageQuery) -> Answer[Encoded[Page[StatementLine]]]:
        """List the top-ups that the caller redeemed, the newest first; with `Accept: text/csv` all, as a table."""
        if wants_csv(request.http):
            return table_of_lines(await self._wallets.whole_statement(request.principal.id))
        found = await self._wallets.statement(request.principal.id, query)
        return shared_page(Page([msgspec.json.encode(line) for line in found.items], found.next), query)

    async def quote(self, request: Request, query: QuoteQuery) -> Quote:
        """Return that a course costs nothing, and what it would cost."""
        return await self._payments.quote(request.principal.id, query.course_id)

    async def quote_with_voucher(self, request: Request, body: QuoteOrder) -> Quote:
        """Return the same, if the voucher can be used for the course."""
        return await self._payments.quote(request.principal.id, body.course_id, voucher=body.voucher)

    async def check(self, request: Request, body: CheckVoucher) -> VoucherOffer:
        """Return what a voucher would do; nothing is used."""
        return await self._payments.check(request.principal.id, body.code, body.course_id)

    async def redeem(self, request: Request, body: RedeemVoucher) -> Redemption:
        """Redeem a top-up."""
        return await self._payments.redeem(request.principal.id, body.code, key=request.idempotency_key or "")

    async def create_batch(
        self, request: Request, body: NewVoucherBatch, session: Session
    ) -> Answer[Encoded[VoucherCodes]]:
        """Make vouchers. Only this answer shows their codes, with `Accept: text/csv` as a table."""
        made = await self._batches.create(session, body, request.principal.id, request.idempotency_key or "")
        if wants_csv(request.http):
            return table_of_codes(made.codes)
        return Answer(Encoded(msgspec.json.encode(made)))

    async def list_batches(self, query: PageQuery) -> Page[VoucherBatch]:
        """List the batches of vouchers, the newest first."""
        return await self._batches.list(query)

    async def batch(self, batch_id: UUID) -> VoucherBatch:
        """Return one batch of vouchers."""
        return await self._batches.find(batch_id)

    async def withdraw_batch(self, batch_id: UUID) -> VoucherBatch:
        """Make the vouchers of a batch worthless from now on."""
        return await self._batches.withdraw(batch_id)


def freepay_routes(ctx: Context[FreePaySettings]) -> Iterable[Route]:
    api = FreePayApi(ctx)
    yield get("/wallet", api.wallet, permission=SIGNED_IN)
    yield get("/statement", api.statement, permission=SIGNED_IN)
    yield get("/quote", api.quote, permission=SIGNED_IN)
    yield from _code_routes(api, (RateLimit(ctx.settings.redeem_limit),))
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
    yield post(
        "/voucher-batches/{batch_id}/withdraw",
        api.withdraw_batch,
        permission=MANAGE_VOUCHERS,
        idempotency=Idempotency.NONE,  # a repeat changes nothing
    )


def _code_routes(api: FreePayApi, guesses: tuple[RateLimit, ...]) -> Iterable[Route]:
    """Return the routes that take a code, for each of which the limit on guesses counts."""
    yield post(
        "/quote",
        api.quote_with_voucher,
        permission=SIGNED_IN,
        problems=(VoucherRefused, problems.NotFound),
        idempotency=Idempotency.NONE,
        rate_limits=guesses,
    )
    yield post(
        "/vouchers/check",
        api.check,
        permission=SIGNED_IN,
        problems=(VoucherRefused,),
        idempotency=Idempotency.NONE,
        rate_limits=guesses,
    )
    yield post(
        "/vouchers/redeem",
        api.redeem,
        permission=SIGNED_IN,
        problems=(VoucherRefused, problems.IdempotencyKeyReused),
        idempotency=Idempotency.HANDLER,
        rate_limits=guesses,
    )
