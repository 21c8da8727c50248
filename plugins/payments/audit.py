"""The rules of the ledger: what each kind of row must agree with. No I/O; `audit_queries` reads the rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol
from uuid import UUID

import msgspec


class Moved(msgspec.Struct, frozen=True):
    """What the transfer of a key moved, and for whom."""

    key: str
    user_id: UUID
    amount: int


class Row(Protocol):
    """A row with what stands elsewhere about it."""

    def where(self) -> str:
        """Return which row it is, for people."""
        ...

    def after(self) -> Mapping[str, object]:
        """Return the values with which the query of these rows goes on after this one."""
        ...

    def faults(self) -> Iterator[str]:
        """Yield what does not agree."""
        ...

    def cause_of(self) -> Moved | None:
        """Return the transfer that there must be because of this row."""
        ...


class TransferAudit(msgspec.Struct, frozen=True):
    """A transfer and what its entries say of it."""

    id: UUID
    amount: int
    entries: int
    taken: int  #: the entry of the account it comes from
    given: int  #: the entry of the account it goes to

    def where(self) -> str:
        return f"transfer {self.id}"

    def after(self) -> Mapping[str, object]:
        return {"after": self.id}

    def faults(self) -> Iterator[str]:
        if (self.entries, self.taken, self.given) != (2, -self.amount, self.amount):
            yield f"moves {self.amount}, but its {self.entries} entries take {-self.taken} and give {self.given}"

    def cause_of(self) -> None:
        return None


class WalletAudit(msgspec.Struct, frozen=True):
    """A wallet and what its entries say of it."""

    user_id: UUID
    balance: int
    version: int
    entries: int
    sum: int
    breaks: int  #: entries that do not continue the one before

    def where(self) -> str:
        return f"wallet {self.user_id}"

    def after(self) -> Mapping[str, object]:
        return {"after": self.user_id}

    def faults(self) -> Iterator[str]:
        if self.balance != self.sum:
            yield f"holds {self.balance}, but its entries add up to {self.sum}"
        if self.version != self.entries:
            yield f"says {self.version} entries, but has {self.entries}"
        if self.breaks:
            yield f"has {self.breaks} entries that do not continue the one before"

    def cause_of(self) -> None:
        return None


class ChargeAudit(msgspec.Struct, frozen=True):
    """A charge and the sum of its refunds."""

    purchase_id: UUID
    user_id: UUID
    amount: int
    refunded: int
    given_back: int

    def where(self) -> str:
        return f"charge of purchase {self.purchase_id}"

    def after(self) -> Mapping[str, object]:
        return {"after": self.purchase_id}

    def faults(self) -> Iterator[str]:
        if self.refunded != self.given_back:
            yield f"says that {self.refunded} went back, but its refunds add up to {self.given_back}"
        if self.given_back > self.amount:
            yield f"took {self.amount}, but gave back {self.given_back}"

    def cause_of(self) -> Moved | None:
        return Moved(f"charge:{self.purchase_id}", self.user_id, self.amount) if self.amount else None


class RefundAudit(msgspec.Struct, frozen=True):
    """A refund, and whose charge it is of."""

    key: str
    user_id: UUID
    amount: int

    def where(self) -> str:
        return f"refund {self.key}"

    def after(self) -> Mapping[str, object]:
        return {"after": self.key}

    def faults(self) -> Iterator[str]:
        return iter(())

    def cause_of(self) -> Moved:
        return Moved(f"refund:{self.key}", self.user_id, self.amount)


class VoucherAudit(msgspec.Struct, frozen=True):
    """A voucher and how many redemptions it has."""

    id: UUID
    uses: int
    max_uses: int
    redemptions: int

    def where(self) -> str:
        return f"voucher {self.id}"

    def after(self) -> Mapping[str, object]:
        return {"after": self.id}

    def faults(self) -> Iterator[str]:
        if self.uses != self.redemptions:
            yield f"says {self.uses} uses, but has {self.redemptions} redemptions"
        if self.redemptions > self.max_uses:
            yield f"may be used {self.max_uses} times, but has {self.redemptions} redemptions"

    def cause_of(self) -> None:
        return None


class RedemptionAudit(msgspec.Struct, frozen=True):
    """A redemption and what its voucher brings."""

    voucher_id: UUID
    user_id: UUID
    amount: int

    def where(self) -> str:
        return f"redemption of voucher {self.voucher_id} by {self.user_id}"

    def after(self) -> Mapping[str, object]:
        return {"after": self.voucher_id, "after_user": self.user_id}

    def faults(self) -> Iterator[str]:
        return iter(())

    def cause_of(self) -> Moved:
        return Moved(f"voucher:{self.voucher_id}:{self.user_id}", self.user_id, self.amount)


class Books(msgspec.Struct, frozen=True):
    """The whole ledger at one moment."""

    transfers: int
    entries: int
    sum: int  #: of all entries
    causes: int  #: charges of money, refunds and redemptions

    def faults(self) -> Iterator[str]:
        if self.sum != 0:
            yield f"all entries add up to {self.sum}, not to 0"
        if self.entries != 2 * self.transfers:
            yield f"there are {self.entries} entries for {self.transfers} transfers, not two for each"
        if self.causes != self.transfers:
            yield f"there are {self.transfers} transfers, but {self.causes} charges, refunds and redemptions"


def missing(expected: Moved, found: Moved | None) -> Iterator[str]:
    """Yield what does not agree between the transfer that there must be and the one that there is."""
    if found is None:
        yield f"moved nothing: there is no transfer '{expected.key}'"
    elif found != expected:
        yield f"is of {expected.amount} for {expected.user_id}, but moved {found.amount} for {found.user_id}"
