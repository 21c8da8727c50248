"""The pages in a real browser: on a desk and on a phone, light and dark, with nothing but the keyboard."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright

from kernel.testing.deploying import Deploy

FLAGS = (
    "--no-sandbox",  # root in a container has no other way
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


@pytest_asyncio.fixture
async def browser() -> AsyncIterator[Browser]:
    """A headless Chromium, which the machine has to have: it is installed as `chromium` or its headless shell."""
    program = shutil.which("chromium") or shutil.which("chromium-headless-shell")
    if program is None:
        pytest.skip("Chromium is missing: apt-get install chromium-headless-shell")
    async with async_playwright() as playwright:
        found = await playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        yield found
        await found.close()


async def visit(browser: Browser, url: str, **options: object) -> tuple[Page, list[str]]:
    """Open *url*; return the page and whatever the browser complained of."""
    context = await browser.new_context(**options)  # type: ignore[arg-type]
    page, complaints = await context.new_page(), list[str]()
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.goto(url)
    return page, complaints


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
