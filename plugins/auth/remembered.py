"""Credentials that this process has verified: the next time each costs a look into a dictionary."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from kernel import Principal

#: How many are remembered: about 1 KB each.
REMEMBERED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Known:
    """Whom a credential vouches for, and when it has to be looked at again."""

    principal: Principal
    expires: datetime


class Remembered:
    """Credentials of one kind, the oldest first."""

    def __init__(self) -> None:
        self._known: dict[str, Known] = {}
        self._of: dict[UUID, tuple[str, ...]] = {}  # of a session or an account; mostly one, for which a set is large

    def find(self, credential: str) -> Known | None:
        """Return what is known of *credential*."""
        return self._known.get(credential)

    def add(self, credential: str, known: Known) -> None:
        """Remember *credential*; forget the oldest where there are too many."""
        if credential in self._known:
            self.drop(credential)
        if len(self._known) >= REMEMBERED:
            self.drop(next(iter(self._known)))
        self._known[credential] = known
        for one in _concerned(known.principal):
            self._of[one] = (*self._of.get(one, ()), credential)

    def forget(self, changed: UUID) -> None:
        """Forget all credentials of the session or account *changed*."""
        for credential in self._of.get(changed, ()):
            self.drop(credential)

    def drop(self, credential: str) -> None:
        """Forget *credential*."""
        known = self._known.pop(credential)
        for one in _concerned(known.principal):
            others = tuple(other for other in self._of.pop(one) if other != credential)
            if others:
                self._of[one] = others


def _concerned(principal: Principal) -> set[UUID]:
    found = {principal.session, principal.id}
    return found if principal.actor is None else found | {principal.actor}
