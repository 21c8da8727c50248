"""The short way to an endpoint: one walk over the segments of a path, instead of two of aiohttp's routers.

It knows the paths of the API and nothing else, and answers only where there is no doubt. A path that it does not know,
another method, an escape or an expectation goes the long way, through aiohttp, to the same endpoint or to a refusal.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web

Serve = Callable[[web.Request, Mapping[str, str]], Awaitable[web.StreamResponse]]

_PLACEHOLDER: Final = re.compile(r"{(\w+)}")


@dataclass(slots=True)
class _Node:
    literals: dict[str, _Node] = field(default_factory=dict)
    placeholder: _Node | None = None
    has_rules: bool = False  #: a placeholder with a rule of its own stands here: only aiohttp can tell
    endpoints: dict[str, tuple[tuple[str, ...], Serve]] = field(default_factory=dict)


class Switchboard:
    """Finds endpoints by method and path."""

    def __init__(self) -> None:
        self._root = _Node()
        self._ends: dict[str, _Node] = {}  #: of the paths without placeholders, which need no walk

    def add(self, method: str, path: str, serve: Serve | None) -> None:
        """Know *path*, and *serve* as its endpoint; without one it is left to the long way.

        Every path must be known, lest a placeholder take its last segment for a value.
        """
        node = self._root
        for segment in path.split("/"):
            if _PLACEHOLDER.fullmatch(segment):
                node.placeholder = node = node.placeholder or _Node()
            elif "{" in segment:
                node.has_rules = True
                return
            else:
                node = node.literals.setdefault(segment, _Node())
        if "{" not in path:
            self._ends[path] = node
        if serve is not None:
            node.endpoints[method] = (tuple(_PLACEHOLDER.findall(path)), serve)

    def find(self, http: web.Request) -> tuple[Serve, Mapping[str, str]] | None:
        """Return the endpoint for *http* and the values of its placeholders, None where in doubt."""
        path = http.raw_path.partition("?")[0]
        if "%" in path or "#" in path or "Expect" in http.headers:
            return None
        values: list[str] = []
        node = self._ends.get(path)
        if node is None:
            node = self._walk(path, values)
            if node is None:
                return None
        names, serve = node.endpoints.get(http.method, ((), None))
        return None if serve is None else (serve, dict(zip(names, values, strict=True)))

    def _walk(self, path: str, values: list[str]) -> _Node | None:
        """Return where *path* leads, and add the *values* of its placeholders; None where in doubt."""
        node = self._root
        for segment in path.split("/"):
            following = node.literals.get(segment)
            if following is None:
                if node.placeholder is None or node.has_rules or not segment:
                    return None
                following = node.placeholder
                values.append(segment)
            node = following
        return node


SWITCHBOARD: Final = web.AppKey("switchboard", Switchboard)
