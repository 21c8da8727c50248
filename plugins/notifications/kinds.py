"""What people are told of: the events of contracts that concern somebody, and what is said of them."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import msgspec

from kernel import Context, Event
from kernel.contracts import auth, chat, courses, enrollments, payments
from kernel.contracts.notifications import (
    NOTIFICATION_KINDS,
    Facts,
    Frequency,
    NotificationKind,
    Words,
    instructor_topic,
)

_LOCALES: Final = Path(__file__).parent / "locales"
_COURSE: Final = "/api/v1/courses/{course_id}"
_MESSAGE: Final = "/chat/rooms/{room}#m{offset}"


def _words(kind: str) -> Mapping[str, Words]:
    files = sorted((_LOCALES / "kinds").glob("*.toml"))
    told = {file.stem: tomllib.loads(file.read_text(encoding="utf-8"))[kind] for file in files}
    return {locale: msgspec.convert(words, Words) for locale, words in told.items()}


def _kind(
    name: str, path: str, *, frequency: Frequency = "now", fold: str = "", urgent: bool = False
) -> NotificationKind:
    return NotificationKind(name=name, path=path, words=_words(name), frequency=frequency, fold=fold, urgent=urgent)


#: Ours, in the order in which people choose among them.
OURS: Final = (
    _kind("new-device", "/", urgent=True),
    _kind("welcome", "/"),
    _kind("enrolled", _COURSE),
    _kind("grant-waits", _COURSE),
    _kind("purchase", _COURSE),
    _kind("refund", _COURSE),
    _kind("voucher", "/"),
    _kind("mention", _MESSAGE, fold="{room}"),
    _kind("answer", _MESSAGE, fold="{room}"),
    _kind("course-published", _COURSE, frequency="daily"),
)


@dataclass(frozen=True, kw_only=True)
class Source:
    """An event that people are told of: one person, or whoever follows one of some topics."""

    kind: str
    event: type[Event]
    facts: Callable[[Any], Facts]
    topics: Callable[[Any], tuple[str, ...]] | None = None
    quotes: bool = False  #: whether it has words of a message, which its author may take back


def person(event: Any) -> UUID:
    """Return whom an event concerns that says so."""
    found: UUID = getattr(event, event.concerns)
    return found


def message(room_id: UUID, offset: int) -> str:
    """Return what names a message of a room."""
    return f"{room_id}:{offset}"


def _nothing(event: Event) -> Facts:
    return {}


def _device(event: auth.SignedInFromNewDevice) -> Facts:
    return {"address": event.address, "client": event.client}


def _course(event: enrollments.UserEnrolled) -> Facts:
    return {"course_id": str(event.course_id)}


def _waiting(event: enrollments.GrantWaits) -> Facts:
    return {"course_id": str(event.course_id), "moment": event.starts_at.isoformat()}


def _sum(event: payments.PurchaseCharged | payments.ChargeRefunded) -> Facts:
    return {"course_id": str(event.course_id), "amount": event.amount, "currency": event.currency}


def _voucher(event: payments.VoucherRedeemed) -> Facts:
    return {"amount": event.amount, "currency": event.currency}


def _said(event: chat.MemberMentioned | chat.MessageAnswered) -> Facts:
    return {
        "course_id": str(event.course_id),
        "room": str(event.room_id),
        "offset": event.offset,
        "author_id": str(event.author),
        "excerpt": event.excerpt,
    }


def _published(event: courses.CoursePublished) -> Facts:
    return {"course_id": str(event.course_id)}


def _instructors(event: courses.CoursePublished) -> tuple[str, ...]:
    return tuple(instructor_topic(one) for one in event.instructor_ids)


SOURCES: Final = (
    Source(kind="new-device", event=auth.SignedInFromNewDevice, facts=_device),
    Source(kind="welcome", event=auth.UserRegistered, facts=_nothing),
    Source(kind="enrolled", event=enrollments.UserEnrolled, facts=_course),
    Source(kind="grant-waits", event=enrollments.GrantWaits, facts=_waiting),
    Source(kind="purchase", event=payments.PurchaseCharged, facts=_sum),
    Source(kind="refund", event=payments.ChargeRefunded, facts=_sum),
    Source(kind="voucher", event=payments.VoucherRedeemed, facts=_voucher),
    Source(kind="mention", event=chat.MemberMentioned, facts=_said, quotes=True),
    Source(kind="answer", event=chat.MessageAnswered, facts=_said, quotes=True),
    Source(kind="course-published", event=courses.CoursePublished, facts=_published, topics=_instructors),
)


class Kinds:
    """Every kind, ours and what plugins contribute; looked for at use, since plugins start one after another."""

    def __init__(self, ctx: Context[Any]) -> None:
        self._services = ctx.services
        self._log = ctx.log
        self._contributed: tuple[object, ...] = ()
        self._known: Mapping[str, NotificationKind] = {kind.name: kind for kind in OURS}

    def all(self) -> Mapping[str, NotificationKind]:
        """Return the kinds by name. Of several of one name the first counts, ours before all."""
        contributed = self._services.all(NOTIFICATION_KINDS)
        if contributed != self._contributed:
            self._contributed, self._known = contributed, self._read()
        return self._known

    def _read(self) -> Mapping[str, NotificationKind]:
        found = {kind.name: kind for kind in OURS}
        for plugin, contribution in self._services.named(NOTIFICATION_KINDS):
            for kind in contribution.kinds():
                if found.setdefault(kind.name, kind) is not kind:
                    self._log.error(
                        "kind left out: its name is taken", action="kinds", kind=kind.name, contributor=plugin
                    )
        return found
