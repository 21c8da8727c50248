"""What courses do about events of others."""

from __future__ import annotations

from kernel import Clock, Delivery
from kernel.contracts.users import ProfileChanged
from kernel.database import Session
from plugins.courses.editing import LOCK_COURSE, refresh
from plugins.courses.instructors import CHANGE_NAME, TAUGHT_BY


class Names:
    """Keeps the names under which instructors are shown."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def changed(self, session: Session, delivery: Delivery[ProfileChanged]) -> None:
        """Store the name, and render the courses that show it."""
        person = delivery.event
        changed = await session.run(CHANGE_NAME, user_id=person.user_id, display_name=person.display_name)
        if not changed:
            return
        for course_id in await session.all(TAUGHT_BY, person=person.user_id):
            await session.first(LOCK_COURSE, course_id=course_id, now=self._clock.now())
            await refresh(session, course_id)
