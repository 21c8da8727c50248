"""`lyceum plugins plan --upgrade`: an upgrade is tried on copies, and each plugin gets its verdict."""

from __future__ import annotations

import asyncio
import importlib
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text

from kernel import errors
from kernel.database.location import REHEARSAL
from kernel.database.migrations import Target
from kernel.database.opening import DatabaseSettings, open_database
from kernel.rehearsal import stage
from kernel.rehearsal.copies import copied
from kernel.testing.servers import PostgresServer
from tests.kernel.cli import warm
from tests.kernel.cli.conftest import Outcome, Terminal
from tests.kernel.cli.releases import PACKAGE, neighbour, release, wheel

ADD_COLUMN = 'op.add_column("goods", sa.Column("price", sa.Integer))'
COLUMNS = 'sa.Column("name", sa.Text))'


@dataclass(frozen=True)
class Shop:
    """A deployment with version 1.0 of the shop and its neighbour, migrated, and a hundred goods."""

    terminal: Terminal
    folder: Path
    database: str

    def plan(self, wanted: object, *, json: bool = True) -> Outcome:
        return self.terminal.type(*(["--json"] if json else []), "plugins", "plan", "--upgrade", str(wanted))

    def verdicts(self, wanted: object) -> dict[str, dict[str, Any]]:
        done = self.plan(wanted)
        assert done.out, done.err
        return {one["plugin"]: one for one in done.json()}

    def run(self, *statements: str) -> list[Any]:
        """Run SQL on the shop's database; return the rows of a query."""
        return asyncio.run(self._run(statements))

    async def _run(self, statements: tuple[str, ...]) -> list[Any]:
        db = open_database("shop", DatabaseSettings(url=self.database))
        try:
            async with db.engine().begin() as connection:
                results = [await connection.execute(text(statement)) for statement in statements]
                return [tuple(row) for result in results if result.returns_rows for row in result]
        finally:
            await db.close()


@pytest.fixture
def process_of_its_own() -> None:
    """For a test that rehearses as operators do."""


