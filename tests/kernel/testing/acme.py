"""A distribution with one plugin, `acme`, made for one test: sound as it stands, and broken by a word."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest

from kernel import Event
from kernel.discovery import Catalogue
from kernel.testing.conformance import Verdict
from kernel.testing.conformance.examination import examine
from kernel.testing.conformance.subject import Subject, find_subject
from kernel.testing.ends import SqliteEnd

Change = tuple[str, str]  #: what stands there, and what takes its place

SOUND = """
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from typing import ClassVar
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert

from acme_lyceum import migrations
from kernel import *
from kernel.contracts.courses import CourseDeleted, CoursePublished
from kernel.contracts.payments import PAYMENTS
from kernel.contracts.personal_data import PERSONAL_DATA, Document, Receipt, Subject, document
from kernel.database import Command, Query, Session, new_metadata

metadata = new_metadata()
notes = sa.Table(
    "notes",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("user_id", sa.Uuid),
    sa.Column("text", sa.Text, nullable=False),
)
NOTE = Command(
    insert(notes)
    .values(id=bindparam("note"), user_id=bindparam("person"), text=bindparam("written"))
    .on_conflict_do_nothing()
)
OF_PERSON = Query(sa.select(notes.c.text).where(notes.c.user_id == bindparam("person")), str)
FORGET = Command(sa.delete(notes).where(notes.c.user_id == bindparam("person")))


class NoteTaken(Event, frozen=True, kw_only=True):
    name: ClassVar[str] = "acme.note_taken.v1"
    key: ClassVar[str] = "user_id"
    user_id: UUID
    email: str


class Notes:
    def __init__(self, ctx):
        self.ctx = ctx

    async def list(self, request: Request) -> list[str]:
        '''List the notes.'''
        return []

    async def taken(self, session: Session, delivery: Delivery[NoteTaken]) -> None:
        told = delivery.event
        await session.run(NOTE, note=delivery.id, person=told.user_id, written=told.email)

    async def export(self, subject: Subject) -> AsyncIterator[Document]:
        for text in await self.ctx.db.all(OF_PERSON, person=subject.user_id):
            yield document("notes.json", text)

    async def erase(self, subject: Subject) -> Receipt:
        await self.ctx.db.run(FORGET, person=subject.user_id)
        return Receipt(erased=("your notes",))


@asynccontextmanager
async def living(ctx):
    yield


class AcmePlugin(Plugin):
    manifest = Manifest(
        name="acme",
        version="1.0",
        summary="Takes notes",
        provides=(PERSONAL_DATA,),
        requires=(PAYMENTS,),
        publishes=(NoteTaken,),
    )

    @hookimpl
    def migrations(self):
        return Migrations(metadata, migrations)

    @hookimpl
    def permissions(self):
        return [Permission(name="acme.read", summary="Read notes")]

    @hookimpl
    def services(self, ctx):
        return [Provide(PERSONAL_DATA, lambda: nullcontext(ctx.own(Notes)))]

    @hookimpl
    def event_handlers(self, ctx):
        return [on(NoteTaken, ctx.own(Notes).taken, name="taken")]

    @hookimpl
    def routes(self, ctx):
        return [get("", ctx.own(Notes).list, permission="acme.read")]

    @hookimpl
    def lifespan(self, ctx):
        return living(ctx)
"""

REVISION = """
import sqlalchemy as sa
from alembic import op

revision = "acme_0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "notes",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("user_id", sa.Uuid),
        sa.Column("text", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notes")),
    )


def downgrade() -> None:
    op.drop_table("notes")
"""

SCHEMA = """{
  "$defs": {"NoteTaken": {"properties": {"email": {"type": "string"}, "user_id": {"format": "uuid", "type": "string"}},
    "required": ["user_id", "email"], "title": "NoteTaken", "type": "object"}},
  "$ref": "#/$defs/NoteTaken"
}
"""

SETTINGS = """    @hookimpl
    def settings(self):
        return AcmeSettings

"""
#: What makes it need settings.
WITH_SETTINGS = (
    ("class Notes:", "class AcmeSettings(Settings, frozen=True):\n    key: str\n\n\nclass Notes:"),
    ("    @hookimpl\n    def permissions", f"{SETTINGS}    @hookimpl\n    def permissions"),
)


def replaced(text: str, *changes: Change) -> str:
    """Return *text* with each change made, which there has to be something to make in."""
    for old, new in changes:
        assert old in text, f"{old!r} does not stand there any more"
        text = text.replace(old, new)
    return text


@dataclass(frozen=True)
class Acme:
    """The distribution, in *site*, which is on the path."""

    site: Path
    shipped: list[str] = field(default_factory=lambda: ["acme_lyceum/__init__.py"])  #: what it says to have installed

    @property
    def package(self) -> Path:
        return self.site / "acme_lyceum"

    @property
    def schema(self) -> Path:
        return self.package / "schemas" / "acme.note_taken.v1.json"

    def install(self, *changes: Change, revision: Sequence[Change] = ()) -> None:
        """Write the sound plugin with *changes*, and its revision with others."""
        versions = self.package / "migrations" / "versions"
        for folder in (versions, self.schema.parent, self.site / "acme-1.0.dist-info"):
            folder.mkdir(parents=True, exist_ok=True)
        for folder in (versions.parent, versions):
            (folder / "__init__.py").touch()
        (self.package / "__init__.py").write_text(replaced(SOUND, *changes))
        (versions / "acme_0001.py").write_text(replaced(REVISION, *revision))
        self.schema.write_text(SCHEMA)
        self.register(*self.shipped)

    def install_source(self, source: str) -> None:
        """Write a plugin of another make, without tables."""
        self.install()
        (self.package / "__init__.py").write_text(textwrap.dedent(source))

    def register(self, *shipped: str) -> None:
        """Say of the distribution that it has installed these files."""
        information = self.site / "acme-1.0.dist-info"
        (information / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
        (information / "entry_points.txt").write_text("[lyceum.plugins]\nacme = acme_lyceum:AcmePlugin\n")
        (information / "RECORD").write_text("".join(f"{name},,\n" for name in (*shipped, "acme-1.0.dist-info/RECORD")))

    async def examine(self, samples: Sequence[Event] = ()) -> list[Verdict]:
        """Return the verdicts on it."""
        return [verdict async for verdict in examine(self.subject(samples))]

    def subject(self, samples: Sequence[Event] = ()) -> Subject:
        """Return it as it is examined, on databases of its own."""
        catalogue = Catalogue.read()
        folder = self.site.parent / uuid4().hex
        folder.mkdir()
        installed = catalogue.get("acme", where="a test")
        return find_subject(catalogue, installed, SqliteEnd(folder, {}), samples=samples)

    async def breaches(self) -> list[tuple[str, str]]:
        """Return the rules that it breaks, with the remedies."""
        return [(one.rule, one.remedy) for one in await self.examine() if one.verdict == "broken"]


@pytest.fixture
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Acme]:
    """A distribution to be installed; it goes with the test."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    yield Acme(site)
    for name in [name for name in sys.modules if name.partition(".")[0] == "acme_lyceum"]:
        del sys.modules[name]
