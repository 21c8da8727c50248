"""The ledger: every movement of money is one transfer between two accounts and its two entries.

All of a movement is written by one `Guarded`: its guard changes the wallet, and only if the wallet could be changed
do the transfer and its entries follow. The other side of every transfer is a platform account, which has no row that
people could queue for: its balance is the sum of its entries.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import Column, bindparam
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT compiles for SQLite too

from kernel import Context, problems
from kernel.database import Follow, Guarded, Returned, Session, Sha256
from plugins.payments.chain import BEGINNING, Covered, Seal
from plugins.payments.settings import PaymentsSettings
from plugins.payments.tables import MAX_BALANCE, entries, transfers, wallets

VOUCHER_FLOAT: Final = "platform:voucher_float"  # what vouchers brought into wallets, negative
ADJUSTMENTS: Final = "platform:adjustments"  # what administrators put into wallets, negative


def wallet_account(user_id: UUID) -> str:
    return f"wallet:{user_id}"


def revenue_account(course_id: UUID) -> str:
    return f"course:{course_id}:revenue"


class WalletState(msgspec.Struct, frozen=True):
    """A wallet right after a movement."""

    user_id: UUID
    balance: int
    promotional: int
    version: int
    head: bytes
    moved_promotional: int  #: how much of the movement was promotional, negative for what went out
    other_promotional: int  #: the same as the other account sees it


@dataclass(frozen=True, kw_only=True, slots=True)
class Movement:
    """Money on its way into a wallet (*amount* > 0) or out of it (*amount* < 0)."""

    id: UUID
    key: str  #: the same key moves money once
    kind: str  #: `voucher`, `charge`, `refund` or `adjustment`
    user_id: UUID  #: whose wallet
    account: str  #: the other side
    amount: int
    promotional: int | None  #: how much of *amount*, with its sign; None takes promotional credit first
    currency: str
    course_id: UUID | None
    reference: UUID  #: the voucher, the purchase or the adjustment
    reason: str
    created_at: datetime

    def covered(self) -> Covered:
        """Return what the chain covers: the transfer's columns in their order, and the promotional part."""
        wallet = wallet_account(self.user_id)
        giver, taker = (self.account, wallet) if self.amount > 0 else (wallet, self.account)
        return (
            self.id,
            self.key,
            self.kind,
            giver,
            taker,
            abs(self.amount),
            self.currency,
            self.user_id,
            self.course_id,
            self.reference,
            self.reason,
            self.created_at,
            self.promotional,
        )


def bind(name: str, column: Column[object]) -> sa.BindParameter[object]:
    """Return the bind parameter *name* of the type of *column*."""
    return bindparam(name, type_=column.type)


_OWNER: Final = bindparam("transfer_user_id", type_=sa.Uuid())
_CHANGE: Final = bindparam("change", type_=sa.BigInteger())
_PROMOTIONAL: Final = bindparam("change_promotional", type_=sa.BigInteger())
_DIGEST: Final = bindparam("digest", type_=sa.LargeBinary())
_TRANSFER_VALUES: Final = tuple(f"transfer_{column.name}" for column in transfers.c)

#: Writes a movement down after its guard has changed the wallet.
FOLLOWS: Final = (
    Follow(transfers, {column.name: bind(f"transfer_{column.name}", column) for column in transfers.c}),
    Follow(
        entries,
        {
            "transfer_id": bind("transfer_id", transfers.c.id),
            "account": bind("wallet_account", entries.c.account),
            "amount": _CHANGE,
            "promotional": Returned("moved_promotional"),
            "wallet_id": _OWNER,
            "balance_after": Returned("balance"),
            "version": Returned("version"),
            "hash": Returned("head"),
        },
    ),
    Follow(
        entries,
        {
            "transfer_id": bind("transfer_id", transfers.c.id),
            "account": bind("other_account", entries.c.account),
            "amount": bind("other_change", entries.c.amount),
            "promotional": Returned("other_promotional"),
        },
    ),
)

_STATE: Final = (
    *(wallets.c[name] for name in WalletState.__struct_fields__[:-1]),
    (-wallets.c.moved_promotional).label("other_promotional"),
)
_REFUNDABLE: Final = wallets.c.balance - wallets.c.promotional


