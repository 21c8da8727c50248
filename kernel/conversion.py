"""From settings as they are written to settings with types: every mistake is found, each with its remedy."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar
from urllib.parse import urlsplit

import msgspec
from msgspec.structs import FieldInfo

from kernel.annotations import LISTS, Annotation, describe, mentions, quote, shape, struct
from kernel.settings import Secret, Url
from kernel.sources import Leaf, Node, Table, origins, plain

T = TypeVar("T")
S = TypeVar("S", bound=msgspec.Struct)


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """One wrong setting, in the words of the person who mends it."""

    section: str
    key: str
    complaint: str
    origin: str | None
    remedy: str

    def __str__(self) -> str:
        where = f" ({self.origin})" if self.origin else ""
        key = f" {self.key}" if self.key else ""
        return f"[{self.section}]{key} {self.complaint}{where}: {self.remedy}"


@dataclass(frozen=True)
class Reading(Generic[T]):
    """What came of reading one section: the value, or the mistakes for which there is none."""

    value: T | None
    mistakes: tuple[Mistake, ...] = ()


class Reader:
    """Reads sections into Structs; references are looked up in *environ*."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._environ = environ

    def section(self, kind: type[S], table: Table, name: str) -> Reading[S]:
        """Return *table*, the section called *name*, as a *kind*."""
        fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
        mistakes = [_unknown(name, key, table[key], fields) for key in table if key not in fields]
        values: dict[str, object] = {}
        for key, field in fields.items():
            if key in table:
                reading = self._value(field.type, table[key], name, key)
                mistakes.extend(reading.mistakes)
                values[field.name] = reading.value
            elif field.required:
                mistakes.append(
                    Mistake(
                        section=name, key=key, complaint="is not set", origin=None, remedy=f"use {describe(field.type)}"
                    )
                )
        if mistakes:
            return Reading(None, tuple(mistakes))
        try:
            return Reading(kind(**values))
        except (ValueError, TypeError) as error:
            refused = Mistake(
                section=name,
                key="",
                complaint="is refused",
                origin=origins(table),
                remedy=str(error) or "see its manual",
            )
            return Reading(None, (refused,))

    def mapping(self, table: Table, name: str) -> Reading[dict[str, str]]:
        """Return *table*, the section called *name*, whose keys are free and whose values are text."""
        readings = {key: self._value(str, node, name, key) for key, node in table.items()}
        mistakes = tuple(mistake for reading in readings.values() for mistake in reading.mistakes)
        return Reading({key: str(reading.value) for key, reading in readings.items()}, mistakes)

    def _value(self, kind: Annotation, node: Node, section: str, key: str) -> Reading[object]:
        table = struct(kind)
        if isinstance(node, dict) and table is not None:
            return self.section(table, node, f"{section}.{key}")
        remedies: list[str] = []
        try:
            return Reading(self._convert(kind, node, remedies))
        except (msgspec.ValidationError, msgspec.DecodeError) as error:
            path = re.search(r" - at `\$(.*)`$", str(error))
            mistake = Mistake(
                section=section,
                key=key + (path.group(1) if path and not remedies else ""),
                complaint=f"is {_show(kind, node)}",
                origin=origins(node),
                remedy=remedies[0] if remedies else f"use {describe(kind)}",
            )
            return Reading(None, (mistake,))

    def _convert(self, kind: Annotation, node: Node, remedies: list[str]) -> object:
        text = isinstance(node, Leaf) and node.text

        def special(target: type, value: object) -> object:
            try:
                return self._special(target, value, variable=text)
            except ValueError as error:
                remedies.append(str(error))
                raise

        value = _parse(kind, str(node.value)) if isinstance(node, Leaf) and text else plain(node)
        return msgspec.convert(value, kind, strict=not text, dec_hook=special)

    def _special(self, kind: type, value: object, *, variable: bool) -> object:
        if not isinstance(value, str):
            raise ValueError("use text in quotes")
        if kind is Secret:
            return Secret(self._dereference(value))
        if kind is Url:
            return self._url(value, variable=variable)
        if kind is Path:
            return Path(value)
        raise NotImplementedError(f"settings can not be of type {kind.__qualname__}")

    def _url(self, value: str, *, variable: bool) -> Url:
        if value.startswith(("env:", "file:")):
            return Url(self._dereference(value))
        if not variable and urlsplit(value).password:
            raise ValueError('a password does not belong in a file; write "env:NAME" or "file:PATH"')
        return Url(value)

    def _dereference(self, value: str) -> str:
        how, _, name = value.partition(":")
        if how == "env" and name:
            found = self._environ.get(name, "")
            if not found:
                raise ValueError(f"set the environment variable {name}, to which it refers")
            return found
        if how == "file" and name:
            return _read(Path(name))
        raise ValueError('a secret is given by reference; write "env:NAME" or "file:PATH"')


def _read(path: Path) -> str:
    try:
        found = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ValueError(f"make the file {path} readable, to which it refers ({error.strerror})") from error
    if not found:
        raise ValueError(f"write the secret into the file {path}, which is empty")
    return found


def _unknown(section: str, key: str, node: Node, fields: Mapping[str, FieldInfo]) -> Mistake:
    close = difflib.get_close_matches(key, fields, n=1)
    remedy = f'did you mean "{close[0]}"?' if close else f"the settings are: {', '.join(fields) or 'none'}"
    return Mistake(section=section, key=key, complaint="is not a setting", origin=origins(node), remedy=remedy)


def _parse(kind: Annotation, text: str) -> object:
    found = shape(kind)
    if found in LISTS and not text.lstrip().startswith("["):
        return [item.strip() for item in text.split(",") if item.strip()]
    if found in LISTS or found is dict or struct(kind) is not None:
        return msgspec.json.decode(text)
    return text


def _show(kind: Annotation, node: Node) -> str:
    if mentions(kind, Secret) or mentions(kind, Url):
        return "wrong"
    text = quote(plain(node))
    return text if len(text) <= 80 else f"{text[:79]}…"
