"""The reference: OpenAPI for programs, the same as a page for people, and a page of all problems.

Everything is made at the first request and kept as bytes; it can not change while the process runs.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import jinja2
import msgspec
from aiohttp import web

from kernel.deployment import Deployment
from kernel.http import problems
from kernel.http.answers import etag_of, matches
from kernel.http.openapi import Json, Operation, document, problems_of
from kernel.http.problems import Problem
from kernel.http.settings import API_PREFIX

VERSION: Final = "1"
OPENAPI_PATH: Final = f"{API_PREFIX}/openapi.json"
DOCS_PATH: Final = "/api/docs"
PROBLEMS_PATH: Final = "/problems"

_TEMPLATES: Final = Path(__file__).parent / "templates"
_DEPTH: Final = 4  # of nested fields that the page shows

Serve = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Reference:
    """What is to be read about the API of one deployment."""

    def __init__(self, operations: Sequence[Operation], deployment: Deployment) -> None:
        self._operations = operations
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
        page = "text/html; charset=utf-8"
        return {
            OPENAPI_PATH: _serve(lambda: self._openapi, "application/json"),
            DOCS_PATH: _serve(lambda: self._docs, page, self._policy),
            PROBLEMS_PATH: _serve(lambda: self._problems, page, self._policy),
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
    def _docs(self) -> bytes:
        groups: dict[str, list[Json]] = {}
        for path, methods in self.document["paths"].items():
            for method, operation in methods.items():
                described = self._described(method, path, operation)
                groups.setdefault(operation["tags"][0], []).append(described)
        return self._render("docs.html", groups=groups, openapi_path=OPENAPI_PATH)

    def _described(self, method: str, path: str, operation: Json) -> Json:
        answers = [(status, answer) for status, answer in operation["responses"].items() if status < "300"]
        refusals = [(status, answer) for status, answer in operation["responses"].items() if status >= "400"]
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
        return {
            "method": method.upper(),
            "path": path,
            "operation": operation,
            "parameters": [(parameter, self._kind(parameter["schema"])) for parameter in operation["parameters"]],
            "body": list(self._fields(body)) if body else [],
            "answers": [(status, answer["description"], self._answer(answer)) for status, answer in answers],
            "refusals": refusals,
        }

    def _answer(self, answer: Json) -> list[Json]:
        schema = answer.get("content", {}).get("application/json", {}).get("schema")
        return list(self._fields(schema)) if schema else []

    def _fields(self, schema: Json, depth: int = 0) -> Iterator[Json]:
        """Return a line for each field of *schema*, the nested ones below their parent."""
        schema = self._resolved(schema)
        if schema.get("type") == "array" and depth == 0:
            yield {"depth": 0, "name": "[ ]", "kind": self._kind(schema), "required": True, "note": ""}
        for part in self._variants(schema):
            for name, field in part.get("properties", {}).items():
                required = name in part.get("required", [])
                note = field.get("description", "")
                yield {"depth": depth, "name": name, "kind": self._kind(field), "required": required, "note": note}
                if depth < _DEPTH:
                    yield from self._fields(field, depth + 1)

    def _variants(self, schema: Json) -> list[Json]:
        if "items" in schema and isinstance(schema["items"], dict):
            return self._variants(self._resolved(schema["items"]))
        return [self._resolved(part) for part in schema.get("anyOf", [schema])]

    def _resolved(self, schema: Json) -> Json:
        found: Json = schema
        if "$ref" in schema:
            found = self.document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return found

    def _kind(self, schema: Json) -> str:
        """Return the type of *schema* in a few words."""
        if "$ref" in schema and "enum" not in self._resolved(schema):
            return str(schema["$ref"].rpartition("/")[2])
        schema = self._resolved(schema)
        if "anyOf" in schema:
            return " or ".join(dict.fromkeys(self._kind(part) for part in schema["anyOf"]))
        if "enum" in schema:
            return " | ".join(map(str, schema["enum"]))
        if schema.get("type") == "array":
            return f"list of {self._kind(schema.get('items') or {})}"
        return str(schema.get("format") or schema.get("type") or "any")

    @cached_property
    def _problems(self) -> bytes:
        return self._render("problems.html", kinds=self._kinds())

    def _kinds(self) -> list[type[Problem]]:
        own = {kind.type: kind for kind in vars(problems).values() if _is_problem(kind)}
        declared = {kind.type: kind for operation in self._operations for kind in problems_of(operation)}
        return sorted((own | declared).values(), key=lambda kind: (kind.status, kind.type))

    def _render(self, template: str, **values: Any) -> bytes:
        page = self._templates.get_template(template)
        return page.render(name=self._deployment.name, style=self._style, **values).encode()

    @cached_property
    def _style(self) -> str:
        return (_TEMPLATES / "reference.css").read_text(encoding="utf-8")

    def _policy(self) -> str:
        digest = base64.b64encode(hashlib.sha256(self._style.encode()).digest()).decode()
        return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; frame-ancestors 'none'"


def _is_problem(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, Problem) and kind is not Problem


def _serve(body: Callable[[], bytes], media_type: str, policy: Callable[[], str] | None = None) -> Serve:
    async def serve(http: web.Request) -> web.StreamResponse:
        etag = etag_of(body())
        headers = {"Content-Type": media_type, "ETag": etag, "Cache-Control": "no-cache"}
        if policy is not None:
            headers["Content-Security-Policy"] = policy()
        if matches(http.headers.get("If-None-Match", ""), etag):
            return web.Response(status=304, headers=headers)
        return web.Response(body=body(), headers=headers)

    return serve
