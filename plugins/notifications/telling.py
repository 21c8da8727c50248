"""Telling: what is new is given the names that it mentions, becomes visible in the tray, and its mail is asked for.

All of it is one transaction for each notice, so that whoever breaks off in the middle, or does it beside another
process, neither mails twice nor not at all. No transaction waits for another plugin.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import Context, failpoint
from kernel.contracts.courses import COURSES
from kernel.contracts.mail import Message, requested
from kernel.contracts.users import USERS
from kernel.database import Command, Query, Session, Timestamp
from plugins.notifications.kinds import BY_NAME, Facts
from plugins.notifications.settings import NotificationsSettings
from plugins.notifications.tables import contacts, declined, notices
from plugins.notifications.wording import wording

BATCH: Final = 100  # notices
TOLD: Final = failpoint("notifications.told")  # but not committed
#: Why there is a mail, or none: it was asked for; the person does not want it; there were too many today.
Decision = Literal["sent", "declined", "capped"]


class New(msgspec.Struct, frozen=True):
    """A notice that is not told yet, of somebody who can be reached."""

    id: UUID
    user_id: UUID
    kind: str
    facts: dict[str, str | int]
    email: str
    display_name: str
    locale: str


NEW: Final = Query(
    sa.select(
        notices.c.id,
        notices.c.user_id,
        notices.c.kind,
        notices.c.facts,
        contacts.c.email,
        contacts.c.display_name,
        contacts.c.locale,
    )
    .join_from(notices, contacts, contacts.c.user_id == notices.c.user_id)
    .where(notices.c.told_at.is_(None), contacts.c.email != sa.literal_column("''"), notices.c.id > bindparam("after"))
    .order_by(notices.c.id)
    .limit(BATCH),
    New,
)
#: Touches no row that another process has told.
TELL: Final = Command(
    sa.update(notices)
    .where(notices.c.id == bindparam("of_id"), notices.c.told_at.is_(None))
    .values(told_at=bindparam("now"), facts=bindparam("new_facts"), mail=bindparam("decision"))
)
DECLINES: Final = Query(
    sa.select(sa.literal_column("1")).where(
        declined.c.user_id == bindparam("person"), declined.c.kind == bindparam("kind")
    ),
    int,
)
_LATELY: Final = (
    sa.select(notices.c.id)
    .where(
        notices.c.user_id == bindparam("person"),
        notices.c.told_at > bindparam("since", type_=Timestamp()),
        notices.c.mail == sa.literal_column("'sent'"),
    )
    .limit(bindparam("most"))
)
MAILED: Final = Query(sa.select(sa.func.count().label("count")).select_from(_LATELY.subquery()), int)


class Telling:
    """Tells what is new."""

    def __init__(self, ctx: Context[NotificationsSettings]) -> None:
        self._ctx = ctx
        self._noted = asyncio.Event()

    def wake(self) -> None:
        """Have it look now."""
        self._noted.set()

    def run_in_background(self) -> None:
        """Tell whatever is new until the plugin stops."""
        self.wake()
        self._ctx.tasks.every(self._ctx.settings.look_every, self.tell, name="telling", sooner=self._noted)

    async def tell(self) -> None:
        """Tell all that is new by now. One that can not be told keeps no other one back."""
        after = UUID(int=0)
        while found := await self._ctx.db.all(NEW, after=after):
            after = found[-1].id
            courses, authors = await self._titles(found), await self._names(found)
            for notice in found:
                await self.tell_one(notice, _named(notice.facts, courses, authors))

    async def tell_one(self, notice: New, facts: Facts) -> None:
        """Tell of *notice*, with the names in its *facts*; does nothing where it was told meanwhile."""
        try:
            async with self._ctx.db.transaction() as session:
                await self._tell(session, notice, facts)
        except Exception:
            self._ctx.log.exception("not told; tried again later", action="telling", notice=str(notice.id))

    async def _tell(self, session: Session, notice: New, facts: Facts) -> None:
        now = self._ctx.clock.now()
        decision = await self._decide(session, notice, now)
        if not await session.run(TELL, of_id=notice.id, now=now, new_facts=facts, decision=decision):
            return
        if decision == "sent":
            message = self._message(notice, facts)
            await self._ctx.events.publish(session, requested(self._ctx.secrets, message))
        await TOLD()

    async def _decide(self, session: Session, notice: New, now: datetime) -> Decision:
        if await session.first(DECLINES, person=notice.user_id, kind=notice.kind) is not None:
            return "declined"
        most = self._ctx.settings.mails_per_day
        mailed = await session.one(MAILED, person=notice.user_id, since=now - timedelta(days=1), most=most + 1)
        return "sent" if mailed < most else "capped"

    def _message(self, notice: New, facts: Facts) -> Message:
        deployment, words = self._ctx.deployment, wording(notice.locale)
        told = words.notice(notice.kind, facts, deployment.name)
        text = words.mail(
            told,
            name=notice.display_name,
            link=deployment.public_url + path_of(notice.kind, facts),
            place=deployment.name,
            preferences=f"{deployment.public_url}/notifications",
        )
        return Message(to=notice.email, subject=" ".join(told.title.split()), text=text)

    async def _titles(self, found: Sequence[New]) -> Mapping[str, str]:
        courses = self._ctx.services.find(COURSES)
        wanted = {str(one.facts["course"]) for one in found if "course" in one.facts}
        if courses is None:
            return {}
        offers = [await courses.offer(UUID(one)) for one in sorted(wanted)]
        return {str(offer.id): offer.title for offer in offers if offer is not None}

    async def _names(self, found: Sequence[New]) -> Mapping[str, str]:
        users = self._ctx.services.find(USERS)
        wanted = {str(one.facts["author"]) for one in found if "author" in one.facts}
        if users is None or not wanted:
            return {}
        people = await users.people([UUID(one) for one in sorted(wanted)])
        return {str(person.id): person.display_name for person in people.values()}


def path_of(kind: str, facts: Facts) -> str:
    """Return where a notice leads to."""
    return BY_NAME[kind].path.format_map(facts)


def _named(facts: Facts, courses: Mapping[str, str], authors: Mapping[str, str]) -> Facts:
    """Return *facts* with names in the place of ids, which stay beside them."""
    named = dict(facts)
    for name, known in (("course", courses), ("author", authors)):
        if name in facts:
            named |= {f"{name}_id": facts[name], name: known.get(str(facts[name]), "")}
    return named
