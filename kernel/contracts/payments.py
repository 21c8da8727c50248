"""`payments/1`: wallets, vouchers, prices and charges.

Money is an integer of minor units (cents) in the deployment's one currency. Every movement has an idempotency key
that its caller chooses: the same key with the same values is answered with the first outcome and moves nothing.

A wallet holds refundable credit (what somebody paid for) and promotional credit (what was given away). A charge takes
promotional credit first; what goes back goes the way it came, the refundable part first.

A voucher is of one kind: `top-up` brings credit, `discount` lowers the price of a purchase, `enrol` makes a course of
its own free. `redeem` takes top-ups; the two others are used by the charge of the purchase that they are for, in the
same transaction, and a charge that goes back whole gives the use back too.

HTTP surface, below `/api/v1/payments`: `GET /wallet`, `GET /statement` (as a table with `Accept: text/csv`),
`GET /quote?course_id=`, `POST /quote` (with a voucher, whose code never stands in a URL), `POST /vouchers/check`,
`POST /vouchers/redeem`, `POST /voucher-batches`, `GET /voucher-batches`, `GET /voucher-batches/{batch_id}`,
`POST /voucher-batches/{batch_id}/withdraw`. Its bodies are in `kernel.contracts.payments_http`. Whoever makes,
withdraws or looks at batches of vouchers has `payments.manage_vouchers`. `kernel.testing.contracts.payments` tests a
provider against all of this.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Final, Literal, Protocol
from uuid import UUID

import msgspec

from kernel import Event, Personal, problems
from kernel.capabilities import Capability, Contribution

#: The most that one movement may move, in minor units; sums of these stay exact in 64 bits and in JavaScript.
MAX_AMOUNT: Final = 10**12


VoucherKind = Literal["top-up", "discount", "enrol"]
#: Refundable credit was paid for; promotional credit was given away.
Credit = Literal["refundable", "promotional"]


class PriceLine(msgspec.Struct, frozen=True, kw_only=True):
    """One step from the list price to the price to pay, and who took it."""

    label: str
    amount: int  #: what the step adds; negative for a discount
    source: str  #: `list-price` for the first line, the rule's own name for what it did, `voucher` for a voucher


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """What a course costs one person now; *total* is the sum of the lines and never below 0."""

    course_id: UUID
    total: int
    currency: str
    lines: tuple[PriceLine, ...]


class Charge(msgspec.Struct, frozen=True, kw_only=True):
    """Money that a person paid for a purchase."""

    id: UUID
    purchase_id: UUID  #: the caller's idempotency key
    user_id: UUID
    course_id: UUID
    amount: int
    currency: str
    refunded: int  #: how much of it went back
    created_at: datetime
    promotional: int = 0  #: how much of *amount* was promotional credit
    voucher_id: UUID | None = None  #: the voucher that was used for it
    returned: bool = False  #: whether all of it went back, the voucher's use too


class VoucherOffer(msgspec.Struct, frozen=True, kw_only=True):
    """What a voucher would do for a person now."""

    voucher_id: UUID
    kind: VoucherKind
    course_ids: tuple[UUID, ...] = ()  #: for which it can be used; () for every course, and for a top-up
    amount: int | None = None  #: of a top-up what it brings, of a discount what it takes off
    percent: int | None = None  #: of a discount
    price: int | None = None  #: of a discount: the price to pay in the end; 0 for `enrol`
    currency: str
    credit: Credit | None = None  #: of a top-up
    valid_until: datetime | None = None


class Redemption(msgspec.Struct, frozen=True, kw_only=True):
    """What a top-up brought."""

    voucher_id: UUID
    batch_id: UUID
    amount: int
    currency: str
    credit: Credit
    balance: int  #: what the wallet holds now


class InsufficientFunds(problems.Problem):
    """The wallet holds less than the price; nothing was moved."""

    type, status, title = "insufficient-funds", 409, "The wallet does not hold enough"


class ChargeConflict(problems.Problem):
    """The idempotency key of a charge or refund came before with other values; nothing was moved."""

    type, status, title = "charge-conflict", 409, "The same key came before with other values"


class NothingToRefund(problems.Problem):
    """There is no such charge, or less is left of it than was asked for; nothing was moved."""

    type, status, title = "nothing-to-refund", 409, "There is nothing, or not so much, to refund"


class VoucherRefused(problems.Problem):
    """The voucher can not be redeemed; the member `reason` is one of `REFUSAL_REASONS`."""

    type, status, title = "voucher-refused", 409, "The voucher can not be redeemed"


#: Unknown codes and codes that were never valid are told apart from nothing: both are `unknown`. `needs-course` has the
#: members `kind` and `course_ids`. `no-discount` is said by whoever sells (`enrollments/1`), never by `quote` and
#: `check`, which only tell what a voucher would do.
REFUSAL_REASONS: Final = (
    "unknown",
    "not-yet-valid",
    "expired",
    "used-up",
    "already-redeemed",
    "withdrawn",
    "other-currency",
    "other-course",  # it is for other courses than the one that is to be bought
    "no-discount",  # it would not lower the price that is to be paid
    "needs-course",  # it is used by buying a course, which the members `kind` and `course_ids` tell of
)


class WalletToppedUp(Event, frozen=True, kw_only=True):
    """A person's wallet holds more; *source* says from what, such as `voucher`."""

    name: ClassVar[str] = "payments.wallet_topped_up.v1"
    key: ClassVar[str] = "user_id"
    user_id: UUID
    amount: int
    currency: str
    source: str
    credit: str = "refundable"  #: `refundable` or `promotional`


