"""What an administrator may set for courses."""

from __future__ import annotations

from typing import Annotated

import msgspec

from kernel import Settings


class CoursesSettings(Settings, frozen=True):
    """Settings under `[plugins.courses]`."""

    #: ISO 4217; the currency in which new courses are priced
    currency: Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{3}$(?!\n)")] = "EUR"
    #: False lets instructors publish without an administrator's review
    review_required: bool = True
    #: seconds that another plugin may take to say whether a person may open a lesson; later means no
    access_timeout: Annotated[float, msgspec.Meta(gt=0, le=30)] = 2.0
