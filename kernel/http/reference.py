"""The reference: OpenAPI and AsyncAPI for programs, and a page of all problems.

Everything is made at the first request and kept as bytes; it can not change while the process runs.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Final

import jinja2
import msgspec
from aiohttp import web

from kernel.deployment import Deployment
from kernel.http import asyncapi, problems
from kernel.http.answers import etag_of, matches
from kernel.http.asyncapi import Channel
from kernel.http.headers import PAGE
from kernel.http.openapi import Json, Operation, document, problems_of
from kernel.http.problems import Problem
from kernel.http.request import Request
from kernel.http.settings import API_PREFIX

VERSION: Final = "1"
ASYNCAPI_PATH: Final = f"{API_PREFIX}/asyncapi.json"
OPENAPI_PATH: Final = f"{API_PREFIX}/openapi.json"
PROBLEMS_PATH: Final = "/problems"

_TEMPLATES: Final = Path(__file__).parent / "templates"

Serve = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Reference:
    """What is to be read about the API of one deployment."""

    def __init__(
        self, operations: Sequence[Operation], deployment: Deployment, channels: Sequence[Channel] = ()
    ) -> None:
        self._operations = operations
        self._channels = channels
        self._deployment = deployment
        loader = jinja2.FileSystemLoader(_TEMPLATES)
        self._templates = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)

    @cached_property
    def document(self) -> Json:
        """The OpenAPI document."""
        title = f"{self._deployment.name} API"
        return document(self._operations, title=title, version=VERSION, url=self._deployment.public_url)

    def handlers(self) -> Mapping[str, Serve]:
        """Return what answers on which path."""
        return {
            OPENAPI_PATH: _serve(lambda: self._openapi, "application/json"),
            ASYNCAPI_PATH: _serve(lambda: self._asyncapi, "application/json"),
            PROBLEMS_PATH: _serve(lambda: self._problems, "text/html; charset=utf-8", self._policy),
            f"{PROBLEMS_PATH}/{{type}}": self._problem,
        }

    async def _problem(self, http: web.Request) -> web.StreamResponse:
        if http.match_info["type"] not in {kind.type for kind in self._kinds()}:
            raise problems.NotFound("There is no problem of this type.")
        raise web.HTTPSeeOther(f"{PROBLEMS_PATH}#{http.match_info['type']}")

    @cached_property
    def _openapi(self) -> bytes:
        return msgspec.json.encode(self.document)

    @cached_property
    def _asyncapi(self) -> bytes:
        title = f"{self._deployment.name} WebSockets"
        return msgspec.json.encode(
            asyncapi.document(self._channels, title=title, version=VERSION, url=self._deployment.public_url)
        )

    @cached_property
    def _problems(self) -> bytes:
        page = self._templates.get_template("problems.html")
        return page.render(name=self._deployment.name, style=self._style, kinds=self._kinds()).encode()

    def _kinds(self) -> list[type[Problem]]:
        own = {kind.type: kind for kind in vars(problems).values() if _is_problem(kind)}
        declared = {kind.type: kind for operation in self._operations for kind in problems_of(operation)}
        return sorted((own | declared).values(), key=lambda kind: (kind.status, kind.type))

    @cached_property
    def _style(self) -> str:
        return (_TEMPLATES / "problems.css").read_text(encoding="utf-8")

    def _policy(self) -> str:
        digest = base64.b64encode(hashlib.sha256(self._style.encode()).digest()).decode()
        return (
            f"default-src 'none'; style-src 'sha256-{digest}'; "
            "base-uri 'none'; form-action 'none'; object-src 'none'; frame-ancestors 'none'"
        )


REFERENCE: Final = web.AppKey("reference", Reference)


def api_document(request: Request) -> Json:
    """Return the OpenAPI document of the deployment that *request* came to: of exactly the plugins that are on."""
    return request.http.config_dict[REFERENCE].document


def _is_problem(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, Problem) and kind is not Problem


def _serve(body: Callable[[], bytes], media_type: str, policy: Callable[[], str] | None = None) -> Serve:
    async def serve(http: web.Request) -> web.StreamResponse:
        etag = etag_of(body())
        headers = {"Content-Type": media_type, "ETag": etag, "Cache-Control": "no-cache"}
        if policy is not None:
            headers |= {**PAGE, "Content-Security-Policy": policy()}
        if matches(http.headers.get("If-None-Match", ""), etag):
            return web.Response(status=304, headers=headers)
        return web.Response(body=body(), headers=headers)

    return serve
