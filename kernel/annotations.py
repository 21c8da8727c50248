"""The types of settings: what shape of value each takes, and how to say so to a person."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec

from kernel.settings import Secret, Url

#: The type of a setting as its annotation says it; typing has no narrower word for "any annotation".
Annotation = Any

LISTS: Final = (list, tuple, set, frozenset)


def bare(kind: Annotation) -> tuple[Annotation, tuple[msgspec.Meta, ...]]:
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


def shape(kind: Annotation) -> Annotation:
    """Return the class of *kind*: `list` for `list[str] | None`."""
    found, _ = bare(kind)
    return typing.get_origin(found) or found


def struct(kind: Annotation) -> Annotation:
    """Return the Struct that *kind* is, None when it is something else."""
    found, _ = bare(kind)
    return found if isinstance(found, type) and issubclass(found, msgspec.Struct) else None


def mentions(kind: Annotation, wanted: type) -> bool:
    """Return whether *wanted* is *kind* or somewhere within it."""
    within = (
        typing.get_args(kind) if struct(kind) is None else [one.type for one in msgspec.structs.fields(struct(kind))]
    )
    return kind is wanted or any(mentions(one, wanted) for one in within)


def quote(value: object) -> str:
    """Return *value* as it is written in TOML, nearly."""
    return msgspec.json.encode(value, enc_hook=str).decode()


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
    found, metas = bare(kind)
    said = [meta.description for meta in metas if meta.description]
    words = said[0] if said else _words(found) + "".join(_bounds(meta) for meta in metas)
    examples = [example for meta in metas for example in meta.examples or ()]
    return words + (f" such as {quote(examples[0])}" if examples else "")


def _words(kind: Annotation) -> str:
    origin: Annotation = typing.get_origin(kind)
    arguments = typing.get_args(kind)
    if origin is typing.Literal:
        return " or ".join(quote(one) for one in arguments)
    if origin in LISTS:
        return f"a list, each {describe(arguments[0])}"
    if origin in (typing.Union, types.UnionType):
        return " or ".join(describe(one) for one in _members(kind))
    if struct(kind) is not None:
        return "a table"
    return _WORDS.get(origin or kind, f"a {getattr(kind, '__name__', kind)}")


def _bounds(meta: msgspec.Meta) -> str:
    if meta.ge is not None and meta.le is not None:
        return f" from {meta.ge} to {meta.le}"
    return "".join(
        words.format(getattr(meta, name)) for name, words in _BOUNDS.items() if getattr(meta, name) is not None
    )


_BOUNDS: Final = {
    "gt": " above {}",
    "ge": " of at least {}",
    "lt": " below {}",
    "le": " of at most {}",
    "min_length": ", at least {} long",
    "max_length": ", at most {} long",
    "pattern": " matching {}",
}
