"""What roles allow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def permissions_of(roles: Iterable[str], known: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """Return what *roles* allow together; one that no plugin knows of allows nothing."""
    return frozenset[str]().union(*(known.get(role, frozenset()) for role in roles))
