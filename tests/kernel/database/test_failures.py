"""What the database refuses comes as an error of ours, with the driver's as its cause."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa

from kernel import errors
from kernel.database import Command, Database, Query
from kernel.database.opening import DatabaseSettings, open_database
from tests.kernel.database.library import ADD_BOOK, ADD_LOAN, ADD_WHOLE_BOOK, COUNT, TITLES, books
from tests.kernel.database.test_statements import whole_book


async def test_second_row_of_its_kind_is_a_unique_violation(db: Database) -> None:
    """The violated constraint is told: by name on PostgreSQL, by columns on SQLite."""
    await db.run(ADD_BOOK, id=uuid4(), title="Emma", copies=1)

    with pytest.raises(errors.UniqueViolation) as caught:
        await db.run(ADD_BOOK, id=uuid4(), title="Emma", copies=2)

    assert caught.value.constraint == {"postgresql": "uq_books_title", "sqlite": "books.title"}[db.dialect]
    assert caught.value.__cause__ is not None
    assert await db.one(COUNT) == 1


async def test_second_primary_key_is_a_unique_violation(db: Database) -> None:
    """A primary key is a unique constraint like any other."""
    book = uuid4()
    await db.run(ADD_BOOK, id=book, title="Emma", copies=1)

    with pytest.raises(errors.UniqueViolation):
        await db.run(ADD_BOOK, id=book, title="Walden", copies=1)


@pytest.mark.parametrize("change", [{"copies": -1}, {"title": None}])
async def test_refused_row_is_a_constraint_violation(db: Database, change: dict[str, object]) -> None:
    """A check and a not-null constraint refuse alike."""
    with pytest.raises(errors.ConstraintViolation, match="library: "):
        await db.run(ADD_BOOK, **({"id": uuid4(), "title": "Emma", "copies": 1} | change))

    assert await db.one(COUNT) == 0


async def test_reference_to_nothing_is_a_constraint_violation(db: Database) -> None:
    """Foreign keys hold on both ends."""
    with pytest.raises(errors.ConstraintViolation):
        await db.run(ADD_LOAN, book_id=uuid4(), reader="ada")


@pytest.mark.parametrize("change", [{"title": "zero\0byte"}, {"price": 2**63}, {"title": "half of a pair \ud83d"}])
async def test_value_that_no_column_can_hold_is_invalid(db: Database, change: dict[str, object]) -> None:
    """Text with a zero byte or half a character, and numbers of more than 64 bits, are told apart from other faults."""
    with pytest.raises(errors.InvalidValue):
        await db.run(ADD_WHOLE_BOOK, **whole_book(**change))

    assert await db.one(COUNT) == 0


async def test_connection_serves_on_after_a_refusal(db: Database) -> None:
    """What the database refuses does not harm the connection."""
    for _ in range(20):
        with pytest.raises(errors.ConstraintViolation):
            await db.run(ADD_BOOK, id=uuid4(), title="Emma", copies=-1)

    assert await db.one(COUNT) == 0


async def test_wrong_statement_is_a_database_error(db: Database) -> None:
    """A statement that the database does not understand names the plugin and what is wrong."""
    wrong = Command(sa.delete(sa.table("shelves")))

    with pytest.raises(errors.DatabaseError, match=r"library: .*shelves") as caught:
        await db.run(wrong)

    assert type(caught.value) is errors.DatabaseError


async def test_statement_that_depends_on_its_values_is_refused() -> None:
    """What could not be compiled once is refused when it is compiled."""
    pairs = sa.tuple_(books.c.title, books.c.copies).in_([("Emma", 1)])
    db = open_database("library", DatabaseSettings(url="postgresql://nobody@localhost/nothing"))

    with pytest.raises(TypeError, match="can not be compiled once; bind lists of single columns only"):
        await db.all(Query(sa.select(books.c.title).where(pairs), str))


async def test_server_that_is_away_is_unavailable(tmp_path: Path) -> None:
    """The error says which plugin could not connect where, without the password."""
    url = f"postgresql://lyceum:geheim@/lyceum?host={tmp_path}&port=5432"
    db = open_database("library", DatabaseSettings(url=url))

    with pytest.raises(errors.DatabaseUnavailable, match="library: can not connect to") as caught:
        await db.all(TITLES)
    await db.close()

    assert "postgresql://lyceum:***@/lyceum" in str(caught.value)
    assert "geheim" not in str(caught.value)


async def test_folder_that_can_not_be_made_is_unavailable(tmp_path: Path) -> None:
    """A file in the place of the folder is told with its path."""
    (tmp_path / "file").touch()
    db = open_database("library", DatabaseSettings(url=f"sqlite:///{tmp_path}/file"))

    with pytest.raises(errors.DatabaseUnavailable, match=r"library: can not open .*file/library\.sqlite3"):
        await db.all(TITLES)
    await db.close()


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("mysql://u:geheim@host/db", "of no known kind; use sqlite:///FOLDER or postgresql://"),
        ("not a url: geheim", "of no known kind"),
        ("sqlite://", "names no folder or database"),
        ("postgresql://u:geheim@host", "names no folder or database"),
    ],
)
def test_url_that_leads_nowhere_is_refused(url: str, complaint: str) -> None:
    """A URL that we can not use is refused before anything is opened, and its password is not repeated."""
    with pytest.raises(errors.InvalidSettings, match=complaint) as caught:
        open_database("library", DatabaseSettings(url=url))

    assert "geheim" not in str(caught.value)
    assert str(caught.value).startswith("library: ")


@pytest.mark.parametrize("name", ["", "Library", "a_b", "a b", "-a", "a-", 'a"b', "ä", "a" * 62])
def test_name_that_can_not_be_a_schema_is_refused(name: str) -> None:
    """Hyphens become underscores, so an underscore in a name could make two plugins share a schema."""
    with pytest.raises(errors.InvalidPlugin, match="can not name a database schema; use up to 61 lower-case letters"):
        open_database(name, DatabaseSettings(url="sqlite:///var"))
