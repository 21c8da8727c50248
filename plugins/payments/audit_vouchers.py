"""The rules of vouchers: each is used as often as it says, and each use brought what it says or is of its charge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from uuid import UUID

import msgspec

from kernel.contracts.payments import Credit, VoucherKind
from plugins.payments.audit import Moved


class VoucherAudit(msgspec.Struct, frozen=True, gc=False):
    """A voucher, how many redemptions it has that were not given back, and what its batch says of it."""

    id: UUID
    uses: int
    max_uses: int
    withdrawn: bool
    redemptions: int
    batch_max_uses: int
    batch_withdrawn: bool

    def where(self) -> str:
        return f"voucher {self.id}"

    def after(self) -> Mapping[str, object]:
        return {"after": self.id}

    def faults(self) -> Iterator[str]:
        if self.uses != self.redemptions:
            yield f"says {self.uses} uses, but has {self.redemptions} redemptions"
        if self.redemptions > self.max_uses:
            yield f"may be used {self.max_uses} times, but has {self.redemptions} redemptions"
        if self.max_uses != self.batch_max_uses:
            yield f"may be used {self.max_uses} times, but those of its batch {self.batch_max_uses} times"
        if self.withdrawn != self.batch_withdrawn:
            yield f"is {'' if self.withdrawn else 'not '}withdrawn, but its batch is the other way round"

    def cause_of(self) -> None:
        return None


class RedemptionAudit(msgspec.Struct, frozen=True, gc=False):
    """A use of a voucher, and what its batch, its transfer and its charge say of it."""

    id: UUID
    voucher_id: UUID
    user_id: UUID
    number: int
    purchase_id: UUID | None
    amount: int
    balance: int | None
    created_at: datetime
    kind: VoucherKind
    worth: int | None
    credit: Credit | None
    currency: str
    of_person: int  #: how many redemptions the person has of the voucher
    same_batch: bool  #: whether it names the batch of its voucher
    given_back: bool
    transfer_key: str | None
    held: int | None  #: by the wallet, after the transfer
    of_charge: bool | None  #: whether the charge of its purchase says the same voucher and person
    charge_returned: bool | None

    def where(self) -> str:
        return f"redemption of voucher {self.voucher_id} by {self.user_id}"

    def after(self) -> Mapping[str, object]:
        return {"after": self.id}

    def faults(self) -> Iterator[str]:
        if not self.same_batch:
            yield "names another batch than its voucher does"
        if self.number > self.of_person:  # no two have the same number, so each must be among the first
            yield f"is number {self.number}, but the person has used the voucher {self.of_person} times"
        yield from self._of_top_up() if self.kind == "top-up" else self._of_purchase()

    def _of_top_up(self) -> Iterator[str]:
        if self.amount != self.worth:
            yield f"brought {self.amount}, but its batch brings {self.worth}"
        if self.balance != self.held:
            yield f"says that the wallet held {self.balance} after it, but its entry {self.held}"
        if self.given_back:
            yield "was given back, which a top-up can not be"

    def _of_purchase(self) -> Iterator[str]:
        if not self.of_charge:
            yield f"is for the purchase {self.purchase_id}, which was not charged with it"
        elif self.given_back != self.charge_returned:
            yield f"was {'' if self.given_back else 'not '}given back, but its charge is the other way round"

    def cause_of(self) -> Moved | None:
        if self.kind != "top-up":
            return None
        former = f"voucher:{self.voucher_id}:{self.user_id}"  # when each person had one use at most
        return Moved(
            key=former if self.transfer_key == former else f"voucher:{self.id}",
            id=self.id,
            user_id=self.user_id,
            amount=self.amount,
            promotional=self.amount if self.credit == "promotional" else 0,
            currency=self.currency,
            course_id=None,
            reference=self.voucher_id,
            reason="",
            created_at=self.created_at,
        )
