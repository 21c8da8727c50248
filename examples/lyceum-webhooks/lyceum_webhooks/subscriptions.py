"""Which events an endpoint is told of: names, and patterns that end with a star."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from typing import Annotated, Final

import msgspec

ALL: Final = "*"

#: `*`, a name such as `courses.lesson_added.v1`, or its beginning as in `courses.*`.
Pattern = Annotated[str, msgspec.Meta(max_length=200, pattern=r"^(\*|[a-z0-9_]+(\.[a-z0-9_]+)*(\.\*)?)$(?!\n)")]


def matches(pattern: str, kind: str) -> bool:
    """Return whether *pattern* is for events whose wire name is *kind*."""
    if pattern.endswith(ALL):
        return kind.startswith(pattern.removesuffix(ALL))
    return pattern == kind


def wanted(patterns: Iterable[str], kind: str) -> bool:
    """Return whether one of *patterns* is for events whose wire name is *kind*."""
    return any(matches(pattern, kind) for pattern in patterns)


def check_patterns(patterns: Iterable[str], known: Collection[str]) -> None:
    """Refuse patterns that are for nothing that is *known*.

    Raises:
        ValueError: which one, and what may have been meant.
    """
    for pattern in patterns:
        if not any(matches(pattern, kind) for kind in known):
            close = difflib.get_close_matches(pattern, known, n=1)
            remedy = f"did you mean '{close[0]}'?" if close else "GET /webhooks/event-types lists them"
            raise ValueError(f"no plugin that is on publishes '{pattern}'; {remedy}")
