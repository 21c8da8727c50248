"""What an administrator may set."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated

import msgspec

from kernel import Settings

Seconds = Annotated[float, msgspec.Meta(gt=0, le=7 * 86_400)]
Days = Annotated[int, msgspec.Meta(ge=1, le=37)]  # no longer than the kernel keeps the events themselves

_DAY = 86_400


class WebhooksSettings(Settings, frozen=True):
    """`[plugins.webhooks]`."""

    #: Seconds between two tries: as the specification has it, over three days.
    retries: tuple[Seconds, ...] = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
    timeout: Annotated[float, msgspec.Meta(gt=0, le=60)] = 20.0  #: seconds that a receiver has for its answer
    at_once: Annotated[int, msgspec.Meta(ge=1, le=100)] = 8  #: requests of one process under way at the same moment
    poll: Annotated[float, msgspec.Meta(ge=0.02, le=60)] = 2.0  #: seconds between two looks for what is due again
    disable_after_hours: Annotated[float, msgspec.Meta(gt=0)] = 120.0  #: of failing at every try
    overlap_hours: Annotated[float, msgspec.Meta(ge=0, le=720)] = 24.0  #: for which a former secret still signs
    keep_days: Days = 14  #: how long events and what came of their deliveries are kept
    #: Networks besides the public internet to which may be delivered, such as "10.20.0.0/16".
    allow_networks: tuple[str, ...] = ()
    ca_file: str | None = None  #: the certificate of one's own authority, beside those that the machine trusts

    def __post_init__(self) -> None:
        if sum(self.retries) >= self.keep_days * _DAY:
            raise ValueError("'retries' take longer than 'keep_days'; retry for less time, or keep longer")
        self.networks()

    def networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """Return `allow_networks` as networks.

        Raises:
            ValueError: one of them is none.
        """
        return tuple(ip_network(network) for network in self.allow_networks)
