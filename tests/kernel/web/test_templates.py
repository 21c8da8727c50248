"""Templates of several plugins in one site: slots, navigation and overriding."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kernel import PUBLIC, Request, web
from kernel.web.parts import Part
from tests.kernel.web.serving import browsing, principal, templates

HOST = '{% extends "base.html" %}{% block content %}{% set who = "Ada" %}{{ slot("side") }}{% endblock %}'


async def nothing(request: Request) -> Mapping[str, object]:
    return {"course": "Logic & Proof"}


def host(folder: Path, *more: web.PageDeclaration) -> Part:
    page = web.Page(path="/host", template="host/page.html", handler=nothing, permission=PUBLIC)
    found = templates(folder / "host", {"host/page.html": HOST})
    return Part(plugin="host", summary="", declarations=(web.Templates(found), page, *more))


def guest(folder: Path, name: str, files: Mapping[str, str], *more: web.PageDeclaration) -> Part:
    found = templates(folder / name, files)
    return Part(plugin=name, summary="", declarations=(web.Templates(found), *more))


async def read(*parts: Part, allowed: tuple[str, ...] = ()) -> str:
    async with browsing(parts, caller=principal(*allowed)) as browser, browser.get("/host") as answer:
        assert answer.status == 200
        return await answer.text()


async def test_slot_shows_the_pieces_of_other_plugins_in_starting_order(tmp_path: Path) -> None:
    """Every plugin may give a piece; each sees the values of the page it stands in."""
    first = guest(
        tmp_path, "first", {"first/side.html": "<p>{{ course }}</p>"}, web.Slot(name="side", template="first/side.html")
    )
    second = guest(
        tmp_path, "second", {"second/side.html": "<b>2</b>"}, web.Slot(name="side", template="second/side.html")
    )

    assert "<p>Logic &amp; Proof</p><b>2</b>" in await read(host(tmp_path), first, second)


async def test_slot_that_nobody_fills_is_empty(tmp_path: Path) -> None:
    """A page does not depend on who fills its slots."""
    text = await read(host(tmp_path))

    assert text.partition("<main")[2].partition(">")[2].partition("</main>")[0].strip() == ""


async def test_slot_that_breaks_leaves_the_page_whole(tmp_path: Path) -> None:
    """A piece that fails is left out; the page belongs to another plugin."""
    broken = guest(tmp_path, "broken", {"b.html": "{{ missing.thing }}"}, web.Slot(name="side", template="b.html"))
    sound = guest(tmp_path, "sound", {"s.html": "still here"}, web.Slot(name="side", template="s.html"))

    assert "still here" in await read(host(tmp_path), broken, sound)


async def test_later_plugin_overrides_an_earlier_ones_template(tmp_path: Path) -> None:
    """Of two templates of the same name, the later plugin's is shown, the kernel's own included."""
    later = guest(tmp_path, "later", {"host/page.html": "<p>mine</p>"})

    assert await read(host(tmp_path), later) == "<p>mine</p>"


async def test_navigation_is_sorted_and_shows_what_the_caller_may_open(tmp_path: Path) -> None:
    """Entries stand by weight, then label; what one may not open is not offered."""
    entries = (
        web.Navigation(label="Reports", path="/reports", permission="reports.read"),
        web.Navigation(label="Books", path="/books", permission=PUBLIC, weight=20),
        web.Navigation(label="Atlas", path="/atlas", permission=PUBLIC, weight=20),
        web.Navigation(label="Here", path="/host", permission=PUBLIC, weight=10),
    )
    stranger = await read(host(tmp_path, *entries))
    reader = await read(host(tmp_path, *entries), allowed=("reports.read",))

    assert "/reports" not in stranger
    assert stranger.index(">Here<") < stranger.index(">Atlas<") < stranger.index(">Books<")
    assert '<a href="/host" aria-current="page">Here</a>' in stranger
    assert reader.index(">Books<") < reader.index(">Reports<")
