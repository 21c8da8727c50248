"""A `Guarded` as statements: one on PostgreSQL, also for many changes at once; several in a transaction on SQLite."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Generic, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql import visitors
from sqlalchemy.sql.compiler import SQLCompiler

from kernel.database.dialects import DIALECTS
from kernel.database.plans import Plan, compile_plan
from kernel.database.statements import Follow, Guarded, Returned, Statement, column_names, field_names

R = TypeVar("R")

_RETURNED: Final = "returned_"  # before the names of the values that follows on SQLite are given of what was returned


def single_plan(change: Guarded[R]) -> Plan[R]:
    """Return *change* as one statement of PostgreSQL, compiled at its first use.

    What comes first, the guard and its follows are common table expressions: each follow inserts one row for each of
    the guard's.
    """
    plan: Plan[R] | None = change.plans.get("postgresql")
    if plan is None:
        plan = change.plans["postgresql"] = compile_plan(_statement(change), "postgresql", change.row)
    return plan


@dataclass(frozen=True)
class Step(Generic[R]):
    """A statement of a `Guarded` for SQLite that returns rows."""

    plan: Plan[R]
    columns: tuple[str, ...]  #: what it returns
    fields: bool  #: a row has the columns as its fields; else it is the only column's value

    def returned(self, row: R) -> dict[str, object]:
        """Return what *row* gives to the follows."""
        return {f"{_RETURNED}{name}": getattr(row, name) if self.fields else row for name in self.columns}


@dataclass(frozen=True)
class GuardPlans(Generic[R]):
    """A `Guarded` for SQLite: what comes first, the guard, then each follow for each row of the guard."""

    first: Step[Any] | None
    guard: Step[R]
    follows: tuple[Plan[None], ...]

    def arguments(self, step: Step[Any], values: dict[str, object]) -> list[object]:
        """Return the arguments of *step*; a value that nothing asks for is refused here."""
        steps = (self.guard.plan,) if self.first is None else (self.first.plan, self.guard.plan)
        others = {name for plan in (*steps, *self.follows) for name in plan.order} - set(step.plan.order)
        return step.plan.arguments({name: value for name, value in values.items() if name not in others})

    def follow_arguments(self, follow: Plan[None], values: dict[str, object]) -> list[object]:
        """Return the arguments of *follow*; among *values* is what was returned."""
        return follow.arguments({name: values[name] for name in follow.order if name in values})


def step_plans(change: Guarded[R]) -> GuardPlans[R]:
    """Return *change* as statements of SQLite, compiled at their first use."""
    plans: GuardPlans[R] | None = change.plans.get("sqlite")
    if plans is None:
        plans = change.plans["sqlite"] = GuardPlans(
            None if change.first is None else _step(change.first.statement, change.first.row),
            _step(change.guard, change.row),
            tuple(compile_plan(_insert(follow), "sqlite", type(None)) for follow in change.follows),
        )
    return plans


def _step(statement: Statement, row: type[R]) -> Step[R]:
    return Step(compile_plan(statement, "sqlite", row), column_names(statement), fields=field_names(row) is not None)


@dataclass(frozen=True)
class GroupPlan(Generic[R]):
    """A `Guarded` for PostgreSQL that makes several changes in one statement."""

    single: Plan[R]
    group: Plan[R]  #: takes a list for each value of *single*, in the same order
    places: tuple[int, ...]  #: of the keys among the values; the last is the guard's
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
    single = single_plan(change)
    types = _types(_statement(change))
    given = sa.func.unnest(*(bindparam(name, type_=postgresql.ARRAY(types[name])) for name in single.order))
    columns = [sa.column(name, types[name]) for name in single.order]
    changes = sa.select(given.table_valued(*columns).render_derived()).cte("changes")
    group = compile_plan(_statement(change, changes), "postgresql", change.row)
    if group.order != single.order:
        raise TypeError(f"a change with a key binds its values by name, an insert's in a select: {group.sql}")
    places = tuple(single.order.index(value) for value, _column in change.keys)
    key_of = _itself if field_names(change.row) is None else operator.attrgetter(change.keys[-1][1])
    return GroupPlan(single, group, places, key_of)


def _itself(value: R) -> R:
    return value


def _types(statement: sa.Select[Any]) -> dict[str, sa.types.TypeEngine[Any]]:
    compiled = statement.compile(dialect=DIALECTS["postgresql"])
    assert isinstance(compiled, SQLCompiler)  # noqa: S101  # it is no DDL
    return {name: bind.type for name, bind in compiled.binds.items()}


def _statement(change: Guarded[R], changes: sa.CTE | None = None) -> sa.Select[Any]:
    """Return *change* as one statement: of its own values, or of the columns of *changes* in their place."""
    given = _itself if changes is None else partial(_for_all, changes)
    first = None if change.first is None else given(cast("sa.sql.dml.UpdateBase", change.first.statement)).cte("first")
    guard_statement = given(cast("sa.sql.dml.UpdateBase", change.guard))
    if first is not None:
        guard_statement = _after(guard_statement, first, _same(first, change.first_key, changes))
    guard = guard_statement.cte("guard")
    source: sa.FromClause = guard
    if changes is not None:
        source = source.join(changes, _same(guard, change.key, changes))
    both = source if first is None else source.join(first, _same(first, change.first_key, changes))
    columns = {**({} if first is None else dict(first.c.items())), **dict(guard.c.items())}
    follows = [
        _insert_from(follow, columns, source if follow.returned() <= set(guard.c.keys()) else both, given)
        for follow in change.follows
    ]
    ctes = [follow.cte(f"follow_{number}") for number, follow in enumerate(follows, start=1)]
    return sa.select(guard).add_cte(*ctes)


def _for_all(changes: sa.CTE, statement: Any) -> Any:
    """Return *statement* with the columns of *changes* in place of its values."""

    def of_change(element: Any, **_: object) -> Any:
        named = isinstance(element, sa.BindParameter) and not element.unique
        return changes.c[element.key] if named else None

    return visitors.replacement_traverse(statement, {}, of_change)


def _same(rows: sa.CTE, key: tuple[str, str] | None, changes: sa.CTE | None) -> sa.ColumnElement[bool]:
    """Return what says that a row of *rows* is of the change at hand; of a single change every row is."""
    if changes is None or key is None:
        return sa.true()
    value, column = key
    return rows.c[column] == changes.c[value]


def _after(guard: sa.sql.dml.UpdateBase, first: sa.CTE, same: sa.ColumnElement[bool]) -> sa.sql.dml.UpdateBase:
    """Return *guard* for those changes only whose *first* has touched a row."""
    touched = sa.exists().select_from(first).where(same).correlate_except(first)
    if isinstance(guard, sa.Update):
        return guard.where(touched)
    source = getattr(guard, "select", None)
    if source is None:
        raise TypeError(f"after a change that comes first, a guard is an update or an insert from a select: {guard}")

    def conditioned(element: Any, **_: object) -> Any:
        return source.where(touched) if element is source else None

    return cast("sa.sql.dml.UpdateBase", visitors.replacement_traverse(cast("Any", guard), {}, conditioned))


def _insert_from(
    follow: Follow,
    returned: dict[str, sa.ColumnElement[Any]],
    source: sa.FromClause,
    given: Callable[[Any], Any],
) -> sa.Insert:
    columns = [
        returned[value.name] if isinstance(value, Returned) else given(_typed(value, follow.table.c[name]))
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
