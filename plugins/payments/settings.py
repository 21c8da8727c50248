"""What an administrator may set of the money."""

from __future__ import annotations

from typing import Annotated

import msgspec

from kernel import Rate, Settings


class PaymentsSettings(Settings, frozen=True):
    """`[plugins.payments]`."""

    price_rule_timeout: Annotated[float, msgspec.Meta(gt=0, le=30)] = 5.0  # seconds, for each rule of a quote
    redeem_per_person: tuple[Rate, ...] = ("10/minute", "100/day")  #: how often a person may try a voucher's code
    redeem_per_address: tuple[Rate, ...] = ("120/minute", "2000/day")  #: the same for an address: a class may share it
