"""Nobody waits for the first statement of its kind: it was made when the search started."""

from __future__ import annotations

from kernel.contracts.search import Filters, Query
from kernel.testing.deploying import Deploy
from plugins.search import matching
from plugins.search.warming import Warming
from tests.plugins.search.library import book, open_library


async def test_queries_like_those_that_were_asked_need_no_new_statement(deploy: Deploy) -> None:
    """Of other words, with and without filters."""
    library = await open_library(deploy)
    titles = ("The art of knots", "Knots and sails of old ships", "Sailing by the stars at night")
    await library.put(*(book(title, category="sports", language="en", price=900) for title in titles))
    ctx = library.deployment.platform.context("search")
    matching.search.cache_clear()

    await Warming(ctx).warm()

    made = matching.search.cache_info().misses
    assert made
    for text in ("sails ", "stars knots ", "kno"):
        await library.search.find(None, Query(text=text))
        await library.search.find(None, Query(text=text, filters=Filters(category=("sports",))))
    assert matching.search.cache_info().misses == made


async def test_without_documents_there_is_nothing_to_warm(deploy: Deploy) -> None:
    """An institution begins with none."""
    library = await open_library(deploy)
    matching.search.cache_clear()

    await Warming(library.deployment.platform.context("search")).warm()

    assert matching.search.cache_info().misses == 0
