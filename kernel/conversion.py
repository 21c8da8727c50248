"""From settings as they are written to settings with types: every mistake is found, each with its remedy."""

from __future__ import annotations

import dataclasses
import difflib
import os
import re
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Generic, TypeVar
from urllib.parse import urlsplit

import msgspec

from kernel.settings import Secret
from kernel.sources import Leaf, Node, Table, origins, plain

T = TypeVar("T")
#: The type of a setting as its annotation says it; typing has no narrower word for "any annotation".
Annotation = Any


class Url(str):
    """A URL that may carry a password, which is then given by reference or in the environment, never in a file."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Url(…)"


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


@dataclass(frozen=True)
class _Field:
    name: str
    key: str
    type: Annotation
    required: bool


class Reader:
    """Reads sections into Structs and dataclasses; references are looked up in *environ*."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._environ = environ

    def section(self, kind: type[T], table: Table, name: str) -> Reading[T]:
        """Return *table*, the section called *name*, as a *kind*."""
        fields = {field.key: field for field in _fields(kind)}
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
        struct = _struct(kind)
        if isinstance(node, dict) and struct is not None:
            return self.section(struct, node, f"{section}.{key}")
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


def _fields(kind: type) -> Iterator[_Field]:
    if issubclass(kind, msgspec.Struct):
        for field in msgspec.structs.fields(kind):
            yield _Field(field.name, field.encode_name, field.type, field.required)
        return
    hints = typing.get_type_hints(kind, include_extras=True)
    for one in dataclasses.fields(kind):  # type: ignore[arg-type]
        required = one.default is dataclasses.MISSING and one.default_factory is dataclasses.MISSING
        yield _Field(one.name, one.name, hints[one.name], required)


def _unknown(section: str, key: str, node: Node, fields: Mapping[str, _Field]) -> Mistake:
    close = difflib.get_close_matches(key, fields, n=1)
    remedy = f'did you mean "{close[0]}"?' if close else f"the settings are: {', '.join(fields) or 'none'}"
    return Mistake(section=section, key=key, complaint="is not a setting", origin=origins(node), remedy=remedy)


def _parse(kind: Annotation, text: str) -> object:
    shape = _shape(kind)
    if shape in _LISTS and not text.lstrip().startswith("["):
        return [item.strip() for item in text.split(",") if item.strip()]
    if shape in _LISTS or shape is dict or _struct(kind) is not None:
        return msgspec.json.decode(text)
    return text


_LISTS: Final = (list, tuple, set, frozenset)


def _bare(kind: Annotation) -> tuple[Annotation, tuple[msgspec.Meta, ...]]:
    """Return *kind* without `Annotated` and `| None`, and the constraints that it bore."""
    metas: tuple[msgspec.Meta, ...] = ()
    while True:
        origin: Annotation = typing.get_origin(kind)
        if origin is Annotated:
            metas += tuple(meta for meta in kind.__metadata__ if isinstance(meta, msgspec.Meta))
            kind = kind.__origin__
        elif origin in (typing.Union, types.UnionType) and len(_members(kind)) == 1:
            kind = _members(kind)[0]
        else:
            return kind, metas


def _members(kind: Annotation) -> list[Annotation]:
    return [one for one in typing.get_args(kind) if one is not type(None)]


def _shape(kind: Annotation) -> Annotation:
    bare, _ = _bare(kind)
    return typing.get_origin(bare) or bare


def _struct(kind: Annotation) -> Annotation:
    bare, _ = _bare(kind)
    return bare if isinstance(bare, type) and issubclass(bare, msgspec.Struct) else None


_WORDS: Final[Mapping[Annotation, str]] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text in quotes",
    Path: "a path in quotes",
    Secret: 'a reference, "env:NAME" or "file:PATH"',
    Url: 'a URL in quotes, or a reference "env:NAME" or "file:PATH"',
    dict: "a table",
}


def describe(kind: Annotation) -> str:
    """Return in words which values a setting of type *kind* takes."""
    bare, metas = _bare(kind)
    said = [meta.description for meta in metas if meta.description]
    words = said[0] if said else _words(bare) + "".join(_bounds(meta) for meta in metas)
    examples = [example for meta in metas for example in meta.examples or ()]
    return words + (f" such as {_quote(examples[0])}" if examples else "")


def _words(bare: Annotation) -> str:
    origin: Annotation = typing.get_origin(bare)
    arguments = typing.get_args(bare)
    if origin is typing.Literal:
        return " or ".join(_quote(one) for one in arguments)
    if origin in _LISTS:
        return f"a list, each {describe(arguments[0])}"
    if origin in (typing.Union, types.UnionType):
        return " or ".join(describe(one) for one in _members(bare))
    if _struct(bare) is not None:
        return "a table"
    return _WORDS.get(origin or bare, f"a {getattr(bare, '__name__', bare)}")


def _bounds(meta: msgspec.Meta) -> str:
    lower, upper = _first(meta.ge, meta.gt), _first(meta.le, meta.lt)
    found = ""
    if lower is not None and upper is not None:
        found = f" from {lower} to {upper}"
    elif lower is not None:
        found = f" of at least {lower}" if meta.gt is None else f" above {lower}"
    elif upper is not None:
        found = f" of at most {upper}" if meta.lt is None else f" below {upper}"
    if meta.min_length is not None:
        found += f", at least {meta.min_length} long"
    if meta.max_length is not None:
        found += f", at most {meta.max_length} long"
    return found + (f" matching {meta.pattern}" if meta.pattern else "")


def _first(*bounds: float | None) -> float | None:
    return next((bound for bound in bounds if bound is not None), None)


def _show(kind: Annotation, node: Node) -> str:
    if _mentions(kind, Secret) or _mentions(kind, Url):
        return "wrong"
    text = _quote(plain(node))
    return text if len(text) <= 80 else f"{text[:79]}…"


def _mentions(kind: Annotation, wanted: type) -> bool:
    return kind is wanted or any(_mentions(one, wanted) for one in typing.get_args(kind))


def _quote(value: object) -> str:
    return msgspec.json.encode(value, enc_hook=str).decode()
