"""Static files under names that change with their content, so that browsers keep them for ever."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from aiohttp import web

from kernel import errors
from kernel.http.headers import SERVER

_FOR_EVER: Final = "public, max-age=31536000, immutable"
#: For files that other files name (a font in a style sheet): asked for again each time, answered with 304.
_ASK_AGAIN: Final = "public, no-cache"
_HASH_LENGTH: Final = 12  # hexadecimal digits


class Assets:
    """The static files of every plugin, read once at boot."""

    def __init__(self) -> None:
        self._urls: dict[tuple[str, str], str] = {}
        self._files: dict[str, tuple[Path, str]] = {}

    def add(self, plugin: str, folder: Path) -> None:
        """Offer every file of *folder* below `/static/<plugin>/`."""
        if not folder.is_dir():
            raise errors.InvalidDeclaration(f"the folder of static files {folder} does not exist", plugin=plugin)
        for path in _files(folder):
            name = path.relative_to(folder).as_posix()
            url = f"/static/{plugin}/{_hashed(name, path.read_bytes())}"
            self._urls[plugin, name] = url
            self._files[url] = (path, _FOR_EVER)
            self._files[f"/static/{plugin}/{name}"] = (path, _ASK_AGAIN)

    def url(self, plugin: str, name: str) -> str:
        """Return where the file *name* of *plugin* is served."""
        try:
            return self._urls[plugin, name]
        except KeyError:
            known = ", ".join(file for owner, file in self._urls if owner == plugin) or "none"
            raise LookupError(f"{plugin}: there is no static file {name!r}; there are: {known}") from None

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer with the file of the request's path."""
        found = self._files.get(request.path)
        if found is None:
            raise web.HTTPNotFound
        path, caching = found
        return web.FileResponse(path, headers={"Cache-Control": caching, **SERVER})


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _hashed(name: str, content: bytes) -> str:
    digest = hashlib.sha256(content).hexdigest()[:_HASH_LENGTH]
    stem, dot, suffix = name.rpartition(".")
    return f"{stem}.{digest}.{suffix}" if dot else f"{name}.{digest}"
