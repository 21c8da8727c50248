"""What an administrator may set for enrolments."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from kernel import Rate, Settings

Seconds = Annotated[float, msgspec.Meta(gt=0, le=600)]


class EnrollmentsSettings(Settings, frozen=True):
    """Settings under `[plugins.enrollments]`."""

    policy_timeout: Seconds = 3.0  #: that each policy has to allow an enrolment; later forbids it
    sweep_every: Seconds = 10.0  #: between two looks for what got stuck: purchases, errands, times that came
    stuck_after: Seconds = 15.0  #: after which a purchase that is still pending is finished or given up
    alarm_after: Seconds = 60.0  #: after which a purchase that is still pending raises an alarm
    grace_days: Annotated[int, msgspec.Meta(ge=0, le=365)] = 14  #: in which who leaves a course is refunded; 0 for none
    refund_ends_access: Literal["full", "any", "never"] = "full"  #: `full`: when all of the price went back
    voucher_tries_per_person: tuple[Rate, ...] = ("10/minute", "100/day")  #: how often a person may try a code
    voucher_tries_per_address: tuple[Rate, ...] = ("120/minute", "2000/day")  #: the same for an address
