"""Search: finds courses, lessons and whatever else plugins let be found."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import ClassVar

import click

from kernel import Context, EventHandler, Manifest, Migrations, Plugin, Provide, Route, hookimpl, web
from kernel.contracts.personal_data import PERSONAL_DATA
from kernel.contracts.search import SEARCH
from plugins.search import commands, migrations, pages
from plugins.search.api import SearchApi
from plugins.search.finding import SearchService
from plugins.search.handlers import Changes
from plugins.search.indexing import Indexing
from plugins.search.personal_data import SearchPersonalData
from plugins.search.settings import SearchSettings
from plugins.search.tables import metadata
from plugins.search.warming import Warming


class SearchPlugin(Plugin[SearchSettings]):
    """Provides `search/1`."""

    manifest: ClassVar[Manifest] = Manifest(
        name="search",
        version="0.1.0",
        summary="Finds courses, lessons and whatever else plugins let be found.",
        provides=(SEARCH, PERSONAL_DATA),
    )

    @hookimpl
    def settings(self) -> type[SearchSettings]:
        return SearchSettings

    @hookimpl
    def migrations(self) -> Migrations:
        return Migrations(metadata, migrations)

    @hookimpl
    def services(self, ctx: Context[SearchSettings]) -> Iterable[Provide[object]]:
        yield Provide(SEARCH, lambda: nullcontext(ctx.own(SearchService)))
        yield Provide(PERSONAL_DATA, lambda: nullcontext(ctx.own(SearchPersonalData)))

    @hookimpl
    def event_handlers(self, ctx: Context[SearchSettings]) -> Iterable[EventHandler]:
        return ctx.own(Changes).handlers()

    @hookimpl
    def routes(self, ctx: Context[SearchSettings]) -> Iterable[Route]:
        return SearchApi(ctx).routes()

    @hookimpl
    def pages(self, ctx: Context[SearchSettings]) -> Iterable[web.PageDeclaration]:
        return pages.declarations(ctx)

    @hookimpl
    def lifespan(self, ctx: Context[SearchSettings]) -> AbstractAsyncContextManager[None]:
        @asynccontextmanager
        async def indexing() -> AsyncIterator[None]:
            ctx.own(Indexing).run_in_background()
            Warming(ctx).run_in_background()
            yield

        return indexing()

    @hookimpl
    def commands(self) -> Iterable[click.Command]:
        return commands.COMMANDS
