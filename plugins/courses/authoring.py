"""The routes by which courses are made, changed, published and handed on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import Begin, Context, Event, Request, new_id, problems
from kernel.contracts.courses import (
    CourseArchived,
    CourseChanged,
    CourseCreated,
    CourseDeleted,
    CourseOffer,
    CoursePublished,
    CourseReturned,
    CourseRevised,
    CourseSubmitted,
    InstructorsChanged,
)
from kernel.database import Command, Session
from plugins.courses import instructors
from plugins.courses.bodies import CourseChange, NewCourse, NewInstructor, Reason, given
from plugins.courses.documents import CourseRow, Rendered, decode_offer
from plugins.courses.editing import EDIT_ANY, Shown, lock, lock_any, save, shown
from plugins.courses.oversight import Overseen, oversee
from plugins.courses.settings import CoursesSettings
from plugins.courses.states import Action, check, step
from plugins.courses.tables import course_tags, courses

_ID: Final = courses.c.id == bindparam("course_id")
_CHANGEABLE: Final = ("title", "summary", "description", "category", "level", "language", "price")

ADD_COURSE: Final = Command(
    sa.insert(courses).values(
        {
            **{name: bindparam(name) for name in ("id", *_CHANGEABLE, "currency")},
            **{name: bindparam("now", type_=courses.c[name].type) for name in ("created_at", "updated_at")},
            **{name: sa.literal(b"", sa.LargeBinary) for name in ("card", "document", "offer")},
            "status": "draft",
            "version": 1,
        }
    )
)
CHANGE_COURSE: Final = Command(sa.update(courses).where(_ID).values({name: bindparam(name) for name in _CHANGEABLE}))
SET_STATUS: Final = Command(
    sa.update(courses)
    .where(_ID)
    .values({name: bindparam(name) for name in ("status", "submitted_at", "published_at", "review_note")})
)
REMOVE_COURSE: Final = Command(sa.delete(courses).where(_ID))
ADD_TAG: Final = Command(sa.insert(course_tags).values(course_id=bindparam("course_id"), tag=bindparam("tag")))
REMOVE_TAGS: Final = Command(sa.delete(course_tags).where(course_tags.c.course_id == bindparam("of_course")))


def _published(offer: CourseOffer, reason: str) -> CoursePublished:
    return CoursePublished(
        course_id=offer.id,
        title=offer.title,
        price=offer.price,
        currency=offer.currency,
        instructor_ids=offer.instructors,
    )


#: What each step tells.
TOLD: Final[Mapping[Action, Callable[[CourseOffer, str], Event]]] = {
    "submit": lambda offer, reason: CourseSubmitted(course_id=offer.id),
    "return": lambda offer, reason: CourseReturned(course_id=offer.id, reason=reason),
    "publish": _published,
    "archive": lambda offer, reason: CourseArchived(course_id=offer.id),
    "restore": _published,
    "revise": lambda offer, reason: CourseRevised(course_id=offer.id),
}


class AuthoringApi:
    """Lets instructors work on their courses, and reviewers decide about them."""

    def __init__(self, ctx: Context[CoursesSettings]) -> None:
        self._ctx = ctx

    async def create(self, request: Request, body: NewCourse, begin: Begin) -> Shown:
        """Begin a course; it is a draft and the caller its owner."""
        course_id, owner = new_id(), request.principal.id
        names = await instructors.ask_names(self._ctx, [owner])
        session = await begin()
        await names.learn(session)
        facts = {name: getattr(body, name) for name in _CHANGEABLE}
        currency = self._ctx.deployment.currency
        await session.run(ADD_COURSE, id=course_id, now=self._ctx.clock.now(), currency=currency, **facts)
        await session.run(instructors.ADD_INSTRUCTOR, course_id=course_id, user_id=owner, position=0)
        await _add_tags(session, course_id, body.tags)
        rendered = await save(session, course_id)
        await self._tell(session, CourseCreated(course_id=course_id, title=body.title, instructor_id=owner))
        return shown(rendered)

    async def change(self, request: Request, course_id: UUID, body: CourseChange, session: Session) -> Shown:
        """Change the facts of a course."""
        changes = given(body)
        course = await self._lock(session, request, course_id)
        seen = await oversee(session, request, course)
        changed = msgspec.structs.replace(course, **{name: changes[name] for name in _CHANGEABLE if name in changes})
        facts = {name: getattr(changed, name) for name in _CHANGEABLE}
        await session.run(CHANGE_COURSE, course_id=course_id, **facts)
        if isinstance(body.tags, tuple):
            await session.run(REMOVE_TAGS, of_course=course_id)
            await _add_tags(session, course_id, body.tags)
        rendered = await save(session, course_id)
        told = CourseChanged(course_id=course_id, title=changed.title, price=changed.price, currency=changed.currency)
        await self._tell(session, told)
        await self._record(seen, session, "change", rendered.document)
        return shown(rendered)

    async def remove(self, request: Request, course_id: UUID, session: Session) -> None:
        """Remove a draft that was never published."""
        course = await self._lock(session, request, course_id)
        if course.status != "draft" or course.published_at is not None:
            raise problems.Conflict("Only a draft that was never published can be removed; archive the course.")
        seen = await oversee(session, request, course)
        await session.run(REMOVE_COURSE, course_id=course_id)
        await self._tell(session, CourseDeleted(course_id=course_id))
        await self._record(seen, session, "remove", None)

    async def submit(self, request: Request, course_id: UUID, session: Session) -> Shown:
        """Hand a draft in for review."""
        return await self._step("submit", request, course_id, session)

    async def send_back(self, request: Request, course_id: UUID, body: Reason, session: Session) -> Shown:
        """Send a course back to its instructors, saying why."""
        return await self._step("return", request, course_id, session, body.reason)

    async def publish(self, request: Request, course_id: UUID, session: Session) -> Shown:
        """Show a course to learners."""
        return await self._step("publish", request, course_id, session)

    async def archive(self, request: Request, course_id: UUID, session: Session) -> Shown:
        """Offer a course no longer; who has access keeps it."""
        return await self._step("archive", request, course_id, session)

    async def restore(self, request: Request, course_id: UUID, session: Session) -> Shown:
        """Show an archived course to learners again."""
        return await self._step("restore", request, course_id, session)

    async def revise(self, request: Request, course_id: UUID, session: Session) -> Shown:
        """Make an archived course a draft again."""
        return await self._step("revise", request, course_id, session)

    async def add_instructor(self, request: Request, course_id: UUID, body: NewInstructor, begin: Begin) -> Shown:
        """Let another person teach the course too; for its owner."""
        names = await instructors.ask_names(self._ctx, [body.user_id])
        session = await begin()
        course = await self._lock(session, request, course_id)
        _require_owner(request, course)
        seen = await oversee(session, request, course)
        if not names.complete:
            raise problems.Invalid(fields=[problems.FieldError("body.user_id", "is nobody's id")])
        await names.learn(session)
        position = await session.one(instructors.LAST_POSITION, of_course=course_id) + 1
        added = await session.run(
            instructors.ADD_INSTRUCTOR, course_id=course_id, user_id=body.user_id, position=position
        )
        if not added:
            return shown(await save(session, course_id))
        rendered = await self._instructors_changed(session, course_id)
        await self._record(seen, session, "add_instructor", rendered.document)
        return shown(rendered)

    async def remove_instructor(self, request: Request, course_id: UUID, user_id: UUID, session: Session) -> Shown:
        """Let a person teach the course no longer: for its owner, and for whoever wants to leave it."""
        course = await self._lock(session, request, course_id)
        if user_id != request.principal.id:
            _require_owner(request, course)
        teaching = course.instructors()
        if user_id not in teaching:
            raise problems.NotFound
        if len(teaching) == 1:
            raise problems.Conflict("Somebody has to teach the course; add another instructor first.")
        seen = await oversee(session, request, course)
        await session.run(instructors.REMOVE_INSTRUCTOR, of_course=course_id, person=user_id)
        rendered = await self._instructors_changed(session, course_id)
        await self._record(seen, session, "remove_instructor", rendered.document)
        return shown(rendered)

    async def _instructors_changed(self, session: Session, course_id: UUID) -> Rendered:
        rendered = await save(session, course_id)
        teaching = decode_offer(rendered.offer).instructors
        await self._tell(session, InstructorsChanged(course_id=course_id, instructor_ids=teaching))
        return rendered

    async def _step(
        self, action: Action, request: Request, course_id: UUID, session: Session, reason: str = ""
    ) -> Shown:
        review_required = self._ctx.settings.review_required
        taken = step(action, review_required=review_required)
        find = lock_any if taken.reviewed and review_required else lock
        now = self._ctx.clock.now()
        course = await find(session, request, course_id, now)
        check(action, taken, course.status)
        seen = await oversee(session, request, course)
        await session.run(
            SET_STATUS,
            course_id=course_id,
            status=taken.target,
            submitted_at=now if taken.target == "in-review" else None,
            published_at=now if taken.target == "published" and not course.published_at else course.published_at,
            review_note=reason or None,
        )
        rendered = await save(session, course_id)
        await self._tell(session, TOLD[action](decode_offer(rendered.offer), reason))
        await self._record(seen, session, action, rendered.document, reason)
        return shown(rendered)

    async def _lock(self, session: Session, request: Request, course_id: UUID) -> CourseRow:
        return await lock(session, request, course_id, self._ctx.clock.now())

    async def _record(
        self, seen: Overseen | None, session: Session, action: str, document: bytes | None, reason: str = ""
    ) -> None:
        if seen is not None:
            await seen.record(self._ctx, session, f"courses.{action}", document, reason=reason)

    async def _tell(self, session: Session, event: Event) -> None:
        await self._ctx.events.publish(session, event)


async def _add_tags(session: Session, course_id: UUID, tags: tuple[str, ...]) -> None:
    if tags:
        await session.run_many(ADD_TAG, [{"course_id": course_id, "tag": tag} for tag in sorted(set(tags))])


def _require_owner(request: Request, course: CourseRow) -> None:
    person = request.principal
    if person.id != course.instructors()[0] and EDIT_ANY not in person.permissions:
        raise problems.Forbidden("Only the owner of the course decides who teaches it.")
