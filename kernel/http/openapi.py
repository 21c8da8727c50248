"""OpenAPI 3.1: the description of exactly the routes that are on, made from their declarations and signatures."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

import msgspec

from kernel.http import problems
from kernel.http.answers import shape
from kernel.http.problems import Problem
from kernel.http.routes import PUBLIC, SIGNED_IN, Idempotency, RateLimit, Route
from kernel.http.settings import API_PREFIX
from kernel.http.signatures import SAFE_METHODS, Signature

Json = dict[str, Any]

_REF: Final = "#/components/schemas/{name}"
_PLACEHOLDER_RULE: Final = re.compile(r"(?<=\w):[^}]*(?=})")
_STORABLE: Final = "^[^\\x00]*$"  # what `inputs` takes everywhere
_PATH_SCHEMAS: Final[Mapping[type, Json]] = {
    UUID: {"type": "string", "format": "uuid"},
    int: {"type": "integer", "minimum": -(10**18) + 1, "maximum": 10**18 - 1},
    str: {"type": "string", "minLength": 1, "pattern": "^[^/\\x00]+$"},
}
_PROBLEM_SCHEMA: Final[Json] = {
    "title": "Problem",
    "description": "What went wrong (RFC 9457). Some types have further members.",
    "type": "object",
    "required": ["type", "title", "status", "instance"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string", "format": "uri", "description": "The id of the request, as in X-Request-ID."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}
_KEY_PARAMETER: Final[Json] = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "Chosen by the caller, the same for each repetition: the request happens once. Kept for 24 hours.",
    "schema": {"type": "string", "pattern": "^[\\x21-\\x7e]{1,255}$"},
}


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One route with what was read of its handler."""

    plugin: str
    mount: str
    route: Route
    signature: Signature

    @property
    def path(self) -> str:
        """The whole path, with plain placeholders."""
        return f"{API_PREFIX}/{self.mount}{_PLACEHOLDER_RULE.sub('', self.route.path)}"


