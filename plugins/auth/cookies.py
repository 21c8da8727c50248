"""The cookie of a browser, and the proof that a page of ours sent it.

The cookie is 256 random bits that say nothing; the database has their digest alone. A browser adds the cookie whoever
makes it send a request, so a request that changes something also bears a token, which only who can read our answers
knows. The token is made from the session and a key that lies outside the database, so nothing of it is stored.

A second cookie, as random, lets nobody in. It stays in the browser when a session ends, so that a later sign-in is
known to come from the same device.
"""

from __future__ import annotations

import base64
import hmac
import re
import secrets
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

from aiohttp import web

from kernel import Context, Cookie, problems
from plugins.auth.devices import LIFE
from plugins.auth.settings import AuthSettings

HEADER: Final = "X-CSRF-Token"
#: Which a browser keeps to https, to this host alone and to no path.
NAME: Final = "__Host-lyceum"
#: Where development is reached by plain http, in which browsers accept neither the prefix nor `Secure`.
PLAIN_NAME: Final = "lyceum"
#: What the name of the cookie that a device is known by has beside that of the session's.
DEVICE: Final = "-device"

_BYTES: Final = 32
_VALUE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
#: What a form of another site can send without asking.
_FORMS: Final = frozenset({"application/x-www-form-urlencoded", "multipart/form-data", "text/plain"})


class Cookies:
    """Makes cookies, and finds and checks them in requests."""

    def __init__(self, ctx: Context[AuthSettings]) -> None:
        self._secrets = ctx.secrets
        url = urlsplit(ctx.deployment.public_url)
        self._https = url.scheme == "https"
        self._usable = self._https or _is_loopback(url.hostname or "")
        self._name = NAME if self._https else PLAIN_NAME
        self._device_name = self._name + DEVICE

    def require_usable(self) -> None:
        """Refuse to put a session into a cookie that others could read on its way.

        Raises:
            problems.Conflict: the deployment is reached by plain http, and not on this machine.
        """
        if not self._usable:
            raise problems.Conflict("Sessions in cookies need https: set [server] public_url to an https address.")

    def new(self) -> str:
        """Return a new value."""
        return secrets.token_urlsafe(_BYTES)

    def digest(self, value: str) -> bytes:
        """Return what is stored of *value*."""
        return self._secrets.digest("session-cookie", value.encode())

    def value(self, http: web.Request) -> str | None:
        """Return the value that came with the request, None for none and for what is none of ours."""
        return _sent(http, self._name)

    def cookie(self, value: str, seconds: int) -> Cookie:
        """Return the cookie that a browser is to keep for *seconds*; 0 deletes it."""
        return Cookie(self._name, value, max_age=seconds, secure=self._https)

    def device(self, http: web.Request) -> str:
        """Return what the browser that sent the request is known by at sign-ins; a new value where it had none."""
        return _sent(http, self._device_name) or self.new()

    def device_cookie(self, value: str) -> Cookie:
        """Return the cookie by which the browser is to be known from now on."""
        return Cookie(self._device_name, value, max_age=int(LIFE.total_seconds()), secure=self._https)

    def csrf_token(self, session: UUID) -> str:
        """Return the token that changes in *session* must bear."""
        digest = self._secrets.digest("csrf-token", session.bytes)
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def check(self, http: web.Request, session: UUID) -> None:
        """Refuse a change in *session* that a page of ours did not send.

        Raises:
            problems.Forbidden: it bears no token, or not that of the session.
            problems.UnsupportedMediaType: it comes from a form, which no page of ours sends.
        """
        if http.method in _SAFE:
            return
        given = http.headers.get(HEADER, "").encode(errors="surrogateescape")
        if not hmac.compare_digest(given, self.csrf_token(session).encode()):
            raise problems.Forbidden(f"Send the token of GET /api/v1/auth/csrf as {HEADER}.")
        if "Content-Type" in http.headers and http.content_type in _FORMS:
            raise problems.UnsupportedMediaType(f"It is {http.content_type!r}.")


def _sent(http: web.Request, name: str) -> str | None:
    if "Cookie" not in http.headers:
        return None
    value = http.cookies.get(name, "")
    return value if _VALUE.fullmatch(value) else None


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
