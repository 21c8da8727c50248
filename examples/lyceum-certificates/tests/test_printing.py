"""The PDF: who may fetch it, what stands on it, and that it is always the same."""

from __future__ import annotations

import io
import subprocess
import sys
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import pypdf
import pytest
from lyceum_certificates.printing import BOLD
from lyceum_certificates.settings import CertificatesSettings
from school import API, School, make_school, text_of

from kernel import new_id
from kernel.testing.deploying import Deploy

#: Prints the same certificate in a process of its own; a set there has another order.
_PRINT: Final = """
import sys
from datetime import UTC, datetime
from types import SimpleNamespace
from uuid import UUID
from lyceum_certificates.printing import Printer
from lyceum_certificates.register import Certificate
from lyceum_certificates.settings import CertificatesSettings
deployment = SimpleNamespace(public_url="https://fern.example")
day = datetime(2027, 1, 8, 9, 30, tzinfo=UTC)
certificate = Certificate(
    id=UUID(int=1), code="abcdefghijklmnopqrstuvwxyz", user_id=UUID(int=2), course_id=UUID(int=3), person="Ada Łąka",
    course="Geometry", issuer="Fern", signature="", enrolled_at=day, issued_at=day, withdrawn_at=None,
)
printer = Printer(SimpleNamespace(settings=CertificatesSettings(), deployment=deployment))
sys.stdout.buffer.write(printer._print(certificate))
"""


@pytest.mark.parametrize("name", ["Ada Long", "Łucja Żółć", "Ελένη Παπαδοπούλου", "Жукова Наталья", "Ngô Bảo Châu"])
async def test_pdf_has_name_course_number_and_link(deploy: Deploy, name: str) -> None:
    """In Latin, Greek and Cyrillic letters."""
    school = await make_school(deploy, issuer="Fern Academy", signature="Dr. Grace Hill")
    person, _, certificate = await school.certified(name, "Geometry & Θεωρία")

    text = text_of(await school.pdf(school.client(person), certificate["id"]))

    for expected in (name, "Geometry & Θεωρία", certificate["number"], "Fern Academy", "Dr. Grace Hill"):
        assert expected in text
    assert certificate["link"] in text


async def test_pdf_links_to_the_page_that_verifies_it(school: School) -> None:
    """A click leads there."""
    person, _, certificate = await school.certified()

    reader = pypdf.PdfReader(io.BytesIO(await school.pdf(school.client(person), certificate["id"])))

    [annotation] = [one.get_object() for one in reader.pages[0].annotations or ()]
    assert annotation["/A"]["/URI"] == certificate["link"]
    assert reader.metadata is not None
    issued_at = datetime.fromisoformat(certificate["issued_at"]).replace(microsecond=0)
    assert reader.metadata.creation_date == issued_at
    assert issued_at.tzinfo == UTC


async def test_long_names_stay_on_the_page(school: School) -> None:
    """They are set smaller, on one page."""
    name, title = "Maria " * 30 + "Long", "An introduction to everything " * 8
    person, _, certificate = await school.certified(name, title)

    reader = pypdf.PdfReader(io.BytesIO(await school.pdf(school.client(person), certificate["id"])))

    assert len(reader.pages) == 1
    assert name in reader.pages[0].extract_text()


def test_same_certificate_is_the_same_pdf_in_every_process() -> None:
    """Byte for byte: nothing of the moment or the process is in it."""
    first, second = (
        subprocess.run([sys.executable, "-c", _PRINT], check=True, capture_output=True).stdout for _ in range(2)
    )

    assert first.startswith(b"%PDF")
    assert first == second


async def test_stranger_can_not_fetch_anothers_pdf(school: School) -> None:
    """The answer does not say whether there is one; an administrator may fetch it."""
    _, _, certificate = await school.certified()
    path = f"{API}/{certificate['id']}/pdf"

    another = await school.client(new_id()).call("GET", path, expect=404)
    missing = await school.client(new_id()).call("GET", f"{API}/{UUID(int=7)}/pdf", expect=404)
    await school.deployment.client().call("GET", path, expect=401)
    await school.deployment.client("instructor").call("GET", path, expect=404)

    assert another["title"] == missing["title"]
    assert another.get("detail") == missing.get("detail")
    assert "Ada Long" in text_of(await school.pdf(school.deployment.client("admin"), certificate["id"]))


async def test_withdrawn_certificate_is_not_printed(school: School) -> None:
    """Nobody hands out anew what is not so any more."""
    person, course, certificate = await school.certified()
    await school.end(person, course)

    refused = await school.client(person).call("GET", f"{API}/{certificate['id']}/pdf", expect=409)

    assert "withdrawn" in refused["detail"]


async def test_own_certificates_come_in_pages(school: School) -> None:
    """The newest first, and nobody else's."""
    person = school.person()
    for title in ("Geometry", "Algebra", "Botany"):
        await school.enrol(person, school.course(title))
    await school.certified("Tom Short")
    await school.issue()

    first = await school.client(person).call("GET", f"{API}/mine", params={"limit": 2})
    rest = await school.client(person).call("GET", f"{API}/mine", params={"limit": 2, "cursor": first["next"]})

    assert [one["course"] for one in first["items"]] == ["Botany", "Algebra"]
    assert [one["course"] for one in rest["items"]] == ["Geometry"]
    assert rest["next"] is None


async def test_pdfs_of_one_person_are_limited(deploy: Deploy) -> None:
    """Setting type costs the machine something."""
    school = await make_school(deploy, print_rate="2/minute")
    person, _, certificate = await school.certified()
    client = school.client(person)
    for _ in range(2):
        await school.pdf(client, certificate["id"])

    await client.call("GET", f"{API}/{certificate['id']}/pdf", expect=429)


def test_font_that_is_not_there_is_named_at_the_start() -> None:
    """And not when the first person asks."""
    assert CertificatesSettings(font=str(BOLD)).font == str(BOLD)

    with pytest.raises(ValueError, match=r"'font' is '/nowhere\.ttf', where there is no file"):
        CertificatesSettings(font="/nowhere.ttf")
