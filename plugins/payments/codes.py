"""Voucher codes: what people type, and the only form in which a database knows them.

A code is the HMAC of its voucher's place under a key derived from the deployment's secret. So it is as good as 80
random bits to everybody else, it is stored nowhere, and yet the one request that made it can be answered again.

Its last two symbols are a check symbol, which anybody can compute, and a `U`, which no symbol of the older codes
without a check symbol can be. Of what was mistyped the check symbol tells all but one in 32, without the database. It
is answered like any unknown code and counts like any try: guessers would learn nothing that they could not compute.
"""

from __future__ import annotations

import hashlib
import hmac
import zlib
from typing import Final
from uuid import UUID

from kernel import Secrets

#: Crockford's base 32: no letter looks like a digit.
ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
SYMBOLS: Final = 16  # of 5 bits each: 80 bits, which nobody guesses
GROUP: Final = 6
GROUP_UNCHECKED: Final = 4  # of codes without a check symbol
CHECKED: Final = "U"  # the end of a code with a check symbol; not in the alphabet
_SEPARATORS: Final = str.maketrans("", "", " -\t\r\n")
_LOOKALIKES: Final = str.maketrans("OIL", "011")


class Codes:
    """Makes and recognises the codes of one deployment."""

    def __init__(self, secrets: Secrets) -> None:
        self._making = secrets.derive("payments: voucher codes")
        self._hashing = secrets.derive("payments: voucher code hashes")

    def make(self, batch_id: UUID, number: int, prefix: str, *, checked: bool = True) -> str:
        """Return the code of the voucher *number* of a batch: always the same one."""
        digest = hmac.digest(self._making, batch_id.bytes + number.to_bytes(4), hashlib.sha256)
        symbols = _symbols(int.from_bytes(digest[: SYMBOLS * 5 // 8]))
        if checked:
            symbols += check_symbol(prefix.translate(_LOOKALIKES) + symbols) + CHECKED
        size = GROUP if checked else GROUP_UNCHECKED
        groups = [symbols[start : start + size] for start in range(0, len(symbols), size)]
        return "-".join([prefix, *groups] if prefix else groups)

    def hash(self, typed: str) -> bytes | None:
        """Return what the database holds of the code that somebody *typed*, None for what can be no code."""
        plain = normalised(typed)
        if plain is None or is_mistyped(plain):
            return None
        return hmac.digest(self._hashing, plain.encode(), hashlib.sha256)


def normalised(typed: str) -> str | None:
    """Return a code without what does not matter: case, spaces, hyphens, and O for 0, I or L for 1."""
    plain = typed.translate(_SEPARATORS).upper()
    if not (plain.isascii() and plain.isalnum()):
        return None
    return plain.translate(_LOOKALIKES)


def is_mistyped(plain: str) -> bool:
    """Return whether the check symbol of a normalised code, if it has one, is not that of the rest."""
    return plain.endswith(CHECKED) and plain[-2:-1] != check_symbol(plain[:-2])


def check_symbol(plain: str) -> str:
    """Return the check symbol of a normalised code without its last two symbols."""
    return ALPHABET[zlib.crc32(plain.encode()) & 31]


def _symbols(number: int) -> str:
    return "".join(ALPHABET[number >> shift & 31] for shift in range(5 * (SYMBOLS - 1), -1, -5))
