"""What a new plugin can provide and contribute, and where the contract, the kits and the beginning of each are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True)
class Replaceable:
    """A capability that a new plugin can provide; it begins with the in-memory provider, which passes the kits."""

    name: str  #: of the capability, and of the module of its contract
    constant: str  #: in the contract
    protocol: str  #: in the contract
    kits: tuple[str, ...]  #: in `kernel.testing.contracts.<name>`; the in-memory provider passes them
    later: tuple[str, ...] = ()  #: further kits there, which it does not pass
    make: str = ""  #: how it is made of the context `ctx`, where it is a service alone
    whole: bool = False  #: whether the fake is a plugin with all that belongs to the capability, not a service alone
    harness: str = ""  #: what the function that deploys it for the kits is to be told
    helper: str = ""  #: what that is, in `kernel.testing.contracts.in_memory`
    requires: tuple[tuple[str, str], ...] = ()  #: modules and names of capabilities

    @property
    def fake(self) -> str:
        """Return the in-memory provider, in `kernel.testing.fakes.<name>`; its plugin is called like it."""
        return f"InMemory{self.protocol}"


REPLACEABLE: Final = (
    Replaceable(
        name="audit",
        constant="AUDIT",
        protocol="Audit",
        whole=True,
        kits=("AuditContract",),
    ),
    Replaceable(
        name="auth",
        constant="AUTH",
        protocol="Auth",
        whole=True,
        kits=("AuthContract", "AuthHttpContract"),
        harness=", sign_in=by_name",
        helper="by_name",
    ),
    Replaceable(
        name="chat",
        constant="CHAT",
        protocol="Chat",
        make="ctx.clock, ctx.services",
        kits=("ChatContract",),
    ),
    Replaceable(
        name="courses",
        constant="COURSES",
        protocol="Courses",
        kits=("CoursesContract",),
        later=("CoursesHttpContract",),
    ),
    Replaceable(
        name="enrollments",
        constant="ENROLLMENTS",
        protocol="Enrollments",
        make="ctx.clock",
        kits=("EnrollmentsContract",),
        later=("EnrollmentsHttpContract",),
    ),
    Replaceable(
        name="mail",
        constant="MAIL",
        protocol="Mail",
        whole=True,
        kits=("MailContract",),
        later=("MailDurabilityContract",),
        harness=", outside=mails_in_memory",
        helper="mails_in_memory",
    ),
    Replaceable(
        name="notifications",
        constant="NOTIFICATIONS",
        protocol="Notifications",
        whole=True,
        kits=("NotificationsContract",),
    ),
    Replaceable(
        name="payments",
        constant="PAYMENTS",
        protocol="Payments",
        make="ctx.services.get(COURSES), clock=ctx.clock",
        kits=("PaymentsContract",),
        later=("PaymentsHttpContract",),
        requires=(("courses", "COURSES"),),
    ),
    Replaceable(
        name="search",
        constant="SEARCH",
        protocol="Search",
        make="ctx",
        kits=("SearchContract",),
    ),
    Replaceable(
        name="users",
        constant="USERS",
        protocol="Users",
        whole=True,
        kits=("UsersContract", "UsersHttpContract"),
    ),
)


@dataclass(frozen=True, kw_only=True)
class Contributed:
    """A contribution that a new plugin can make."""

    name: str
    constant: str
    contract: str  #: the module in `kernel.contracts`
    kit: str  #: in `kernel.testing.contracts`
    summary: str


CONTRIBUTED: Final = (
    Contributed(
        name="price_rule",
        constant="PRICE_RULE",
        contract="payments",
        kit="PriceRuleContract",
        summary="changes what courses cost some people",
    ),
    Contributed(
        name="enrollment_policy",
        constant="ENROLLMENT_POLICY",
        contract="enrollments",
        kit="EnrollmentPolicyContract",
        summary="may forbid that somebody enrols",
    ),
    Contributed(
        name="course_access",
        constant="COURSE_ACCESS",
        contract="courses",
        kit="CourseAccessContract",
        summary="lets people open courses without enrolling",
    ),
    Contributed(
        name="chat_filter",
        constant="CHAT_FILTER",
        contract="chat",
        kit="ChatFilterContract",
        summary="judges what people say in rooms before it is stored",
    ),
    Contributed(
        name="searchable",
        constant="SEARCHABLE",
        contract="search",
        kit="SearchableContract",
        summary="lets something be found",
    ),
    Contributed(
        name="notification_kinds",
        constant="NOTIFICATION_KINDS",
        contract="notifications",
        kit="NotificationKindsContract",
        summary="has something of its own to tell people",
    ),
    Contributed(
        name="notification_channel",
        constant="NOTIFICATION_CHANNEL",
        contract="notifications",
        kit="NotificationChannelContract",
        summary="carries notifications on a way of its own",
    ),
)

#: What every new plugin contributes without being asked, because it has a table of people's notes.
ALWAYS: Final = (
    Contributed(
        name="personal_data",
        constant="PERSONAL_DATA",
        contract="personal_data",
        kit="PersonalDataContract",
        summary="hands out and erases what the plugin knows of a person",
    ),
)


def replaceable(name: str) -> Replaceable:
    """Return the capability called *name*."""
    return next(one for one in REPLACEABLE if one.name == name)


def contributed(name: str) -> Contributed:
    """Return the contribution called *name*."""
    return next(one for one in CONTRIBUTED if one.name == name)
