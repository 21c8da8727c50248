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
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

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


class Place(FunctionElement[int]):
    """Where a key begins in a vector, counted from 1, and 0 where it does not stand; also of a text in a text."""

    type = sa.Integer()
    inherit_cache = True


@compiles(Place, "postgresql")
def _place_on_postgresql(element: Place, compiler: SQLCompiler, **options: Any) -> str:
    told, wanted = (compiler.process(part, **options) for part in element.clauses)
    return f"position({wanted} IN {told})"


@compiles(Place, "sqlite")
def _place_on_sqlite(element: Place, compiler: SQLCompiler, **options: Any) -> str:
    told, wanted = (compiler.process(part, **options) for part in element.clauses)
    return f"instr({told}, {wanted})"


class Impact(FunctionElement[int]):
    """Which impact stands behind the key that begins at a place of a vector; 0 at the place 0."""

    type = sa.BigInteger()
    inherit_cache = True


@compiles(Impact, "postgresql")
def _impact_on_postgresql(element: Impact, compiler: SQLCompiler, **options: Any) -> str:
    told, place = (compiler.process(part, **options) for part in element.clauses)
    high, low = (f"get_byte({told}, {place} + {KEY_BYTES + byte})" for byte in (-1, 0))
    return f"(CASE WHEN {place} > 0 THEN {high} * 128 + {low} ELSE 0 END)"


@compiles(Impact, "sqlite")
def _impact_on_sqlite(element: Impact, compiler: SQLCompiler, **options: Any) -> str:
    told, place = (compiler.process(part, **options) for part in element.clauses)
    # A byte is read as a letter of ASCII, and 0, which ends a text, as none.
    letters = (f"CAST(substr({told}, {place} + {KEY_BYTES + byte}, 1) AS TEXT)" for byte in (0, 1))
    high, low = (f"coalesce(unicode({letter}), 0)" for letter in letters)
    return f"(CASE WHEN {place} > 0 THEN {high} * 128 + {low} ELSE 0 END)"


class Greatest(FunctionElement[int]):
    """The greatest of some numbers."""

    type = sa.BigInteger()
    inherit_cache = True


@compiles(Greatest, "postgresql")
def _greatest_on_postgresql(element: Greatest, compiler: SQLCompiler, **options: Any) -> str:
    return f"greatest({', '.join(compiler.process(part, **options) for part in element.clauses)})"


@compiles(Greatest, "sqlite")
def _greatest_on_sqlite(element: Greatest, compiler: SQLCompiler, **options: Any) -> str:
    numbers = [compiler.process(part, **options) for part in element.clauses]
    return numbers[0] if len(numbers) == 1 else f"max({', '.join(numbers)})"  # of one number, max is over all rows
