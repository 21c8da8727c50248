"""The reference leaves nothing out, and the chapters for authors name every hook."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import kernel
import kernel.database
from docs.reference import REFERENCE, bundled, pages
from kernel import Plugin
from kernel.discovery import Catalogue
from kernel.plugin import PROJECT
from kernel.testing.deploying import Deploy
from kernel.testing.event_schemas import committed
from kernel.web import declarations

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def reference() -> dict[str, str]:
    """The pages by their paths."""
    return dict(pages())


def hooks() -> list[str]:
    return [name for name, member in vars(Plugin).items() if hasattr(member, f"{PROJECT}_spec")]


def test_every_hook_has_a_page_with_its_signature(reference: dict[str, str]) -> None:
    """And an example that is in use, unless no bundled plugin needs the hook."""
    for hook in hooks():
        page = reference[f"hooks/{hook}"]
        assert f"def {hook}(self" in page
        assert "@hookimpl" in page or "No bundled plugin needs it." in page


def test_every_hook_has_a_chapter() -> None:
    """What it is for, in words, with an example."""
    chapters = re.findall(r"^### (\w+)$", (DOCS / "plugins.md").read_text(encoding="utf-8"), re.MULTILINE)

    assert set(hooks()) <= set(chapters)


def test_every_capability_has_a_page(reference: dict[str, str]) -> None:
    """Of whatever a bundled plugin provides, requires or wants, with the methods of its Protocol."""
    named = {
        one.name
        for found in bundled().values()
        for one in (*found.manifest.provides, *found.manifest.requires, *found.manifest.wants)
    }

    assert {f"capabilities/{name}" for name in named} <= reference.keys()
    assert "async def charge(self, purchase_id: UUID" in reference["capabilities/payments"]
    assert "InsufficientFunds: the person has less" in reference["capabilities/payments"]


def test_every_name_that_plugins_import_is_described(reference: dict[str, str]) -> None:
    """With its parameters, its fields or its value, and what it is for."""
    for page, module in (("kernel", kernel), ("kernel.database", kernel.database), ("kernel.web", declarations)):
        found = dict(re.findall(r"^## (\w+)\n\n(.*?)(?=^## |\Z)", reference[f"api/{page}"], re.MULTILINE | re.DOTALL))
        assert {name for name in module.__all__ if not found.get(name, "").strip()} == set()
    assert "extensions: Mapping[str, object] | None = None" in reference["api/errors"]


def test_what_a_contract_says_over_http_is_described(reference: dict[str, str]) -> None:
    """Bodies with their fields, and constants with their values."""
    page = reference["capabilities/payments"]

    assert "## NewVoucherBatch" in page
    assert "`MAX_AMOUNT` = `1000000000000`" in page
    assert "'not-yet-valid'" in page


def test_what_is_said_of_a_field_stands_in_its_row(reference: dict[str, str]) -> None:
    """Whether it is written behind the field or above it; and so it is with the members of an enumeration."""
    page = reference["capabilities/auth"]

    assert "| `new` | `bool` | yes | whether the account was made now |" in page
    assert (
        "| `adopts` | `bool` | no | Whether the address alone leads to an account that is there. False unless" in page
    )
    assert "- `TRY_LATER` (`1013`): the plugin rests after failures\n" in reference["api/kernel"]


def test_every_event_has_a_page(reference: dict[str, str]) -> None:
    """Each of which a schema is committed."""
    assert {f"events/{name}" for name in committed()} == {
        path for path in reference if path.startswith("events/") and path != "events/index"
    }


async def test_every_permission_and_problem_type_is_listed(reference: dict[str, str], deploy: Deploy) -> None:
    """Each that a deployment with all bundled plugins knows of."""
    deployment = await deploy(*Catalogue.read().bundled())
    async with deployment.client().request("GET", "/problems") as answer:
        told = await answer.text()

    permissions = {name for granted in deployment.platform.assembly.roles.values() for name in granted}
    assert {name for name in permissions if f"`{name}`" not in reference["permissions"]} == set()
    types = set(re.findall(r'id="([a-z-]+)"', told))
    assert "insufficient-funds" in types
    assert {name for name in types if f"`{name}`" not in reference["problems"]} == set()


def test_index_names_every_document() -> None:
    """No page lies about that nobody finds."""
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    own = {file.stem for file in DOCS.glob("*.md")} - {"index"}

    assert {name for name in own if not re.search(rf"^{name}$", index, re.MULTILINE)} == set()
    assert REFERENCE.name in index
