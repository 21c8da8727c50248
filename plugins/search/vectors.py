"""Vectors: the words of a document as a run of bytes, in which the database itself looks them up.

A term is known by its *key*, eight bytes whose high bits are all set. A vector has for each term its key and then its
impact, in two bytes whose high bits are not: so a key is only ever found where one begins. What many searched
documents say of a word is read from the rows that are read in any case, and needs no index.

Keys are digests of 56 bits: among 30 million terms, one chance in 160 that any two share one, and then find each
other's documents. Nothing that decides who may read anything goes by a key alone.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from typing import Final

KEY_BYTES: Final = 8
GREATEST_IMPACT: Final = 2**14 - 1  #: that two bytes hold without their high bits
_HIGH_BITS: Final = 0x80_80_80_80_80_80_80_80


@functools.lru_cache(20_000)
def key(term: str) -> bytes:
    """Return the key of *term*, the same for ever and everywhere."""
    digest = hashlib.blake2b(term.encode(), digest_size=KEY_BYTES).digest()
    return (int.from_bytes(digest) | _HIGH_BITS).to_bytes(KEY_BYTES)


def vector(terms: Mapping[str, int]) -> bytes:
    """Return *terms* with their impacts, from 0 to `GREATEST_IMPACT`, as a vector."""
    return b"".join(sorted(key(term) + bytes((impact >> 7, impact & 0x7F)) for term, impact in terms.items()))
