"""Who teaches a course, and the names under which they are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert  # compiles on SQLite just as well

from kernel import Context, new_id
from kernel.contracts.users import USERS
from kernel.database import Command, Query, Session
from plugins.courses.settings import CoursesSettings
from plugins.courses.tables import course_instructors, outdated, people

_OF_COURSE: Final = course_instructors.c.course_id == bindparam("of_course")

ADD_INSTRUCTOR: Final = Command(
    insert(course_instructors)
    .values(course_id=bindparam("course_id"), user_id=bindparam("user_id"), position=bindparam("position"))
    .on_conflict_do_nothing()
)
REMOVE_INSTRUCTOR: Final = Command(
    sa.delete(course_instructors).where(_OF_COURSE, course_instructors.c.user_id == bindparam("person"))
)
LAST_POSITION: Final = Query(
    sa.select(sa.func.coalesce(sa.func.max(course_instructors.c.position), -1).label("position")).where(_OF_COURSE),
    int,
)
_NAMELESS: Final = people.c.display_name == sa.literal_column("''")
NAMED: Final = Query(
    sa.select(people.c.user_id).where(people.c.user_id.in_(bindparam("ids", expanding=True)), ~_NAMELESS), UUID
)
#: Finds teachers whose name nobody has told yet, a hundred at a time.
NAMELESS: Final = Query(
    sa.select(people.c.user_id)
    .where(_NAMELESS, people.c.user_id > bindparam("after"))
    .order_by(people.c.user_id)
    .limit(100),
    UUID,
)
_NAME: Final = insert(people).values(user_id=bindparam("user_id"), display_name=bindparam("display_name"))
#: For a name that was asked for, blank when nobody knew it: one that an event has told meanwhile is newer. The row is
#: locked in any case, so that whoever tells the name meanwhile waits, and then finds the course that shows it.
LEARN_NAME: Final = Command(
    _NAME.on_conflict_do_update(
        index_elements=[people.c.user_id],
        set_={"display_name": _NAME.excluded.display_name},
        where=sa.and_(_NAMELESS, _NAME.excluded.display_name != sa.literal_column("''")),
    )
)
#: For a name that an event tells; affects no row where the name is known already.
CHANGE_NAME: Final = Command(
    _NAME.on_conflict_do_update(
        index_elements=[people.c.user_id],
        set_={"display_name": _NAME.excluded.display_name},
        where=people.c.display_name != _NAME.excluded.display_name,
    )
)
#: Marks every course that `person` teaches. A mark for each event, so that no mark waits for one that is being removed.
OUTDATE: Final = Command(
    insert(outdated)
    .from_select(
        ["course_id", "event_id"],
        sa.select(course_instructors.c.course_id, bindparam("event_id", type_=sa.Uuid())).where(
            course_instructors.c.user_id == bindparam("person")
        ),
    )
    .on_conflict_do_nothing()
)


async def learn_name(session: Session, user_id: UUID, name: str) -> None:
    """Store a name that was asked for, and mark the courses that do not show it yet; blank when nobody knew it."""
    if await session.run(LEARN_NAME, user_id=user_id, display_name=name) and name:
        await session.run(OUTDATE, person=user_id, event_id=new_id())


class Names(msgspec.Struct, frozen=True):
    """What is to be learnt of people: their names, blank where nobody knows them, and whether all of them exist."""

    found: Mapping[UUID, str]
    complete: bool

    async def learn(self, session: Session) -> None:
        """Store the names."""
        for user_id, name in self.found.items():
            await learn_name(session, user_id, name)


async def ask_names(ctx: Context[CoursesSettings], ids: Sequence[UUID]) -> Names:
    """Return the names of those of *ids* that are not known yet; ask before the transaction that stores them.

    Without a provider of `users/1` nobody can tell, and everyone is taken to exist.
    """
    known = set(await ctx.db.all(NAMED, ids=list(ids)))
    unknown = [one for one in ids if one not in known]
    users = ctx.services.find(USERS)
    found = await users.people(unknown) if unknown and users else {}
    names = {one: found[one].display_name if one in found else "" for one in unknown}
    return Names(names, users is None or len(found) == len(names))
