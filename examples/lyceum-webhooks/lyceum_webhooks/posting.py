"""One request to a receiver, and what came of it."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from time import monotonic
from typing import Final

import aiohttp
import msgspec
import yarl

from lyceum_webhooks.targets import Targets

EXCERPT: Final = 500  # bytes of a response that are read at all
LONGEST_ERROR: Final = 300  # characters
LONGEST_RETRY_AFTER: Final = 86_400.0  # seconds; a receiver may not put us off for ever
#: The receiver as a whole has too much to do, or is not there: another request would fare no better.
BUSY: Final = frozenset({None, 429, 502, 503, 504})


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one try."""

    status: int | None = None  #: None where there was no response
    milliseconds: int
    error: str = ""
    excerpt: str = ""
    retry_after: float = 0.0  #: seconds for which the receiver wants to be left alone

    @property
    def succeeded(self) -> bool:
        return self.status is not None and HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def gone(self) -> bool:
        """Return whether the receiver wants to be told of nothing any more."""
        return self.status == HTTPStatus.GONE

    @property
    def busy(self) -> bool:
        return self.status in BUSY


def client(targets: Targets, ca_file: str | None) -> aiohttp.ClientSession:
    """Return a client that connects to allowed addresses only, one connection for each request."""
    tls = ssl.create_default_context()
    if ca_file is not None:
        tls.load_verify_locations(ca_file)
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(socket_factory=targets.open_socket, force_close=True, limit=0, ssl=tls),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,  # a response is looked at, not read: a small one must not become a large one
        trust_env=False,  # a proxy would connect to wherever it is told to
    )


async def post(
    http: aiohttp.ClientSession, url: str, body: bytes, headers: Mapping[str, str], *, within: float, now: datetime
) -> Outcome:
    """Send *body* to *url* and return what came of it, whatever that is."""
    began = monotonic()
    try:
        async with http.post(
            yarl.URL(url),
            data=body,
            headers=headers,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=within),
        ) as response:
            excerpt = await response.content.read(EXCERPT)
            response.close()  # the rest is never read
            return Outcome(
                status=response.status,
                milliseconds=_since(began),
                error=_refusal(response.status),
                excerpt=_plain(excerpt.decode(errors="replace")),
                retry_after=seconds_of(response.headers.get("Retry-After", ""), now),
            )
    except (aiohttp.ClientError, OSError, ValueError) as error:
        reason = f"no response within {within:g} s" if isinstance(error, TimeoutError) else str(error)
        return Outcome(milliseconds=_since(began), error=_plain(reason or type(error).__name__)[:LONGEST_ERROR])


def seconds_of(retry_after: str, now: datetime) -> float:
    """Return the seconds that the header Retry-After asks to wait: 0 where it can not be read, a day at most."""
    seconds = 0.0
    if retry_after.isdecimal():
        seconds = float(retry_after)  # of however many digits
    else:
        with suppress(ValueError):
            moment = parsedate_to_datetime(retry_after)
            seconds = (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds()
    return min(max(0.0, seconds), LONGEST_RETRY_AFTER)


def _plain(text: str) -> str:
    """Return *text* as a database can hold it: PostgreSQL knows no zero bytes."""
    return text.replace("\x00", "�")


def _refusal(status: int) -> str:
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return ""
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return f"it answered {status}; a redirect is not followed: change the endpoint's URL"
    return f"it answered {status}"


def _since(began: float) -> int:
    return round((monotonic() - began) * 1000)
