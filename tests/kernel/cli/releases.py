"""Releases of a small shop plugin: wheels as a publisher would make them, each with one difference."""

from __future__ import annotations

import textwrap
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

PACKAGE: Final = "sample_shop"

MODULE: Final = '''
from typing import ClassVar

import click
import sqlalchemy as sa

from kernel import *
from kernel.capabilities import Capability
from sample_shop import migrations

SHOP = Capability("shop", 1)
metadata = sa.MetaData()
goods = sa.Table("goods", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.Text))


class Sold(Event, frozen=True, kw_only=True):
    """Something was sold."""

    name: ClassVar[str] = "shop.sold.v1"
    key: ClassVar[str] = "good"
    good: str
    price: int


class Shop(Plugin):
    manifest = Manifest(name="shop", version="1.0", provides=(SHOP,), publishes=(Sold,))

    @hookimpl
    def migrations(self):
        return Migrations(metadata, migrations)

    @hookimpl
    def permissions(self):
        yield Permission(name="shop.sell", summary="Sell", roles=("admin",))

    @hookimpl
    def services(self, ctx):
        from contextlib import nullcontext
        yield Provide(SHOP, lambda: nullcontext(self))

    @hookimpl
    def routes(self, ctx):
        async def list_goods(request: Request) -> list[str]:
            """List the goods."""
            return []

        async def watch(connection: Connection) -> None:
            """Watch the goods."""

        yield get("/goods", list_goods, permission=PUBLIC)
        yield socket("/watch", watch, permission=SIGNED_IN)
'''
FIRST: Final = """
import sqlalchemy as sa
from alembic import op

revision = "shop_0001"
down_revision = None


def upgrade():
    op.create_table("goods", sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.Text))


def downgrade():
    op.drop_table("goods")
"""
SECOND: Final = """
import sqlalchemy as sa
from alembic import op

revision = "shop_0002"
down_revision = "shop_0001"


def upgrade():
    {up}


def downgrade():
    {down}
"""
#: Does without the shop where it must, listens to it, and takes a path of its own.
NEIGHBOUR: Final = """
from kernel import *
from kernel.capabilities import Capability
from sample_shop import Sold


class Neighbour(Plugin):
    manifest = Manifest(name="neighbour", version="1.0", requires=(Capability("shop", 1),))

    @hookimpl
    def event_handlers(self, ctx):
        async def hear(session, delivery):
            pass

        yield on(Sold, hear, name="hear")
"""


def release(folder: Path, version: str, *changes: tuple[str, str], up: str = "", down: str = "pass") -> Path:
    """Make the wheel of a version of the shop: as 1.0, but for *changes* of its text and a second revision *up*."""
    text = MODULE.replace('version="1.0"', f'version="{version}"')
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    files = {
        f"{PACKAGE}/__init__.py": text,
        f"{PACKAGE}/migrations/__init__.py": "",
        f"{PACKAGE}/migrations/versions/shop_0001_goods.py": FIRST,
    }
    if up:
        files[f"{PACKAGE}/migrations/versions/shop_0002_more.py"] = SECOND.format(up=up, down=down)
    return wheel(folder, "sample-shop", version, {"shop": f"{PACKAGE}:Shop"}, files)


def neighbour(folder: Path) -> Path:
    """Make the wheel of a plugin that requires the shop and handles its events."""
    return wheel(
        folder,
        "sample-neighbour",
        "1.0",
        {"neighbour": "sample_neighbour:Neighbour"},
        {"sample_neighbour.py": NEIGHBOUR},
    )


def wheel(
    folder: Path,
    distribution: str,
    version: str,
    plugins: Mapping[str, str],
    files: Mapping[str, str],
    requires: tuple[str, ...] = (),
) -> Path:
    """Make a wheel of *files*; *plugins* maps names to what their entry points load."""
    name = distribution.replace("-", "_")
    info = f"{name}-{version}.dist-info"
    entry_points = "\n".join(["[lyceum.plugins]", *(f"{one} = {source}" for one, source in plugins.items())])
    metadata = "".join(f"Requires-Dist: {one}\n" for one in requires)
    content = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n{metadata}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"{entry_points}\n",
    }
    record = "".join(f"{path},,\n" for path in (*content, f"{info}/RECORD"))
    made = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(made, "w") as archive:
        for path, text in {**content, f"{info}/RECORD": record}.items():
            archive.writestr(path, textwrap.dedent(text))
    return made
