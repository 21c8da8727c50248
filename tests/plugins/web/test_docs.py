"""The page of the API: made from the OpenAPI document alone, for people."""

from __future__ import annotations

from kernel.testing.deploying import Deploy
from plugins.web.description import Description
from tests.plugins.web.test_home import read

PLUGINS = ("web", "mail", "auth", "users", "courses", "payments", "enrollments")


async def test_docs_show_every_route_without_scripts_or_strangers(deploy: Deploy) -> None:
    """One page, made here: no script, and nothing that comes from another host."""
    deployment = await deploy(*PLUGINS)
    document = await deployment.client().call("GET", "/api/v1/openapi.json")
    answer, page = await read(deployment.client(), "/api/docs")

    assert (answer.status, answer.content_type) == (200, "text/html")
    for path, methods in document["paths"].items():
        assert page.count(f"<code>{path}</code>") == len(methods), path
    assert "<script" not in page
    assert "http://" not in page
    assert "https://" not in page
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self' 'nonce-")


async def test_docs_are_the_same_at_every_request(deploy: Deploy) -> None:
    """What does not depend on the person is made once; the rules of each field are part of it."""
    deployment = await deploy(*PLUGINS)
    pages = [(await read(deployment.client(), "/api/docs"))[1] for _ in range(2)]

    first, second = (page.partition("<main")[2] for page in pages)
    assert first == second
    assert "int64, in the query, at least 1, at most 100, 20 if not given" in first


async def test_docs_show_fields_with_their_types(deploy: Deploy) -> None:
    """What a body must have is marked, and each field says what it takes."""
    deployment = await deploy(*PLUGINS)
    groups = Description(await deployment.client().call("GET", "/api/v1/openapi.json")).groups()
    asking = next(one for one in groups["auth"] if one["path"] == "/api/v1/auth/codes")
    listing = next(one for one in groups["courses"] if one["path"] == "/api/v1/courses" and one["method"] == "GET")
    status, _, lines = listing["answers"][0]

    assert next((line["name"], line["kind"], line["required"]) for line in asking["body"]) == ("email", "string", True)
    limit = next((kind, rules) for parameter, kind, rules in listing["parameters"] if parameter["name"] == "limit")
    assert limit == ("int64", "at least 1, at most 100, 20 if not given")
    assert status == "200"
    assert {"items", "title", "price"} <= {line["name"] for line in lines}
    assert [line["depth"] for line in lines if line["name"] == "title"] == [1]


async def test_docs_are_gone_without_the_plugin(deploy: Deploy) -> None:
    """Programs still read the document."""
    deployment = await deploy("mail")
    answer, _ = await read(deployment.client(), "/api/docs")

    assert answer.status == 404
    assert (await deployment.client().call("GET", "/api/v1/openapi.json"))["openapi"].startswith("3.1")
