"""What people are told of: for each kind of notice the event behind it, whom it concerns, and what it says of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from kernel import Event
from kernel.contracts import auth, chat, enrollments, payments

#: Values of a notice as its event tells them. `course` and `author` are ids, which names take the place of.
Facts = Mapping[str, str | int]


@dataclass(frozen=True)
class Kind:
    """One kind of notice."""

    name: str
    event: type[Event]
    path: str  #: where it leads to; with the names of facts
    facts: Callable[[Any], Facts]
    quotes: bool = False  #: whether it has words of a message, which its author may take back

    def person(self, event: Event) -> UUID:
        """Return whom the event concerns."""
        found: UUID = event.user_id  # type: ignore[attr-defined]
        return found


def message(room_id: UUID, offset: int) -> str:
    """Return what names a message of a room."""
    return f"{room_id}:{offset}"


def _nothing(event: Event) -> Facts:
    return {}


def _course(event: enrollments.UserEnrolled) -> Facts:
    return {"course": str(event.course_id)}


def _sum(event: payments.PurchaseCharged | payments.ChargeRefunded) -> Facts:
    return {"course": str(event.course_id), "amount": event.amount, "currency": event.currency}


def _voucher(event: payments.VoucherRedeemed) -> Facts:
    return {"amount": event.amount, "currency": event.currency}


def _said(event: chat.MemberMentioned | chat.MessageAnswered) -> Facts:
    return {
        "course": str(event.course_id),
        "room": str(event.room_id),
        "offset": event.offset,
        "author": str(event.author),
        "excerpt": event.excerpt,
    }


_COURSE_PATH: Final = "/api/v1/courses/{course_id}"
_ROOM_PATH: Final = "/chat/rooms/{room}#m{offset}"

KINDS: Final = (
    Kind("welcome", auth.UserRegistered, "/", _nothing),
    Kind("enrolled", enrollments.UserEnrolled, _COURSE_PATH, _course),
    Kind("purchase", payments.PurchaseCharged, _COURSE_PATH, _sum),
    Kind("refund", payments.ChargeRefunded, _COURSE_PATH, _sum),
    Kind("voucher", payments.VoucherRedeemed, "/", _voucher),
    Kind("mention", chat.MemberMentioned, _ROOM_PATH, _said, quotes=True),
    Kind("answer", chat.MessageAnswered, _ROOM_PATH, _said, quotes=True),
)
BY_NAME: Final[Mapping[str, Kind]] = {kind.name: kind for kind in KINDS}
