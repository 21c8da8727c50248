"""What the two databases say in different words."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from plugins.search.vectors import KEY_BYTES


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


class Among(FunctionElement[bool]):
    """Whether a number is among those of a select: PostgreSQL looks a sorted array up in one go through the index."""

    type = sa.Boolean()
    inherit_cache = True


@compiles(Among, "postgresql")
def _among_on_postgresql(element: Among, compiler: SQLCompiler, **options: Any) -> str:
    number, numbers = (compiler.process(part, **options) for part in element.clauses)
    return f"({number} = ANY (ARRAY{numbers}))"


@compiles(Among, "sqlite")
def _among_on_sqlite(element: Among, compiler: SQLCompiler, **options: Any) -> str:
    number, numbers = (compiler.process(part, **options) for part in element.clauses)
    return f"({number} IN {numbers})"
