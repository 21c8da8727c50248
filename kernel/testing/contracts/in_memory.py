"""What the kits need beside providers that live in memory: the shipped fakes, and what begins as one of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import cast
from uuid import UUID

from kernel import Event, new_id, problems
from kernel.contracts.auth import AUTH
from kernel.contracts.mail import MAIL
from kernel.contracts.payments import Credit
from kernel.contracts.payments_http import Wallet
from kernel.contracts.search import Document
from kernel.testing.clients import Client
from kernel.testing.clock import MovableClock
from kernel.testing.contracts.auth import NotLetIn
from kernel.testing.deployment import Deployment
from kernel.testing.fakes.auth import InMemoryAuth
from kernel.testing.fakes.chat import InMemoryChat
from kernel.testing.fakes.courses import InMemoryCourses
from kernel.testing.fakes.enrollments import InMemoryEnrollments
from kernel.testing.fakes.mail import InMemoryMail
from kernel.testing.fakes.payments import InMemoryPayments
from kernel.testing.fakes.search import InMemorySearch


class InMemoryChatHarness:
    """Fulfils `ChatHarness`, by the provider's own methods."""

    def __init__(self, provider: type[InMemoryChat] = InMemoryChat) -> None:
        self.chat = provider(MovableClock())

    async def course(self) -> UUID:
        return new_id()

    async def member(self, course_id: UUID) -> UUID:
        person = new_id()
        self.chat.let_in(person, course_id)
        return person

    async def events(self) -> Sequence[Event]:
        return self.chat.events


class InMemoryCoursesHarness:
    """Fulfils `CoursesHarness`, by the provider's own methods."""

    def __init__(self, provider: type[InMemoryCourses] = InMemoryCourses) -> None:
        self.courses = provider()

    async def create(self, price: int) -> tuple[UUID, UUID]:
        instructor = new_id()
        return self.courses.add(price, status="draft", instructor=instructor), instructor

    async def change(self, course_id: UUID, *, price: int) -> None:
        self.courses.change(course_id, price=price)

    async def publish(self, course_id: UUID) -> None:
        self.courses.publish(course_id)

    async def archive(self, course_id: UUID) -> None:
        self.courses.archive(course_id)

    async def delete(self, course_id: UUID) -> None:
        self.courses.delete(course_id)

    async def events(self) -> Sequence[Event]:
        return self.courses.events


class InMemoryEnrollmentsHarness:
    """Fulfils `EnrollmentsHarness` and `CourseAccessHarness`, by the provider's own methods."""

    def __init__(self, provider: type[InMemoryEnrollments] = InMemoryEnrollments) -> None:
        self.clock = MovableClock()
        self.enrollments = self.course_access = provider(self.clock)

    async def course(self) -> UUID:
        return new_id()

    async def enrol(self, user_id: UUID, course_id: UUID, *, until: datetime | None = None) -> None:
        self.enrollments.enrol(user_id, course_id, until=until)

    async def end(self, user_id: UUID, course_id: UUID) -> None:
        self.enrollments.end(user_id, course_id)

    async def events(self) -> Sequence[Event]:
        return self.enrollments.events


class InMemoryPaymentsHarness:
    """Fulfils `PaymentsHarness`: funds and makes vouchers without a way for administrators."""

    charges_money = True

    def __init__(self, provider: type[InMemoryPayments] = InMemoryPayments) -> None:
        self.clock = MovableClock()
        self.courses = InMemoryCourses()
        self.payments = provider(self.courses, clock=self.clock)

    async def fund(self, user_id: UUID, amount: int, *, credit: Credit = "refundable") -> None:
        self.payments.fund(user_id, amount, credit=credit)

    async def balance(self, user_id: UUID) -> int:
        return self.payments.wallet(user_id).balance

    async def wallet(self, user_id: UUID) -> Wallet:
        return self.payments.wallet(user_id)

    async def voucher(self, **terms: object) -> str:
        return self.payments.voucher(**terms)

    async def withdraw(self, code: str) -> None:
        self.payments.withdraw(code)

    async def offer(self, price: int, *, status: str = "published") -> UUID:
        return self.courses.add(price, status=status)

    async def events(self) -> Sequence[Event]:
        return self.payments.events


class InMemorySearchHarness:
    """Fulfils `SearchHarness`, by the provider's own methods."""

    def __init__(self, provider: type[InMemorySearch] = InMemorySearch) -> None:
        self.search = provider()

    async def put(self, *documents: Document) -> None:
        self.search.put(*documents)

    async def remove(self, *ids: UUID) -> None:
        self.search.remove(*ids)


async def by_name(deployment: Deployment, email: str) -> Client:
    """Sign in without any proof; fulfils `SignIn`."""
    auth = cast(InMemoryAuth, deployment.platform.services.get(AUTH))
    try:
        token = await auth.sign_in_by_name(email)
    except problems.NotSignedIn as error:
        raise NotLetIn(email) from error
    return deployment.client(token=token, user=auth.accounts.arrive(email)[0].id)


def mails_in_memory(deployment: Deployment) -> InMemoryMail:
    """Return the provider, which keeps what it sends; fulfils `Outside`."""
    return cast(InMemoryMail, deployment.platform.services.get(MAIL))
