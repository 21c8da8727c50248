"""What every database and every transaction of every dialect does alike: values in, rows out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, TypeVar

from kernel import errors
from kernel.database.location import Dialect
from kernel.database.plans import Plan, command_plan, query_plan
from kernel.database.statements import Command, Guarded, Load, Query

R = TypeVar("R")
T = TypeVar("T")

#: One row as the driver gives it.
Record = Sequence[object]
#: Runs a plan with its arguments on a connection of the driver.
Operation = Callable[[Any, Plan[Any], Sequence[Any]], Awaitable[T]]


@dataclass(frozen=True, kw_only=True)
class Operations:
    """What can be done with a plan on a connection of one driver."""

    fetch: Operation[Sequence[Record]]
    fetch_first: Operation[Record | None]
    execute: Operation[int]  #: returns the number of rows affected
    execute_many: Operation[None]  #: takes one list of arguments for each time
    load: Callable[[Any, Load, Plan[Any], Sequence[Any]], Awaitable[object]]  #: takes the plan of the load's command


class PlanExecutor(ABC):
    """An `Executor` (see `kernel.database.api`) over the operations of a driver."""

    dialect: ClassVar[Dialect]
    operations: ClassVar[Operations]

    async def all(self, query: Query[R], /, **values: object) -> list[R]:
        plan = query_plan(query, self.dialect)
        records = await self._call(self.operations.fetch, plan, plan.arguments(values))
        decode = plan.decode
        return [decode(record) for record in records]

    async def first(self, query: Query[R], /, **values: object) -> R | None:
        plan = query_plan(query, self.dialect)
        record = await self._call(self.operations.fetch_first, plan, plan.arguments(values))
        return None if record is None else plan.decode(record)

    async def one(self, query: Query[R], /, **values: object) -> R:
        row = await self.first(query, **values)
        if row is None:
            raise errors.RowMissing(f"no row of {query_plan(query, self.dialect).sql!r}")
        return row

    async def run(self, command: Command, /, **values: object) -> int:
        plan = command_plan(command, self.dialect)
        return await self._call(self.operations.execute, plan, plan.arguments(values))

    async def run_many(self, command: Command, rows: Sequence[Mapping[str, object]]) -> None:
        plan = command_plan(command, self.dialect)
        if rows:
            await self._call(self.operations.execute_many, plan, [plan.arguments(dict(row)) for row in rows])

    async def load(self, load: Load, rows: Sequence[Sequence[object]]) -> None:
        plan = command_plan(load.command, self.dialect)
        if rows:
            operation = partial(_loaded, self.operations, load)
            await self._call(operation, plan, plan.ordered(load.columns, rows))

    @abstractmethod
    async def guarded(self, change: Guarded[R], /, **values: object) -> R | None: ...

    @abstractmethod
    async def _call(self, operation: Operation[T], plan: Plan[R], arguments: Sequence[object]) -> T:
        """Run the operation on a connection and tell its failures in our words."""


async def _loaded(
    operations: Operations, load: Load, connection: object, plan: Plan[Any], rows: Sequence[Sequence[object]]
) -> None:
    await operations.load(connection, load, plan, rows)
