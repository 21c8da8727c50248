"""People search with a form: by words, with filters and suggestions, on a desk and on a phone."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect

from kernel.testing.deploying import Deploy
from tests.browser.visiting import DESK, PHONE, visit
from tests.plugins.search.library import Library, ShelfPlugin, book

pytestmark = pytest.mark.sqlite_only


async def opened(deploy: Deploy) -> Library:
    server = {"development": True}
    library = Library(
        await deploy(
            "web",
            "search",
            plugins=[ShelfPlugin],
            settings={"search": {"index_every": 0.1}},
            sections={"server": server},
        )
    )
    await library.put(
        book("Organic chemistry", category="science", level="beginner", summary="Carbon and its friends.", code="CH-1"),
        book("Chemistry for cooks", category="food", level="beginner", rating=4.5),
        book("كيمياء", category="science", language="ar", summary="مقدمة في الكيمياء"),
        *(book(f"Knots {number}", category="sea") for number in range(25)),
    )
    return library


async def test_words_filters_and_pages(deploy: Deploy, browser: Browser) -> None:
    """What is chosen stands in the address, so it can be passed on; nothing of it needs a script."""
    library = await opened(deploy)
    page, complaints = await visit(
        browser, f"{library.deployment.url}/search", viewport=DESK, java_script_enabled=False
    )

    await page.get_by_label("What are you looking for?").fill("chemistry ")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=3)).to_have_text(["Chemistry for cooks", "Organic chemistry"])
    await expect(page.get_by_role("status")).to_have_text("2 found")
    await page.get_by_text("Filters and order").click()
    await page.get_by_role("checkbox", name="food").check()
    await page.get_by_role("button", name="Apply").click()
    await expect(page.get_by_role("heading", level=3)).to_have_text(["Chemistry for cooks"])
    await expect(page.get_by_role("checkbox", name="food")).to_be_checked()
    await expect(page.get_by_role("checkbox", name="science")).not_to_be_checked()

    await page.goto(f"{library.deployment.url}/search?q=knots+")
    await expect(page.get_by_role("heading", level=3)).to_have_count(20)
    await page.get_by_role("link", name="More").click()
    await expect(page.get_by_role("heading", level=3)).to_have_count(5)
    await page.goto(f"{library.deployment.url}/search?q=chemisrty+")
    await expect(page.get_by_text("Nothing has")).to_contain_text("chemisrty")
    await page.goto(f"{library.deployment.url}/search?q=xqzvkw")
    await expect(page.get_by_role("status")).to_have_text("Nothing was found")
    assert complaints == []


async def test_suggestions_come_while_somebody_types(deploy: Deploy, browser: Browser) -> None:
    """Each a title."""
    library = await opened(deploy)
    page, complaints = await visit(browser, f"{library.deployment.url}/search", viewport=DESK)

    await page.get_by_label("What are you looking for?").press_sequentially("chem")

    await expect(page.locator("datalist option")).to_have_count(2)
    assert complaints == []


async def test_it_fits_a_phone(deploy: Deploy, browser: Browser) -> None:
    """And what can not be read is refused with a page."""
    library = await opened(deploy)
    page, _ = await visit(browser, f"{library.deployment.url}/search?q=", viewport=PHONE)
    assert await page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]

    answer = await page.goto(f"{library.deployment.url}/search?min_rating=much")
    assert answer is not None
    assert answer.status == 400
