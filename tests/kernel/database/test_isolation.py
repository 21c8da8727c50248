"""No plugin reaches another one's tables, whatever SQL it sends."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa

from kernel import errors
from kernel.database import Command, Query
from kernel.database.opening import DatabaseSettings, open_database
from kernel.testing.servers import PostgresServer
from tests.kernel.database.conftest import Open, make_tables
from tests.kernel.database.library import ADD_BOOK, COUNT, TITLES


def database_files(folder: Path) -> set[str]:
    """Return the names of the databases in *folder*."""
    return {file.name for file in folder.glob("*.sqlite3")}


async def test_plugins_do_not_see_each_other(open_db: Open) -> None:
    """Tables of the same name in two plugins are two tables."""
    library, archive = await open_db("library"), await open_db("archive")

    await library.run(ADD_BOOK, id=uuid4(), title="Emma", copies=1)

    assert await library.all(TITLES) == ["Emma"]
    assert await archive.all(TITLES) == []


@pytest.mark.postgresql_only
@pytest.mark.parametrize("statement", ["SELECT count(*) FROM p_my_archive.books", "DELETE FROM p_my_archive.books"])
async def test_raw_sql_on_another_plugin_is_denied(open_db: Open, statement: str) -> None:
    """The server itself denies what a plugin has no business with, in a transaction and outside."""
    library, archive = await open_db("library"), await open_db("my-archive")
    await archive.run(ADD_BOOK, id=uuid4(), title="Emma", copies=1)

    async def trespass() -> None:
        async with library.transaction() as session:
            await session.run(Command(sa.text(statement)))

    with pytest.raises(errors.DatabaseError, match="permission denied for schema p_my_archive"):
        await library.run(Command(sa.text(statement)))
    with pytest.raises(errors.DatabaseError, match="permission denied for schema p_my_archive"):
        await trespass()
    assert await archive.one(COUNT) == 1


@pytest.mark.postgresql_only
async def test_engine_of_a_plugin_is_held_to_its_schema(open_db: Open) -> None:
    """Who takes SQLAlchemy's own engine has no more rights than who does not."""
    library, _ = await open_db("library"), await open_db("archive")

    async with library.engine().connect() as connection:
        role, schema = (await connection.execute(sa.text("SELECT current_user, current_schema()"))).one()
        with pytest.raises(sa.exc.ProgrammingError, match="permission denied"):
            await connection.execute(sa.text("SELECT * FROM p_archive.books"))

    assert (role, schema) == ("p_library", "p_library")


@pytest.mark.postgresql_only
async def test_plugin_can_not_make_tables_in_a_shared_schema(open_db: Open) -> None:
    """The schema `public` is nobody's back door."""
    library = await open_db("library")

    with pytest.raises(errors.DatabaseError, match="permission denied for schema public"):
        await library.run(Command(sa.text("CREATE TABLE public.shared (id int)")))


@pytest.mark.sqlite_only
async def test_each_plugin_has_a_file(open_db: Open, tmp_path: Path) -> None:
    """The files bear the plugins' names."""
    await open_db("library")
    await open_db("my-archive")

    assert database_files(tmp_path) == {"library.sqlite3", "my-archive.sqlite3"}


@pytest.mark.sqlite_only
async def test_file_is_safe_against_power_failure_and_bad_references(open_db: Open) -> None:
    """Commits are synced, readers do not wait for the writer, and foreign keys hold."""
    library = await open_db("library")

    async with library.transaction() as session:
        settings = [
            await session.one(Query(sa.text(f"PRAGMA {name}").columns(sa.column(name, sa.Text)), kind))
            for name, kind in (("journal_mode", str), ("synchronous", int), ("foreign_keys", int))
        ]

    assert settings == ["wal", 2, 1]


async def test_plugin_may_have_a_url_of_its_own(open_db: Open, tmp_path: Path) -> None:
    """One plugin lives elsewhere, even on another kind of database, by nothing but its URL."""
    elsewhere = f"sqlite:///{tmp_path}/elsewhere"
    library, payments = await open_db("library"), await open_db("payments", at=elsewhere)

    await payments.run(ADD_BOOK, id=uuid4(), title="Ledger", copies=1)

    assert await library.all(TITLES) == []
    assert await payments.all(TITLES) == ["Ledger"]


async def test_second_deployment_on_the_same_server_shares_nothing_but_the_roles(
    postgres_server: PostgresServer,
) -> None:
    """Two databases of one server have the same roles and each its own data."""
    async with postgres_server.fresh_database() as one, postgres_server.fresh_database() as other:
        await make_tables("library", one)
        await make_tables("library", other)
        db = open_database("library", DatabaseSettings(url=one))
        twin = open_database("library", DatabaseSettings(url=other))
        try:
            await db.run(ADD_BOOK, id=uuid4(), title="Emma", copies=1)

            assert (await db.one(COUNT), await twin.one(COUNT)) == (1, 0)
        finally:
            await db.close()
            await twin.close()
