"""Pages and slots of a plugin that failed too often: a page for people that says so, and other pages without it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from kernel import Request, web
from kernel.containment.breaker import Fault
from kernel.containment.containment import Containment
from kernel.containment.settings import ContainmentSettings
from kernel.web.parts import Part
from tests.kernel.web.serving import browsing
from tests.kernel.web.test_templates import guest, host


def contained(faults: int = 1) -> Containment:
    return Containment(ContainmentSettings(faults=faults))


def handled_by(folder: Path, handler: web.PageHandler, *, timeout: float = 30.0) -> Part:
    """Return the plugin `host`, whose page has this handler."""
    part = host(folder)
    pages = [replace(one, handler=handler, timeout=timeout) for one in part.declarations if isinstance(one, web.Page)]
    rest = [one for one in part.declarations if not isinstance(one, web.Page)]
    return replace(part, declarations=(*rest, *pages))


async def test_page_that_breaks_is_counted_for_its_plugin_and_then_closed(tmp_path: Path) -> None:
    """People read that a part of the platform rests; files and other pages are as before."""
    containment = contained()

    async def broken(request: Request) -> Mapping[str, object]:
        raise ZeroDivisionError("secret value 4711")

    async with browsing([handled_by(tmp_path, broken)], containment=containment) as browser:
        answers = [await browser.get("/host") for _ in range(2)]
        elsewhere = await browser.get("/nowhere")
        text = await answers[1].text()

    assert [answer.status for answer in answers] == [500, 503]
    assert containment.of("host").counts == {Fault.REQUEST: 1}
    assert "This part of the platform rests after failures" in text
    assert "4711" not in text
    assert "Retry-After" in answers[1].headers
    assert elsewhere.status == 404


async def test_page_has_a_time_of_its_own(tmp_path: Path) -> None:
    """One that takes longer is answered 504, and counted."""
    containment = contained(10)

    async def slow(request: Request) -> Mapping[str, object]:
        await asyncio.sleep(30)
        return {}

    async with browsing([handled_by(tmp_path, slow, timeout=0.1)], containment=containment) as browser:
        assert (await browser.get("/host")).status == 504

    assert containment.of("host").counts == {Fault.TIMEOUT: 1}


async def test_slots_of_a_plugin_in_quarantine_vanish(tmp_path: Path) -> None:
    """The page belongs to another plugin and goes on without the piece."""
    containment = contained()
    ill = guest(tmp_path, "ill", {"i.html": "a piece"}, web.Slot(name="side", template="i.html"))
    sound = guest(tmp_path, "sound", {"s.html": "still here"}, web.Slot(name="side", template="s.html"))

    async with browsing([host(tmp_path), ill, sound], containment=containment) as browser:
        before = await (await browser.get("/host")).text()
        containment.of("ill").count(Fault.TASK, "the task")
        after = await (await browser.get("/host")).text()

    assert ("a piece" in before, "still here" in before) == (True, True)
    assert ("a piece" in after, "still here" in after) == (False, True)


async def test_slot_that_breaks_is_counted_and_alone_closes_nothing(tmp_path: Path) -> None:
    """It is left out as it is; that is no reason to close the plugin's routes."""
    containment = contained(2)
    broken = guest(tmp_path, "broken", {"b.html": "{{ missing.thing }}"}, web.Slot(name="side", template="b.html"))

    async with browsing([host(tmp_path), broken], containment=containment) as browser:
        for _ in range(5):
            assert (await browser.get("/host")).status == 200

    assert containment.of("broken").counts == {Fault.SLOT: 5}
    assert not containment.of("broken").rests()