class VoucherBatchCreated(Event, frozen=True, kw_only=True):
    """An administrator made vouchers."""

    name: ClassVar[str] = "payments.voucher_batch_created.v1"
    key: ClassVar[str] = "batch_id"
    batch_id: UUID
    count: int
    amount: int  #: what each brings; 0 where it brings no credit
    currency: str
    tag: str
    kind: str = "top-up"


class VoucherRedeemed(Event, frozen=True, kw_only=True):
    """A person used a voucher, for a purchase or as credit."""

    name: ClassVar[str] = "payments.voucher_redeemed.v1"
    key: ClassVar[str] = "user_id"
    concerns: ClassVar[str] = "user_id"
    user_id: UUID
    voucher_id: UUID
    batch_id: UUID
    amount: int  #: the credit that it brought, or what it took off the price
    currency: str
    kind: str = "top-up"
    purchase_id: UUID | None = None


class VoucherReturned(Event, frozen=True, kw_only=True):
    """A use of a voucher was given back, since the whole of its purchase was."""

    name: ClassVar[str] = "payments.voucher_returned.v1"
    key: ClassVar[str] = "user_id"
    user_id: UUID
    voucher_id: UUID
    batch_id: UUID
    purchase_id: UUID


class WalletAdjusted(Event, frozen=True, kw_only=True):
    """An administrator put credit into a wallet, or took it out."""

    name: ClassVar[str] = "payments.wallet_adjusted.v1"
    key: ClassVar[str] = "user_id"
    personal: ClassVar[Personal] = {"user_id": {"reason": ""}}
    user_id: UUID
    amount: int  #: negative for what was taken
    currency: str
    credit: str
    reason: str
    adjusted_by: UUID


class PurchaseCharged(Event, frozen=True, kw_only=True):
    """The money for a purchase was taken: whoever sold it owes the course or the money."""

    name: ClassVar[str] = "payments.purchase_charged.v1"
    key: ClassVar[str] = "purchase_id"
    concerns: ClassVar[str] = "user_id"
    purchase_id: UUID
    charge_id: UUID
    user_id: UUID
    course_id: UUID
    amount: int
    currency: str


