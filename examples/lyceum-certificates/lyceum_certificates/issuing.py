"""Issuing: asks who is certified and what, after the commit of the event, until both are known.

A certificate waits in its own row, so none is lost with a process. Of two processes both may ask; one writes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from uuid import UUID

from kernel import Context
from kernel.contracts.courses import COURSES, CourseOffer
from kernel.contracts.users import USERS
from lyceum_certificates.register import ISSUE, WAITING, Waiting
from lyceum_certificates.settings import CertificatesSettings


class Issuing:
    """Issues what waits."""

    def __init__(self, ctx: Context[CertificatesSettings]) -> None:
        self._ctx = ctx

    async def run(self) -> None:
        """Try every certificate that waits once; what can not be issued waits on, and holds up no other."""
        async for waiting in self._pages():
            names = await self._names(waiting)
            titles = await self._titles(waiting)
            known = [one for one in waiting if one.user_id in names and one.course_id in titles]
            rows = [self._row(one, names[one.user_id], titles[one.course_id]) for one in known]
            if rows:
                async with self._ctx.db.transaction() as session:
                    await session.run_many(ISSUE, rows)

    async def _pages(self) -> AsyncIterator[list[Waiting]]:
        after = UUID(int=0)
        while found := await self._ctx.db.all(WAITING, after=after):
            after = found[-1].id
            yield found

    async def _names(self, waiting: Iterable[Waiting]) -> Mapping[UUID, str]:
        """Return the names of those who have told one: nobody is certified without."""
        ids = tuple({one.user_id for one in waiting})
        people = await self._ctx.services.get(USERS).people(ids)
        return {person.id: name for person in people.values() if (name := person.display_name.strip())}

    async def _titles(self, waiting: Sequence[Waiting]) -> Mapping[UUID, str]:
        """Return the titles of the courses; each is asked for once."""
        courses = {one.course_id for one in waiting}
        offers = await asyncio.gather(*(self._offer(course) for course in courses))
        return {offer.id: offer.title for offer in offers if offer is not None}

    async def _offer(self, course_id: UUID) -> CourseOffer | None:
        try:
            return await self._ctx.services.get(COURSES).offer(course_id)
        except Exception:
            facts = {"course": str(course_id)}
            self._ctx.log.exception("certificates of the course wait for the next try", action="issue", **facts)
            return None

    def _row(self, one: Waiting, person: str, course: str) -> dict[str, object]:
        settings = self._ctx.settings
        return {
            "certificate": one.id,
            "new_person": person,
            "new_course": course,
            "new_issuer": settings.issuer or self._ctx.deployment.name,
            "new_signature": settings.signature,
            "now": self._ctx.clock.now(),
        }
