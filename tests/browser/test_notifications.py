"""People look at their tray, and choose which mails they get."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect

from kernel.testing.deploying import Deploy
from tests.browser.test_chat import ASK, ENTER
from tests.browser.visiting import DESK, PHONE

pytestmark = pytest.mark.sqlite_only


async def test_tray_shows_what_is_new_once(deploy: Deploy, browser: Browser) -> None:
    """And keeps which mails somebody wants; on a phone as on a desk."""
    settings = {"notifications": {"look_every": 0.1}}
    names = ("web", "auth", "mail", "users", "notifications")
    deployment = await deploy(*names, settings=settings, sections={"server": {"development": True}})
    page = await (await browser.new_context(viewport=DESK)).new_page()  # type: ignore[arg-type]
    await page.goto(deployment.url)
    asked = await page.evaluate(ASK, "ada@example.org")
    code = await deployment.mailbox.code("ada@example.org")
    assert await page.evaluate(ENTER, {"challenge_id": asked["challenge_id"], "code": code}) == 201
    await deployment.mailbox.next("ada@example.org")

    await page.goto(f"{deployment.url}/notifications")
    await expect(page.locator(".tray .unread h2")).to_have_text(["Welcome to Lyceum new"])
    await page.get_by_label("Mentions in rooms").uncheck()
    await expect(page.get_by_role("status")).to_have_text("Kept.")
    await page.reload()

    await expect(page.locator(".tray .unread")).to_have_count(0)
    await expect(page.locator(".tray li")).to_have_count(1)
    await expect(page.get_by_label("Mentions in rooms")).not_to_be_checked()
    await expect(page.get_by_label("Purchases")).to_be_checked()
    await page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    assert await page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
