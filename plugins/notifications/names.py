"""Names: facts that hold the id of a course or person are given the name beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from kernel import Context
from kernel.contracts.courses import COURSES
from kernel.contracts.notifications import Facts
from kernel.contracts.users import USERS

#: Fact that is an id → fact that is the name.
NAMED: Final[Mapping[str, str]] = {"course_id": "course", "author_id": "author"}


class Names:
    """Asks the other modules; never inside a transaction."""

    def __init__(self, ctx: Context[Any]) -> None:
        self._services = ctx.services

    async def name(self, told: Sequence[Facts]) -> list[Facts]:
        """Return each of *told* with the names that it lacks; one that nobody knows is empty."""
        titles, authors = await self._titles(_ids(told, "course_id")), await self._authors(_ids(told, "author_id"))
        known = {"course_id": titles, "author_id": authors}
        return [_named(facts, known) for facts in told]

    async def name_again(self, told: Sequence[Facts]) -> list[Facts]:
        """Return each of *told* with the names of today."""
        return await self.name([_unnamed(facts) for facts in told])

    async def _titles(self, wanted: Sequence[UUID]) -> Mapping[str, str]:
        courses = self._services.find(COURSES)
        offers = [await courses.offer(one) for one in wanted] if courses is not None else []
        return {str(offer.id): offer.title for offer in offers if offer is not None}

    async def _authors(self, wanted: Sequence[UUID]) -> Mapping[str, str]:
        users = self._services.find(USERS)
        people = await users.people(wanted) if users is not None and wanted else {}
        return {str(person.id): person.display_name for person in people.values()}


def is_named(facts: Facts) -> bool:
    """Return whether there is nothing to be named."""
    return not _lacking(facts)


def _lacking(facts: Facts) -> list[str]:
    return [key for key, name in NAMED.items() if key in facts and name not in facts]


def _ids(told: Sequence[Facts], key: str) -> list[UUID]:
    wanted = {str(facts[key]) for facts in told if key in _lacking(facts)}
    return [found for one in sorted(wanted) if (found := _id(one)) is not None]


def _id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:  # another plugin's facts
        return None


def _named(facts: Facts, known: Mapping[str, Mapping[str, str]]) -> Facts:
    lacking = _lacking(facts)
    return {**facts, **{NAMED[key]: known[key].get(str(facts[key]), "") for key in lacking}} if lacking else facts


def _unnamed(facts: Facts) -> Facts:
    names = {name for key, name in NAMED.items() if facts.get(key)}
    return {key: value for key, value in facts.items() if key not in names}