def document(operations: Sequence[Operation], *, title: str, version: str, url: str) -> Json:
    """Return the description of *operations* as an OpenAPI document."""
    schemas = _Schemas(operations)
    paths: dict[str, Json] = {}
    for operation in operations:
        described = _operation(operation, schemas)
        paths.setdefault(operation.path, {})[operation.route.method.lower()] = described
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version},
        "servers": [{"url": url}],
        "tags": [{"name": mount} for mount in dict.fromkeys(operation.mount for operation in operations)],
        "paths": paths,
        "components": {
            "schemas": schemas.components | {"Problem": _PROBLEM_SCHEMA},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def problems_of(operation: Operation) -> tuple[type[Problem], ...]:
    """Return every problem that the operation may answer, those of its own first."""
    return tuple(dict.fromkeys((*operation.route.problems, *_kernel_problems(operation))))


def _kernel_problems(operation: Operation) -> Iterator[type[Problem]]:
    route, signature = operation.route, operation.signature
    unsafe = route.method not in SAFE_METHODS
    yield problems.NotSignedIn
    if unsafe or route.permission not in (PUBLIC, SIGNED_IN):
        yield problems.Forbidden
    if signature.path:
        yield problems.NotFound
    if signature.body is not None:
        yield from (problems.BadRequest, problems.BodyTimeout, problems.TooLarge, problems.UnsupportedMediaType)
    if signature.body is not None or signature.query is not None:
        yield problems.Invalid
    if signature.query is not None and "cursor" in signature.query.__struct_fields__:
        yield problems.InvalidCursor
    yield from _idempotency_problems(route.idempotency)
    if unsafe:
        yield problems.BadRequest
    if unsafe or route.rate_limits:
        yield problems.TooManyRequests
    yield from (problems.Internal, problems.Unavailable, problems.Timeout)


def _idempotency_problems(kind: Idempotency) -> Iterator[type[Problem]]:
    if kind in (Idempotency.REQUIRED, Idempotency.HANDLER):
        yield problems.IdempotencyKeyMissing
    if kind is not Idempotency.NONE:
        yield from (problems.RequestInProgress, problems.IdempotencyKeyReused)


class _Schemas:
    """The JSON Schemas of every type that a handler takes or returns."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        signatures = [operation.signature for operation in operations]
        bodies = [one.body for one in signatures if one.body is not None]
        results = [shape(one.result) for one in signatures if one.encode is not None]
        queries = [one.query for one in signatures if one.query is not None]
        shown, components = msgspec.json.schema_components([*bodies, *results], ref_template=_REF)
        asked, of_queries = msgspec.json.schema_components(queries, ref_template=_REF)
        self._shown = list(zip([*bodies, *results], map(_bounded, shown), strict=True))
        self._asked: dict[type, Json] = {
            query: _bounded(_resolve(ref, of_queries)) for query, ref in zip(queries, asked, strict=True)
        }
        structs = {_name(ref) for ref in asked}
        nested = {name: schema for name, schema in of_queries.items() if name not in structs}
        self.components: Json = _bounded({**nested, **components})

    def of(self, kind: Any) -> Json:
        """Return the schema of a body or a result."""
        found: Json = next(schema for known, schema in self._shown if known == kind)
        return found

    def query(self, kind: type[msgspec.Struct]) -> Json:
        """Return the schema of a query, with its properties."""
        return self._asked[kind]


def _name(ref: Json) -> str:
    return str(ref["$ref"]).rpartition("/")[2]


def _resolve(ref: Json, components: Mapping[str, Json]) -> Json:
    return components[_name(ref)]


def _bounded(schema: Any) -> Any:
    """Say in *schema* what `inputs` refuses everywhere: integers over 64 bits and NUL characters."""
    if isinstance(schema, list | tuple):
        return [_bounded(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: _bounded(part) for name, part in schema.items()}
    if found.get("type") == "integer":
        found = {"minimum": -(2**63), "maximum": 2**63 - 1, "format": "int64"} | found
    if found.get("type") == "string" and not found.keys() & {"format", "pattern", "enum", "contentEncoding"}:
        found["pattern"] = _STORABLE
    if isinstance(found.get("additionalProperties"), dict):  # the names are the client's own
        found.setdefault("propertyNames", {"pattern": _STORABLE})
    return found


def _operation(operation: Operation, schemas: _Schemas) -> Json:
    route, signature = operation.route, operation.signature
    found: Json = {
        "operationId": f"{operation.mount}.{route.handler.__name__}.{route.method.lower()}",
        "tags": [operation.mount],
        "summary": route.summary,
        "parameters": [*_path_parameters(signature), *_query_parameters(signature, schemas), *_key(route)],
        "responses": _responses(operation, schemas),
        "security": [{"bearer": []}, *([{}] if route.permission == PUBLIC else [])],
        "x-permission": route.permission,
    }
    if signature.body is not None:
        content = {"application/json": {"schema": schemas.of(signature.body)}}
        found["requestBody"] = {"required": True, "content": content}
    if route.rate_limits:
        found["x-rate-limits"] = [_rate_limit(limit) for limit in route.rate_limits]
    return found


def _rate_limit(limit: RateLimit) -> Json:
    return {"rate": limit.rate, "by": limit.by} | ({"member": limit.member} if limit.member else {})


def _path_parameters(signature: Signature) -> Iterator[Json]:
    for name, kind in signature.path:
        yield {"name": name, "in": "path", "required": True, "schema": _PATH_SCHEMAS[kind]}


def _query_parameters(signature: Signature, schemas: _Schemas) -> Iterator[Json]:
    if signature.query is None:
        return
    schema = schemas.query(signature.query)
    required = schema.get("required", [])
    for name, field in schema["properties"].items():
        yield {"name": name, "in": "query", "required": name in required, "schema": _without_null(field)}


def _without_null(schema: Json) -> Json:
    kinds = [kind for kind in schema.get("anyOf", []) if kind != {"type": "null"}]
    if not kinds:
        return schema
    rest = {name: value for name, value in schema.items() if name not in ("anyOf", "default")}
    return rest | (kinds[0] if len(kinds) == 1 else {"anyOf": kinds})


def _key(route: Route) -> Iterator[Json]:
    if route.idempotency is not Idempotency.NONE:
        required = route.idempotency in (Idempotency.REQUIRED, Idempotency.HANDLER)
        yield _KEY_PARAMETER | {"required": required}


def _responses(operation: Operation, schemas: _Schemas) -> Json:
    found: Json = {str(_status(operation)): _success(operation, schemas)}
    if operation.route.method == "GET" and operation.route.status == 200:
        found["304"] = {"description": "Not changed since the answer whose ETag came in If-None-Match"}
    by_status: dict[int, list[type[Problem]]] = {}
    for problem in problems_of(operation):
        by_status.setdefault(problem.status, []).append(problem)
    for status in sorted(by_status):
        found[str(status)] = _refusal(by_status[status])
    return found


def _status(operation: Operation) -> int:
    empty = operation.signature.result in (None, type(None))
    return 204 if empty and operation.route.status == 200 else operation.route.status


def _success(operation: Operation, schemas: _Schemas) -> Json:
    described: Json = {"description": HTTPStatus(_status(operation)).phrase}
    if operation.signature.encode is None:
        described["content"] = {"*/*": {}}
        return described
    kind = shape(operation.signature.result)
    if kind not in (None, type(None)):
        described["content"] = {"application/json": {"schema": schemas.of(kind)}}
    return described


def _refusal(kinds: Sequence[type[Problem]]) -> Json:
    described = " · ".join(f"{kind.title} (`{kind.type}`)" for kind in kinds)
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": described, "content": content, "x-problems": [kind.type for kind in kinds]}
