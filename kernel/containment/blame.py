"""Blame: whose doing a failure is, by the code in which it happened."""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Final

import sqlalchemy as sa
from aiohttp import web
from redis import exceptions as redis

from kernel import errors
from kernel.http import problems

#: Answers that somebody meant to give.
_MEANT: Final = (problems.Problem, web.HTTPException)
#: What one who needs a database, Redis or another plugin comes to feel when that is gone.
_OUTAGES: Final = (
    errors.DatabaseUnavailable,
    errors.CapabilityUnavailable,
    redis.ConnectionError,
    redis.TimeoutError,
    redis.ReadOnlyError,
)
#: Who waits in these waits for a server that all plugins have in common.
_SHARED: Final = ("kernel.database.", "redis.", "sqlalchemy.")


class Owners:
    """Knows which files belong to which plugin: its package with its templates, or its one module."""

    def __init__(self, plugins: Mapping[str, type]) -> None:
        places: dict[str, set[str]] = {}
        for name, kind in plugins.items():
            for place in _places(kind):
                places.setdefault(place, set()).add(name)
        # Two plugins in one place, as in a test: nobody can tell which of them it was.
        self._places = {place: names.pop() for place, names in places.items() if len(names) == 1}
        self._known: dict[str, str | None] = {}

    def of_file(self, file: str) -> str | None:
        """Return the plugin to which *file* belongs."""
        if file not in self._known:
            path = Path(file)
            found = (self._places.get(str(place)) for place in (path, *path.parents))
            self._known[file] = next((name for name in found if name), None)
        return self._known[file]

    def innermost(self, frames: Iterable[FrameType]) -> str | None:
        """Return the plugin that is deepest in *frames*, of which the innermost come first."""
        return next((name for frame in frames if (name := self.of_file(frame.f_code.co_filename))), None)

    def culprit(self, error: BaseException) -> str | None:
        """Return the plugin in whose code *error* was raised, or that called what raised it."""
        return self.innermost(_frames(error))

    def waits_for_a_server(self, error: BaseException) -> bool:
        """Return whether what was cancelled by *error* was waiting for a database or Redis, and not for a plugin."""
        for frame in _frames(error):
            if _module(frame).startswith(_SHARED):
                return True
            if self.of_file(frame.f_code.co_filename):
                return False
        return False


def is_meant(error: BaseException) -> bool:
    """Return whether *error* is an answer, and no failure."""
    return isinstance(error, _MEANT)


def is_outage(error: BaseException, within: frozenset[int] = frozenset()) -> bool:
    """Return whether *error* came of an outage of what all plugins share: it is no plugin's doing."""
    if id(error) in within:  # `raise error from error` leads round in a circle
        return False
    within |= {id(error)}
    if isinstance(error, BaseExceptionGroup):
        return all(is_outage(one, within) for one in error.exceptions)
    lost = isinstance(error, sa.exc.DBAPIError) and error.connection_invalidated
    if lost or isinstance(error, _OUTAGES):
        return True
    return error.__cause__ is not None and is_outage(error.__cause__, within)


def told(error: BaseException) -> str:
    """Return the type of *error* and what it says; a plugin's own may fail even at that."""
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:
        return f"{type(error).__name__}, which can not say what it is"


def _places(kind: type) -> Iterator[str]:
    module = sys.modules.get(kind.__module__)
    file = getattr(module, "__file__", None)
    if module is None or file is None:
        return
    yield str(Path(file))
    if module.__package__:  # else it is a single module, beside others in a folder that is nobody's
        yield str(Path(file).parent)


def _frames(error: BaseException) -> list[FrameType]:
    """Return the frames that *error* came through, innermost first."""
    if isinstance(error, TimeoutError) and isinstance(error.__cause__, asyncio.CancelledError):
        error = error.__cause__  # `asyncio.timeout` turned one into the other
    return [frame for frame, _ in traceback.walk_tb(error.__traceback__)][::-1]


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))
