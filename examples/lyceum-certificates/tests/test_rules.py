"""The plugin keeps the rules of the house."""

from __future__ import annotations

from pathlib import Path

import pytest

from kernel.cli.console import Console
from kernel.testing.conformance import check_plugin


def test_plugin_keeps_the_rules_of_the_house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `lyceum plugins check certificates` says."""
    monkeypatch.chdir(tmp_path)

    broken = [verdict for verdict in check_plugin(Console(), "certificates") if verdict.verdict != "kept"]

    assert broken == []
