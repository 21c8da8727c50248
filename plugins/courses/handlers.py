"""What courses do about events of others."""

from __future__ import annotations

from kernel import Context, Delivery
from kernel.contracts.users import ProfileChanged
from kernel.database import Session
from plugins.courses.instructors import CHANGE_NAME, OUTDATE
from plugins.courses.renewal import Renewal
from plugins.courses.settings import CoursesSettings


class Names:
    """Keeps the names under which instructors are shown."""

    def __init__(self, ctx: Context[CoursesSettings]) -> None:
        self._renewal = ctx.own(Renewal)

    async def changed(self, session: Session, delivery: Delivery[ProfileChanged]) -> None:
        """Store the name, and have the courses rendered that show it, however many."""
        person = delivery.event
        if await session.run(CHANGE_NAME, user_id=person.user_id, display_name=person.display_name):
            await session.run(OUTDATE, person=person.user_id, event_id=delivery.id)
            session.after_commit(self._renewal.wake)
