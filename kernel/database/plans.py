"""Plans: what is left of a statement after it was compiled once for one dialect.

At run time a plan puts values into the statement's order and makes rows of records, and does nothing for those that
the driver handles by itself.
"""

from __future__ import annotations

import inspect
import operator
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any, Final, Generic, TypeVar, cast

import msgspec
import sqlalchemy as sa
from sqlalchemy.sql import visitors
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.dml import UpdateBase

from kernel.database.dialects import DIALECTS, ListOf
from kernel.database.location import Dialect
from kernel.database.statements import Command, Lookup, Query, Statement, field_names

R = TypeVar("R")

#: Turns one value into what the driver takes, or back.
Processor = Callable[[Any], Any]
#: Makes a row of one record.
Decode = Callable[[Sequence[object]], R]

# SQLAlchemy asks for the type code of a result column, of which it uses only these.
_FLOAT_OID: Final = 701
_NUMERIC_OID: Final = 1700


@dataclass(frozen=True, slots=True)
class Plan(Generic[R]):
    """One statement in one dialect."""

    sql: str
    order: tuple[str, ...]  #: the names of the values as the driver wants them
    defaults: tuple[tuple[str, Callable[[], object]], ...]  #: values that stand in the statement itself
    processors: tuple[tuple[int, Processor], ...]  #: by the place of the value
    decode: Decode[R]
    reads: bool  #: changes nothing, so that it may run twice
    lists: bool  #: some value is a list of an `IN` (SQLite)

    def arguments(self, values: dict[str, object]) -> list[object]:
        """Return *values* in order, ready for the driver; *values* itself is changed.

        Raises:
            TypeError: a value is missing or is none of the statement's.
        """
        for name, default in self.defaults:
            if name not in values:
                values[name] = default()
        try:
            ordered = [values[name] for name in self.order]
        except KeyError:
            raise self._mismatch(values) from None
        if len(values) != len(ordered):
            raise self._mismatch(values)
        for place, process in self.processors:
            ordered[place] = process(ordered[place])
        return ordered

    def ordered(self, names: Sequence[str], rows: Sequence[Sequence[object]]) -> list[Sequence[object]]:
        """Return *rows*, whose values stand in the order of *names*, as the driver wants them."""
        places = [names.index(name) for name in self.order]
        if self.processors:
            processed = [[row[place] for place in places] for row in rows]
            for place, process in self.processors:
                for values in processed:
                    values[place] = process(values[place])
            return list[Sequence[object]](processed)
        if places == sorted(places):
            return list(rows)
        return list(map(operator.itemgetter(*places), rows))

    def _mismatch(self, values: Mapping[str, object]) -> TypeError:
        missing = sorted(set(self.order) - set(values))
        unknown = sorted(set(values) - set(self.order))
        return TypeError(f"the statement misses the values {missing} and does not know {unknown}: {self.sql}")


def query_plan(query: Query[R] | Lookup[R], dialect: Dialect) -> Plan[R]:
    """Return the plan of *query*, compiled at its first use."""
    plan: Plan[R] | None = query.plans.get(dialect)
    if plan is None:
        plan = query.plans[dialect] = compile_plan(query.statement, dialect, query.row)
    return plan


def command_plan(command: Command, dialect: Dialect) -> Plan[None]:
    """Return the plan of *command*, compiled at its first use."""
    plan: Plan[None] | None = command.plans.get(dialect)
    if plan is None:
        plan = command.plans[dialect] = compile_plan(command.statement, dialect, type(None))
    return plan


def compile_plan(statement: Statement, dialect: Dialect, row: type[R]) -> Plan[R]:
    """Compile *statement* for *dialect*, decoding its rows into *row*.

    Raises:
        TypeError: the text of the statement would depend on its values.
    """
    compiled = cast("Any", statement).compile(dialect=DIALECTS[dialect])
    assert isinstance(compiled, SQLCompiler)  # noqa: S101  # DDL has a compiler of its own and no values
    if compiled.post_compile_params or compiled.escaped_bind_names:
        raise TypeError(f"this statement can not be compiled once; bind lists of single columns only: {compiled}")
    order = tuple(compiled.positiontup or dict.fromkeys(compiled.bind_names.values()))
    binds = {name: compiled.binds[name] for name in order}
    processors = ((place, _bind_processor(bind.type, dialect)) for place, bind in enumerate(binds.values()))
    return Plan(
        sql=compiled.string,
        order=order,
        defaults=(*_column_defaults(compiled), *_bound_values(binds)),
        processors=tuple((place, process) for place, process in processors if process is not None),
        decode=_decoder(statement, dialect, row),
        reads=_only_reads(statement, compiled.string),
        lists=any(isinstance(bind.type, ListOf) for bind in binds.values()),
    )


