"""SHA-256 as a function of SQL, the same on both dialects.

sa.update(wallets).values(head=Sha256(wallets.c.head, bindparam("digest", type_=sa.LargeBinary())))
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

#: Of the function that every connection to SQLite is given, since SQLite has none.
SQLITE_NAME: Final = "sha256"


class Sha256(FunctionElement[bytes]):
    """The digest of one or more byte strings, one after the other, as 32 bytes."""

    name = "sha256"
    type = sa.LargeBinary()
    inherit_cache = True


@compiles(Sha256, "postgresql")
def _on_postgresql(element: Sha256, compiler: SQLCompiler, **options: Any) -> str:
    return f"sha256({' || '.join(compiler.process(clause, **options) for clause in element.clauses)})"


@compiles(Sha256, "sqlite")
def _on_sqlite(element: Sha256, compiler: SQLCompiler, **options: Any) -> str:
    # SQLite's || makes text of bytes: the function takes them one by one.
    return f"{SQLITE_NAME}({', '.join(compiler.process(clause, **options) for clause in element.clauses)})"


def sqlite_sha256(*parts: bytes | None) -> bytes | None:
    """Compute what PostgreSQL does: nothing where a part is missing."""
    known = [part for part in parts if part is not None]
    return hashlib.sha256(b"".join(known)).digest() if len(known) == len(parts) else None
