"""The headers that keep a page from doing what its author did not write."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from kernel.http.headers import HTTPS_ONLY, SERVER

#: Everything comes from this host; scripts and styles are files of ours, or bear the nonce of this one answer.
_POLICY: Final = (
    "default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data:; "
    "media-src 'self'; font-src 'self'; connect-src 'self'; manifest-src 'self'; form-action 'self'; "
    "base-uri 'none'; object-src 'none'; frame-ancestors 'none'"
)

_ALWAYS: Final = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    **SERVER,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_BY_HTTPS: Final = {**_ALWAYS, **HTTPS_ONLY}


def secure(response: web.StreamResponse, *, nonce: str, https: bool) -> None:
    """Give *response* the security headers of an HTML page; what its handler set itself stays."""
    response.headers.setdefault("Content-Security-Policy", _POLICY.format(nonce=nonce))
    for name, value in (_BY_HTTPS if https else _ALWAYS).items():
        response.headers.setdefault(name, value)
