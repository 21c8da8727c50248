"""The routes by which courses are read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final
from uuid import UUID

import msgspec

from kernel import Answer, Context, Encoded, Page, PageQuery, Renders, Request, page, problems, shared_page
from kernel.database import Flights
from plugins.courses import catalogue
from plugins.courses.bodies import CatalogueQuery
from plugins.courses.catalogue import OwnCard, SubmittedCard
from plugins.courses.documents import CourseCard, CourseDocument, without_note
from plugins.courses.opening import LESSON_IN_COURSE, Doors
from plugins.courses.outline import Lesson
from plugins.courses.settings import CoursesSettings

Card = Annotated[msgspec.Raw, Renders(CourseCard)]
CardsTogether = Answer[Encoded[Page[Card]]]
_REACHES: Final = (21, 101)  # rows: the usual page and the longest, and one that tells whether there is more
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_YEAR_10000: Final = 253_402_300_800_000_000  # microseconds since 1970


class Place(msgspec.Struct, array_like=True, frozen=True):
    """A place in a list that is sorted by time."""

    time: Annotated[int, msgspec.Meta(ge=0, lt=_YEAR_10000)]  #: microseconds since 1970
    id: UUID


class _Published(msgspec.Struct, frozen=True):
    """What a card in the catalogue says of its place there."""

    id: UUID
    published_at: datetime


_decode_published: Final = msgspec.json.Decoder(_Published).decode


class ReadingApi:
    """Answers what is taught."""

    def __init__(self, ctx: Context[CoursesSettings]) -> None:
        self._db = ctx.db
        self._doors = Doors(ctx)
        self._catalogue = Flights(self._published)

    async def published(self, query: CatalogueQuery) -> CardsTogether:
        """List the published courses, the newest first."""
        return await self._catalogue.ask(query)

    async def mine(self, request: Request, query: PageQuery) -> Page[Card]:
        """List the courses that the caller teaches, in whichever state, the newest first."""
        after = query.after(UUID)
        place = {} if after is None else {"after_id": after}
        statement = catalogue.taught(further=bool(place))
        rows = await self._db.all(statement, user_id=request.principal.id, limit=query.limit + 1, **place)
        return _cards(page(rows, query, lambda row: row.id))

    async def review_queue(self, query: PageQuery) -> Page[Card]:
        """List the courses that wait for a review, the longest waiting first."""
        place = _after(query)
        rows = await self._db.all(catalogue.in_review(further=bool(place)), limit=query.limit + 1, **place)
        return _cards(page(rows, query, lambda row: _place(row.submitted_at, row.id)))

    async def one(self, request: Request, course_id: UUID) -> Encoded[CourseDocument]:
        """Show a course with the outline of its sections and lessons."""
        course = await self._db.lookup(catalogue.DOCUMENT, course_id)
        if course is None:
            raise problems.NotFound
        if course.status != "published" and not await self._doors.require_sight(request.caller, course):
            return Encoded(without_note(course.document))
        return Encoded(course.document)

    async def lesson(self, request: Request, course_id: UUID, lesson_id: UUID) -> Lesson:
        """Open a lesson: previews for everyone, others for those who have access to the course."""
        found = await self._db.first(LESSON_IN_COURSE, course_id=course_id, lesson_id=lesson_id)
        if found is None:
            raise problems.NotFound
        await self._doors.require_lesson(request.caller, course_id, found)
        return found.lesson()

    async def _published(self, query: CatalogueQuery) -> CardsTogether:
        filters = query.filters()
        place = _after(query)
        reach = next(reach for reach in _REACHES if reach > query.limit)
        statement = catalogue.published(frozenset(filters), further=bool(place), reach=reach)
        rows = await self._db.all(statement, **filters, **place)
        return shared_page(page(rows, query, _place_of_card), query)


def _place_of_card(card: bytes) -> Place:
    shown = _decode_published(card)
    return _place(shown.published_at, shown.id)


def _place(moment: datetime, course_id: UUID) -> Place:
    return Place((moment - _EPOCH) // _MICROSECOND, course_id)


def _after(query: PageQuery) -> dict[str, object]:
    place = query.after(Place)
    return {} if place is None else {"after_time": _EPOCH + place.time * _MICROSECOND, "after_id": place.id}


def _cards(found: Page[OwnCard] | Page[SubmittedCard]) -> Page[Card]:
    cards: Sequence[bytes] = [row.card for row in found.items]
    return Page([msgspec.Raw(card) for card in cards], found.next)
