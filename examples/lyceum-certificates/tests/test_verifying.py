"""The page on which anybody sees whether a certificate is valid."""

from __future__ import annotations

import pytest
from lyceum_certificates.codes import new_code, read, shown
from school import School, make_school

from kernel.testing.deploying import Deploy


async def test_anybody_can_verify_a_certificate(school: School) -> None:
    """By the link on it, without signing in: name, course and dates, as a page for people and for screen readers."""
    _, _, certificate = await school.certified("Łucja <b>Żółć</b>")

    async with school.deployment.client().get(certificate["link"]) as answer:
        text, status = await answer.text(), answer.status

    assert status == 200
    assert "<h1>This certificate is valid</h1>" in text
    assert "Łucja &lt;b&gt;Żółć&lt;/b&gt;" in text
    assert "<dt>Course</dt><dd>Geometry</dd>" in text
    assert f'<time datetime="{certificate["issued_at"][:10]}">' in text
    assert '<html lang="en"' in text
    assert '<meta name="robots" content="noindex">' in text


async def test_page_says_since_when_a_certificate_is_withdrawn(school: School) -> None:
    """And that it is valid again once the person is enrolled again."""
    person, course, certificate = await school.certified()
    school.deployment.clock.advance(86_400)
    await school.end(person, course)
    [withdrawn] = await school.mine(person)

    _, text = await school.verify(certificate["number"])
    await school.enrol(person, course)
    _, again = await school.verify(certificate["number"])

    assert "<h1>This certificate is withdrawn</h1>" in text
    assert f'not been valid since <time datetime="{withdrawn["withdrawn_at"][:10]}">' in text
    assert "<h1>This certificate is valid</h1>" in again


@pytest.mark.parametrize("code", [new_code(), "nonsense", "a" * 26, "x" * 2000, "%00", "%F0%9F%92%A9"])
async def test_unknown_number_is_answered_like_others(school: School, code: str) -> None:
    """Whether it could be one or not."""
    await school.certified()

    status, text = await school.verify(code)

    assert status == 200
    assert "<h1>No certificate has this number</h1>" in text
    assert "Ada Long" not in text


async def test_certificate_that_was_never_issued_is_unknown(school: School) -> None:
    """It stands on no paper."""
    person = school.person("")
    await school.enrol(person, school.course())
    [waiting] = await school.mine(person)

    _, text = await school.verify(waiting["number"])

    assert "<h1>No certificate has this number</h1>" in text


async def test_one_address_verifies_no_more_than_the_limit(deploy: Deploy) -> None:
    """Numbers can not be tried one after another."""
    school = await make_school(deploy, verify_rate="3/minute")

    answers = [await school.verify(new_code()) for _ in range(4)]

    assert [status for status, _ in answers] == [200, 200, 200, 429]


def test_code_is_long_random_and_read_as_people_write_it() -> None:
    """With hyphens, spaces or capitals."""
    codes = {new_code() for _ in range(100)}

    assert len(codes) == 100
    for code in codes:
        assert read(shown(code)) == read(f" {shown(code).upper()} ") == code
    assert read("l0ng") is None
