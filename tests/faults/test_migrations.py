"""Migrations up, down and up again (A42): tested for every plugin that has any. A broken one fails alone (A37)."""

from __future__ import annotations

from pathlib import Path

from kernel.discovery import Catalogue, load

TESTS = Path(__file__).parents[1] / "plugins"


def test_every_plugin_with_tables_has_its_revisions_tested_on_both_ends() -> None:
    """Each goes up, down to nothing and up again, and what comes of it is what the code expects."""
    catalogue = Catalogue.read()
    with_tables = [name for name in catalogue.bundled() if load(catalogue.any(name)).plugin.migrations() is not None]
    tested = {
        name: (TESTS / name / "test_migrations.py").read_text(encoding="utf-8").count("assert_revisions_make_exactly(")
        for name in with_tables
    }

    assert len(tested) >= 6
    assert {name: count for name, count in tested.items() if count < 2} == {}
