"""A real browser, for the tests of pages."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

FLAGS = (
    "--no-sandbox",  # root in a container has no other way
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


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
