"""The rules of the ledger: what each kind of row must agree with. No I/O; `audit_queries` reads the rows.

Those of the entries of a wallet are in `audit_chain`, those of what moves money in `audit_causes`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Protocol
from uuid import UUID

import msgspec


class Moved(msgspec.Struct, frozen=True, gc=False):
    """What the transfer of a key moved: into a wallet, or out of it where the amounts are negative."""

    key: str
    id: UUID | None  #: that of the cause; None for those without one, and for what is older than the chain
    user_id: UUID
    amount: int
    promotional: int
    currency: str
    course_id: UUID | None
    reference: UUID
    reason: str
    created_at: datetime


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


class TransferAudit(msgspec.Struct, frozen=True, gc=False):
    """A transfer and the entries of its two accounts; None for what is not there."""

    id: UUID
    user_id: UUID
    amount: int
    taken: int | None
    taken_promotional: int | None
    taken_from: UUID | None  #: whose wallet
    given: int | None
    given_promotional: int | None
    given_to: UUID | None  #: whose wallet

    def where(self) -> str:
        return f"transfer {self.id}"

    def after(self) -> Mapping[str, object]:
        return {"after": self.id}

    def faults(self) -> Iterator[str]:
        if (self.taken, self.given) != (-self.amount, self.amount):
            yield f"moves {self.amount}, but its entries are of {self.taken} and {self.given}"
        elif self.taken_promotional != -(self.given_promotional or 0):
            yield f"has entries whose promotional parts are {self.taken_promotional} and {self.given_promotional}"
        if self.user_id not in (self.taken_from, self.given_to) or None not in (self.taken_from, self.given_to):
            yield f"is of the wallet {self.user_id}, but its entries of {self.taken_from} and {self.given_to}"

    def cause_of(self) -> None:
        return None


class OrphanAudit(msgspec.Struct, frozen=True, gc=False):
    """A transfer, and whether there is something that it is of."""

    id: UUID
    key: str
    has_cause: bool

    def where(self) -> str:
        return f"transfer {self.id}"

    def after(self) -> Mapping[str, object]:
        return {"after": self.id}

    def faults(self) -> Iterator[str]:
        if not self.has_cause:
            yield f"has the key '{self.key}', of which there is no charge, refund, adjustment or redemption"

    def cause_of(self) -> None:
        return None


class WalletAudit(msgspec.Struct, frozen=True, gc=False):
    """A wallet that has no entries."""

    user_id: UUID

    def where(self) -> str:
        return f"wallet {self.user_id}"

    def after(self) -> Mapping[str, object]:
        return {"after": self.user_id}

    def faults(self) -> Iterator[str]:
        yield "has no entries"

    def cause_of(self) -> None:
        return None


class Books(msgspec.Struct, frozen=True, gc=False):
    """The whole ledger at one moment."""

    transfers: int
    entries: int
    sum: int  #: of all entries
    promotional: int  #: the sum of their promotional parts
    causes: int  #: charges of money, refunds of money, adjustments and redemptions

    def faults(self) -> Iterator[str]:
        if self.sum != 0:
            yield f"all entries add up to {self.sum}, not to 0"
        if self.promotional != 0:
            yield f"the promotional parts of all entries add up to {self.promotional}, not to 0"
        if self.entries != 2 * self.transfers:
            yield f"there are {self.entries} entries for {self.transfers} transfers, not two for each"
        if self.causes != self.transfers:
            causes = "charges, refunds, adjustments and redemptions"
            yield f"there are {self.transfers} transfers, but {self.causes} {causes}"


def missing(expected: Moved, found: Moved | None) -> Iterator[str]:
    """Yield what does not agree between the transfer that there must be and the one that there is."""
    if found is None:
        yield f"moved nothing: there is no transfer '{expected.key}'"
    elif found != expected:
        pairs = ((name, getattr(expected, name), getattr(found, name)) for name in Moved.__struct_fields__)
        for name, ours, theirs in pairs:
            if ours != theirs and not (name == "id" and None in (ours, theirs)):
                yield f"says {name} {ours}, but its transfer {theirs}"
