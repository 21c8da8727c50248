"""A ledger made in memory, row for row as the plugin `payments` writes it, and copied into its tables."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
import msgspec
import sqlalchemy as sa

from kernel import Secrets, new_id
from kernel.contracts.payments import Charge, Credit
from plugins.payments.adjustments import Adjustment
from plugins.payments.adjustments import movement_of as adjustment_movement
from plugins.payments.chain import BEGINNING, Seal
from plugins.payments.charges import movement_of as charge_movement
from plugins.payments.ledger import Movement, wallet_account
from plugins.payments.refunds import Wish, with_refunded
from plugins.payments.refunds import movement_of as refund_movement
from plugins.payments.tables import adjustments, charges, entries, refunds, transfers, wallets

CURRENCY: Final = "EUR"
BEGAN: Final = datetime(2026, 1, 1, tzinfo=UTC)
#: In an order in which every row refers to rows that are there.
TABLES: Final = (wallets, transfers, entries, charges, refunds, adjustments)

Row = tuple[Any, ...]


class Purse:
    """A wallet as it stands."""

    def __init__(self) -> None:
        self.balance = self.promotional = self.moved_promotional = self.version = 0
        self.head = BEGINNING
        self.moved_digest: bytes | None = None


class Books:
    """Moves money of one deployment and keeps the rows."""

    def __init__(self, secrets: Secrets) -> None:
        self._seal = Seal(secrets)
        self._rows: dict[str, list[Row]] = defaultdict(list)
        self._purses: dict[UUID, Purse] = defaultdict(Purse)

    @property
    def entries(self) -> int:
        """Return how many entries there are."""
        return len(self._rows["entries"])

    def adjust(self, user_id: UUID, amount: int, credit: Credit = "refundable") -> None:
        """Put credit into a wallet."""
        made = Adjustment(
            id=new_id(),
            user_id=user_id,
            amount=amount,
            credit=credit,
            currency=CURRENCY,
            reason="bench",
            adjusted_by=user_id,
            created_at=BEGAN,
        )
        self._move(adjustment_movement(made))
        self._rows["adjustments"].append(_row(adjustments, msgspec.structs.asdict(made)))

    def charge(self, user_id: UUID, course_id: UUID, amount: int, *refunded: int) -> None:
        """Take money for a course, and give the parts *refunded* back."""
        charge = Charge(
            id=new_id(),
            purchase_id=new_id(),
            user_id=user_id,
            course_id=course_id,
            amount=amount,
            currency=CURRENCY,
            refunded=0,
            created_at=BEGAN,
        )
        promotional = -self._move(charge_movement(charge))
        charge = msgspec.structs.replace(charge, promotional=promotional)
        for part in refunded:
            charge = self._refund(charge, part)
        self._rows["charges"].append(tuple(getattr(charge, column.name) for column in charges.c))

    def _refund(self, charge: Charge, amount: int) -> Charge:
        wish = Wish(purchase_id=charge.purchase_id, amount=amount, key=str(new_id()), reason="bench")
        after = with_refunded(charge, charge.refunded + amount)
        self._move(refund_movement(wish, charge, after, BEGAN))
        row = {
            "key": wish.key,
            "purchase_id": charge.purchase_id,
            "requested": amount,
            "amount": amount,
            "refunded_after": after.refunded,
            "reason": wish.reason,
            "created_at": BEGAN,
        }
        self._rows["refunds"].append(_row(refunds, row))
        return after

    def _move(self, movement: Movement) -> int:
        """Write a movement down; return how much of it was promotional."""
        covered, purse = movement.covered(), self._purses[movement.user_id]
        promotional = movement.promotional
        if promotional is None:
            promotional = -min(purse.promotional, -movement.amount)
        purse.balance += movement.amount
        purse.promotional += promotional
        purse.moved_promotional = promotional
        purse.version += 1
        digest = self._seal.digest(covered)
        purse.head = hashlib.sha256(purse.head + digest).digest()
        purse.moved_digest = digest
        account = wallet_account(movement.user_id)
        ours = (movement.user_id, purse.balance, purse.version, purse.head)
        self._rows["transfers"].append(covered[:-1])
        self._rows["entries"] += [
            (movement.id, account, movement.amount, promotional, *ours),
            (movement.id, movement.account, -movement.amount, -promotional, None, None, None, None),
        ]
        return promotional

    async def write(self, url: str) -> None:
        """Copy everything into the plugin's tables behind *url*, which are there and empty."""
        self._rows["wallets"] = [_row(wallets, {"user_id": user_id, **vars(p)}) for user_id, p in self._purses.items()]
        settings = {"role": "p_payments", "search_path": "p_payments"}
        connection = await asyncpg.connect(url, server_settings=settings)
        for table in TABLES:
            columns = [column.name for column in table.c]
            await connection.copy_records_to_table(table.name, columns=columns, records=self._rows[table.name])
        await connection.execute("ANALYZE")
        await connection.close()


def _row(table: sa.Table, values: dict[str, Any]) -> Row:
    return tuple(values[column.name] for column in table.c)