@pytest.fixture(autouse=True)
def warm_stage(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let all others rehearse in processes that have the kernel loaded already."""
    if "process_of_its_own" not in request.fixturenames:
        monkeypatch.setattr(stage, "perform", warm.perform)


@pytest.fixture
def shop(
    end: str, terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Shop]:
    database = "sqlite:///var"
    if end == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        database = server.url(asyncio.run(server.create_database("template1")))
    installed = tmp_path / "installed"
    for made in (release(tmp_path, "1.0"), neighbour(tmp_path)):
        zipfile.ZipFile(made).extractall(installed)
    monkeypatch.syspath_prepend(installed)
    monkeypatch.setenv("PYTHONPATH", str(installed))
    monkeypatch.setenv("SHOP_SECRET", "long-enough-and-only-for-the-tests-of-upgrades")
    terminal.config.write_text(
        f'[server]\nsecret = "env:SHOP_SECRET"\n[database]\nurl = "{database}"\n'
        '[plugins]\nenabled = ["shop", "neighbour"]\n'
    )
    done = terminal.type("migrate")
    assert done.code == 0, done.err
    found = Shop(terminal, tmp_path, database)
    found.run(*(f"INSERT INTO goods (id, name) VALUES ({number}, 'Good {number}')" for number in range(100)))
    yield found
    for name in [name for name in sys.modules if name.partition(".")[0] in (PACKAGE, "sample_neighbour")]:
        del sys.modules[name]


@pytest.mark.usefixtures("process_of_its_own")
def test_upgrade_that_changes_nothing_others_rely_on_is_fine(shop: Shop) -> None:
    """Each plugin that is on has a verdict, and the exit code is 0."""
    verdicts = shop.verdicts(release(shop.folder, "1.1"))

    assert {name: one["verdict"] for name, one in verdicts.items()} == {"shop": "fine", "neighbour": "fine"}
    assert (verdicts["shop"]["before"], verdicts["shop"]["after"]) == ("1.0", "1.1")
    assert shop.plan(release(shop.folder, "1.1"), json=False).code == 0


@pytest.mark.usefixtures("process_of_its_own")
def test_migrations_are_tried_up_and_down_on_a_copy_of_the_data(shop: Shop) -> None:
    """Whoever upgrades learns which revisions run and how long they take with that data."""
    wanted = release(
        shop.folder, "2.0", (COLUMNS, f'{COLUMNS[:-1]}, sa.Column("price", sa.Integer))'), up=ADD_COLUMN,
        down='op.drop_column("goods", "price")',
    )  # fmt: skip
    shop_verdict = shop.verdicts(wanted)["shop"]

    assert shop_verdict["verdict"] == "look"
    (told,) = shop_verdict["findings"]
    assert told.startswith("on a copy of the data shop_0002 went up, down and up again; up took ")


def test_rehearsal_changes_nothing(shop: Shop) -> None:
    """The deployment's data, version and packages are what they were, and no copy is left."""
    shop.verdicts(release(shop.folder, "2.0", up='op.execute("DELETE FROM goods")'))

    assert shop.run("SELECT count(*) FROM goods") == [(100,)]
    rows = shop.terminal.type("--json", "plugins", "list").json()
    assert {row["plugin"]: row["version"] for row in rows}["shop"] == "1.0"
    assert "lyceum migrate" not in shop.terminal.type("plugins", "plan").out


@pytest.mark.postgresql_only
def test_copy_on_postgresql_is_dropped(shop: Shop) -> None:
    """Neither a schema nor a role is left, even of a rehearsal that failed."""
    shop.verdicts(release(shop.folder, "2.0", up='raise RuntimeError("no")'))

    async def left() -> list[str]:
        connection = await asyncpg.connect(shop.database)
        try:
            schemas = await connection.fetch("SELECT nspname FROM pg_namespace UNION SELECT rolname FROM pg_roles")
            return [name for (name,) in schemas if name.endswith(REHEARSAL.replace("-", "_"))]
        finally:
            await connection.close()

    assert asyncio.run(left()) == []


@pytest.mark.postgresql_only
def test_second_rehearsal_at_the_same_time_is_refused(shop: Shop) -> None:
    """It would drop the copy of the first, which goes on."""
    module = importlib.import_module(PACKAGE)
    settings = DatabaseSettings(url=shop.database)
    target = Target(plugin="shop", settings=settings, metadata=module.metadata, revisions=module.migrations)

    async def rehearse_twice() -> int:
        async with copied(target) as copy:
            with pytest.raises(errors.MigrationFailed, match=r"^shop: another rehearsal of its upgrade runs; "):
                async with copied(target):
                    pass
            connection = await asyncpg.connect(shop.database)
            try:
                return int(await connection.fetchval(f'SELECT count(*) FROM "{copy.location.schema}".goods'))
            finally:
                await connection.close()

    assert asyncio.run(rehearse_twice()) == 100


def test_migration_that_fails_on_the_data_refuses(shop: Shop) -> None:
    """What would have gone wrong in the night of the upgrade goes wrong on the copy."""
    wanted = release(shop.folder, "2.0", up='op.create_index("one_name", "goods", ["nonsense"])')
    verdict = shop.verdicts(wanted)["shop"]

    assert verdict["verdict"] == "refused"
    assert verdict["findings"][0].startswith("on a copy of the data: shop_0002 failed, nothing was changed: ")
    assert shop.plan(wanted, json=False).code == 1


def test_migration_that_can_not_be_taken_back_refuses(shop: Shop) -> None:
    """A way back that does not work is no way back."""
    wanted = release(shop.folder, "2.0", up=ADD_COLUMN, down='op.drop_table("nonsense")')
    verdict = shop.verdicts(wanted)["shop"]

    assert verdict["verdict"] == "refused"
    assert verdict["findings"][0].startswith("on a copy of the data: shop_0002 failed")


def test_rows_that_a_migration_loses_are_counted(shop: Shop) -> None:
    """Up, and on the way back."""
    verdict = shop.verdicts(release(shop.folder, "2.0", up='op.execute("DELETE FROM goods WHERE id < 7")'))["shop"]

    assert verdict["findings"][:2] == [
        "its migration removes 7 rows of goods",
        "going back would lose 7 rows of goods",
    ]


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    ("change", "plugin", "verdict", "told"),
    [
        (('name="shop",', 'name="shop", kernel_api=">=9,<10",'), "shop", "refused", "is made for kernel API >=9,<10"),
        (("def routes(self, ctx)", "def routess(self, ctx)"), "shop", "refused", "did you mean 'routes'?"),
        (("def routes(self, ctx)", "def routes(self, ctx, more)"), "shop", "refused", "it is called with (self, ctx)"),
        (('Capability("shop", 1)', 'Capability("shop", 2)'), "shop", "refused", "shop/1, which neighbour requires"),
        (("    price: int", "    price: str"), "shop", "refused", "the field Sold.price is of another type"),
        (("shop.sold.v1", "shop.sold.v2"), "shop", "refused", "publishes shop.sold.v1, which neighbour handle"),
        (('yield get("/goods"', 'yield get("/wares"'), "shop", "look", "gone: GET /api/v1/shop/goods"),
        (("permission=PUBLIC", "permission=SIGNED_IN"), "shop", "look", "GET /api/v1/shop/goods needs "),
        (('socket("/watch"', 'socket("/see"'), "shop", "look", "gone: WS /api/v1/shop/watch"),
        (("permission=SIGNED_IN", "permission=PUBLIC"), "shop", "look", "WS /api/v1/shop/watch needs "),
        (('roles=("admin",)', 'roles=("admin", "student")'), "shop", "look", "student gets the permission shop.sell"),
        (
            (
                "permission=PUBLIC)\n",
                'permission=PUBLIC)\n        yield get("/goods", list_goods, permission=PUBLIC)\n',
            ),
            "shop",
            "refused",
            "the deployment would not start",
        ),
        (("import click\n", "import nonsense\n"), "shop", "refused", "No module named 'nonsense'"),
    ],
)
def test_what_others_rely_on_is_compared(
    shop: Shop, change: tuple[str, str], plugin: str, verdict: str, told: str
) -> None:
    """API range, hooks, capabilities, events, routes and permissions: each break is named with its plugin."""
    found = shop.verdicts(release(shop.folder, "2.0", change))[plugin]

    assert found["verdict"] == verdict
    assert any(told in finding for finding in found["findings"]), found["findings"]


