"""The ledger: every movement of money is one transfer between two accounts and its two entries.

All of a movement is written by one `Guarded`: its guard changes the wallet, and only if the wallet could be changed
do the transfer and its entries follow. The other side of every transfer is a platform account, which has no row that
people could queue for: its balance is the sum of its entries.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import Column, bindparam
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT compiles for SQLite too

from kernel import problems
from kernel.database import Follow, Guarded, Returned, Session
from plugins.payments.tables import entries, transfers, wallets

VOUCHER_FLOAT: Final = "platform:voucher_float"  # what vouchers brought into wallets, negative

#: What a wallet can hold, in minor units: exact in 64 bits and in JavaScript.
MAX_BALANCE: Final = 10**15


def wallet_account(user_id: UUID) -> str:
    return f"wallet:{user_id}"


def revenue_account(course_id: UUID) -> str:
    return f"course:{course_id}:revenue"


class WalletState(msgspec.Struct, frozen=True):
    """A wallet right after a movement."""

    user_id: UUID
    balance: int
    version: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Movement:
    """Money on its way into a wallet (*amount* > 0) or out of it (*amount* < 0)."""

    id: UUID
    key: str  #: the same key moves money once
    kind: str  #: `voucher`, `charge` or `refund`
    user_id: UUID  #: whose wallet
    account: str  #: the other side
    amount: int
    currency: str
    course_id: UUID | None
    reference: UUID  #: the voucher or the purchase
    reason: str
    created_at: datetime

    def values(self) -> dict[str, object]:
        """Return what `FOLLOWS` and the guards below bind."""
        wallet = wallet_account(self.user_id)
        giver, taker = (self.account, wallet) if self.amount > 0 else (wallet, self.account)
        return {
            "owner": self.user_id,
            "change": self.amount,
            "transfer_id": self.id,
            "transfer_key": self.key,
            "transfer_kind": self.kind,
            "transfer_from_account": giver,
            "transfer_to_account": taker,
            "transfer_amount": abs(self.amount),
            "transfer_currency": self.currency,
            "transfer_course_id": self.course_id,
            "transfer_reference": self.reference,
            "transfer_reason": self.reason,
            "transfer_created_at": self.created_at,
            "wallet_account": wallet,
            "other_account": self.account,
            "other_change": -self.amount,
        }


def bind(name: str, column: Column[object]) -> sa.BindParameter[object]:
    """Return the bind parameter *name* of the type of *column*."""
    return bindparam(name, type_=column.type)


_OWNER: Final = bindparam("owner", type_=sa.Uuid())
_CHANGE: Final = bindparam("change", type_=sa.BigInteger())
_TRANSFER: Final = bindparam("transfer_id", type_=sa.Uuid())

#: Writes a movement down after its guard has changed the wallet.
FOLLOWS: Final = (
    Follow(
        transfers,
        {column.name: bind(f"transfer_{column.name}", column) for column in transfers.c if column.name != "id"}
        | {"id": _TRANSFER, "user_id": _OWNER},
    ),
    Follow(
        entries,
        {
            "transfer_id": _TRANSFER,
            "account": bind("wallet_account", entries.c.account),
            "amount": _CHANGE,
            "wallet_id": _OWNER,
            "balance_after": Returned("balance"),
            "version": Returned("version"),
        },
    ),
    Follow(
        entries,
        {
            "transfer_id": _TRANSFER,
            "account": bind("other_account", entries.c.account),
            "amount": bind("other_change", entries.c.amount),
        },
    ),
)

_STATE: Final = (wallets.c.user_id, wallets.c.balance, wallets.c.version)

#: Takes from a wallet what it holds, and touches nothing if it holds less.
DEBIT: Final = (
    sa.update(wallets)
    .where(wallets.c.user_id == _OWNER, wallets.c.balance >= -_CHANGE)
    .values(balance=wallets.c.balance + _CHANGE, version=wallets.c.version + 1)
    .returning(*_STATE)
)

_FIRST: Final = insert(wallets).values(user_id=_OWNER, balance=_CHANGE, version=1)
#: Adds to a wallet, which need not be there yet, and touches nothing if it would hold too much.
_CREDIT: Final = _FIRST.on_conflict_do_update(
    index_elements=["user_id"],
    set_={"balance": wallets.c.balance + _FIRST.excluded.balance, "version": wallets.c.version + 1},
    where=wallets.c.balance + _FIRST.excluded.balance <= MAX_BALANCE,
).returning(*_STATE)
CREDIT: Final = Guarded(_CREDIT, WalletState, FOLLOWS)


async def credit(session: Session, movement: Movement) -> int:
    """Add *movement* to the wallet and write it down; return what the wallet holds now.

    Raises:
        problems.Conflict: the wallet would hold more than can be counted; nothing was moved.
    """
    state = await session.guarded(CREDIT, **movement.values())
    if state is None:
        raise problems.Conflict(f"The wallet can not hold {movement.amount} more: its limit is {MAX_BALANCE}.")
    return state.balance
