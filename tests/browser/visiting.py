"""Pages as a browser shows them."""

from __future__ import annotations

from playwright.async_api import Browser, Page

DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


async def visit(browser: Browser, url: str, **options: object) -> tuple[Page, list[str]]:
    """Open *url*; return the page and whatever the browser complained of."""
    context = await browser.new_context(**options)  # type: ignore[arg-type]
    page, complaints = await context.new_page(), list[str]()
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.goto(url)
    return page, complaints
