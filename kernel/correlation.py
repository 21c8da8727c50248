"""Which request or event the running code belongs to, so that events can say what caused them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from uuid import UUID

from kernel.ids import new_id


@dataclass(frozen=True, slots=True)
class Cause:
    """The story (*correlation*) and the event that led here (*causation*), if one did."""

    correlation: UUID
    causation: UUID | None = None


_cause: ContextVar[Cause | None] = ContextVar("cause", default=None)


def set_cause(cause: Cause | None) -> None:
    """Make *cause* the cause of everything that this task does from now on."""
    _cause.set(cause)


@contextmanager
def caused_by(cause: Cause) -> Iterator[None]:
    """Make *cause* the cause of what happens in the block."""
    token = _cause.set(cause)
    try:
        yield
    finally:
        _cause.reset(token)


def current_cause() -> Cause:
    """Return the cause of the running code; code that nobody caused begins a story of its own."""
    return _cause.get() or Cause(new_id())
