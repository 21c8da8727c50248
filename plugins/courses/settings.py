"""What an administrator may set for courses."""

from __future__ import annotations

from typing import Annotated

import msgspec

from kernel import Settings


class CoursesSettings(Settings, frozen=True):
    """Settings under `[plugins.courses]`."""

    #: False lets instructors publish without an administrator's review
    review_required: bool = True
    #: seconds that another plugin may take to say whether a person may open a lesson; later means no
    access_timeout: Annotated[float, msgspec.Meta(gt=0, le=30)] = 2.0
