"""What happens when people are enrolled, and when that ends."""

from __future__ import annotations

from collections.abc import Iterable

from kernel import Context, Delivery, EventHandler, on
from kernel.contracts.enrollments import AccessEnded, UserEnrolled
from kernel.database import Session
from lyceum_certificates.register import Register
from lyceum_certificates.settings import CertificatesSettings


class CertificatesHandlers:
    """Keeps the register in step with enrolments."""

    def __init__(self, ctx: Context[CertificatesSettings]) -> None:
        self._register = ctx.own(Register)

    def declare(self) -> Iterable[EventHandler]:
        return (
            on(UserEnrolled, self.enrolled, name="enrolled"),
            on(AccessEnded, self.ended, name="ended"),
        )

    async def enrolled(self, session: Session, delivery: Delivery[UserEnrolled]) -> None:
        event = delivery.event
        await self._register.enrolled(session, event.user_id, event.course_id, delivery.time)

    async def ended(self, session: Session, delivery: Delivery[AccessEnded]) -> None:
        event = delivery.event
        await self._register.ended(session, event.user_id, event.course_id, delivery.time)
