"""The HTTP routes of enrolments, below `/api/v1/enrollments`."""

from __future__ import annotations

from typing import Final, Literal

from kernel import SIGNED_IN, Context, Idempotency, RateLimit, Route, get, post, problems, put
from kernel.contracts.enrollments import (
    AccessSuspended,
    AlreadyEnrolled,
    CourseFull,
    EnrollmentRefused,
    GracePeriodOver,
    PriceChanged,
    PurchaseCameToNothing,
)
from kernel.contracts.payments import InsufficientFunds, NothingToRefund, VoucherRefused
from plugins.enrollments.courses_api import CoursesApi
from plugins.enrollments.granting_api import GrantingApi
from plugins.enrollments.permissions import MANAGE, REFUND, ROSTER, TERMS
from plugins.enrollments.purchasing_api import PurchasingApi
from plugins.enrollments.settings import EnrollmentsSettings

TRIES: Final = "voucher-codes"
_CHANGE_PROBLEMS: Final = (problems.NotFound, problems.Conflict)
_PURCHASE_PROBLEMS: Final = (
    problems.NotFound,
    problems.Conflict,
    AccessSuspended,
    AlreadyEnrolled,
    CourseFull,
    EnrollmentRefused,
    InsufficientFunds,
    PriceChanged,
    PurchaseCameToNothing,
    VoucherRefused,
)


def routes(ctx: Context[EnrollmentsSettings]) -> tuple[Route, ...]:
    """Return every route."""
    return (
        *_course_routes(CoursesApi(ctx)),
        *_purchase_routes(PurchasingApi(ctx), ctx.settings),
        *_grant_routes(GrantingApi(ctx)),
    )


def _course_routes(courses: CoursesApi) -> tuple[Route, ...]:
    return (
        get(
            "/courses/{course_id}",
            courses.roster,
            permission=ROSTER,
            problems=(problems.NotFound, problems.InvalidCursor),
        ),
        get("/courses/{course_id}/terms", courses.terms, permission=TERMS, problems=(problems.NotFound,)),
        put(
            "/courses/{course_id}/terms",
            courses.set_terms,
            permission=TERMS,
            idempotency=Idempotency.NONE,  # once or twice, the terms are the same
            problems=_CHANGE_PROBLEMS,
        ),
    )


def _purchase_routes(purchasing: PurchasingApi, settings: EnrollmentsSettings) -> tuple[Route, ...]:
    return (
        post(
            "/courses/{course_id}/leave",
            purchasing.leave,
            permission=SIGNED_IN,
            problems=(AccessSuspended, GracePeriodOver),
        ),
        post(
            "/purchases",
            purchasing.buy,
            permission=SIGNED_IN,
            status=201,
            idempotency=Idempotency.HANDLER,
            problems=_PURCHASE_PROBLEMS,
            rate_limits=_tries(settings, member="voucher"),
        ),
        post(
            "/vouchers/redeem",
            purchasing.redeem,
            permission=SIGNED_IN,
            idempotency=Idempotency.HANDLER,
            problems=_PURCHASE_PROBLEMS,
            rate_limits=_tries(settings),
        ),
        get("/purchases", purchasing.pending, permission=MANAGE, problems=(problems.InvalidCursor,)),
        get("/purchases/{purchase_id}", purchasing.show, permission=SIGNED_IN, problems=(problems.NotFound,)),
        post(
            "/purchases/{purchase_id}/refund",
            purchasing.refund,
            permission=REFUND,
            idempotency=Idempotency.HANDLER,
            problems=(problems.NotFound, NothingToRefund),
        ),
    )


def _grant_routes(granting: GrantingApi) -> tuple[Route, ...]:
    return (
        get("/mine", granting.mine, permission=SIGNED_IN, problems=(problems.InvalidCursor,)),
        get("/access/explain", granting.explain, permission=SIGNED_IN, problems=(problems.Forbidden,)),
        post("/grants", granting.grant, permission=MANAGE, status=201, problems=(problems.Invalid, CourseFull)),
        post("/grants/{grant_id}/revoke", granting.revoke, permission=MANAGE, problems=_CHANGE_PROBLEMS),
        post("/grants/{grant_id}/suspend", granting.suspend, permission=MANAGE, problems=_CHANGE_PROBLEMS),
        post("/grants/{grant_id}/resume", granting.resume, permission=MANAGE, problems=_CHANGE_PROBLEMS),
    )


def _tries(settings: EnrollmentsSettings, member: str = "") -> tuple[RateLimit, ...]:
    """Return what keeps people from guessing codes: whoever tries them is counted over all routes that take one."""
    limits: tuple[tuple[Literal["address", "principal"], tuple[str, ...]], ...] = (
        ("principal", settings.voucher_tries_per_person),
        ("address", settings.voucher_tries_per_address),
    )
    return tuple(RateLimit(rate, by=by, scope=TRIES, member=member) for by, rates in limits for rate in rates)