@pytest.mark.sqlite_only
def test_requirements_that_are_not_installed_refuse(shop: Shop) -> None:
    """The rehearsal brings the plugin alone; what it needs beside has to be there."""
    wanted = release(shop.folder, "2.0")
    needy = wheel(
        shop.folder, "sample-shop", "3.0", {"shop": f"{PACKAGE}:Shop"}, _files(wanted), ("nonsense>=1", "msgspec<0.1")
    )  # fmt: skip
    findings = shop.verdicts(needy)["shop"]["findings"]

    assert findings[0] == "it needs nonsense>=1, which is not installed"
    assert findings[1].startswith("it needs msgspec<0.1; installed is ")


def _files(made: Path) -> dict[str, str]:
    with zipfile.ZipFile(made) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist() if "dist-info" not in name}


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ("nonsense", "'nonsense' is neither NAME==VERSION nor a path"),
        ("sample-shop==999.9", "pip could not get sample-shop==999.9"),
        ("shop==999.9", "pip could not get sample-shop==999.9"),
    ],
)
def test_what_can_not_be_fetched_is_named(shop: Shop, wanted: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plugin's name stands for that of its distribution."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    done = shop.plan(wanted)

    assert done.code != 0
    assert told in done.err


@pytest.mark.sqlite_only
def test_folder_is_taken_from_the_disk_however_it_is_written(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its bare name too, which pip would take for that of whatever somebody has published under it."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    (shop.folder / "sample-shop").mkdir()  # and nothing in it that could be installed

    for wanted in ("sample-shop", "./sample-shop"):
        done = shop.plan(wanted)
        assert f"pip could not get {shop.folder / 'sample-shop'}: " in done.err
        assert "is not installable" in done.err


@pytest.mark.sqlite_only
@pytest.mark.usefixtures("process_of_its_own")
def test_plugin_that_prints_is_rehearsed_like_any_other(shop: Shop) -> None:
    """What it says as it is imported is not taken for what was seen."""
    chatty = release(shop.folder, "1.1", ("import click\n", 'import click\nprint("here I am")\n'))

    assert shop.verdicts(chatty)["shop"]["verdict"] == "fine"


@pytest.mark.sqlite_only
def test_distribution_without_plugins_is_refused(shop: Shop) -> None:
    """There is nothing to rehearse."""
    done = shop.plan(wheel(shop.folder, "sample-empty", "1.0", {}, {"sample_empty.py": ""}))

    assert "has no entry point in the group lyceum.plugins" in done.err


@pytest.mark.sqlite_only
def test_database_that_is_behind_comes_first(shop: Shop) -> None:
    """Otherwise nobody could tell which of the revisions went wrong."""
    shop.run("DELETE FROM alembic_version", "DROP TABLE goods")
    done = shop.plan(release(shop.folder, "1.1"))

    assert "the database of shop is not up to date as it is; run `lyceum migrate` first" in done.err


@pytest.mark.sqlite_only
def test_upgrade_is_planned_by_itself(shop: Shop) -> None:
    """Two changes at once would not tell which of them is at fault."""
    done = shop.terminal.type("plugins", "plan", "--upgrade", "x==1", "--disable", "neighbour")

    assert "--upgrade goes by itself" in done.err
