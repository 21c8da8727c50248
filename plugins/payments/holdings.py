"""What a wallet holds."""

from __future__ import annotations

from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel.contracts.payments_http import Wallet
from kernel.database import Query
from plugins.payments.tables import wallets


class Held(msgspec.Struct, frozen=True):
    """What a wallet holds; nothing, where there is none yet."""

    balance: int = 0
    promotional: int = 0

    @property
    def refundable(self) -> int:
        return self.balance - self.promotional

    def shown(self, currency: str) -> Wallet:
        """Return the wallet as people see it."""
        return Wallet(balance=self.balance, currency=currency, refundable=self.refundable, promotional=self.promotional)


HELD: Final = Query(
    sa.select(wallets.c.balance, wallets.c.promotional).where(wallets.c.user_id == bindparam("user_id")), Held
)
