"""Links: where people who did not sign in can end what they are sent. They are good for ever."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from kernel import Context

PATH: Final = "/api/v1/notifications/unsubscribe/"
PAGE: Final = "/notifications/unsubscribe/"
_DIGITS: Final = 32  # of the code at the end, in hexadecimal: 128 bits


@dataclass(frozen=True, kw_only=True)
class Ending:
    """What a link ends: some kinds for one person on one channel."""

    person: UUID
    channel: str
    kinds: tuple[str, ...]


class Links:
    """Makes and reads what stands at the end of a link: what it ends, and a code that nobody else can make."""

    def __init__(self, ctx: Context[Any]) -> None:
        self._secrets = ctx.secrets
        self._address = ctx.deployment.public_url

    def unsubscribe(self, token: str) -> str:
        """Return the address that takes a POST."""
        return f"{self._address}{PATH}{token}"

    def page(self, token: str) -> str:
        """Return the address that a person opens."""
        return f"{self._address}{PAGE}{token}"

    def token(self, person: UUID, channel: str, kinds: Iterable[str]) -> str:
        """Return what stands for ending *kinds*."""
        told = f"{person.hex}.{channel}.{'~'.join(sorted(kinds))}"
        return f"{told}.{self._code(told)}"

    def read(self, token: str) -> Ending | None:
        """Return what *token* ends, None for one that we did not make."""
        told, _, code = token.rpartition(".")
        if not hmac.compare_digest(code.encode(), self._code(told).encode()):
            return None
        person, channel, kinds = told.split(".")
        return Ending(person=UUID(person), channel=channel, kinds=tuple(kinds.split("~")))

    def _code(self, told: str) -> str:
        return self._secrets.digest("unsubscribe", told.encode()).hex()[:_DIGITS]
