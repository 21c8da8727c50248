"""A whole plugin is small: with settings, table, revision, permission, price rule, route and event handler."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import lyceum_earlybird

#: Lines that are neither blank nor an import, of everything but the tests.
MOST: Final = 60


def test_plugin_is_at_most_sixty_lines() -> None:
    """Whoever adds one finds another to take away."""
    files = Path(str(lyceum_earlybird.__file__)).parent.rglob("*.py")
    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]

    counted = [line for line in lines if line.strip() and not line.startswith(("import ", "from "))]

    assert 0 < len(counted) <= MOST
