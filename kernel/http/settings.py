"""What an administrator may set under `[http]`."""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Annotated, Final

import msgspec

from kernel.settings import Rate, Settings

API_PREFIX: Final = "/api/v1"

_ORIGIN: Final = re.compile(r"https?://[a-z0-9.\[\]:-]+")

Seconds = Annotated[float, msgspec.Meta(gt=0, le=600)]


class HttpSettings(Settings, frozen=True):
    """The limits of the HTTP side."""

    trusted_proxies: tuple[str, ...] = ()  #: networks whose `X-Forwarded-For` is believed, such as `10.0.0.0/8`
    unsafe_rate: Rate = "300/minute"  #: of unsafe requests for each person or address, counted in each process
    body_seconds: Seconds = 15.0  #: within which a request's body must have arrived
    keepalive_seconds: Seconds = 30.0  #: also the time that a client has for the headers of a request
    lingering_seconds: Seconds = 2.0  #: how long an unread body is read on, so that the client sees the refusal
    sending_seconds: Seconds = 30.0  #: for which a client may leave an answer lying in the network
    shutdown_seconds: Seconds = 15.0  #: that running requests have to finish
    connections_per_address: Annotated[int, msgspec.Meta(ge=1)] = 512  #: trusted proxies are not counted
    socket_origins: tuple[str, ...] = ()  #: of pages elsewhere that may open WebSockets, such as `https://app.example`
    socket_handshakes: Rate = "60/minute"  #: of each person, or address of strangers, counted in each process
    socket_ping_seconds: Seconds = 25.0  #: of silence after which a client is asked whether it is there
    socket_pong_seconds: Seconds = 8.0  #: that it has for the answer

    def __post_init__(self) -> None:
        for network in self.trusted_proxies:
            try:
                ip_network(network)
            except ValueError as error:
                raise ValueError(f"trusted_proxies: {network!r} is not a network; write it as '10.0.0.0/8'") from error
        for origin in self.socket_origins:
            if not _ORIGIN.fullmatch(origin):
                raise ValueError(f"socket_origins: {origin!r} is not an origin; write it as 'https://app.example'")
