"""The site of a whole deployment: a sweep over every page that any plugin has."""

from __future__ import annotations

from kernel.discovery import Catalogue
from kernel.testing.deploying import Deploy


async def test_every_page_bears_the_security_headers(deploy: Deploy) -> None:
    """Whatever answers with HTML says what it may load, who may frame it and what its type is."""
    deployment = await deploy(
        *Catalogue.read().bundled(),
        settings={"mail": {"delivery": "mailbox"}},
        sections={"server": {"development": True}},
    )
    router, client = deployment.platform.app.router, deployment.client()
    paths = {route.resource.canonical for route in router.routes() if route.resource and route.method == "GET"}
    pages = 0
    for path in sorted(path for path in paths if not path.startswith("/static/")):
        async with client.get(path.replace("{", "x").replace("}", "x"), headers={"Accept": "text/html"}) as answer:
            if answer.content_type == "text/html":
                pages += 1
                policy = answer.headers["Content-Security-Policy"]
                assert "default-src 'none'" in policy, path
                assert "frame-ancestors 'none'" in policy, path
                assert "unsafe-inline" not in policy, path
                assert answer.headers["X-Content-Type-Options"] == "nosniff", path
                assert "Referrer-Policy" in answer.headers, path
                assert answer.headers["Server"] == "Lyceum", path

    assert pages >= 3
