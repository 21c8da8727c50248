"""The headers that keep a page from doing what its author did not write."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from kernel.http.headers import HTTPS_ONLY, PAGE

#: Everything comes from this host; scripts and styles are files of ours, or bear the nonce of this one answer.
_POLICY: Final = (
    "default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data:; "
    "media-src 'self'; font-src 'self'; connect-src 'self'; manifest-src 'self'; form-action 'self'; "
    "base-uri 'none'; object-src 'none'; frame-ancestors 'none'"
)

_BY_HTTPS: Final = {**PAGE, **HTTPS_ONLY}


def secure(response: web.StreamResponse, *, nonce: str, https: bool) -> None:
    """Give *response* the security headers of an HTML page; what its handler set itself stays."""
    response.headers.setdefault("Content-Security-Policy", _POLICY.format(nonce=nonce))
    for name, value in (_BY_HTTPS if https else PAGE).items():
        response.headers.setdefault(name, value)
