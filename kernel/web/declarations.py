"""What a plugin declares for people who come with a browser."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiohttp import web

from kernel.http.request import Request
from kernel.http.routes import DEFAULT_TIMEOUT

#: Returns the values for the template, or a whole response (a redirect, say).
PageHandler = Callable[[Request], Awaitable[Mapping[str, object] | web.StreamResponse]]


@dataclass(frozen=True, kw_only=True)
class Page:
    """An HTML page at the absolute *path*: the values of *handler* rendered by *template*."""

    path: str
    template: str
    handler: PageHandler
    permission: str
    timeout: float = DEFAULT_TIMEOUT  #: seconds
    rate: str = ""  #: how often one address may ask for it, such as "60/minute"; "" for as often as it likes


@dataclass(frozen=True, kw_only=True)
class Slot:
    """A piece of another plugin's page: *template* is rendered wherever a page says `{{ slot("name") }}`."""

    name: str
    template: str


@dataclass(frozen=True, kw_only=True)
class Navigation:
    """An entry of the navigation of every page; *weight* sorts, small first."""

    label: str
    path: str
    permission: str
    weight: int = 100


@dataclass(frozen=True)
class Templates:
    """A folder of Jinja templates; a plugin that starts later overrides templates of the same name."""

    folder: Path


@dataclass(frozen=True)
class StaticFiles:
    """A folder of files served below `/static/<plugin>/`."""

    folder: Path


#: What the hook `pages` may return.
PageDeclaration = Page | Slot | Navigation | Templates | StaticFiles

__all__: Final = ["Navigation", "Page", "PageDeclaration", "PageHandler", "Slot", "StaticFiles", "Templates"]
