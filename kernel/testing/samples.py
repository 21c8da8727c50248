"""Made-up values of typed things: the same for the same type each time, and fitting together by the names of fields."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final, TypeVar
from uuid import NAMESPACE_URL, uuid5

import msgspec
from msgspec import inspect

from kernel.events.event import Event

T = TypeVar("T")

#: Whoever made-up things are about.
PERSON: Final = uuid5(NAMESPACE_URL, "user_id")
EMAIL: Final = "sample.person@people.test"
MOMENT: Final = datetime(2030, 1, 1, tzinfo=UTC)
_PEOPLE: Final = frozenset({"account_id", "person_id", "subject_id", "user_id"})
_TEXTS: Final[Mapping[str, str]] = MappingProxyType(
    {"currency": "EUR", "email": EMAIL, "locale": "en", "time_zone": "UTC", "subject": f"account:{PERSON}"}
)


class Unimaginable(Exception):
    """No value of the type can be made up; give one."""


def sample_event(kind: type[Event]) -> Event:
    """Return a made-up event; fields with a default have it, and whom it is about is always the same person.

    Raises:
        Unimaginable: a field's rules are more than can be guessed.
    """
    return sample(kind, people=frozenset(kind.personal))


def sample(kind: type[T], *, people: frozenset[str] = frozenset()) -> T:
    """Return a made-up *kind*, a msgspec Struct for one; the ids in the fields *people* are the person's.

    Raises:
        Unimaginable: the rules of a field are more than can be guessed.
    """
    try:
        made: T = _make(inspect.type_info(kind), "", people | _PEOPLE)
        return msgspec.json.decode(msgspec.json.encode(made), type=kind)  # which checks every rule
    except msgspec.MsgspecError as error:
        raise Unimaginable(f"no {kind.__name__} can be made up: {error}") from error


def _make(info: inspect.Type, name: str, people: frozenset[str]) -> Any:
    if isinstance(info, inspect.Metadata):
        return _make(info.type, name, people)
    if isinstance(info, inspect.StructType):
        needed = [field for field in info.fields if field.required]
        return info.cls(**{field.name: _make(field.type, field.name, people) for field in needed})
    if isinstance(info, inspect.UnionType):
        return _make(next(one for one in info.types if not isinstance(one, inspect.NoneType)), name, people)
    if isinstance(info, inspect.UUIDType):
        return PERSON if name in people else uuid5(NAMESPACE_URL, name)
    if (many := _made_of_many(info, name, people)) is not None:
        return many
    make = _SIMPLE.get(type(info))
    if make is None:
        raise Unimaginable(f"nothing can be made up for the field {name!r} ({type(info).__name__})")
    return make(info, name)


def _made_of_many(info: inspect.Type, name: str, people: frozenset[str]) -> Any:
    if isinstance(info, inspect.TupleType):
        return tuple(_make(item, name, people) for item in info.item_types)
    if isinstance(info, inspect.DictType):
        return {_make(info.key_type, name, people): _make(info.value_type, name, people)}
    if isinstance(info, inspect.ListType | inspect.VarTupleType | inspect.SetType | inspect.FrozenSetType):
        return [_make(info.item_type, name, people)] * max(1, info.min_length or 0)
    return None


def _integer(info: Any, name: str) -> int:
    step = info.multiple_of or 1
    least = max(
        (bound for bound in (info.ge, None if info.gt is None else info.gt + 1) if bound is not None), default=1
    )
    most = min(
        (bound for bound in (info.le, None if info.lt is None else info.lt - 1) if bound is not None), default=least
    )
    return min(math.ceil(least / step) * step, most)


def _float(info: Any, name: str) -> float:
    least = next((bound for bound in (info.ge, info.gt) if bound is not None), 0.0)
    most = next((bound for bound in (info.le, info.lt) if bound is not None), least + 1.0)
    return float(least + most) / 2


def _text(info: Any, name: str) -> str:
    text = _TEXTS.get(name) or f"sample {name}".strip()
    return text.ljust(info.min_length or 0, "x")[: info.max_length]


_SIMPLE: Final[Mapping[type[inspect.Type], Callable[[Any, str], object]]] = MappingProxyType(
    {
        inspect.AnyType: lambda info, name: f"sample {name}",
        inspect.BoolType: lambda info, name: True,
        inspect.BytesType: lambda info, name: b"sample".ljust(info.min_length or 0, b"x")[: info.max_length],
        inspect.DateTimeType: lambda info, name: MOMENT if info.tz is not False else MOMENT.replace(tzinfo=None),
        inspect.DateType: lambda info, name: date(2030, 1, 1),
        inspect.DecimalType: lambda info, name: Decimal(1),
        inspect.EnumType: lambda info, name: next(iter(info.cls)),
        inspect.FloatType: _float,
        inspect.IntType: _integer,
        inspect.LiteralType: lambda info, name: info.values[0],
        inspect.NoneType: lambda info, name: None,
        inspect.RawType: lambda info, name: msgspec.Raw(b"{}"),
        inspect.StrType: _text,
        inspect.TimeDeltaType: lambda info, name: timedelta(seconds=1),
        inspect.TimeType: lambda info, name: time(12),
    }
)
