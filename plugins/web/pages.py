"""The pages of the plugin."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import aiohttp_jinja2
from markupsafe import Markup

from kernel import IDENTITY, PUBLIC, Context, Request, api_document, web
from plugins.web.description import Description

_HERE: Final = Path(__file__).parent


def declarations(ctx: Context) -> tuple[web.PageDeclaration, ...]:
    """Return everything that the plugin gives to the site."""
    return (
        web.Templates(_HERE / "templates"),
        web.StaticFiles(_HERE / "static"),
        web.Page(path="/", template="web/home.html", handler=HomePage(ctx), permission=PUBLIC),
        web.Navigation(label="Home", path="/", permission=PUBLIC, weight=0),
        web.Page(path="/api/docs", template="web/docs.html", handler=DocsPage(), permission=PUBLIC),
        web.Navigation(label="API", path="/api/docs", permission=PUBLIC, weight=800),
    )


class HomePage:
    """What this place is, what is on, and where to go."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx

    async def __call__(self, request: Request) -> Mapping[str, object]:
        deployment = self._ctx.deployment
        return {
            "address": deployment.public_url,
            "development": deployment.development,
            "sign_in": self._ctx.services.find(IDENTITY) is not None,
        }


class DocsPage:
    """The API of exactly the plugins that are on, to read."""

    def __init__(self) -> None:
        self._made: Mapping[str, object] = {}

    async def __call__(self, request: Request) -> Mapping[str, object]:
        if not self._made:  # nothing changes while the process runs
            groups = Description(api_document(request)).groups()
            operations = aiohttp_jinja2.render_string("web/operations.html", request.http, {"groups": groups})
            self._made = {"groups": groups, "operations": Markup(operations)}  # noqa: S704 - rendered with autoescape on
        return self._made
