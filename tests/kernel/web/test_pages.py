"""Pages: who may see them, what surrounds them, and what people read when they fail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web as http

from kernel import PUBLIC, SIGNED_IN, Request, errors, problems, web
from kernel.http.principal import Principal
from kernel.web.parts import Part
from kernel.web.site import Site
from tests.kernel.web.serving import DEPLOYMENT, browsing, principal, templates

GREETING = '{% extends "base.html" %}{% block content %}<h1>Hello {{ name }}</h1>{% endblock %}'


async def greet(request: Request) -> Mapping[str, object]:
    return {"name": "<script>alert(1)</script>"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return templates(tmp_path / "templates", {"greeting/page.html": GREETING})


def greeting(folder: Path, permission: str = PUBLIC, handler: web.PageHandler = greet) -> Part:
    page = web.Page(path="/greeting", template="greeting/page.html", handler=handler, permission=permission)
    return Part(plugin="greeting", summary="Says hello", declarations=(web.Templates(folder), page))


async def test_page_is_rendered_inside_the_site(folder: Path) -> None:
    """A page extends the kernel's base: language, direction, landmarks, skip link, the institution's name."""
    async with browsing([greeting(folder)]) as browser, browser.get("/greeting") as answer:
        text = await answer.text()

    assert answer.status == 200
    assert answer.content_type == "text/html"
    for piece in ('<html lang="en" dir="ltr">', 'href="#content"', '<main id="content"', "<header", "<footer"):
        assert piece in text
    assert "Fern &amp; Oak" in text


async def test_page_escapes_values(folder: Path) -> None:
    """A value with markup is shown as text."""
    async with browsing([greeting(folder)]) as browser, browser.get("/greeting") as answer:
        text = await answer.text()

    assert "<h1>Hello &lt;script&gt;alert(1)&lt;/script&gt;</h1>" in text


async def test_page_in_a_right_to_left_language_says_so(folder: Path) -> None:
    """The page's own `lang` decides the direction of the writing."""

    async def in_arabic(request: Request) -> Mapping[str, object]:
        return {"name": "", "lang": "ar-EG"}

    async with browsing([greeting(folder, handler=in_arabic)]) as browser, browser.get("/greeting") as answer:
        assert '<html lang="ar-EG" dir="rtl">' in await answer.text()


async def test_page_may_answer_with_a_response_of_its_own(folder: Path) -> None:
    """A handler's own response, a redirect say, goes out with the security headers."""

    async def away(request: Request) -> http.StreamResponse:
        return http.Response(status=303, headers={"Location": "/elsewhere"})

    async with browsing([greeting(folder, handler=away)]) as browser:
        answer = await browser.get("/greeting", allow_redirects=False)

    assert (answer.status, answer.headers["Location"]) == (303, "/elsewhere")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("permission", "caller", "status"),
    [
        (PUBLIC, None, 200),
        (SIGNED_IN, None, 401),
        (SIGNED_IN, principal(), 200),
        ("greeting.read", principal(), 403),
        ("greeting.read", principal("greeting.read"), 200),
    ],
)
async def test_page_opens_only_with_its_permission(
    folder: Path, permission: str, caller: Principal | None, status: int
) -> None:
    """The permission of a page is checked as that of a route."""
    async with browsing([greeting(folder, permission)], caller=caller) as browser:
        answer = await browser.get("/greeting")

    assert answer.status == status


async def test_page_of_a_signed_in_person_is_not_kept_by_caches(folder: Path) -> None:
    """What one person sees is never stored for the next."""
    async with browsing([greeting(folder)], caller=principal()) as browser, browser.get("/greeting") as answer:
        assert answer.headers["Cache-Control"] == "no-store"


async def test_page_whose_handler_raises_a_problem_says_it_to_people(folder: Path) -> None:
    """A problem becomes a page with its status and detail, and the headers of the problem."""

    async def gone(request: Request) -> Mapping[str, object]:
        raise problems.TooManyRequests("Come back at noon.", headers={"Retry-After": "60"})

    async with browsing([greeting(folder, handler=gone)]) as browser, browser.get("/greeting") as answer:
        text = await answer.text()

    assert (answer.status, answer.headers["Retry-After"]) == (429, "60")
    assert "Too many requests" in text
    assert "Come back at noon." in text


async def test_page_whose_handler_breaks_shows_no_inside(folder: Path) -> None:
    """A defect becomes a page that says nothing of the error."""

    async def broken(request: Request) -> Mapping[str, object]:
        raise RuntimeError("password=hunter2")

    async with browsing([greeting(folder, handler=broken)]) as browser, browser.get("/greeting") as answer:
        text = await answer.text()

    assert answer.status == 500
    assert "Something broke on our side" in text
    assert "hunter2" not in text


