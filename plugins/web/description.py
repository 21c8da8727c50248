"""The API in a form for people: what an OpenAPI document says, operation by operation."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

Json = Mapping[str, Any]

DEPTH: Final = 4  # of nested fields that are shown

_NO_CONTROL: Final = re.compile(r"\^\[\^(\\x[0-9a-f]{2}-?)+\][*+]\$")
_LARGEST: Final = 2**63 - 1  # of a whole number anywhere

#: What the rules of JSON Schema ask for, in words.
_RULES: Final = {
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "pattern": "of the form /{}/",
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "less than {}",
    "multipleOf": "a multiple of {}",
    "minItems": "at least {} of them",
    "maxItems": "at most {} of them",
}


class Description:
    """Reads the OpenAPI document *document*."""

    def __init__(self, document: Json) -> None:
        self._document = document

    def groups(self) -> dict[str, list[Json]]:
        """Return the operations by the part of the API to which they belong."""
        groups: dict[str, list[Json]] = {}
        for path, methods in self._document["paths"].items():
            for method, operation in methods.items():
                groups.setdefault(operation["tags"][0], []).append(self._described(method, path, operation))
        return groups

    def _described(self, method: str, path: str, operation: Json) -> Json:
        answers = [(status, answer) for status, answer in operation["responses"].items() if status < "300"]
        refusals = [(status, answer) for status, answer in operation["responses"].items() if status >= "400"]
        return {
            "method": method.upper(),
            "path": path,
            "operation": operation,
            "parameters": [
                (parameter, self._kind(parameter["schema"]), self._rules(parameter["schema"]))
                for parameter in operation["parameters"]
            ],
            "body": self._lines(operation.get("requestBody", {})),
            "answers": [(status, answer["description"], self._lines(answer)) for status, answer in answers],
            "refusals": refusals,
        }

    def _lines(self, content: Json) -> list[Json]:
        """Return a line for each field of the JSON of a body or an answer."""
        schema = content.get("content", {}).get("application/json", {}).get("schema")
        return list(self._fields(schema)) if schema else []

    def _fields(self, schema: Json, depth: int = 0) -> Iterator[Json]:
        """Return a line for each field of *schema*, the nested ones below their parent."""
        schema = self._resolved(schema)
        if schema.get("type") == "array" and depth == 0:
            yield {"depth": 0, "name": "[ ]", "kind": self._kind(schema), "rules": "", "required": True, "note": ""}
        for part in self._variants(schema):
            for name, field in part.get("properties", {}).items():
                yield {
                    "depth": depth,
                    "name": name,
                    "kind": self._kind(field),
                    "rules": self._rules(field),
                    "required": name in part.get("required", []),
                    "note": field.get("description", ""),
                }
                if depth < DEPTH:
                    yield from self._fields(field, depth + 1)

    def _variants(self, schema: Json) -> list[Json]:
        if "items" in schema and isinstance(schema["items"], dict):
            return self._variants(self._resolved(schema["items"]))
        return [self._resolved(part) for part in schema.get("anyOf", [schema])]

    def _resolved(self, schema: Json) -> Json:
        found: Json = schema
        if "$ref" in schema:
            found = self._document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return found

    def _rules(self, schema: Json) -> str:
        """Return what is asked of a value of *schema* beside its type, and what stands where none is given."""
        parts = [self._resolved(part) for part in schema.get("anyOf", [schema])]
        rules = [_told(name, part[name]) for part in parts for name in _RULES if name in part]
        if schema.get("default") not in (None, [], {}, ""):
            rules.append(f"{json.dumps(schema['default'])} if not given")
        return ", ".join(filter(None, rules))

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


def _told(rule: str, value: Any) -> str:
    """Return the *rule* in words, nothing for what holds of every value."""
    if rule == "pattern":
        pattern = str(value).removesuffix(r"(?!\n)")
        if pattern == r"\S":
            return "not blank"
        if _NO_CONTROL.fullmatch(pattern):  # which is refused everywhere
            return ""
        return _RULES[rule].format(pattern)
    return "" if abs(value) >= _LARGEST else _RULES[rule].format(value)
