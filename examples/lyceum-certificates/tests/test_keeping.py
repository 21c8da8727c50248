"""What is kept of people, and in which tables."""

from __future__ import annotations

from pathlib import Path

import lyceum_certificates.migrations
import msgspec
import pytest
from lyceum_certificates.tables import metadata
from school import API, School, text_of

from kernel import new_id
from kernel.contracts.personal_data import Subject
from kernel.database.location import DatabaseSettings
from kernel.database.migrations import Target
from kernel.testing.migrations import assert_revisions_make_exactly
from kernel.testing.servers import PostgresServer


async def test_person_is_given_their_certificates_and_the_pdfs(school: School) -> None:
    """Withdrawn ones too; nobody else's."""
    person, course, certificate = await school.certified()
    await school.certified("Tom Short")
    await school.end(person, course)
    subject = Subject(user_id=person, email="ada@school.test")

    rows, pdf = [document async for document in school.personal_data().export(subject)]

    [row] = msgspec.json.decode(rows.content)
    assert (row["id"], row["person"], row["course"]) == (certificate["id"], "Ada Long", "Geometry")
    assert row["withdrawn_at"]
    assert pdf.name.endswith(".pdf")
    assert certificate["number"] in text_of(pdf.content)


async def test_certificate_of_a_person_who_is_erased_is_unknown(school: School) -> None:
    """As if it had never been; others' stay, and a second erasure says the same."""
    person, _, certificate = await school.certified()
    _, _, other = await school.certified("Tom Short")
    subject = Subject(user_id=person, email="ada@school.test")

    first = await school.personal_data().erase(subject)
    again = await school.personal_data().erase(Subject(user_id=person, email=""))

    assert first == again
    assert first.erased
    assert "<h1>No certificate has this number</h1>" in (await school.verify(certificate["number"]))[1]
    assert "<h1>This certificate is valid</h1>" in (await school.verify(other["number"]))[1]
    assert await school.mine(person) == []
    await school.deployment.client("admin").call("GET", f"{API}/{certificate['id']}/pdf", expect=404)
    assert [document async for document in school.personal_data().export(subject)] == []


async def test_person_of_whom_nothing_is_kept_gets_an_empty_copy(school: School) -> None:
    """There is nothing to hand out."""
    await school.certified()
    stranger = Subject(user_id=new_id(), email="eva@school.test")

    assert [document async for document in school.personal_data().export(stranger)] == []


async def test_revisions_make_the_tables(end: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Up, down and up again leaves the tables that the code knows."""
    if end == "sqlite":
        await check(f"sqlite:///{tmp_path}")
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    async with server.fresh_database() as url:
        await check(url)


async def check(url: str) -> None:
    settings = DatabaseSettings(url=url)
    await assert_revisions_make_exactly(
        Target(plugin="certificates", settings=settings, metadata=metadata, revisions=lyceum_certificates.migrations)
    )
