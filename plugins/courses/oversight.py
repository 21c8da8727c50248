"""What somebody does to a course that others teach: an act, with what was changed before and after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import msgspec

from kernel import Context, Request
from kernel.contracts.audit import act
from kernel.database import Session
from plugins.courses.documents import CourseRow
from plugins.courses.editing import DOCUMENT_OF
from plugins.courses.settings import CoursesSettings

Facts = dict[str, Any]

#: What follows from other facts, or from every change.
_LEFT_OUT: Final = ("lesson_count", "updated_at", "version")
#: What is told of a course that is gone.
_OF_REMOVED: Final = ("title", "status", "price", "currency", "instructors")
#: Characters of a lesson's text that are told; the rest is counted.
_TEXT_SHOWN: Final = 200


@dataclass(frozen=True)
class Overseen:
    """A course that is changed by somebody who does not teach it, as it was before."""

    request: Request
    course_id: UUID
    document: bytes

    async def record(
        self,
        ctx: Context[CoursesSettings],
        session: Session,
        action: str,
        document: bytes | None,
        *,
        texts: tuple[str, str] | None = None,
        reason: str = "",
    ) -> None:
        """Tell of the act that led to *document*, None for a course that is gone; *texts* are a lesson's."""
        before, after = difference(self.document, document)
        if texts is not None and texts[0] != texts[1] and after is not None:
            before["text"], after["text"] = map(_shortened, texts)
        subject = f"course:{self.course_id}"
        told = act(self.request, action, subject, before=before, after=after, reason=reason)
        await ctx.events.publish(session, told)


async def oversee(session: Session, request: Request, course: CourseRow) -> Overseen | None:
    """Return what is to be recorded of a change to the locked *course*, None where the caller teaches it."""
    if request.principal.id in course.instructors():
        return None
    return Overseen(request, course.id, await session.one(DOCUMENT_OF, course_id=course.id))


def difference(before: bytes, after: bytes | None) -> tuple[Facts, Facts | None]:
    """Return the facts of two documents of a course that differ, as they were and as they are."""
    old = _facts(before)
    if after is None:
        return {name: old[name] for name in _OF_REMOVED}, None
    new = _facts(after)
    changed = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
    return {name: old.get(name) for name in changed}, {name: new.get(name) for name in changed}


def _facts(document: bytes) -> Facts:
    """Return the facts of a course, each section and lesson by itself, so that one that changed is told alone."""
    facts: Facts = {name: value for name, value in msgspec.json.decode(document).items() if name not in _LEFT_OUT}
    sections = facts.pop("sections")
    facts["sections"] = [section["id"] for section in sections]
    for section in sections:
        lessons = section["lessons"]
        facts[f"section {section['id']}"] = {
            "title": section["title"],
            "lessons": [lesson["id"] for lesson in lessons],
        }
        facts |= {f"lesson {lesson['id']}": lesson for lesson in lessons}
    return facts


def _shortened(text: str) -> str:
    return text if len(text) <= _TEXT_SHOWN else f"{text[:_TEXT_SHOWN]}… ({len(text)} characters)"
