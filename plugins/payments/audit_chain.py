"""The rules of a wallet's entries: each continues the one before, and the last is what the wallet says it holds."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from uuid import UUID

import msgspec

from plugins.payments.chain import BEGINNING, Covered, Seal
from plugins.payments.charges import CHARGE


class EntryAudit(msgspec.Struct, frozen=True, gc=False):
    """An entry of a wallet and its transfer; of the wallet's last entry also the wallet."""

    wallet_id: UUID
    version: int
    amount: int
    promotional: int
    balance_after: int
    hash: bytes
    id: UUID
    key: str
    kind: str
    from_account: str
    to_account: str
    moved: int
    currency: str
    user_id: UUID
    course_id: UUID | None
    reference: UUID
    reason: str
    created_at: datetime
    balance: int | None
    promotional_balance: int | None
    moved_promotional: int | None
    head: bytes | None

    def after(self) -> Mapping[str, object]:
        """Return the values with which the query goes on after this entry."""
        return {"after": self.wallet_id, "after_version": self.version}

    def covered(self) -> Covered:
        """Return what the chain covers, in the order of `Movement.covered`."""
        return (
            self.id,
            self.key,
            self.kind,
            self.from_account,
            self.to_account,
            self.moved,
            self.currency,
            self.user_id,
            self.course_id,
            self.reference,
            self.reason,
            self.created_at,
            None if self.kind == CHARGE else self.promotional,
        )


class Walk:
    """Goes through the entries of one wallet, in their order."""

    def __init__(self, seal: Seal, first: EntryAudit) -> None:
        self._seal = seal
        self._last = first
        self._version = self._balance = self._promotional = 0
        self._head = BEGINNING
        self.older = 0  #: entries from before the chain
        self.newest_older: datetime | None = None  #: when the last of them was written
        self.chained: datetime | None = None  #: when the first entry of the chain was written

    @property
    def wallet_id(self) -> UUID:
        return self._last.wallet_id

    def where(self) -> str:
        """Return which wallet it is, for people."""
        return f"wallet {self.wallet_id}"

    def step(self, entry: EntryAudit) -> Iterator[str]:
        """Yield what does not agree between *entry* and those before it, and go on from what it says."""
        number, balance = entry.version, self._balance + entry.amount
        promotional = self._promotional + entry.promotional
        if number != self._version + 1:
            yield f"has entry {number} after entry {self._version}"
        if entry.balance_after != balance:
            yield f"held {balance} after entry {number}, which says {entry.balance_after}"
        if entry.kind == CHARGE and entry.promotional != -min(self._promotional, -entry.amount):
            yield f"had {self._promotional} of promotional credit, and entry {number} took {-entry.promotional} of it"
        if not 0 <= promotional <= balance:
            yield f"held {promotional} of promotional credit after entry {number}, and {balance} in all"
        if not self._continues(entry):
            yield f"has a chain of hashes that breaks at entry {number}, of transfer {entry.id}"
        self._version, self._balance, self._promotional = number, entry.balance_after, promotional
        self._head, self._last = entry.hash, entry

    def _continues(self, entry: EntryAudit) -> bool:
        if entry.hash == BEGINNING:
            self.older += 1
            self.newest_older = entry.created_at
            return self._head == BEGINNING
        if self.chained is None:
            self.chained = entry.created_at
        return entry.hash == hashlib.sha256(self._head + self._seal.digest(entry.covered())).digest()

    def end(self) -> Iterator[str]:
        """Yield what does not agree between the wallet and its entries."""
        last = self._last
        if last.balance is None:
            yield f"says that its last entry is another one than entry {self._version}"
            return
        if last.balance != self._balance:
            yield f"holds {last.balance}, but its entries add up to {self._balance}"
        if last.promotional_balance != self._promotional:
            holds = f"holds {last.promotional_balance} of promotional credit"
            yield f"{holds}, but those parts of its entries add up to {self._promotional}"
        if last.moved_promotional != last.promotional:
            yield f"says {last.moved_promotional} of its last entry is promotional, which says {last.promotional}"
        if last.head != self._head:
            yield "has a head that is not the hash of its last entry"


class Ages:
    """Tells whether entries without a hash of their own are all older than the chain, as they must be."""

    def __init__(self) -> None:
        self.older = 0
        self._newest_older: datetime | None = None
        self._chained: datetime | None = None

    def add(self, walk: Walk) -> None:
        """Take in what was found of one wallet."""
        self.older += walk.older
        if walk.newest_older is not None:
            self._newest_older = max(walk.newest_older, self._newest_older or walk.newest_older)
        if walk.chained is not None:
            self._chained = min(walk.chained, self._chained or walk.chained)

    def faults(self) -> Iterator[str]:
        """Yield what does not agree."""
        if self._newest_older is not None and self._chained is not None and self._newest_older > self._chained:
            yield f"there are entries of {self._newest_older} without a hash, but the chain began at {self._chained}"
