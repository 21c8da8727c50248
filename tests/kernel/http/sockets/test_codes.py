"""The close codes, as clients' authors read of them."""

from __future__ import annotations

import re
from pathlib import Path

from kernel import CloseCode

DOCUMENT = Path(__file__).parents[4] / "docs" / "websockets.md"


def test_every_close_code_is_documented_with_what_to_do() -> None:
    """Each once, with its name; none that is not there."""
    rows = re.findall(
        r"^\| (\d{4}) \| `(\w+)` \| [^|]+ \| [^|]+ \|$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE
    )

    assert rows == [(str(int(code)), code.name) for code in CloseCode]
