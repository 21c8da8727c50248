"""The permissions of enrolments."""

from __future__ import annotations

from typing import Final

from kernel import Permission

MANAGE: Final = "enrollments.manage"
REFUND: Final = "enrollments.refund"
ROSTER: Final = "enrollments.roster"
TERMS: Final = "enrollments.terms"

PERMISSIONS: Final = (
    Permission(name=MANAGE, summary="Give and take access, and see everyone's", roles=("admin",)),
    Permission(name=REFUND, summary="Give back what was paid for a course", roles=("admin",)),
    Permission(name=TERMS, summary="Set how many may take the courses one teaches", roles=("instructor", "admin")),
    Permission(name=ROSTER, summary="List who takes the courses one teaches", roles=("instructor", "admin")),
)
