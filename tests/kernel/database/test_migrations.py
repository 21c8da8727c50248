"""Migrations: histories of revisions, all or nothing, by one process at a time."""

from __future__ import annotations

import asyncio
import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp
from textwrap import dedent
from types import ModuleType

import asyncpg
import pytest
import sqlalchemy as sa

from kernel import errors
from kernel.database import Command, Query, new_metadata, tables
from kernel.database.migrations import Target, downgrade, is_current, upgrade
from kernel.database.opening import DatabaseSettings, open_database
from kernel.testing.migrations import assert_revisions_make_exactly
from kernel.testing.servers import PostgresServer

FIRST = """
    revision = "shelves_0001"
    down_revision = None

    def upgrade():
        id = sa.Column("id", sa.Integer(), nullable=False)
        op.create_table("shelves", id, sa.PrimaryKeyConstraint("id", name="pk_shelves"))

    def downgrade():
        op.drop_table("shelves")
"""
SECOND = """
    revision: str = "shelves_0002"
    down_revision: str | None = "shelves_0001"

    def upgrade():
        with op.batch_alter_table("shelves") as shelves:
            shelves.add_column(sa.Column("room", sa.Text(), nullable=False, server_default="attic"))
            shelves.create_check_constraint("room", "room <> ''")

    def downgrade():
        with op.batch_alter_table("shelves") as shelves:
            shelves.drop_constraint(op.f("ck_shelves_room"), type_="check")
            shelves.drop_column("room")
"""
BROKEN = """
    revision = "shelves_0003"
    down_revision = "shelves_0002"

    def upgrade():
        op.create_table("ladders", sa.Column("id", sa.Integer(), nullable=False))
        op.execute("SELECT nonsense FROM nowhere")

    def downgrade():
        op.drop_table("ladders")
"""

#: Makes a package of revisions from the texts of its files.
Write = Callable[..., ModuleType]

metadata = new_metadata()
shelves = sa.Table(
    "shelves",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("room", sa.Text, nullable=False, server_default="attic"),
    sa.CheckConstraint("room <> ''", name="room"),
)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write revisions as a plugin ships them.

    Each time into a folder of its own: Python takes a file of the same size and second for the one it has compiled.
    """

    def package(*texts: str) -> ModuleType:
        folder = Path(mkdtemp(dir=tmp_path))
        (folder / "versions").mkdir()
        (folder / "__init__.py").touch()
        for number, text in enumerate(texts, start=1):
            head = "import sqlalchemy as sa\nfrom alembic import op\n"
            (folder / "versions" / f"shelves_{number:04}.py").write_text(head + dedent(text))
        spec = importlib.util.spec_from_file_location("shelf_revisions", folder / "__init__.py")
        assert spec is not None
        return importlib.util.module_from_spec(spec)

    return package


def target(url: str, revisions: ModuleType | None = None, plugin: str = "shelves") -> Target:
    """Return the plugin of the shelves at *url*."""
    return Target(
        plugin=plugin,
        settings=DatabaseSettings(url=url),
        metadata=metadata if revisions is not None else None,
        revisions=revisions,
    )


async def table_names(url: str, plugin: str = "shelves") -> set[str]:
    """Return the tables that the plugin has."""
    db = open_database(plugin, DatabaseSettings(url=url))
    try:
        async with db.engine().connect() as connection:
            return set(await connection.run_sync(lambda sync: sa.inspect(sync).get_table_names()))
    finally:
        await db.close()


async def test_revisions_make_the_tables_of_the_kernel_exactly(empty_url: str) -> None:
    """Outbox, inbox and idempotency come out as the kernel declares them, and go again."""
    await assert_revisions_make_exactly(target(empty_url))


async def test_revisions_make_the_tables_of_a_plugin_exactly(empty_url: str, write: Write) -> None:
    """A plugin's own history stands beside the kernel's; on SQLite its tables are rebuilt where need be."""
    await assert_revisions_make_exactly(target(empty_url, write(FIRST, SECOND)))


async def test_revisions_that_make_other_tables_are_found_out(empty_url: str, write: Write) -> None:
    """A column that no revision makes is named."""
    with pytest.raises(AssertionError, match=r"add_column.*room"):
        await assert_revisions_make_exactly(target(empty_url, write(FIRST)))


async def test_upgrade_makes_both_histories(empty_url: str, write: Write) -> None:
    """Each history has its own version table, in the plugin's own place."""
    steps: list[tuple[str, str]] = []

    await upgrade(
        [target(empty_url, write(FIRST, SECOND))], on_step=lambda plugin, revision: steps.append((plugin, revision))
    )

    assert steps == [("shelves", "kernel_0001"), ("shelves", "shelves_0001"), ("shelves", "shelves_0002")]
    versions = {"kernel_version", "alembic_version"}
    assert await table_names(empty_url) == {"shelves", *tables.metadata.tables, *versions}


