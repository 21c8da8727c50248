"""Voucher codes: what people type, and the only form in which a database knows them.

A code is the HMAC of its voucher's place under a key derived from the deployment's secret. So it is as good as 80
random bits to everybody else, it is stored nowhere, and yet the one request that made it can be answered again.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final
from uuid import UUID

from kernel import Secrets

#: Crockford's base 32: no letter looks like a digit.
ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
SYMBOLS: Final = 16  # of 5 bits each: 80 bits, which nobody guesses
GROUP: Final = 4
_SEPARATORS: Final = str.maketrans("", "", " -\t\r\n")
_LOOKALIKES: Final = str.maketrans("OIL", "011")


class Codes:
    """Makes and recognises the codes of one deployment."""

    def __init__(self, secrets: Secrets) -> None:
        self._making = secrets.derive("payments: voucher codes")
        self._hashing = secrets.derive("payments: voucher code hashes")

    def make(self, batch_id: UUID, number: int, prefix: str) -> str:
        """Return the code of the voucher *number* of a batch: always the same one."""
        digest = hmac.digest(self._making, batch_id.bytes + number.to_bytes(4), hashlib.sha256)
        symbols = _symbols(int.from_bytes(digest[: SYMBOLS * 5 // 8]))
        groups = [symbols[start : start + GROUP] for start in range(0, SYMBOLS, GROUP)]
        return "-".join([prefix, *groups] if prefix else groups)

    def hash(self, typed: str) -> bytes | None:
        """Return what the database holds of the code that somebody *typed*, None for what can be no code."""
        plain = normalised(typed)
        return None if plain is None else hmac.digest(self._hashing, plain.encode(), hashlib.sha256)


def normalised(typed: str) -> str | None:
    """Return a code without what does not matter: case, spaces, hyphens, and O for 0, I or L for 1."""
    plain = typed.translate(_SEPARATORS).upper()
    if not (plain.isascii() and plain.isalnum()):
        return None
    return plain.translate(_LOOKALIKES)


def _symbols(number: int) -> str:
    return "".join(ALPHABET[number >> shift & 31] for shift in range(5 * (SYMBOLS - 1), -1, -5))
