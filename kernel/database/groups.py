"""Changes of the same kind that wait at the same moment: one statement and one commit for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final, Protocol

from kernel import errors
from kernel.database.gathering import PATIENCE, Gathering, Waiter, refuse
from kernel.database.guards import GroupPlan, group_plan
from kernel.database.plans import Plan
from kernel.database.statements import Guarded

GROUP_LIMIT: Final = 100  # changes in one statement

Values = dict[str, object]


class Fetch(Protocol):
    """Runs a plan in a transaction of its own."""

    async def __call__(self, plan: Plan[Any], arguments: list[Any], /) -> Sequence[Sequence[object]]: ...


class Groups:
    """The changes with keys of one database.

    Of each kind one group is under way, and who comes meanwhile shares the next; a group that waits for somebody's
    lock holds up only those who are in it. Each group is in the order of its keys, so that those of several processes
    rarely wait for each other in a circle; if they do, the one that PostgreSQL ends is made one by one.
    """

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._gathering = Gathering(self._change, limit=GROUP_LIMIT, patience=PATIENCE)

    def ask(self, change: Guarded[Any], values: Values) -> asyncio.Future[Any]:
        """Return the row to come that the change touches."""
        plan = group_plan(change)
        return self._gathering.ask(change, plan.single.arguments(values))

    async def close(self) -> None:
        """Refuse everybody who waits."""
        await self._gathering.close()

    async def _change(self, change: Guarded[Any], batch: list[Waiter[list[object]]]) -> None:
        plan = group_plan(change)
        for group in _without_twins(plan.places, batch):
            await self._change_together(plan, group)

    async def _change_together(self, plan: GroupPlan[Any], group: Sequence[Waiter[list[object]]]) -> None:
        arguments = [list(column) for column in zip(*(given for given, _ in group), strict=True)]
        try:
            records = await self._fetch(plan.group, arguments)
        except Exception as error:
            if len(group) == 1 or _may_have_happened(error):
                refuse(group, error)
            else:
                await asyncio.gather(*(self._change_together(plan, (waiter,)) for waiter in group))
        else:
            rows = {plan.key_of(row): row for row in map(plan.group.decode, records)}
            for given, answer in group:
                if not answer.done():
                    answer.set_result(rows.get(given[plan.places[-1]]))


def _may_have_happened(error: Exception) -> bool:
    return isinstance(error, errors.DatabaseUnavailable) and not isinstance(error, errors.TransactionConflict)


def _without_twins(places: Sequence[int], batch: list[Waiter[list[object]]]) -> list[list[Waiter[list[object]]]]:
    """Return the batch in groups, each sorted by its keys and without two changes that share one."""
    groups: list[list[Waiter[list[object]]]] = []
    taken: list[set[tuple[int, object]]] = []  # by each group
    for waiter in batch:
        keys = {(place, waiter[0][place]) for place in places}
        number = next((number for number, others in enumerate(taken) if keys.isdisjoint(others)), len(groups))
        if number == len(groups):
            groups.append([])
            taken.append(set())
        groups[number].append(waiter)
        taken[number] |= keys
    return [sorted(group, key=lambda waiter: [waiter[0][place] for place in places]) for group in groups]