async def test_database_is_current_only_after_all_revisions(empty_url: str, write: Write) -> None:
    """An empty database, one without the plugin's tables and one a revision behind are not current."""
    whole = target(empty_url, write(FIRST))

    assert not await is_current(whole)
    await upgrade([target(empty_url)])
    assert await is_current(target(empty_url))
    assert not await is_current(whole)
    await upgrade([whole])
    assert await is_current(whole)
    assert not await is_current(target(empty_url, write(FIRST, SECOND)))


async def test_is_current_makes_nothing(empty_url: str, tmp_path: Path) -> None:
    """Asking leaves no file and no schema."""
    assert not await is_current(target(empty_url))

    assert not (tmp_path / "shelves.sqlite3").exists()


def test_asking_whether_a_database_is_current_loads_neither_alembic_nor_the_orm() -> None:
    """Most starts find nothing to do and need not pay for the tools that would do it."""
    code = """
        import asyncio, sys
        from kernel.database.migrations import Target, is_current
        from kernel.database.opening import DatabaseSettings
        asyncio.run(is_current(Target(plugin="shelves", settings=DatabaseSettings(url="sqlite:///nowhere"))))
        print("alembic" in sys.modules, "sqlalchemy.orm" in sys.modules)
    """

    told = subprocess.run([sys.executable, "-c", dedent(code)], capture_output=True, text=True, check=True)

    assert told.stdout == "False False\n"


async def test_upgrade_of_a_current_database_does_nothing(empty_url: str, write: Write) -> None:
    """A second upgrade takes no step."""
    steps: list[str] = []
    shelf = target(empty_url, write(FIRST))
    await upgrade([shelf])

    await upgrade([shelf], on_step=lambda plugin, revision: steps.append(revision))

    assert steps == []


async def test_downgrade_goes_back_in_the_plugins_own_history(empty_url: str, write: Write) -> None:
    """One revision back keeps the rows; back to the base leaves the kernel's tables alone."""
    shelf = target(empty_url, write(FIRST, SECOND))
    await upgrade([shelf])
    db = open_database("shelves", shelf.settings)
    await db.run(Command(sa.insert(shelves).values(id=7)))
    await db.close()

    await downgrade(shelf, "shelves_0001")
    assert not await is_current(shelf)
    await upgrade([shelf])
    db = open_database("shelves", shelf.settings)
    assert await db.all(Query(sa.select(shelves.c.room), str)) == ["attic"]
    await db.close()

    await downgrade(shelf, "base")
    assert "shelves" not in await table_names(empty_url)
    assert "outbox" in await table_names(empty_url)


async def test_failed_revision_changes_nothing(empty_url: str, write: Write) -> None:
    """The error names plugin and revision, and neither the broken revision nor those before it have been applied."""
    broken = target(empty_url, write(FIRST, SECOND, BROKEN))

    with pytest.raises(errors.MigrationFailed, match="shelves: shelves_0003 failed, nothing was changed") as caught:
        await upgrade([broken])

    assert caught.value.plugin == "shelves"
    assert not {"shelves", "ladders", "outbox"} & await table_names(empty_url)
    await upgrade([target(empty_url, write(FIRST, SECOND, BROKEN.replace("op.execute", "str")))])
    assert "ladders" in await table_names(empty_url)


async def test_unknown_revision_in_the_database_is_told(empty_url: str, write: Write) -> None:
    """A database that a newer version has migrated is not touched by an older one."""
    await upgrade([target(empty_url, write(FIRST))])
    renamed = write(FIRST.replace("shelves_0001", "shelves_0009"))

    with pytest.raises(errors.MigrationFailed, match="Can't locate revision identified by 'shelves_0001'"):
        await upgrade([target(empty_url, renamed)])


