"""People look at their tray, and choose which mails they get."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Browser, expect

from kernel.testing.deploying import Deploy
from tests.browser.test_chat import ASK, ENTER
from tests.browser.visiting import DESK, PHONE

pytestmark = pytest.mark.sqlite_only


async def test_tray_shows_what_is_new_once(deploy: Deploy, browser: Browser) -> None:
    """Counts it on every page, and keeps what somebody wants; on a phone as on a desk."""
    settings = {"notifications": {"look_every": 0.1}}
    names = ("web", "auth", "mail", "users", "notifications")
    deployment = await deploy(*names, settings=settings, sections={"server": {"development": True}})
    page = await (await browser.new_context(viewport=DESK)).new_page()  # type: ignore[arg-type]
    await page.goto(deployment.url)
    asked = await page.evaluate(ASK, "ada@example.org")
    code = await deployment.mailbox.code("ada@example.org")
    assert await page.evaluate(ENTER, {"challenge_id": asked["challenge_id"], "code": code}) == 201
    mail = await deployment.mailbox.next("ada@example.org")

    await page.goto(deployment.url)
    await expect(page.locator("[data-unread]")).to_have_text("● 1 unread notifications")
    await page.goto(f"{deployment.url}/notifications")
    await expect(page.locator(".tray .unread h2")).to_have_text(["Welcome to Lyceum new"])
    mentions = page.get_by_role("group", name="Mentions in rooms").get_by_label("By mail")
    await mentions.select_option("daily")
    await expect(page.locator("#state")).to_have_text("Kept.")
    await page.get_by_label("Nothing comes from").fill("22:00")
    await page.get_by_label("until").fill("07:30")
    await page.get_by_label("Time zone").fill("Middle/Earth")
    await page.get_by_role("button", name="Keep").click()
    await expect(page.locator("#kept")).to_contain_text("time_zone is no time zone")
    await page.get_by_label("Time zone").fill("Europe/Berlin")
    await page.get_by_role("button", name="Keep").click()
    await expect(page.locator("#kept")).to_have_text("Kept.")
    await expect(page.locator("[data-unread]")).to_be_hidden()
    await page.reload()

    await expect(page.locator(".tray .unread")).to_have_count(0)
    await expect(page.locator(".tray li")).to_have_count(1)
    await expect(mentions).to_have_value("daily")
    await expect(page.get_by_role("group", name="Purchases").get_by_label("By mail")).to_have_value("now")
    await expect(page.get_by_label("until")).to_have_value("07:30")
    await page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    assert await page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]

    link = re.search(r"http\S+/notifications/unsubscribe/\S+", mail.text)
    assert link is not None
    stranger = await (await browser.new_context(viewport=PHONE)).new_page()  # type: ignore[arg-type]
    await stranger.goto(link.group())
    await expect(stranger.locator("main li")).to_have_text(["Welcome"])
    await stranger.get_by_role("button", name="Unsubscribe").click()
    await expect(stranger.get_by_role("status")).to_have_text("Done. You get no more of it.")
    await page.reload()
    welcome = page.get_by_role("group", name="Welcome").get_by_label("By mail")
    await expect(welcome).to_have_value("never")


async def test_people_follow_who_teaches(deploy: Deploy, browser: Browser) -> None:
    """By a button on their page, which says whether one does; not oneself."""
    names = ("web", "auth", "mail", "users", "notifications")
    deployment = await deploy(*names, sections={"server": {"development": True}})
    teacher = await deployment.sign_in("eva@example.org", roles=("instructor",))
    await deployment.settle()
    page = await (await browser.new_context(viewport=PHONE)).new_page()  # type: ignore[arg-type]
    await page.goto(f"{deployment.url}/instructors/{teacher.user}")
    await expect(page.locator("[data-follow]")).to_have_count(0)
    asked = await page.evaluate(ASK, "ada@example.org")
    code = await deployment.mailbox.code("ada@example.org")
    assert await page.evaluate(ENTER, {"challenge_id": asked["challenge_id"], "code": code}) == 201

    await page.reload()
    await page.get_by_role("button", name="Follow", pressed=False).click()
    await expect(page.get_by_role("button", name="Following", pressed=True)).to_be_visible()
    await page.reload()
    await page.get_by_role("button", name="Following", pressed=True).click()

    await expect(page.get_by_role("button", name="Follow", exact=True, pressed=False)).to_be_visible()
