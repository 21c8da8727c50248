"""What a new plugin can provide and contribute, and where the contract, the kit and the beginning of each are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True)
class Replaceable:
    """A capability that a new plugin can provide; it begins with the in-memory provider, which passes the kit."""

    name: str  #: of the capability, and of the module of its contract
    constant: str  #: in the contract
    protocol: str  #: in the contract
    fake: str  #: the in-memory provider, in `kernel.testing.fakes.<name>`
    make: str  #: how it is made of the context `ctx`
    kit: str  #: in `kernel.testing.contracts.<name>`
    requires: tuple[tuple[str, str], ...] = ()  #: modules and names of capabilities


REPLACEABLE: Final = (
    Replaceable(
        name="courses",
        constant="COURSES",
        protocol="Courses",
        fake="InMemoryCourses",
        make="",
        kit="CoursesContract",
    ),
    Replaceable(
        name="enrollments",
        constant="ENROLLMENTS",
        protocol="Enrollments",
        fake="InMemoryEnrollments",
        make="ctx.clock",
        kit="EnrollmentsContract",
    ),
    Replaceable(
        name="payments",
        constant="PAYMENTS",
        protocol="Payments",
        fake="InMemoryPayments",
        make="ctx.services.get(COURSES), clock=ctx.clock",
        kit="PaymentsContract",
        requires=(("courses", "COURSES"),),
    ),
)


@dataclass(frozen=True, kw_only=True)
class Contributed:
    """A contribution that a new plugin can make."""

    name: str
    constant: str
    contract: str  #: the module in `kernel.contracts`
    summary: str


CONTRIBUTED: Final = (
    Contributed(
        name="price_rule", constant="PRICE_RULE", contract="payments", summary="changes what courses cost some people"
    ),
    Contributed(
        name="enrollment_policy",
        constant="ENROLLMENT_POLICY",
        contract="enrollments",
        summary="may forbid that somebody enrols",
    ),
)


def replaceable(name: str) -> Replaceable:
    """Return the capability called *name*."""
    return next(one for one in REPLACEABLE if one.name == name)


def contributed(name: str) -> Contributed:
    """Return the contribution called *name*."""
    return next(one for one in CONTRIBUTED if one.name == name)
