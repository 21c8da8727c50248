"""The pages in a real browser: on a desk and on a phone, light and dark, with nothing but the keyboard."""

from __future__ import annotations

import itertools

import pytest
from playwright.async_api import Browser, Page

from kernel.testing.deploying import Deploy
from tests.browser.visiting import DESK, PHONE, visit


async def background(page: Page) -> list[int]:
    """Return red, green and blue of what is behind the page."""
    colour: str = await page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    return [int(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]


@pytest.mark.sqlite_only
async def test_pages_fit_the_screen(deploy: Deploy, browser: Browser) -> None:
    """Nothing has to be scrolled sideways, and the browser refuses nothing that a page asks for."""
    settings = {"mail": {"delivery": "mailbox"}}
    deployment = await deploy("web", "mail", "auth", settings=settings, sections={"server": {"development": True}})
    await deployment.client().call("POST", "/api/v1/auth/codes", {"email": "somebody.with.a.name@lyceum.example"})
    await deployment.settle()
    for path, viewport in itertools.product(("/", "/api/docs", "/-/mailbox", "/nothing"), (DESK, PHONE)):
        page, complaints = await visit(browser, f"{deployment.url}{path}", viewport=viewport)
        width = await page.evaluate("document.documentElement.scrollWidth")

        assert (path, width) == (path, viewport["width"])
        assert [one for one in complaints if "404" not in one] == []


@pytest.mark.sqlite_only
async def test_page_follows_the_light(deploy: Deploy, browser: Browser) -> None:
    """Who prefers dark colours gets a dark page."""
    deployment = await deploy("web")
    light, _ = await visit(browser, deployment.url, color_scheme="light")
    dark, _ = await visit(browser, deployment.url, color_scheme="dark")

    assert min(await background(light)) > 200
    assert max(await background(dark)) < 60


@pytest.mark.sqlite_only
async def test_keyboard_skips_to_the_content(deploy: Deploy, browser: Browser) -> None:
    """The first tab stop leads past the navigation."""
    deployment = await deploy("web")
    page, _ = await visit(browser, deployment.url)
    await page.keyboard.press("Tab")
    first = await page.evaluate("document.activeElement.className")
    await page.keyboard.press("Enter")

    assert first == "skip"
    assert await page.evaluate("document.activeElement.id") == "content"
