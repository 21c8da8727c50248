"""The plugin `web`: the pages with which people begin."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from kernel import Context, Manifest, Plugin, hookimpl, web
from plugins.web.pages import declarations


class WebPlugin(Plugin):
    """Gives the home page."""

    manifest: ClassVar[Manifest] = Manifest(name="web", version="0.1.0", summary="The home page and the way in.")

    @hookimpl
    def pages(self, ctx: Context) -> Iterable[web.PageDeclaration]:
        return declarations(ctx)