async def test_server_that_is_away_is_told(tmp_path: Path) -> None:
    """Neither asking nor upgrading hides that there is no server."""
    away = target(f"postgresql://lyceum@/lyceum?host={tmp_path}")

    with pytest.raises(errors.DatabaseUnavailable, match="shelves: can not connect to"):
        await is_current(away)
    with pytest.raises(errors.MigrationFailed, match=r"shelves: nothing was changed at .*: can not connect to"):
        await upgrade([away])


@pytest.mark.sqlite_only
async def test_revision_that_breaks_a_reference_fails(empty_url: str, write: Write) -> None:
    """Rebuilding tables happens without foreign keys, so they are checked before the commit."""
    orphan = """
        revision = "shelves_0002"
        down_revision = "shelves_0001"

        def upgrade():
            op.create_table("books", sa.Column("shelf", sa.Integer(), sa.ForeignKey("shelves.id")))
            op.execute("INSERT INTO books VALUES (12)")

        def downgrade():
            op.drop_table("books")
    """

    with pytest.raises(errors.MigrationFailed, match="a row of books refers to a row of shelves that is gone"):
        await upgrade([target(empty_url, write(FIRST, orphan))])


async def test_many_processes_may_upgrade_at_once(empty_url: str) -> None:
    """They all succeed: one does the work, the others wait for it."""
    code = """
        import asyncio, sys
        from kernel.database.migrations import Target, is_current, upgrade
        from kernel.database.opening import DatabaseSettings
        async def main():
            settings = DatabaseSettings(url=sys.argv[1])
            targets = [Target(plugin=name, settings=settings) for name in ("one", "two")]
            await upgrade(targets)
            assert all([await is_current(target) for target in targets])
        asyncio.run(main())
    """
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", dedent(code), empty_url, stderr=asyncio.subprocess.PIPE
        )
        for _ in range(3)
    ]

    told = [(await process.communicate())[1].decode() for process in processes]

    assert [process.returncode for process in processes] == [0] * 3, told


async def test_many_tasks_may_upgrade_at_once(empty_url: str, write: Write) -> None:
    """Alembic works on one database at a time; tasks of one process take turns."""
    shelf = target(empty_url, write(FIRST, SECOND))
    others = [target(empty_url, plugin=name) for name in ("one", "two")]

    await asyncio.gather(*(upgrade([shelf, *others]) for _ in range(3)))

    assert await is_current(shelf)
    assert await is_current(others[1])


async def test_databases_of_one_server_may_be_upgraded_at_once(postgres_server: PostgresServer) -> None:
    """Roles belong to the whole server: whoever comes second to make one takes the other's."""
    names = [await postgres_server.create_database() for _ in range(2)]
    try:
        code = """
            import asyncio, sys
            from kernel.database.migrations import Target, upgrade
            from kernel.database.opening import DatabaseSettings
            settings = DatabaseSettings(url=sys.argv[1])
            asyncio.run(upgrade([Target(plugin=f"race-{n}", settings=settings) for n in range(3)]))
        """
        processes = [
            await asyncio.create_subprocess_exec(
                sys.executable, "-c", dedent(code), postgres_server.url(name), stderr=asyncio.subprocess.PIPE
            )
            for name in names
        ]
        told = [(await process.communicate())[1].decode() for process in processes]

        assert [process.returncode for process in processes] == [0] * 2, told
    finally:
        for name in names:
            await postgres_server.drop_database(name)


async def test_user_without_the_rights_is_told_which(postgres_server: PostgresServer) -> None:
    """A deployment's user that may not make roles or schemas learns what it needs."""
    async with postgres_server.fresh_database() as url:
        admin = await asyncpg.connect(url.replace("lyceum@", "postgres@"))
        await admin.execute("DROP ROLE IF EXISTS poor; CREATE ROLE poor LOGIN")
        await admin.close()

        with pytest.raises(errors.MigrationFailed, match="the deployment's user needs CREATEROLE, and CREATE on the"):
            await upgrade([target(url.replace("lyceum@", "poor@"), plugin="poor-plugin")])
