"""What roles allow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def permissions_of(roles: Iterable[str], known: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """Return what *roles* allow together; one that no plugin knows of allows nothing."""
    return frozenset[str]().union(*(known.get(role, frozenset()) for role in roles))


class Rights:
    """What roles allow, worked out once for each combination that occurs: all who have it share one set."""

    def __init__(self, known: Mapping[str, frozenset[str]]) -> None:
        self._known = known
        self._found: dict[frozenset[str], tuple[frozenset[str], frozenset[str]]] = {}

    def of(self, roles: frozenset[str]) -> tuple[frozenset[str], frozenset[str]]:
        """Return *roles* and what they allow together."""
        found = self._found.get(roles)
        if found is None:
            found = self._found[roles] = (roles, permissions_of(roles, self._known))
        return found