async def test_every_answer_bears_the_security_headers(folder: Path) -> None:
    """Each answer has a nonce of its own, allows nothing from elsewhere and can not be framed."""
    async with browsing([greeting(folder)]) as browser:
        answers = [await browser.get("/greeting") for _ in range(2)]

    policies = [answer.headers["Content-Security-Policy"] for answer in answers]
    assert policies[0] != policies[1]
    assert all("default-src 'none'" in policy and "frame-ancestors 'none'" in policy for policy in policies)
    assert all("unsafe-inline" not in policy for policy in policies)
    for answer in answers:
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "strict-origin-when-cross-origin"
        assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert "Strict-Transport-Security" not in answer.headers


async def test_https_deployment_asks_for_https_for_ever(folder: Path) -> None:
    """A deployment reached by https tells browsers to use nothing else."""
    secure = replace(DEPLOYMENT, public_url="https://fern.example")
    async with browsing([greeting(folder)], deployment=secure) as browser, browser.get("/greeting") as answer:
        assert answer.headers["Strict-Transport-Security"] == "max-age=63072000; includeSubDomains"


async def test_page_of_an_absent_plugin_is_gone(folder: Path) -> None:
    """Without its plugin a page, its navigation and its slots are not there."""
    async with browsing([]) as browser, browser.get("/greeting") as answer:
        assert answer.status == 404


def refusal(*parts: Part) -> str:
    with pytest.raises(errors.InvalidDeclaration) as caught:
        Site(parts, deployment=DEPLOYMENT, identify=NotImplemented)
    return str(caught.value)


def test_missing_template_is_refused_at_boot(tmp_path: Path) -> None:
    """The message names the plugin and the template."""
    part = greeting(templates(tmp_path / "templates", {"other.html": ""}))

    assert refusal(part) == (
        "greeting: pages(): there is no template 'greeting/page.html' in the folders of any plugin; "
        "add it or mend its name"
    )


def test_broken_template_is_refused_at_boot(tmp_path: Path) -> None:
    """The message names the plugin, the template and the line."""
    part = greeting(templates(tmp_path / "templates", {"greeting/page.html": "\n{% if %}"}))

    assert refusal(part).startswith("greeting: pages(): template 'greeting/page.html', line 2: ")


@pytest.mark.parametrize("path", ["greeting", "/api/v1/greeting", "/static/x", "/metrics"])
def test_path_that_belongs_to_others_is_refused(folder: Path, path: str) -> None:
    """Pages stay out of the API's, the files' and the operators' paths."""
    page = web.Page(path=path, template="greeting/page.html", handler=greet, permission=PUBLIC)
    part = Part(plugin="greeting", summary="", declarations=(web.Templates(folder), page))

    assert refusal(part) == (
        f"greeting: pages(): the path '{path}' must begin with '/' and not with one of /api/v, /static/, /metrics"
    )


def test_path_of_two_plugins_is_refused(folder: Path) -> None:
    """The message names both plugins."""
    second = Part(plugin="later", summary="", declarations=greeting(folder).declarations)

    assert refusal(greeting(folder), second) == (
        "later: pages(): the path '/greeting' belongs to the plugin 'greeting'; choose another one"
    )


async def test_unknown_path_is_a_page_for_people_and_a_problem_for_programs() -> None:
    """Who asks for HTML reads a page, with the security headers too; everyone else gets problem+json."""
    async with browsing([]) as browser:
        people = await browser.get("/nothing")
        programs = await browser.get("/nothing", headers={"Accept": "application/json"})

    assert (people.status, people.content_type) == (404, "text/html")
    assert "There is no such thing" in await people.text()
    assert people.headers["X-Request-ID"] in await people.text()
    assert "default-src 'none'" in people.headers["Content-Security-Policy"]
    assert (programs.status, programs.content_type) == (404, "application/problem+json")


async def test_no_answer_names_the_server_software(folder: Path) -> None:
    """Pages, files and errors do not tell which version of what serves them."""
    async with browsing([greeting(folder)]) as browser:
        answers = [await browser.get(path) for path in ("/greeting", "/static/kernel/site.css", "/nothing")]

    assert [answer.headers["Server"] for answer in answers] == ["Lyceum"] * 3


async def test_page_with_a_rate_is_shown_to_one_address_no_more_often(folder: Path) -> None:
    """Whoever asks too often reads when to come back; other pages are not counted."""
    templates_, page = greeting(folder).declarations
    assert isinstance(page, web.Page)
    seldom, often = replace(page, rate="2/minute"), replace(page, path="/often")
    part = Part(plugin="greeting", summary="Says hello", declarations=(templates_, seldom, often))

    async with browsing([part]) as browser:
        answers = [await browser.get(path) for path in ("/greeting", "/often", "/greeting", "/greeting", "/often")]
        text = await answers[3].text()

    assert [answer.status for answer in answers] == [200, 200, 200, 429, 200]
    assert "Retry-After" in answers[3].headers
    assert "<h1>" in text
