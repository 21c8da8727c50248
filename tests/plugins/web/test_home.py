"""The home page: what this place is, what is on, and where to go."""

from __future__ import annotations

import aiohttp

from kernel.testing.clients import Client
from kernel.testing.deploying import Deploy

HTML = {"Accept": "text/html"}


async def read(client: Client, path: str = "/") -> tuple[aiohttp.ClientResponse, str]:
    async with client.get(path, headers=HTML) as answer:
        return answer, await answer.text()


async def test_home_names_the_institution(deploy: Deploy) -> None:
    """The deployment's own name greets whoever comes, as text."""
    deployment = await deploy("web", sections={"server": {"name": "Fern & Oak"}})
    answer, page = await read(deployment.client())

    assert (answer.status, answer.content_type) == (200, "text/html")
    assert '<h1 id="welcome">Welcome to Fern &amp; Oak</h1>' in page


async def test_home_lists_what_is_on(deploy: Deploy) -> None:
    """Each running plugin is there with its summary, and no other."""
    deployment = await deploy("web", "mail", "auth")
    _, page = await read(deployment.client())

    for member in deployment.platform.states():
        assert (f"<dt>{member.name}</dt>" in page) is (member.state == "started"), member.name


async def test_home_leads_to_places_that_answer(deploy: Deploy) -> None:
    """Every link and every file of the page leads somewhere."""
    deployment = await deploy("web", "mail", "auth")
    client = deployment.client()
    _, page = await read(client)
    places = {piece.split('"')[0] for piece in page.split('href="')[1:]}

    assert {"/api/docs", "/api/v1/openapi.json", "/-/ready"} < places
    for place in sorted(place for place in places if place.startswith("/")):
        answer, _ = await read(client, place)
        assert answer.status == 200, place


async def test_home_tells_how_to_sign_in_where_one_can(deploy: Deploy) -> None:
    """The calls name this deployment's address; where nobody can sign in they are left out."""
    with_auth = await deploy("web", "mail", "auth")
    address = with_auth.url
    _, page = await read(with_auth.client())

    assert f"curl {address}/api/v1/auth/codes" in page
    assert f"curl {address}/api/v1/auth/sessions" in page


async def test_home_shows_the_mailbox_in_development_only(deploy: Deploy) -> None:
    """The mailbox of a development deployment is a place to go; anywhere else there is none."""
    settings = {"mail": {"delivery": "mailbox"}}
    for development in (True, False):
        deployment = await deploy("web", "mail", settings=settings, sections={"server": {"development": development}})
        _, page = await read(deployment.client())

        assert ('href="/-/mailbox"' in page) is development


async def test_home_is_gone_without_the_plugin(deploy: Deploy) -> None:
    """With `web` off there is no home page, and the API goes on."""
    deployment = await deploy("mail")
    answer, page = await read(deployment.client())

    assert answer.status == 404
    assert "There is no such thing" in page
    assert await deployment.client().call("GET", "/-/live") == {"status": "live"}
