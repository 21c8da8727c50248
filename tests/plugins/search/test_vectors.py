"""The run of bytes in which a database looks up what a term says of a document."""

from __future__ import annotations

from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel.database import Query
from kernel.testing.deploying import Deploy
from plugins.search.expressions import Greatest, Impact, Place
from plugins.search.vectors import GREATEST_IMPACT, key, vector

TERMS: Final = {"": 0, "knots": 1, "knot*": 127, "sails": 128, "ships": 300, "البرمجه": 16_256, "c": GREATEST_IMPACT}


class Told(msgspec.Struct, frozen=True):
    """What the database reads of a vector."""

    place: int
    impact: int
    greater: int


_VECTOR: Final = bindparam("vector", type_=sa.LargeBinary())
_PLACE: Final = Place(_VECTOR, bindparam("key", type_=sa.LargeBinary()))
_READ: Final = sa.select(_VECTOR.label("vector"), _PLACE.label("place")).cte("read").prefix_with("MATERIALIZED")
_IMPACT: Final = Impact(_READ.c.vector, _READ.c.place)
READ: Final = Query(
    sa.select(
        _READ.c.place,
        _IMPACT.label("impact"),
        Greatest(_IMPACT, sa.literal_column("200")).label("greater"),
    ),
    Told,
)


async def test_databases_read_what_was_written(deploy: Deploy) -> None:
    """Every impact, of every term, wherever it stands."""
    db = (await deploy("search")).platform.context("search").db
    written = vector(TERMS)

    for term, impact in TERMS.items():
        told = await db.one(READ, vector=written, key=key(term))
        assert (told.impact, told.greater) == (impact, max(impact, 200))
        assert written[told.place - 1 :].startswith(key(term))


async def test_term_that_is_not_there_says_nothing(deploy: Deploy) -> None:
    """Nor does anything in an empty vector."""
    db = (await deploy("search")).platform.context("search").db

    for terms in ({}, TERMS):
        told = await db.one(READ, vector=vector(terms), key=key("whales"))
        assert (told.place, told.impact) == (0, 0)


def test_keys_are_found_only_where_one_begins() -> None:
    """No byte of an impact is like one of a key, so nothing that overlaps two entries is a key."""
    assert all(byte >= 0x80 for term in TERMS for byte in key(term))
    assert all(byte < 0x80 for impact in range(GREATEST_IMPACT + 1) for byte in vector({"a": impact})[-2:])
    assert len({key(str(number)) for number in range(50_000)}) == 50_000


def test_same_terms_are_written_alike() -> None:
    """In whatever order they were weighed, so that what did not change is not written again."""
    assert vector(TERMS) == vector(dict(reversed(TERMS.items())))
