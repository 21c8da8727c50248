"""Static files: served for ever under a name that changes with their content."""

from __future__ import annotations

from pathlib import Path

import pytest

from kernel import errors, web
from kernel.web.assets import Assets
from kernel.web.parts import Part
from tests.kernel.web.serving import browsing, templates


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return templates(tmp_path / "static", {"look.css": "p { color: red }", "fonts/a.woff2": "font", "LICENSE": "free"})


def test_url_changes_with_the_content(folder: Path) -> None:
    """The same content has the same url, other content another."""
    before, same, after = Assets(), Assets(), Assets()
    before.add("shop", folder)
    same.add("shop", folder)
    (folder / "look.css").write_text("p { color: blue }")
    after.add("shop", folder)

    assert before.url("shop", "look.css") == same.url("shop", "look.css") != after.url("shop", "look.css")


async def test_file_is_served_for_ever_under_its_url(folder: Path) -> None:
    """Browsers may keep it without asking again, and take it for nothing but its type."""
    assets = Assets()
    assets.add("shop", folder)
    part = Part(plugin="shop", summary="", declarations=(web.StaticFiles(folder),))

    async with browsing([part]) as browser, browser.get(assets.url("shop", "look.css")) as answer:
        assert await answer.text() == "p { color: red }"
        assert answer.content_type == "text/css"
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_file_is_served_under_its_plain_name_too(folder: Path) -> None:
    """A style sheet may name a file beside it; browsers ask each time whether it is still the same."""
    part = Part(plugin="shop", summary="", declarations=(web.StaticFiles(folder),))

    async with browsing([part]) as browser:
        first = await browser.get("/static/shop/fonts/a.woff2")
        again = await browser.get("/static/shop/fonts/a.woff2", headers={"If-None-Match": first.headers["ETag"]})

    assert (first.status, first.headers["Cache-Control"], again.status) == (200, "public, no-cache", 304)


@pytest.mark.parametrize(
    "path", ["look.css/..%2f..%2fsecret", "..%2fsecret", "%2e%2e/secret", "fonts", "nothing.css", "LOOK.css"]
)
async def test_no_path_leads_out_of_the_folder(folder: Path, tmp_path: Path, path: str) -> None:
    """Only the files that were there at boot are served."""
    (tmp_path / "secret").write_text("secret")
    part = Part(plugin="shop", summary="", declarations=(web.StaticFiles(folder),))

    async with browsing([part]) as browser, browser.get(f"/static/shop/{path}") as answer:
        assert answer.status == 404


def test_unknown_file_is_named(folder: Path) -> None:
    """The message lists the files that are there."""
    assets = Assets()
    assets.add("shop", folder)

    with pytest.raises(
        LookupError, match=r"shop: there is no static file 'lok.css'; there are: LICENSE, fonts/a.woff2"
    ):
        assets.url("shop", "lok.css")


def test_missing_folder_is_refused(tmp_path: Path) -> None:
    """A plugin that declares a folder which is not there does not start."""
    with pytest.raises(errors.InvalidDeclaration, match=r"^shop: the folder of static files .*/none does not exist"):
        Assets().add("shop", tmp_path / "none")
