"""A `Guarded` as statements: one on PostgreSQL, several for one transaction on SQLite."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

import sqlalchemy as sa

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


def _single_statement(change: Guarded[R]) -> sa.Select[Any]:
    guard = cast("sa.sql.dml.UpdateBase", change.guard).cte("guard")
    follows = [
        _insert_from(follow, guard).cte(f"follow_{number}") for number, follow in enumerate(change.follows, start=1)
    ]
    return sa.select(guard).add_cte(*follows)


def _insert_from(follow: Follow, guard: sa.CTE) -> sa.Insert:
    columns = [
        guard.c[value.name] if isinstance(value, Returned) else _typed(value, follow.table.c[name])
        for name, value in follow.values.items()
    ]
    return sa.insert(follow.table).from_select(list(follow.values), sa.select(*columns).select_from(guard))


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
