"""What an administrator may set."""

from __future__ import annotations

from kernel import Rate, Settings


class FreePaySettings(Settings, frozen=True):
    """`[plugins.freepay]`."""

    redeem_limit: Rate = "60/minute"  #: how often one person may try a voucher's code, in each place for codes
