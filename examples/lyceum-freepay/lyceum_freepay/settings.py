"""What an administrator may set."""

from __future__ import annotations

from kernel import Settings


class FreePaySettings(Settings, frozen=True):
    """`[plugins.freepay]`."""

    currency: str = "EUR"  #: what vouchers are counted in
    redeem_limit: str = "60/minute"  #: how often one person may try a voucher's code
