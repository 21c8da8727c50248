"""An in-memory `payments/1` for the tests of plugins that sell something."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypedDict
from uuid import UUID

import msgspec

from kernel import Event, new_id, problems
from kernel.contracts.courses import Courses
from kernel.contracts.payments import (
    MAX_AMOUNT,
    Charge,
    ChargeConflict,
    ChargeRefunded,
    InsufficientFunds,
    NothingToRefund,
    PriceLine,
    PurchaseCharged,
    Quote,
)


@dataclass(frozen=True)
class Refunded:
    """What a key was used for, and what came of it."""

    purchase_id: UUID
    amount: int | None
    outcome: Charge


class InMemoryPayments:
    """Keeps every promise of the contract for as long as the test runs; *events* are what it has told.

    No method waits for anything before it is done, so calls at the same moment follow one another.
    """

    def __init__(self, courses: Courses, *, currency: str = "EUR") -> None:
        self.balances: dict[UUID, int] = {}
        self.events: list[Event] = []
        self._courses = courses
        self._currency = currency
        self._charges: dict[UUID, Charge] = {}
        self._refunds: dict[str, Refunded] = {}

    async def quote(self, user_id: UUID, course_id: UUID) -> Quote:
        offer = await self._courses.offer(course_id)
        if offer is None or offer.status != "published":
            raise problems.NotFound
        line = PriceLine(label="List price", amount=offer.price, source="list-price")
        return Quote(course_id=course_id, total=offer.price, currency=offer.currency, lines=(line,))

    async def charge(self, purchase_id: UUID, user_id: UUID, course_id: UUID, amount: int) -> Charge:
        if not 0 <= amount <= MAX_AMOUNT:
            raise ValueError(f"a charge of {amount} is out of bounds; charge 0 to {MAX_AMOUNT} minor units")
        found = self._charges.get(purchase_id)
        if found is None:
            return self._take(purchase_id, user_id, course_id, amount)
        if (found.user_id, found.course_id, found.amount) != (user_id, course_id, amount):
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

    def _take(self, purchase_id: UUID, user_id: UUID, course_id: UUID, amount: int) -> Charge:
        held = self.balances.get(user_id, 0)
        if amount > held:
            raise InsufficientFunds(f"The wallet holds {held}, the price is {amount}.")
        charge = Charge(
            id=new_id(),
            purchase_id=purchase_id,
            user_id=user_id,
            course_id=course_id,
            amount=amount,
            currency=self._currency,
            refunded=0,
            created_at=datetime.now(UTC),
        )
        self.balances[user_id] = held - amount
        self._charges[purchase_id] = charge
        self.events.append(PurchaseCharged(charge_id=charge.id, **_of(charge), amount=amount))
        return charge

    def _give_back(self, purchase_id: UUID, amount: int | None, reason: str) -> Charge:
        charge = self._charges.get(purchase_id)
        left = charge.amount - charge.refunded if charge is not None else 0
        back = left if amount is None else amount
        if charge is None or left == 0 or back > left:
            raise NothingToRefund(f"{left} are left of the purchase {purchase_id}.")
        outcome = msgspec.structs.replace(charge, refunded=charge.refunded + back)
        self.balances[charge.user_id] = self.balances.get(charge.user_id, 0) + back
        self._charges[purchase_id] = outcome
        self.events.append(ChargeRefunded(charge_id=charge.id, **_of(charge), amount=back, reason=reason))
        return outcome


class _Who(TypedDict):
    purchase_id: UUID
    user_id: UUID
    course_id: UUID
    currency: str


def _of(charge: Charge) -> _Who:
    return _Who(
        purchase_id=charge.purchase_id, user_id=charge.user_id, course_id=charge.course_id, currency=charge.currency
    )
