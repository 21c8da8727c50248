"""A `Guarded` as statements: one on PostgreSQL, also for many changes at once; several in a transaction on SQLite."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql import visitors
from sqlalchemy.sql.compiler import SQLCompiler

from kernel.database.dialects import DIALECTS
from kernel.database.plans import Plan, compile_plan
from kernel.database.statements import Follow, Guarded, Returned, column_names, field_names

R = TypeVar("R")

_RETURNED = "returned_"  # before the names of the values that the guard gives to its follows on SQLite


def single_plan(change: Guarded[R]) -> Plan[R]:
    """Return *change* as one statement of PostgreSQL, compiled at its first use.

    The guard and its follows are common table expressions: each follow inserts one row for each of the guard's.
    """
    plan: Plan[R] | None = change.plans.get("postgresql")
    if plan is None:
        plan = change.plans["postgresql"] = compile_plan(_single_statement(change), "postgresql", change.row)
    return plan


@dataclass(frozen=True)
class GuardPlans(Generic[R]):
    """A `Guarded` for SQLite: the guard, then each follow for each row of the guard."""

    guard: Plan[R]
    follows: tuple[Plan[None], ...]
    columns: tuple[str, ...]  #: what the guard returns
    fields: bool  #: a row has the columns as its fields; else it is the only column's value

    def guard_arguments(self, values: dict[str, object]) -> list[object]:
        """Return the guard's arguments; a value that nothing asks for is refused here."""
        others = {name for plan in self.follows for name in plan.order} - set(self.guard.order)
        return self.guard.arguments({name: value for name, value in values.items() if name not in others})

    def follow_arguments(self, follow: Plan[None], values: dict[str, object], row: R) -> list[object]:
        """Return the arguments of *follow* for one row that the guard returned."""
        returned = {f"{_RETURNED}{name}": getattr(row, name) if self.fields else row for name in self.columns}
        known = {**values, **returned}
        return follow.arguments({name: known[name] for name in follow.order if name in known})


def step_plans(change: Guarded[R]) -> GuardPlans[R]:
    """Return *change* as statements of SQLite, compiled at their first use."""
    plans: GuardPlans[R] | None = change.plans.get("sqlite")
    if plans is None:
        plans = change.plans["sqlite"] = GuardPlans(
            compile_plan(change.guard, "sqlite", change.row),
            tuple(compile_plan(_insert(follow), "sqlite", type(None)) for follow in change.follows),
            column_names(change.guard),
            fields=field_names(change.row) is not None,
        )
    return plans


@dataclass(frozen=True)
class GroupPlan(Generic[R]):
    """A `Guarded` for PostgreSQL that makes several changes in one statement."""

    single: Plan[R]
    group: Plan[R]  #: takes a list for each value of *single*, in the same order
    place: int  #: of the key among the values
    key_of: Callable[[R], object]  #: the key of the change that touched a row


def group_plan(change: Guarded[R]) -> GroupPlan[R]:
    """Return *change*, which has a key, as one statement for several changes at once, compiled at its first use.

    Raises:
        TypeError: it can not be made one for several.
    """
    plan: GroupPlan[R] | None = change.plans.get("group")
    if plan is None:
        plan = change.plans["group"] = _compile_group(change)
    return plan


def _compile_group(change: Guarded[R]) -> GroupPlan[R]:
    assert change.key is not None  # noqa: S101
    value, column = change.key
    single = single_plan(change)
    types = _types(_single_statement(change))
    given = sa.func.unnest(*(bindparam(name, type_=postgresql.ARRAY(types[name])) for name in single.order))
    columns = [sa.column(name, types[name]) for name in single.order]
    changes = sa.select(given.table_valued(*columns).render_derived()).cte("changes")
    group = compile_plan(_group_statement(change, changes), "postgresql", change.row)
    if group.order != single.order:
        raise TypeError(f"a change with a key binds its values by name, an insert's in a select: {group.sql}")
    key_of = _itself if field_names(change.row) is None else operator.attrgetter(column)
    return GroupPlan(single, group, single.order.index(value), key_of)


def _itself(value: R) -> R:
    return value


def _types(statement: sa.Select[Any]) -> dict[str, sa.types.TypeEngine[Any]]:
    compiled = statement.compile(dialect=DIALECTS["postgresql"])
    assert isinstance(compiled, SQLCompiler)  # noqa: S101  # it is no DDL
    return {name: bind.type for name, bind in compiled.binds.items()}


def _group_statement(change: Guarded[R], changes: sa.CTE) -> sa.Select[Any]:
    """Return the single statement with the columns of *changes* in place of its values."""
    assert change.key is not None  # noqa: S101
    value, column = change.key

    def of_change(element: Any, **_: object) -> Any:
        named = isinstance(element, sa.BindParameter) and not element.unique
        return changes.c[element.key] if named else None

    def for_all(element: object) -> Any:
        return visitors.replacement_traverse(cast("Any", element), {}, of_change)

    guard = for_all(change.guard).cte("guard")
    source = guard.join(changes, guard.c[column] == changes.c[value])
    return _with_follows(guard, [_insert_from(follow, guard, source, for_all) for follow in change.follows])


def _single_statement(change: Guarded[R]) -> sa.Select[Any]:
    guard = cast("sa.sql.dml.UpdateBase", change.guard).cte("guard")
    return _with_follows(guard, [_insert_from(follow, guard, guard) for follow in change.follows])


def _with_follows(guard: sa.CTE, follows: Sequence[sa.Insert]) -> sa.Select[Any]:
    ctes = [follow.cte(f"follow_{number}") for number, follow in enumerate(follows, start=1)]
    return sa.select(guard).add_cte(*ctes)


def _insert_from(
    follow: Follow, guard: sa.CTE, source: sa.FromClause, given: Callable[[sa.ColumnElement[Any]], Any] = _itself
) -> sa.Insert:
    columns = [
        guard.c[value.name] if isinstance(value, Returned) else given(_typed(value, follow.table.c[name]))
        for name, value in follow.values.items()
    ]
    return sa.insert(follow.table).from_select(list(follow.values), sa.select(*columns).select_from(source))


def _insert(follow: Follow) -> sa.Insert:
    values = {
        name: sa.bindparam(f"{_RETURNED}{value.name}") if isinstance(value, Returned) else value
        for name, value in follow.values.items()
    }
    return sa.insert(follow.table).values(values)


def _typed(value: object, column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    if isinstance(value, sa.ColumnElement):
        return sa.type_coerce(value, column.type)
    return sa.literal(value, column.type)
