"""SHA-256 in statements: the same bytes on both ends."""

from __future__ import annotations

import hashlib

import pytest
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel.database import Database, Query, Sha256

_FIRST = bindparam("first", type_=sa.LargeBinary())
_SECOND = bindparam("second", type_=sa.LargeBinary())
OF_ONE = Query(sa.select(Sha256(_FIRST).label("digest")), bytes)
OF_BOTH = Query(sa.select(Sha256(_FIRST, _SECOND).label("digest")), bytes)


@pytest.mark.parametrize(("first", "second"), [(b"", b""), (b"ab", b"c"), (b"\x00\xff", bytes(32))])
async def test_digest_is_of_all_parts_one_after_the_other(db: Database, first: bytes, second: bytes) -> None:
    """Of any bytes, zeros and those that are no text, too."""
    assert await db.one(OF_ONE, first=first) == hashlib.sha256(first).digest()
    assert await db.one(OF_BOTH, first=first, second=second) == hashlib.sha256(first + second).digest()


async def test_digest_of_nothing_known_is_unknown(db: Database) -> None:
    """A part that is null makes it null, as everywhere in SQL."""
    assert await db.all(OF_BOTH, first=b"a", second=None) == [None]


async def test_digest_is_there_for_the_engine(db: Database) -> None:
    """Where statements run through SQLAlchemy itself, migrations for one."""
    async with db.engine().connect() as connection:
        found = await connection.scalar(sa.select(Sha256(sa.literal(b"a", sa.LargeBinary()))))

    assert found == hashlib.sha256(b"a").digest()
