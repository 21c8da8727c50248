"""The headers that answers of the API and of the site have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_TWO_YEARS: Final = 2 * 365 * 24 * 60 * 60  # seconds

#: Of every answer: aiohttp would tell its own version, and Python's.
SERVER: Final[Mapping[str, str]] = {"Server": "Lyceum"}

#: Of every HTML page, beside its Content-Security-Policy.
PAGE: Final[Mapping[str, str]] = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    **SERVER,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

#: Of every answer of a deployment that is reached by https: come by nothing else from now on.
HTTPS_ONLY: Final[Mapping[str, str]] = {"Strict-Transport-Security": f"max-age={_TWO_YEARS}; includeSubDomains"}