class ChargeRefunded(Event, frozen=True, kw_only=True):
    """Money of a purchase went back into the wallet; *amount* is 0 where a voucher had paid all of it."""

    name: ClassVar[str] = "payments.charge_refunded.v1"
    key: ClassVar[str] = "purchase_id"
    concerns: ClassVar[str] = "user_id"
    personal: ClassVar[Personal] = {"user_id": {"reason": ""}}
    purchase_id: UUID
    charge_id: UUID
    user_id: UUID
    course_id: UUID
    amount: int
    currency: str
    reason: str
    returned: bool = False  #: whether nothing of the charge is left, nor of its voucher's use


class Payments(Protocol):
    """Takes and gives back money for courses."""

    async def quote(self, user_id: UUID, course_id: UUID, *, voucher: str | None = None) -> Quote:
        """Return what the course costs the person now, with the code *voucher* if one is given.

        A discount is taken off what the price rules left, down to 0. A top-up leaves the price as it is.

        Raises:
            problems.NotFound: there is no such course on offer.
            problems.Unavailable: a price rule failed; the detail names it.
            VoucherRefused: the voucher can not be used for the course now; nothing was used.
        """
        ...

    async def check(self, user_id: UUID, code: str, course_id: UUID | None = None) -> VoucherOffer:
        """Return what the voucher would do for the person now; nothing is used.

        Raises:
            VoucherRefused: it would do nothing; with *course_id*, also where it is for other courses.
        """
        ...

    async def redeem(self, user_id: UUID, code: str, *, key: str) -> Redemption:
        """Turn a top-up into credit; *key*, of this person, is the idempotency key. Publishes `WalletToppedUp`.

        Raises:
            VoucherRefused: it brings nothing; `needs-course` for a voucher of another kind. Nothing was used.
            problems.IdempotencyKeyReused: the key came before with another code.
        """
        ...

    async def charge(
        self, purchase_id: UUID, user_id: UUID, course_id: UUID, amount: int, *, voucher: str | None = None
    ) -> Charge:
        """Take *amount* (0 to `MAX_AMOUNT`) for the purchase; *purchase_id* is the idempotency key.

        With the code *voucher* of a discount or an enrolment, one use of it is taken in the same transaction; whether
        *amount* is the price that it leads to is for `quote` to say. Return the charge as it stands: of a repeat some
        may have gone back. Publishes `PurchaseCharged`, also for an amount of 0.

        Raises:
            ValueError: the amount is out of bounds.
            InsufficientFunds: the person has less; nothing was moved, and nothing used.
            VoucherRefused: the voucher can not be used (any more); nothing was moved.
            ChargeConflict: the purchase was charged with other values.
        """
        ...

    async def find_charge(self, purchase_id: UUID) -> Charge | None:
        """Return the charge of the purchase as it stands, None when there is none."""
        ...

    async def refund(self, purchase_id: UUID, amount: int | None, *, key: str, reason: str) -> Charge:
        """Give back *amount* (> 0) of the charge, all that is left of it for None; *key* is the idempotency key.

        When nothing is left, the use of its voucher goes back too; so a charge of 0 that used a voucher can be
        refunded once, with None. Return the charge as this refund left it. Publishes `ChargeRefunded`.

        Raises:
            ValueError: the amount is not above 0.
            NothingToRefund: no charge, nothing left (so it is with a charge of 0 without a voucher), or less left
                than *amount*; nothing was moved.
            ChargeConflict: the key came before with other values.
        """
        ...


class PriceRule(Protocol):
    """Changes prices; every contributor is asked, in the order in which the plugins start."""

    async def lines(self, user_id: UUID, course_id: UUID, price: int) -> tuple[PriceLine, ...]:
        """Return the steps to take from *price* (what the earlier rules left); () for none.

        Steps that lead below 0 are made up for by a line of the provider. A rule that raises makes the quote
        fail: a price is never guessed.
        """
        ...


PAYMENTS: Final[Capability[Payments]] = Capability("payments", 1)
PRICE_RULE: Final[Contribution[PriceRule]] = Contribution("price_rule", 1)
