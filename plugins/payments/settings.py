"""What an administrator may set of the money."""

from __future__ import annotations

from typing import Annotated

import msgspec

from kernel import Settings

Rate = Annotated[
    str,
    msgspec.Meta(pattern=r"^[1-9][0-9]*/([1-9][0-9]* )?(second|minute|hour|day)$", description='such as "10/minute"'),
]


class PaymentsSettings(Settings, frozen=True):
    """`[plugins.payments]`."""

    currency: str = "EUR"  #: ISO 4217; the one currency of the deployment
    price_rule_timeout: Annotated[float, msgspec.Meta(gt=0, le=30)] = 5.0  # seconds, for each rule of a quote
    redeem_per_person: tuple[Rate, ...] = ("10/minute", "100/day")  #: how often a person may try a voucher's code
    redeem_per_address: tuple[Rate, ...] = ("120/minute", "2000/day")  #: the same for an address: a class may share it

    def __post_init__(self) -> None:
        if not (len(self.currency) == 3 and self.currency.isascii() and self.currency.isalpha()):
            raise ValueError(f"'currency' is '{self.currency}'; use a three-letter ISO code such as 'EUR'")
        if not self.currency.isupper():
            raise ValueError(f"'currency' is '{self.currency}'; write it in capitals: '{self.currency.upper()}'")