def _bound_values(binds: Mapping[str, sa.BindParameter[Any]]) -> list[tuple[str, Callable[[], object]]]:
    return [(name, partial(getattr, bind, "effective_value")) for name, bind in binds.items() if not bind.required]


def _column_defaults(compiled: SQLCompiler) -> list[tuple[str, Callable[[], object]]]:
    inserted = [(column.key, column.default) for column in compiled.insert_prefetch]
    updated = [(column.key, column.onupdate) for column in compiled.update_prefetch]
    return [(key, partial(_default_value, default)) for key, default in (*inserted, *updated)]


def _default_value(default: object) -> object:
    if isinstance(default, sa.ColumnDefault):
        return default.arg(None) if default.is_callable else default.arg
    raise TypeError(f"{default!r} is no default that can be given here; bind the value or use a server default")


def _only_reads(statement: Statement, sql: str) -> bool:
    if isinstance(statement, sa.TextualSelect):
        return sql.lstrip().lower().startswith("select")
    elements = visitors.iterate(cast("visitors.ExternallyTraversible", statement))
    return isinstance(statement, sa.SelectBase) and not any(isinstance(element, UpdateBase) for element in elements)


def _bind_processor(type_: sa.types.TypeEngine[Any], dialect: Dialect) -> Processor | None:
    if isinstance(type_, ListOf):
        return partial(_process_list, _bind_processor(type_.item, dialect))
    implementation = type_.dialect_impl(DIALECTS[dialect])
    if isinstance(implementation, sa.JSON):
        return _encode_json
    if isinstance(implementation, sa.LargeBinary):
        return None
    return cast("Processor | None", implementation.bind_processor(DIALECTS[dialect]))


def _process_list(process: Processor | None, values: Sequence[object]) -> list[object]:
    return list(values) if process is None else [process(value) for value in values]


def _encode_json(value: object) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()


def _decode_json(decode: Callable[[str], object], value: str | None) -> object:
    return None if value is None else decode(value)


def _result_processor(column: sa.ColumnElement[Any], dialect: Dialect, hint: object) -> Processor | None:
    implementation = column.type.dialect_impl(DIALECTS[dialect])
    if isinstance(implementation, sa.JSON):
        return partial(_decode_json, msgspec.json.Decoder(hint).decode)
    if isinstance(implementation, sa.LargeBinary):
        return None
    if isinstance(implementation, sa.Integer) and not isinstance(getattr(column, "element", column), sa.Column):
        return _whole_number
    oid = _FLOAT_OID if isinstance(implementation, sa.Float) else _NUMERIC_OID
    return cast("Processor | None", implementation.result_processor(DIALECTS[dialect], oid))


def _whole_number(value: int | Decimal | None) -> int | None:
    # PostgreSQL gives the sum of bigints as a numeric.
    return int(value) if isinstance(value, Decimal) else value


def _decoder(statement: Statement, dialect: Dialect, row: type[R]) -> Decode[R]:
    if row is type(None):
        return _no_row
    columns = list(cast("sa.Select[Any]", statement).exported_columns)
    hinted = zip(columns, _hints(row, columns), strict=True)
    found = [_result_processor(column, dialect, hint) for column, hint in hinted]
    processors = [(place, process) for place, process in enumerate(found) if process is not None]
    make = _maker(row)
    return partial(_make_processed, make, processors) if processors else make


def _hints(row: type[Any], columns: Sequence[sa.ColumnElement[Any]]) -> list[object]:
    """Return the types of the row's fields, if some column is JSON: it is decoded into the type of its field."""
    names = field_names(row)
    if names is None:
        return [row]
    if not any(isinstance(column.type, sa.JSON) for column in columns):
        return [None] * len(names)
    hints = typing.get_type_hints(row, include_extras=True)
    return [hints[name] for name in names]


def _maker(row: type[R]) -> Decode[R]:
    names = field_names(row)
    if names is None:
        return cast("Decode[R]", operator.itemgetter(0))
    kinds = {parameter.kind for parameter in inspect.signature(row).parameters.values()}
    if inspect.Parameter.KEYWORD_ONLY in kinds:
        return lambda record: row(**dict(zip(names, record, strict=True)))
    return lambda record: row(*record)


def _make_processed(make: Decode[R], processors: list[tuple[int, Processor]], record: Sequence[object]) -> R:
    values = list(record)
    for place, process in processors:
        values[place] = process(values[place])
    return make(values)


def _no_row(record: Sequence[object]) -> Any:
    raise TypeError("a command returns no rows; use a Query for a statement with `returning`")
