"""What an administrator may set for enrolments."""

from __future__ import annotations

from typing import Annotated

import msgspec

from kernel import Settings

Seconds = Annotated[float, msgspec.Meta(gt=0, le=600)]


class EnrollmentsSettings(Settings, frozen=True):
    """Settings under `[plugins.enrollments]`."""

    policy_timeout: Seconds = 3.0  #: that each policy has to allow an enrolment; later forbids it
    sweep_every: Seconds = 10.0  #: between two looks for what got stuck: purchases, errands, times that came
    stuck_after: Seconds = 15.0  #: after which a purchase that is still pending is finished or given up
