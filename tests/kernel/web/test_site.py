"""The site of a whole deployment: a sweep over every page that any plugin has."""

from __future__ import annotations

import re
from typing import Any, Final

from kernel.discovery import Catalogue
from kernel.testing.deploying import Deploy
from kernel.testing.deployment import Deployment

#: Of every answer, whatever it holds.
EVERYWHERE: Final = {
    "Cross-Origin-Resource-Policy": "same-origin",
    "Server": "Lyceum",
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
}
#: Of every page.
ON_PAGES: Final = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "X-Frame-Options": "DENY",
}
#: What may be inline: what bears the nonce of this answer, or exactly this style sheet.
ADMITTED: Final = re.compile(r"'(nonce-[\w-]{22,}|sha256-[\w+/]{43}=)'")
FORBIDDING: Final = ("default-src 'none'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'")
INLINE: Final = re.compile(
    r"<script(?![^>]*\b(nonce|src)=)|<style(?![^>]*\bnonce=)|\son[a-z]+=|\sstyle=|javascript:", re.IGNORECASE
)


async def whole(deploy: Deploy, **server: object) -> Deployment:
    """Start all bundled plugins; *server* is the section of that name."""
    return await deploy(
        *Catalogue.read().bundled(),
        settings={"mail": {"delivery": "mailbox"}},
        sections={"server": server},
    )


def paths(deployment: Deployment) -> list[str]:
    """Return every path that is read, the files included, with something in place of its placeholders."""
    routes = deployment.platform.app.router.routes()
    found = {route.resource.canonical for route in routes if route.resource and route.method == "GET"}
    return [*sorted(path.replace("{", "x").replace("}", "x") for path in found), "/static/kernel/site.css", "/nothing"]


async def test_every_answer_bears_the_security_headers(deploy: Deploy) -> None:
    """Whatever its type is: pages, problems, files, documents."""
    deployment = await whole(deploy, public_url="https://learn.example.org")
    client, lacking = deployment.client(), []

    for path in paths(deployment):
        async with client.get(path) as answer:
            missing = {name for name, value in EVERYWHERE.items() if answer.headers.get(name) != value}
            lacking += [(path, name) for name in missing]
            assert "Referrer-Policy" in answer.headers, path

    assert lacking == []


async def test_every_page_forbids_what_its_author_did_not_write(deploy: Deploy) -> None:
    """It says what it may load and who may frame it; nothing in it is inline but for what bears this answer's nonce."""
    deployment = await whole(deploy, development=True)
    client, nonces, pages = deployment.client(), set[str](), 0

    for path in paths(deployment):
        async with client.get(path, headers={"Accept": "text/html"}) as answer:
            if answer.content_type == "text/html":
                pages += 1
                nonces.add(_check_page(path, answer, await answer.text()))

    assert pages >= 4
    assert len(nonces) == pages


def _check_page(path: str, answer: Any, text: str) -> str:
    policy = answer.headers["Content-Security-Policy"]
    assert [rule for rule in FORBIDDING if rule not in policy] == [], path
    assert "unsafe" not in policy, path
    assert INLINE.search(text) is None or path == "/problems", path
    assert {name: answer.headers.get(name) for name in ON_PAGES} == ON_PAGES, path
    admitted = ADMITTED.search(policy)
    assert admitted is not None, path
    return admitted[0]
