"""Where may be delivered: to the public internet, and to networks that the configuration allows.

An address is checked where the connection to it is opened, so it makes no difference how it came about: written in
the URL in whichever way, or found for a name, now or at the last moment.
"""

from __future__ import annotations

import errno
import re
import socket
from collections.abc import Collection, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any, Final

import yarl

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

LONGEST_URL: Final = 2000
#: Under this prefix translators (NAT64) reach IPv4 addresses: the last 32 bits say which.
_TRANSLATED: Final = IPv6Network("64:ff9b::/96")
#: A host whose last label is a number is an IPv4 address in some notation (WHATWG URL), of which one is plain.
_NUMERIC: Final = re.compile(r"(?:^|\.)(?:[0-9]+|0[xX][0-9a-fA-F]*)\.?$")


class NotAllowed(OSError, ValueError):
    """The configuration does not allow to deliver there."""

    def __init__(self, address: Address) -> None:
        # A number of an error and its text: where several addresses were tried, that is all that is left of each.
        super().__init__(
            errno.EACCES, f"{address} is no public address; whoever runs the platform can allow its network"
        )

    def __str__(self) -> str:
        return str(self.strerror)


class Targets:
    """Checks URLs and addresses; *allowed* networks come in addition to public addresses."""

    def __init__(self, allowed: Collection[Network], *, development: bool) -> None:
        self._allowed = allowed
        self._schemes = ("https", "http") if development else ("https",)

    def check_url(self, text: str) -> None:
        """Refuse a URL to which nothing will ever be delivered.

        Raises:
            ValueError: what is wrong with it, for whoever wrote it; `NotAllowed` is one.
        """
        if len(text) > LONGEST_URL or not text.isascii() or not text.isprintable() or " " in text:
            raise ValueError(f"write the URL in at most {LONGEST_URL} ASCII characters without spaces")
        url = yarl.URL(text)  # raises ValueError for what is none
        if url.scheme not in self._schemes or not url.host:
            raise ValueError(f"begin the URL with {' or '.join(f'{scheme}://' for scheme in self._schemes)} and a host")
        if url.user is not None or url.password is not None or url.fragment:
            raise ValueError("leave user, password and fragment out of the URL; the signature says who sends it")
        if (address := _literal(url.host)) is not None:
            self.check_address(address)

    def check_address(self, address: Address) -> None:
        """Refuse an address that is neither public nor allowed.

        Raises:
            NotAllowed: the message names the address.
        """
        meant = tuple(_embedded(address)) or (address,)
        if not all(_is_public(one) or self._is_allowed(one) for one in meant):
            raise NotAllowed(address)

    def open_socket(self, info: tuple[Any, Any, int, str, tuple[Any, ...]]) -> socket.socket:
        """Return a socket for a connection to the address in *info* (as of `getaddrinfo`), if it is allowed."""
        family, kind, protocol, _, place = info
        self.check_address(ip_address(place[0]))
        opened = socket.socket(family, kind, protocol)
        opened.setblocking(False)
        return opened

    def _is_allowed(self, address: Address) -> bool:
        return any(address in network for network in self._allowed)


def without_query(url: str) -> str:
    """Return *url* as it may be shown in logs: a query often holds a password."""
    return str(yarl.URL(url).with_query(None))


def _literal(host: str) -> Address | None:
    """Return the address that *host* is, None for a name; refuse notations that only machines can read."""
    try:
        return ip_address(host)
    except ValueError:
        if _NUMERIC.search(host):
            raise ValueError(f"write the address {host} as four numbers, such as 203.0.113.7") from None
        return None


def _is_public(address: Address) -> bool:
    site_local = isinstance(address, IPv6Address) and address.is_site_local
    return address.is_global and not (address.is_multicast or address.is_reserved or site_local)


def _embedded(address: Address) -> Iterator[IPv4Address]:
    """Yield the IPv4 addresses to which an IPv6 address may lead."""
    if isinstance(address, IPv4Address):
        return
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    if address in _TRANSLATED:
        yield IPv4Address(int(address) & 0xFFFFFFFF)
