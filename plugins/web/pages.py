"""The pages of the plugin."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from kernel import IDENTITY, PUBLIC, Context, Request, api_document, web
from plugins.web.description import Description, Json

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
        self._groups: Mapping[str, list[Json]] = {}

    async def __call__(self, request: Request) -> Mapping[str, object]:
        if not self._groups:  # nothing changes while the process runs
            self._groups = Description(api_document(request)).groups()
        return {"groups": self._groups}
