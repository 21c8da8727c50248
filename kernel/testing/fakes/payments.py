"""An in-memory `payments/1`, and a plugin that provides it where a test leaves the real one out."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Final, TypedDict
from uuid import UUID

import msgspec

from kernel import Context, Event, Manifest, Plugin, Provide, hookimpl, new_id, problems
from kernel.clock import Clock, SystemClock
from kernel.contracts.courses import COURSES, Courses
from kernel.contracts.payments import (
    MAX_AMOUNT,
    PAYMENTS,
    Charge,
    ChargeConflict,
    ChargeRefunded,
    Credit,
    InsufficientFunds,
    NothingToRefund,
    PriceLine,
    PurchaseCharged,
    Quote,
    Redemption,
    VoucherOffer,
    VoucherRedeemed,
    VoucherReturned,
    WalletToppedUp,
)
from kernel.contracts.payments_http import Wallet
from kernel.testing.fakes.vouchers import InMemoryVouchers, Voucher, refused

_SYSTEM_CLOCK: Final = SystemClock()


@dataclass(frozen=True)
class Refunded:
    """What a key was used for, and what came of it."""

    purchase_id: UUID
    amount: int | None
    outcome: Charge


class InMemoryPayments:
    """Keeps every promise of the contract for as long as the test runs; *events* are what it has told.

    No method waits for anything once it has begun to look at what it changes, so calls at the same moment follow one
    another.
    """

    def __init__(self, courses: Courses, *, currency: str = "EUR", clock: Clock = _SYSTEM_CLOCK) -> None:
        self.credit: dict[Credit, Counter[UUID]] = {"refundable": Counter(), "promotional": Counter()}
        self.events: list[Event] = []
        self._courses = courses
        self._currency = currency
        self._clock = clock
        self._vouchers = InMemoryVouchers(clock)
        self._redeemed: dict[tuple[UUID, str], Redemption] = {}
        self._charges: dict[UUID, Charge] = {}
        self._refunds: dict[str, Refunded] = {}

    def fund(self, user_id: UUID, amount: int, *, credit: Credit = "refundable") -> None:
        """Let the person have *amount* more; nobody is told."""
        self.credit[credit][user_id] += amount

    def wallet(self, user_id: UUID) -> Wallet:
        """Return what the person has."""
        refundable, promotional = (self.credit[kind][user_id] for kind in ("refundable", "promotional"))
        return Wallet(
            balance=refundable + promotional, currency=self._currency, refundable=refundable, promotional=promotional
        )

    def voucher(self, **terms: object) -> str:
        """Make a voucher with the fields of `NewVoucherBatch`, such as `kind="discount", percent=20`; return its code.

        Raises:
            msgspec.ValidationError: there is no such voucher.
        """
        return self._vouchers.make(terms)

    def withdraw(self, code: str) -> None:
        """Let nobody use the voucher any more."""
        self._vouchers.find(code).withdrawn = True

    async def quote(self, user_id: UUID, course_id: UUID, *, voucher: str | None = None) -> Quote:
        offer = await self._courses.offer(course_id)
        if offer is None or offer.status != "published":
            raise problems.NotFound
        lines = [PriceLine(label="List price", amount=offer.price, source="list-price")]
        if voucher is not None:
            off = self._usable(user_id, voucher, course_id).taken_off(offer.price)
            lines.append(PriceLine(label="Voucher", amount=-off, source="voucher"))
        total = sum(line.amount for line in lines)
        return Quote(course_id=course_id, total=total, currency=offer.currency, lines=tuple(lines))

    async def check(self, user_id: UUID, code: str, course_id: UUID | None = None) -> VoucherOffer:
        return self._usable(user_id, code, course_id).offer(self._currency)

    async def redeem(self, user_id: UUID, code: str, *, key: str) -> Redemption:
        voucher, earlier = self._vouchers.find(code), self._redeemed.get((user_id, key))
        if earlier is None:
            outcome = self._redeemed[user_id, key] = self._top_up(user_id, voucher)
            return outcome
        if earlier.voucher_id != voucher.id:
            raise problems.IdempotencyKeyReused(f"The key {key!r} came before with another code.")
        return earlier

    async def charge(
        self, purchase_id: UUID, user_id: UUID, course_id: UUID, amount: int, *, voucher: str | None = None
    ) -> Charge:
        if not 0 <= amount <= MAX_AMOUNT:
            raise ValueError(f"a charge of {amount} is out of bounds; charge 0 to {MAX_AMOUNT} minor units")
        offer = await self._courses.offer(course_id)
        taken_off = max(0, offer.price - amount) if offer is not None else 0
        used = self._used_by_charge(voucher)
        found = self._charges.get(purchase_id)
        if found is None:
            return self._take(self._charge(purchase_id, user_id, course_id, amount, used), used, taken_off)
        asked = (user_id, course_id, amount, used.id if used else None)
        if (found.user_id, found.course_id, found.amount, found.voucher_id) != asked:
            raise ChargeConflict(f"The purchase {purchase_id} was charged with other values.")
        return found

    async def find_charge(self, purchase_id: UUID) -> Charge | None:
        return self._charges.get(purchase_id)

    async def refund(self, purchase_id: UUID, amount: int | None, *, key: str, reason: str) -> Charge:
        if amount is not None and amount <= 0:
            raise ValueError(f"a refund of {amount} is out of bounds; give back 1 or more, or None for the rest")
        earlier = self._refunds.get(key)
        if earlier is not None:
            if (earlier.purchase_id, earlier.amount) != (purchase_id, amount):
                raise ChargeConflict(f"The refund key {key!r} was used for another refund.")
            return earlier.outcome
        outcome = self._give_back(purchase_id, amount, reason)
        self._refunds[key] = Refunded(purchase_id, amount, outcome)
        return outcome

    def _usable(self, user_id: UUID, typed: str, course_id: UUID | None) -> Voucher:
        found = self._vouchers.find(typed)
        self._vouchers.require_usable(found, user_id, course_id)
        return found

    def _top_up(self, user_id: UUID, voucher: Voucher) -> Redemption:
        self._vouchers.require_usable(voucher, user_id)
        if voucher.kind != "top-up":
            courses = [str(course) for course in voucher.terms.course_ids]
            raise refused("needs-course", kind=voucher.kind, course_ids=courses)
        amount, credit = voucher.terms.amount or 0, voucher.terms.credit
        self.fund(user_id, amount, credit=credit)
        self._use(voucher, user_id, amount, None)
        self.events.append(
            WalletToppedUp(user_id=user_id, amount=amount, currency=self._currency, source="voucher", credit=credit)
        )
        return Redemption(
            voucher_id=voucher.id,
            batch_id=voucher.batch_id,
            amount=amount,
            currency=self._currency,
            credit=credit,
            balance=self.wallet(user_id).balance,
        )

    def _used_by_charge(self, typed: str | None) -> Voucher | None:
        """Return the voucher whose code was *typed*; a top-up is none that a charge uses."""
        found = self._vouchers.find(typed) if typed is not None else None
        return found if found is not None and found.kind != "top-up" else None

    def _charge(self, purchase_id: UUID, user_id: UUID, course_id: UUID, amount: int, used: Voucher | None) -> Charge:
        return Charge(
            id=new_id(),
            purchase_id=purchase_id,
            user_id=user_id,
            course_id=course_id,
            amount=amount,
            currency=self._currency,
            refunded=0,
            created_at=self._clock.now(),
            promotional=self._promotional_part(user_id, amount),
            voucher_id=used.id if used else None,
        )

    def _promotional_part(self, user_id: UUID, amount: int) -> int:
        return min(amount, self.credit["promotional"][user_id])

    def _take(self, charge: Charge, used: Voucher | None, taken_off: int) -> Charge:
        if used is not None:
            self._vouchers.require_usable(used, charge.user_id, charge.course_id)
        held = self.wallet(charge.user_id).balance
        if charge.amount > held:
            raise InsufficientFunds(f"The wallet holds {held}, the price is {charge.amount}.")
        self._move(charge, -charge.promotional, charge.promotional - charge.amount)
        if used is not None:
            self._use(used, charge.user_id, taken_off, charge.purchase_id)
        self.events.append(PurchaseCharged(charge_id=charge.id, **_of(charge), amount=charge.amount))
        return charge

    def _use(self, voucher: Voucher, user_id: UUID, amount: int, purchase_id: UUID | None) -> None:
        voucher.users.append(user_id)
        redeemed = VoucherRedeemed(
            user_id=user_id,
            voucher_id=voucher.id,
            batch_id=voucher.batch_id,
            amount=amount,
            currency=self._currency,
            kind=voucher.kind,
            purchase_id=purchase_id,
        )
        self.events.append(redeemed)

    def _give_back(self, purchase_id: UUID, amount: int | None, reason: str) -> Charge:
        charge = self._charges.get(purchase_id)
        left = charge.amount - charge.refunded if charge is not None else 0
        back = left if amount is None else amount
        if charge is None or charge.returned or back > left or (left == 0 and charge.voucher_id is None):
            raise NothingToRefund(f"{left} are left of the purchase {purchase_id}.")
        outcome = msgspec.structs.replace(charge, refunded=charge.refunded + back, returned=back == left)
        refundable = self._refundable_part(charge, back)
        self._move(outcome, back - refundable, refundable)
        self.events.append(
            ChargeRefunded(charge_id=charge.id, **_of(charge), amount=back, reason=reason, returned=outcome.returned)
        )
        if outcome.returned:
            self._return_use(outcome)
        return outcome

    def _refundable_part(self, charge: Charge, back: int) -> int:
        return min(back, max(0, charge.amount - charge.promotional - charge.refunded))

    def _return_use(self, charge: Charge) -> None:
        if charge.voucher_id is None:
            return
        voucher = self._vouchers.give_back(charge.voucher_id, charge.user_id)
        returned = VoucherReturned(
            user_id=charge.user_id,
            voucher_id=voucher.id,
            batch_id=voucher.batch_id,
            purchase_id=charge.purchase_id,
        )
        self.events.append(returned)

    def _move(self, charge: Charge, promotional: int, refundable: int) -> None:
        self.credit["promotional"][charge.user_id] += promotional
        self.credit["refundable"][charge.user_id] += refundable
        self._charges[charge.purchase_id] = charge


class _Who(TypedDict):
    purchase_id: UUID
    user_id: UUID
    course_id: UUID
    currency: str


def _of(charge: Charge) -> _Who:
    return _Who(
        purchase_id=charge.purchase_id, user_id=charge.user_id, course_id=charge.course_id, currency=charge.currency
    )


class InMemoryPaymentsPlugin(Plugin):
    """Provides `payments/1` from memory; `deployment.platform.services.get(PAYMENTS)` is the `InMemoryPayments`."""

    manifest: ClassVar[Manifest] = Manifest(
        name="test-payments", version="1", provides=(PAYMENTS,), requires=(COURSES,)
    )

    @hookimpl
    def services(self, ctx: Context) -> Iterable[Provide[Any]]:
        yield Provide(PAYMENTS, lambda: contextlib.nullcontext(ctx.own(_made_for)))


def _made_for(ctx: Context[Any]) -> InMemoryPayments:
    return InMemoryPayments(ctx.services.get(COURSES), currency=ctx.deployment.currency, clock=ctx.clock)
