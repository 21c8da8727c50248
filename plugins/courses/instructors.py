"""Who teaches a course, and the names under which they are shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert  # compiles on SQLite just as well

from kernel import Context
from kernel.contracts.users import USERS
from kernel.database import Command, Query, Session
from plugins.courses.settings import CoursesSettings
from plugins.courses.tables import course_instructors, people

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
NAMED: Final = Query(sa.select(people.c.user_id).where(people.c.user_id.in_(bindparam("ids", expanding=True))), UUID)
_NAME: Final = insert(people).values(user_id=bindparam("user_id"), display_name=bindparam("display_name"))
#: For a name that was asked for: one that an event has told meanwhile is newer.
LEARN_NAME: Final = Command(_NAME.on_conflict_do_nothing())
#: For a name that an event tells; affects no row where the name is known already.
CHANGE_NAME: Final = Command(
    _NAME.on_conflict_do_update(
        index_elements=[people.c.user_id],
        set_={"display_name": _NAME.excluded.display_name},
        where=people.c.display_name != _NAME.excluded.display_name,
    )
)


async def learn_names(session: Session, ctx: Context[CoursesSettings], ids: Sequence[UUID]) -> bool:
    """Store the names of those of *ids* that are not known yet; return whether all of them exist.

    Without a provider of `users/1` nobody can tell, and everyone is taken to exist.
    """
    known = set(await session.all(NAMED, ids=list(ids)))
    unknown = [one for one in ids if one not in known]
    users = ctx.services.find(USERS)
    if not unknown or users is None:
        return True
    found = await users.people(unknown)
    for person in found.values():
        await session.run(LEARN_NAME, user_id=person.id, display_name=person.display_name)
    return len(found) == len(set(unknown))
