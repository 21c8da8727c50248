"""The HTTP surface of the search."""

from __future__ import annotations

import pytest

from kernel.testing.deploying import Deploy
from tests.plugins.search.library import PATH, book, open_library


async def test_a_page_leads_to_the_next(deploy: Deploy) -> None:
    """By its cursor, and by its link."""
    library = await open_library(deploy)
    await library.put(*(book(f"Volume {number}", level="beginner") for number in range(3)))
    client = library.deployment.client()

    first = await client.call("GET", PATH, params={"q": "volume", "limit": "2"})
    second = await client.call("GET", PATH, params={"q": "volume", "limit": "2", "cursor": first["next"]})

    assert (len(first["items"]), len(second["items"]), second["next"]) == (2, 1, None)
    assert first["counts"]["level"] == [{"value": "beginner", "count": 3}]


async def test_filters_may_be_given_several_times(deploy: Deploy) -> None:
    """Any one of the values is enough."""
    library = await open_library(deploy)
    await library.put(*(book(level, level=level) for level in ("beginner", "advanced", "all")))

    found = await library.deployment.client().call("GET", f"{PATH}?level=beginner&level=all&sort=newest")

    assert sorted(item["title"] for item in found["items"]) == ["all", "beginner"]


async def test_reasons_are_told_when_they_are_asked_for(deploy: Deploy) -> None:
    """With `explain=1`."""
    library = await open_library(deploy)
    await library.put(book("Knots"))
    client = library.deployment.client()

    plain = await client.call("GET", PATH, params={"q": "knots"})
    explained = await client.call("GET", PATH, params={"q": "knots", "explain": "1"})

    assert plain["items"][0]["why"] == []
    assert [reason["word"] for reason in explained["items"][0]["why"]] == ["=knots", "knots"]


async def test_suggestions(deploy: Deploy) -> None:
    """While somebody types."""
    library = await open_library(deploy)
    await library.put(book("Knots"))

    found = await library.deployment.client().call("GET", f"{PATH}/suggestions", params={"q": "kn"})

    assert [item["title"] for item in found] == ["Knots"]


@pytest.mark.parametrize(
    "query", ["cursor=nonsense", "cursor=WzEsMl0x", "sort=weight", "min_rating=9", "q=" + "x" * 201]
)
async def test_what_can_not_be_meant_is_refused(query: str, deploy: Deploy) -> None:
    """With a problem that names it."""
    library = await open_library(deploy)

    await library.deployment.client().call("GET", f"{PATH}?{query}", expect=400 if "cursor" in query else 422)


@pytest.mark.parametrize("text", ["%", "'; drop table documents; --", '"', "*", "=knots", "kn*", "\\", "🦄", "a" * 200])
async def test_whatever_is_typed_is_only_words(text: str, deploy: Deploy) -> None:
    """No character means anything to the index."""
    library = await open_library(deploy)
    await library.put(book("Knots"))

    await library.deployment.client().call("GET", PATH, params={"q": text}, expect=200)
    assert await library.titles("knots") == ["Knots"]
