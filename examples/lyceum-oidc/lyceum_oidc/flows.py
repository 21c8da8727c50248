"""Sign-ins under way: begun in one browser, and ended in that one, once."""

from __future__ import annotations

import base64
import re
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

import msgspec
import sqlalchemy as sa
from aiohttp import web
from sqlalchemy import bindparam

from kernel import Context, Cookie
from kernel.database import Command, Query, Timestamp
from lyceum_oidc.settings import OidcSettings
from lyceum_oidc.tables import flows

LIFE: Final = timedelta(minutes=10)
SWEEP_EVERY: Final = 600.0  # seconds
LONGEST_TARGET: Final = 500  # characters
HOME: Final = "/"

_VALUE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
#: Letters of a path and a query that no browser reads as anything else; a backslash some read as a slash.
_PATH: Final = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*")
_NOW: Final = bindparam("now", type_=Timestamp())


class Flow(msgspec.Struct, frozen=True):
    """What was remembered while the browser was away."""

    provider: str
    target: str
    user_id: UUID | None


@dataclass(frozen=True, kw_only=True)
class Proofs:
    """What goes to the provider, and proves when it comes back that it was us who sent the browser."""

    state: str
    nonce: str
    verifier: str  #: of PKCE: only its digest travels by the browser


BEGIN: Final = Command(sa.insert(flows).values({column.name: bindparam(column.name) for column in flows.c}))
#: Whoever takes a flow is the only one; of another browser's, nothing is found and nothing taken.
TAKE: Final = Query(
    sa.delete(flows)
    .where(
        flows.c.state_digest == bindparam("state"),
        flows.c.browser_digest == bindparam("browser"),
        flows.c.expires_at > _NOW,
    )
    .returning(*(flows.c[name] for name in Flow.__struct_fields__)),
    Flow,
)
SWEEP: Final = Command(sa.delete(flows).where(flows.c.expires_at <= _NOW))
#: So that nobody is linked to an account that is being erased.
FORGET_FLOWS: Final = Command(sa.delete(flows).where(flows.c.user_id == bindparam("person")))


class Flows:
    """Begins sign-ins and takes them up again."""

    def __init__(self, ctx: Context[OidcSettings]) -> None:
        self._ctx = ctx
        self._https = ctx.deployment.public_url.startswith("https:")
        self._cookie = "__Host-lyceum-oidc" if self._https else "lyceum-oidc"

    async def begin(
        self, http: web.Request, provider: str, target: str, user_id: UUID | None = None
    ) -> tuple[Proofs, Cookie]:
        """Return what is to be sent to *provider*, and the cookie by which the browser is known again.

        Two sign-ins in two tabs of one browser share the cookie.
        """
        known = http.cookies.get(self._cookie, "")
        browser = known if _VALUE.fullmatch(known) else secrets.token_urlsafe(32)
        state = secrets.token_urlsafe(32)
        await self._ctx.db.run(
            BEGIN,
            state_digest=self._digest("state", state),
            browser_digest=self._digest("browser", browser),
            provider=provider,
            target=safe_target(target),
            user_id=user_id,
            expires_at=self._ctx.clock.now() + LIFE,
        )
        seconds = int(LIFE.total_seconds())
        return self.proofs(state), Cookie(self._cookie, browser, max_age=seconds, secure=self._https)

    async def take(self, http: web.Request, state: str) -> Flow | None:
        """Return what this browser began with *state*; None where it did not, or not lately, or has ended it before."""
        browser = http.cookies.get(self._cookie, "")
        if not (_VALUE.fullmatch(state) and _VALUE.fullmatch(browser)):
            return None
        digests = {"state": self._digest("state", state), "browser": self._digest("browser", browser)}
        return await self._ctx.db.first(TAKE, **digests, now=self._ctx.clock.now())

    async def sweep(self) -> None:
        """Forget what nobody ended in time."""
        await self._ctx.db.run(SWEEP, now=self._ctx.clock.now())

    def proofs(self, state: str) -> Proofs:
        """Return the proofs that belong to *state*: made by a key that lies outside the database, and not stored."""
        return Proofs(
            state=state,
            nonce=_text(self._digest("nonce", state)),
            verifier=_text(self._digest("verifier", state)),
        )

    def _digest(self, purpose: str, value: str) -> bytes:
        return self._ctx.secrets.digest(f"oidc-{purpose}", value.encode())


def safe_target(target: str) -> str:
    """Return *target* if it is a path of ours, and the home page if it might lead anywhere else."""
    if len(target) > LONGEST_TARGET or not _PATH.fullmatch(target) or target.startswith("//"):
        return HOME
    try:
        parts = urlsplit(target)
    except ValueError:
        return HOME
    return HOME if parts.scheme or parts.netloc else target


def _text(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
