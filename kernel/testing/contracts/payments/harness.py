"""What the kit of `payments/1` needs beside the provider, and what its tests share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine, Sequence
from typing import Final, Protocol, TypeVar
from uuid import UUID

import pytest

from kernel import Event, new_id
from kernel.contracts.payments import (
    REFUSAL_REASONS,
    Charge,
    ChargeRefunded,
    Credit,
    NothingToRefund,
    Payments,
    PurchaseCharged,
    VoucherRedeemed,
    VoucherRefused,
)
from kernel.contracts.payments_http import Wallet
from kernel.testing.clock import MovableClock

T = TypeVar("T")
E = TypeVar("E", bound=Event)

PRICE: Final = 1500  # minor units


class PaymentsHarness(Protocol):
    """What the kit needs beside the provider itself."""

    #: False for a provider that never takes anything: its charges are of 0, whatever was asked for. The kit then
    #: expects that nobody is too poor to buy and that there is nothing to refund but the uses of vouchers.
    charges_money: bool

    @property
    def payments(self) -> Payments:
        """The provider."""
        ...

    @property
    def clock(self) -> MovableClock:
        """The clock that the provider goes by."""
        ...

    async def fund(self, user_id: UUID, amount: int, *, credit: Credit = "refundable") -> None:
        """See to it that the person has *amount* more."""
        ...

    async def balance(self, user_id: UUID) -> int:
        """Return what the person has, of both kinds of credit together."""
        ...

    async def wallet(self, user_id: UUID) -> Wallet:
        """Return what the person has."""
        ...

    async def voucher(self, **terms: object) -> str:
        """Make a voucher with the fields of `NewVoucherBatch`; return its code."""
        ...

    async def withdraw(self, code: str) -> None:
        """Withdraw the voucher."""
        ...

    async def offer(self, price: int, *, status: str = "published") -> UUID:
        """Put a course on sale; return its id."""
        ...

    async def events(self) -> Sequence[Event]:
        """Return all events that the provider has published."""
        ...


def taken(harness: PaymentsHarness, amount: int) -> int:
    """Return what a charge of *amount* takes."""
    return amount if harness.charges_money else 0


async def bought(harness: PaymentsHarness) -> Charge:
    """Return the charge of somebody who had exactly the price, if the provider takes it."""
    buyer, course = new_id(), await harness.offer(PRICE)
    if harness.charges_money:
        await harness.fund(buyer, PRICE)
    return await harness.payments.charge(new_id(), buyer, course, PRICE)


async def bought_with(
    harness: PaymentsHarness, code: str, *, user_id: UUID | None = None, course_id: UUID | None = None
) -> Charge:
    """Return the charge of somebody who had exactly the price that the voucher leads to."""
    buyer, course = user_id or new_id(), course_id or await harness.offer(PRICE)
    quote = await harness.payments.quote(buyer, course, voucher=code)
    if quote.total:
        await harness.fund(buyer, quote.total)
    return await harness.payments.charge(new_id(), buyer, course, quote.total, voucher=code)


async def refusal(attempt: Awaitable[object]) -> str:
    """Return the reason for which *attempt* is refused."""
    with pytest.raises(VoucherRefused) as refused:
        await attempt
    reason = refused.value.extensions["reason"]
    assert reason in REFUSAL_REASONS
    return str(reason)


async def refuses_every_refund(harness: PaymentsHarness, charge: Charge, *amounts: int) -> None:
    """Of a charge that took nothing, nothing goes back, whatever is asked for."""
    for amount in (None, *amounts):
        with pytest.raises(NothingToRefund):
            await harness.payments.refund(charge.purchase_id, amount, key=f"{amount}", reason="nothing was taken")
    assert await harness.payments.find_charge(charge.purchase_id) == charge
    assert await told(harness, ChargeRefunded) == []


async def told(harness: PaymentsHarness, kind: type[E]) -> list[E]:
    """Return the events of *kind* that the provider has published."""
    return [event for event in await harness.events() if isinstance(event, kind)]


async def used(harness: PaymentsHarness) -> list[VoucherRedeemed]:
    """Return the events that tell of vouchers that were used for purchases."""
    return [event for event in await told(harness, VoucherRedeemed) if event.purchase_id is not None]


async def outcomes(*calls: Coroutine[object, object, T]) -> list[T | BaseException]:
    """Run *calls* at once; return what each returned or raised."""
    return await asyncio.gather(*calls, return_exceptions=True)


def charged(charge: Charge) -> PurchaseCharged:
    """Return the event that tells of *charge*."""
    return PurchaseCharged(
        purchase_id=charge.purchase_id,
        charge_id=charge.id,
        user_id=charge.user_id,
        course_id=charge.course_id,
        amount=charge.amount,
        currency=charge.currency,
    )


def given_back(charge: Charge, amount: int, reason: str, *, returned: bool) -> ChargeRefunded:
    """Return the event that tells of a refund of *charge*."""
    return ChargeRefunded(
        purchase_id=charge.purchase_id,
        charge_id=charge.id,
        user_id=charge.user_id,
        course_id=charge.course_id,
        amount=amount,
        currency=charge.currency,
        reason=reason,
        returned=returned,
    )