def _debit(promotional: sa.ColumnElement[int], *where: sa.ColumnElement[bool]) -> sa.sql.dml.ReturningUpdate[object]:
    """Take `-change` from a wallet, `-promotional` of it from promotional credit."""
    return (
        sa.update(wallets)
        .where(wallets.c.user_id == _OWNER, *where)
        .values(
            balance=wallets.c.balance + _CHANGE,
            promotional=wallets.c.promotional + promotional,
            moved_promotional=promotional,
            version=wallets.c.version + 1,
            head=Sha256(wallets.c.head, _DIGEST),
        )
        .returning(*_STATE)
    )


#: Takes from a wallet, promotional credit first, and touches nothing if it holds less.
DEBIT: Final = _debit(
    sa.case((wallets.c.promotional < -_CHANGE, -wallets.c.promotional), else_=_CHANGE), wallets.c.balance >= -_CHANGE
)
#: Takes from a wallet as much of each credit as is said, and touches nothing if it holds less of one.
WITHDRAW: Final = Guarded(
    _debit(_PROMOTIONAL, wallets.c.promotional >= -_PROMOTIONAL, _REFUNDABLE >= _PROMOTIONAL - _CHANGE),
    WalletState,
    FOLLOWS,
)

_NEW_WALLET: Final[dict[str, sa.ColumnElement[Any]]] = {
    "user_id": _OWNER,
    "balance": _CHANGE,
    "promotional": _PROMOTIONAL,
    "moved_promotional": _PROMOTIONAL,
    "version": sa.literal_column("1"),
    "head": Sha256(bindparam("beginning", BEGINNING, type_=sa.LargeBinary()), _DIGEST),
    "moved_digest": _DIGEST,
}
_ADDED: Final = insert(wallets).from_select(list(_NEW_WALLET), sa.select(*_NEW_WALLET.values()))


def _credit(where: sa.ColumnElement[bool] | None = None) -> sa.sql.dml.ReturningInsert[Any]:
    """Add `change` to a wallet, which need not be there yet; of several at once each has its values in `excluded`."""
    added = {name: wallets.c[name] + _ADDED.excluded[name] for name in ("balance", "promotional")}
    moved = {name: _ADDED.excluded[name] for name in ("moved_promotional", "moved_digest")}
    head = Sha256(wallets.c.head, _ADDED.excluded.moved_digest)
    return _ADDED.on_conflict_do_update(
        index_elements=["user_id"], set_={**added, **moved, "version": wallets.c.version + 1, "head": head}, where=where
    ).returning(*_STATE)


#: Adds to a wallet, and touches nothing if it would hold too much.
CREDIT: Final = Guarded(_credit(wallets.c.balance + _ADDED.excluded.balance <= MAX_BALANCE), WalletState, FOLLOWS)
#: Adds to wallets after another change, which would not be undone if this touched nothing: so it always does, and what
#: follows has to refuse a wallet that holds too much.
CREDIT_AFTER: Final = _credit()


class Ledger:
    """Writes movements down."""

    def __init__(self, ctx: Context[PaymentsSettings]) -> None:
        self._seal = Seal(ctx.secrets)

    def values(self, movement: Movement) -> dict[str, object]:
        """Return what `FOLLOWS` and the guard of *movement* bind."""
        covered = movement.covered()
        values: dict[str, object] = dict(zip(_TRANSFER_VALUES, covered, strict=False))
        if movement.promotional is not None:
            values["change_promotional"] = movement.promotional
        return values | {
            "change": movement.amount,
            "digest": self._seal.digest(covered),
            "wallet_account": wallet_account(movement.user_id),
            "other_account": movement.account,
            "other_change": -movement.amount,
        }

    async def credit(self, session: Session, movement: Movement) -> WalletState:
        """Add *movement* to the wallet and write it down; return the wallet as it is now.

        Raises:
            problems.Conflict: the wallet would hold more than can be counted; nothing was moved.
        """
        state = await session.guarded(CREDIT, **self.values(movement))
        if state is None:
            raise problems.Conflict(f"The wallet can not hold {movement.amount} more: its limit is {MAX_BALANCE}.")
        return state

    async def withdraw(self, session: Session, movement: Movement) -> WalletState | None:
        """Take *movement* out of the wallet and write it down; return the wallet as it is now.

        None if it holds less of either credit than *movement* takes; then nothing was moved.
        """
        return await session.guarded(WITHDRAW, **self.values(movement))
