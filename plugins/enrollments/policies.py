"""Asking every policy whether a person may enrol; whatever is not a plain yes in time forbids."""

from __future__ import annotations

import asyncio
from typing import Final
from uuid import UUID

from kernel import Context
from kernel.contracts.enrollments import (
    ENROLLMENT_POLICY,
    EnrollmentPolicy,
    EnrollmentRefused,
    Verdict,
)
from plugins.enrollments.settings import EnrollmentsSettings

_UNANSWERED: Final = Verdict(allowed=False, reason="A rule of this institution could not be checked; try again later.")


async def require_allowed(ctx: Context[EnrollmentsSettings], user_id: UUID, course_id: UUID) -> None:
    """Refuse the enrolment unless every policy allows it.

    Raises:
        EnrollmentRefused: with the reason of the first policy that does not allow it.
    """
    policies = ctx.services.all(ENROLLMENT_POLICY)
    if not policies:
        return
    verdicts = await asyncio.gather(*(_ask(ctx, policy, user_id, course_id) for policy in policies))
    for verdict in verdicts:
        if not verdict.allowed:
            raise EnrollmentRefused(verdict.reason)


async def _ask(ctx: Context[EnrollmentsSettings], policy: EnrollmentPolicy, user_id: UUID, course_id: UUID) -> Verdict:
    try:
        async with asyncio.timeout(ctx.settings.policy_timeout):
            verdict = await policy.judge(user_id, course_id)
    except Exception:
        ctx.log.exception("policy failed", action="enrollment_policy", policy=type(policy).__name__)
        return _UNANSWERED
    return verdict if isinstance(verdict, Verdict) else _UNANSWERED
