"""The HTTP routes of vouchers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from uuid import UUID

from kernel import (
    REPLAYED,
    SIGNED_IN,
    Answer,
    Context,
    Encoded,
    Idempotency,
    Page,
    RateLimit,
    Request,
    Route,
    delete,
    get,
    patch,
    post,
    problems,
)
from kernel.contracts.payments import Quote, Redemption, VoucherOffer, VoucherRefused
from kernel.contracts.payments_http import (
    MANAGE_VOUCHERS,
    CheckVoucher,
    NewVoucherBatch,
    QuoteOrder,
    RedeemVoucher,
    VoucherBatch,
    VoucherCodes,
)
from kernel.database import Session
from plugins.payments.batches import Batches, BatchQuery
from plugins.payments.changes import BatchChange
from plugins.payments.export import answer_with
from plugins.payments.quotes import Quotes
from plugins.payments.redemption import Redeeming
from plugins.payments.settings import PaymentsSettings
from plugins.payments.vouchers import Vouchers

TRIES: Final = "voucher-codes"  # what the limits on codes count, whichever route they came to


class VouchersApi:
    """What learners do with codes."""

    def __init__(self, ctx: Context[PaymentsSettings]) -> None:
        self._quotes = ctx.own(Quotes)
        self._vouchers = ctx.own(Vouchers)
        self._redeeming = ctx.own(Redeeming)

    async def quote_with_voucher(self, request: Request, body: QuoteOrder) -> Quote:
        """Return what a course costs the caller now, with a voucher."""
        return await self._quotes.quote(request.principal.id, body.course_id, body.voucher)

    async def check(self, request: Request, body: CheckVoucher) -> VoucherOffer:
        """Return what a voucher would do for the caller now; nothing is used."""
        return await self._vouchers.check(request.principal.id, body.code, body.course_id)

    async def redeem(self, request: Request, body: RedeemVoucher) -> Answer[Redemption]:
        """Turn a voucher into credit in the caller's wallet."""
        redeemed = await self._redeeming.redeem(request.principal.id, body.code, request.idempotency_key or "")
        return Answer(redeemed.redemption, headers=REPLAYED if redeemed.replayed else {})


class BatchesApi:
    """What administrators do with batches of vouchers."""

    def __init__(self, ctx: Context[PaymentsSettings]) -> None:
        self._batches = ctx.own(Batches)

    async def create_batch(
        self, request: Request, body: NewVoucherBatch, session: Session
    ) -> Answer[Encoded[VoucherCodes]]:
        """Make vouchers. Only this answer shows their codes, with `Accept: text/csv` as a table."""
        made, replayed = await self._batches.create(session, body, request)
        return answer_with(made, request.http, REPLAYED if replayed else {})

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


def voucher_routes(ctx: Context[PaymentsSettings]) -> Iterable[Route]:
    """Return the routes of everybody and of those who make vouchers."""
    yield from _code_routes(VouchersApi(ctx), _limits(ctx.settings))
    yield from _batch_routes(BatchesApi(ctx))


def _code_routes(api: VouchersApi, limits: tuple[RateLimit, ...]) -> Iterable[Route]:
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


def _batch_routes(api: BatchesApi) -> Iterable[Route]:
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


def _limits(settings: PaymentsSettings) -> tuple[RateLimit, ...]:
    """Return what keeps people from guessing codes, shared by every route that takes one."""
    people = (RateLimit(rate, by="principal", scope=TRIES) for rate in settings.redeem_per_person)
    return (*people, *(RateLimit(rate, by="address", scope=TRIES) for rate in settings.redeem_per_address))
