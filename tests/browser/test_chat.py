"""Two people talk in two browsers, each by another process."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from playwright.async_api import Browser, Locator, Page, Route, expect

from kernel import errors
from kernel.contracts.chat import CHAT
from kernel.contracts.courses import COURSES
from kernel.contracts.enrollments import ENROLLMENTS
from kernel.testing.deploying import Deploy
from kernel.testing.deployment import Deployment
from kernel.testing.fakes.courses import InMemoryCourses
from kernel.testing.fakes.enrollments import InMemoryEnrollments, InMemoryEnrollmentsPlugin
from kernel.testing.proxy import Proxy, proxying
from plugins.chat.standing import Standings
from tests.browser.visiting import PHONE
from tests.plugins.auth.signing_in import administrator

#: Signing in as a page does it: ask for a code, and trade it for a cookie.
ASK = """email => fetch("/api/v1/auth/codes", {method: "POST", headers: {"Content-Type": "application/json"},
    body: JSON.stringify({email})}).then(answer => answer.json())"""
ENTER = """body => fetch("/api/v1/auth/browser-sessions", {method: "POST",
    headers: {"Content-Type": "application/json"}, body: JSON.stringify(body)}).then(answer => answer.status)"""


@dataclass
class School:
    """Two processes behind one address, of which new connections go to the one that `proxy` stands before."""

    browser: Browser
    proxy: Proxy
    processes: Sequence[Deployment]
    course: UUID

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.proxy.port}"

    def pass_to(self, process: Deployment) -> None:
        """Let new connections go to *process*."""
        address = urlsplit(process.url)
        assert address.hostname is not None
        assert address.port is not None
        self.proxy.target = (address.hostname, address.port)

    async def comes(self, email: str, **options: object) -> Page:
        """Sign somebody in who takes the course, and open its room."""
        context = await self.browser.new_context(**options)  # type: ignore[arg-type]
        page = await context.new_page()
        await page.goto(self.url)
        asked = await page.evaluate(ASK, email)
        mail = await self.processes[0].mailbox.next(email)
        code = re.search(r"\b\d{6}\b", mail.text)
        assert code is not None
        body = {"challenge_id": asked["challenge_id"], "code": code[0]}
        assert await page.evaluate(ENTER, body) == 201
        me = await page.evaluate('fetch("/api/v1/users/me").then(answer => answer.json())')
        for process in self.processes:
            enrollments = process.platform.services.get(ENROLLMENTS)
            assert isinstance(enrollments, InMemoryEnrollments)
            enrollments.enrol(UUID(me["id"]), self.course)
        await page.goto(f"{self.url}/chat/courses/{self.course}")
        await expect(page.locator("[data-room]")).to_have_attribute("data-state", "open")
        return page


@asynccontextmanager
async def opened(deploy: Deploy, browser: Browser, *, processes: int = 1) -> AsyncIterator[School]:
    async with proxying(("127.0.0.1", 1)) as proxy:
        server = {"development": True, "public_url": f"http://127.0.0.1:{proxy.port}"}
        names, fakes = ("web", "auth", "mail", "users", "chat"), (InMemoryEnrollmentsPlugin,)
        first = await deploy(*names, plugins=fakes, sections={"server": server})
        started = [first, *[await first.twin() for _ in range(processes - 1)]]
        course = taught(first).add(0)
        for process in started[1:]:
            taught(process)._offers.update(taught(first)._offers)
        school = School(browser, proxy, started, course)
        school.pass_to(first)
        yield school


def rooms(page: Page) -> str:
    """Return the path in the API of the room that *page* shows."""
    return f"/api/v1/chat/rooms/{page.url.rsplit('/', 1)[1]}"


def taught(process: Deployment) -> InMemoryCourses:
    found = process.platform.services.get(COURSES)
    assert isinstance(found, InMemoryCourses)
    return found


async def say(page: Page, text: str) -> None:
    await page.get_by_label("Your message").fill(text)
    await page.keyboard.press("Enter")


def texts(page: Page) -> Locator:
    return page.locator("[role=log] .text")


@pytest.mark.postgresql_only
async def test_two_people_talk_by_two_processes(deploy: Deploy, browser: Browser) -> None:
    """Each sees what the other says, and that the other is there; a lost connection comes back with what was missed."""
    async with opened(deploy, browser, processes=2) as school:
        ada = await school.comes("ada@example.org")
        school.pass_to(school.processes[1])
        ben = await school.comes("ben@example.org")

        await say(ada, "Good morning, Ben")
        await expect(texts(ben)).to_have_text(["Good morning, Ben"])
        await say(ben, "صباح الخير")
        await expect(texts(ada)).to_have_text(["Good morning, Ben", "صباح الخير"])
        await expect(ada.locator(".people")).to_have_text("2 people here")

        school.proxy.refusing = True
        school.proxy.reset()
        await expect(ada.locator("[data-room]")).to_have_attribute("data-state", "waiting")
        await say(ada, "Are you there?")
        school.proxy.refusing = False
        await expect(texts(ben)).to_have_text(["Good morning, Ben", "صباح الخير", "Are you there?"], timeout=30_000)
        await expect(ada.locator("[role=log] .pending")).to_have_count(0)


async def test_a_room_is_used_with_nothing_but_the_keyboard(deploy: Deploy, browser: Browser) -> None:
    """A message is written, answered and taken back, and whoever listens is told of each."""
    async with opened(deploy, browser) as school:
        page = await school.comes("ada@example.org")

        await page.get_by_label("Your message").focus()
        await page.keyboard.type("How do bees find back?")
        await page.keyboard.press("Enter")
        await expect(texts(page)).to_have_text(["How do bees find back?"])
        await page.get_by_role("button", name="Thumb up").focus()
        await page.keyboard.press("Enter")
        await expect(page.locator(".signs li")).to_have_text(["👍 1"])
        await page.get_by_role("button", name="Remove").focus()
        await page.keyboard.press("Enter")

        await expect(texts(page)).to_have_text(["This message was removed."])
        assert await page.get_by_role("log").get_attribute("aria-live") == "polite"


@pytest.mark.sqlite_only
async def test_removed_message_is_shown_nowhere(deploy: Deploy, browser: Browser) -> None:
    """Neither where it was quoted, nor to who comes later, nor by a history that was read before."""
    async with opened(deploy, browser) as school:
        page = await school.comes("ada@example.org")
        for words in ("secret", "fine"):
            await say(page, words)
        await page.get_by_role("button", name="Answer").first.click()
        await say(page, "an answer")
        await expect(page.locator("[role=log] .pending")).to_have_count(0)
        await expect(page.locator(".quoted").last).to_have_text("secret")

        later = await page.context.new_page()
        await later.route("**/messages?*", lambda route: _answer_late(route, page))
        await later.goto(page.url)

        await expect(page.locator(".quoted").last).to_have_text("This message was removed.")
        await expect(texts(later)).to_have_text(["This message was removed.", "fine", "an answer"])
        await later.unroute_all()
        await later.reload()
        await expect(texts(later)).to_have_text(["fine", "an answer"])


async def _answer_late(route: Route, page: Page) -> None:
    """Answer with what was there before the first message was removed on *page*."""
    answer = await route.fetch()
    await page.get_by_role("button", name="Remove").first.click()
    await expect(texts(page).first).to_have_text("This message was removed.")
    await asyncio.sleep(0.5)  # the news is there before the answer
    await route.fulfill(response=answer)


@pytest.mark.sqlite_only
async def test_all_see_one_order(deploy: Deploy, browser: Browser) -> None:
    """Also who wrote something while others were heard first."""
    async with opened(deploy, browser) as school:
        ada, ben = await school.comes("ada@example.org"), await school.comes("ben@example.org")
        school.proxy.refusing = True
        school.proxy.reset()
        await expect(ada.locator("[data-room]")).to_have_attribute("data-state", "waiting")
        await say(ada, "second")
        await expect(texts(ada)).to_have_text(["second"])
        room = UUID(ada.url.rsplit("/", 1)[1])
        chat = school.processes[0].platform.services.get(CHAT)
        ben_id = UUID(str(await ben.locator("[data-room]").get_attribute("data-me")))
        await chat.post(room, sender=ben_id, text="first", client_id="first")
        school.proxy.refusing = False

        for page in (ada, ben):
            await expect(texts(page)).to_have_text(["first", "second"], timeout=30_000)


@pytest.mark.sqlite_only
async def test_whoever_is_put_out_sees_nothing_more(deploy: Deploy, browser: Browser) -> None:
    """And is told."""
    async with opened(deploy, browser) as school:
        page = await school.comes("ada@example.org")
        admin = await administrator(school.processes[0])
        await say(page, "hello")
        await expect(page.locator("[role=log] .pending")).to_have_count(0)
        me = await page.locator("[data-room]").get_attribute("data-me")
        await admin.call("PUT", f"{rooms(page)}/members/{me}", {"banned": True})

        await expect(page.locator(".state")).to_have_text("You are not in this room any more.")
        await expect(page.locator("[role=log] li")).to_have_count(0)
        await expect(page.get_by_label("Your message")).to_be_hidden()


@pytest.mark.sqlite_only
async def test_sender_learns_what_became_of_what_was_held(deploy: Deploy, browser: Browser) -> None:
    """It is shown as waiting, also after a reload; what is refused is said to be."""
    async with opened(deploy, browser) as school:
        page = await school.comes("ada@example.org")
        admin = await administrator(school.processes[0])
        await admin.call("PUT", f"{rooms(page)}/rules", {"approval": True})
        for words in ("good", "bad"):
            await say(page, words)
        await expect(page.locator(".held .fate")).to_have_text(["It appears when it is approved."] * 2)

        await page.reload()
        await expect(texts(page)).to_have_text(["good", "bad"])
        await expect(page.locator(".held .fate")).to_have_text(["It appears when it is approved."] * 2)
        good, bad = (await admin.call("GET", f"{rooms(page)}/held"))["items"]
        await admin.call("POST", f"{rooms(page)}/held/{good['id']}/approve")
        await admin.call("POST", f"{rooms(page)}/held/{bad['id']}/refuse", {"reason": "rude"})
        await expect(page.locator("[role=log] li:not(.pending):not(.failed) .text")).to_have_text(["good"])
        await page.evaluate("window.dispatchEvent(new Event('focus'))")

        await expect(page.locator(".failed .fate")).to_have_text(["It was not approved."], timeout=30_000)


@pytest.mark.sqlite_only
async def test_thumb_is_put_up_and_taken_back(deploy: Deploy, browser: Browser) -> None:
    """By the same button, which says which it is, also after a reload; and quotes stay what they quote."""
    async with opened(deploy, browser) as school:
        page = await school.comes("ada@example.org")
        await say(page, "How do bees find back?")
        thumb = page.get_by_role("button", name="Thumb up").first
        await thumb.click()
        await expect(thumb).to_have_attribute("aria-pressed", "true")
        await page.get_by_role("button", name="Answer").click()
        await say(page, "By the sun")
        await expect(page.locator("[role=log] .pending")).to_have_count(0)

        await page.reload()
        await expect(page.locator(".quoted").last).to_have_text("How do bees find back?")
        await expect(thumb).to_have_attribute("aria-pressed", "true")
        await thumb.click()

        await expect(page.locator(".signs li")).to_have_count(0)
        await expect(thumb).to_have_attribute("aria-pressed", "false")


@pytest.mark.sqlite_only
async def test_what_was_seen_is_not_new_any_more(deploy: Deploy, browser: Browser) -> None:
    """The page says how far somebody has read."""
    async with opened(deploy, browser) as school:
        ada, ben = await school.comes("ada@example.org"), await school.comes("ben@example.org")
        await ben.goto(f"{school.url}/chat")
        await say(ada, "hello")
        await expect(ada.locator("[role=log] .pending")).to_have_count(0)
        await ben.reload()
        await expect(ben.locator(".rooms .fine")).to_have_text(["something new"])

        await ben.get_by_role("link", name="A course").click()
        await expect(texts(ben)).to_have_text(["hello"])
        await ben.wait_for_timeout(300)
        await ben.goto(f"{school.url}/chat")

        await expect(ben.locator(".rooms .fine")).to_have_text([""])


@pytest.mark.sqlite_only
async def test_server_that_falls_silent_is_noticed(deploy: Deploy, browser: Browser) -> None:
    """What was written goes by another connection."""
    async with opened(deploy, browser) as school:
        page = await school.comes("ada@example.org")
        school.proxy.silent()
        await say(page, "Are you there?")
        await expect(page.locator("[data-room]")).not_to_have_attribute("data-state", "open", timeout=20_000)
        school.proxy.passing()

        await expect(page.locator("[role=log] .pending")).to_have_count(0, timeout=30_000)
        await expect(texts(page)).to_have_text(["Are you there?"])


@pytest.mark.sqlite_only
async def test_room_comes_back_when_it_could_not_be_joined_for_a_moment(deploy: Deploy, browser: Browser) -> None:
    """What was said meanwhile is stored then."""
    async with opened(deploy, browser) as school:
        page = await school.comes("ada@example.org")
        standings = school.processes[0].platform.context("chat").own(Standings)
        find, left = standings.of, 3

        async def find_seldom(*arguments: Any) -> Any:
            nonlocal left
            left -= 1
            if left > 0:
                raise errors.DatabaseUnavailable("the database is gone")
            return await find(*arguments)

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(standings, "of", find_seldom)
            school.proxy.reset()
            await expect(page.locator("[data-room]")).to_have_attribute("data-state", "waiting")
            await say(page, "Are you there?")

            await expect(page.locator("[role=log] .pending")).to_have_count(0, timeout=30_000)
        await expect(texts(page)).to_have_text(["Are you there?"])
        assert left <= 0


@pytest.mark.sqlite_only
async def test_a_room_fits_a_phone(deploy: Deploy, browser: Browser) -> None:
    """Long words break, and nothing has to be scrolled sideways."""
    async with opened(deploy, browser) as school:
        page = await school.comes("ada@example.org", viewport=PHONE)
        await say(page, "Lepidoptera" * 30)
        await expect(texts(page)).to_have_count(1)

        assert await page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


@pytest.mark.sqlite_only
async def test_rooms_that_somebody_was_in_are_listed(deploy: Deploy, browser: Browser) -> None:
    """Each leads to its room; a stranger is sent away."""
    async with opened(deploy, browser) as school:
        page = await school.comes("ada@example.org")
        await page.goto(f"{school.url}/chat")
        await page.get_by_role("link", name="A course").click()

        await expect(page.get_by_role("heading", level=1)).to_have_text("A course")
        stranger = await (await browser.new_context()).new_page()
        answer = await stranger.goto(f"{school.url}/chat")
        assert answer is not None
        assert answer.status == 401
