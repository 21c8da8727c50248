"""What an administrator may set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from uuid import UUID

import msgspec

from kernel import Rate, Settings

Line = Annotated[str, msgspec.Meta(max_length=120)]


class CertificatesSettings(Settings, frozen=True):
    """`[plugins.certificates]`."""

    issuer: Line = ""  #: who certifies; the deployment's name where it is left out
    signature: Line = ""  #: a line at the foot, such as "Dr. Ada Long, head of studies"
    courses: tuple[UUID, ...] = ()  #: for which certificates are issued; all where it is left out
    verify_rate: Rate = "60/minute"  #: verifications from one address
    print_rate: Rate = "30/minute"  #: PDFs for one person
    poll: Annotated[float, msgspec.Meta(ge=0.02, le=3600)] = 30.0  #: seconds between two looks for what waits
    font: str | None = None  #: a TrueType file for names in scripts that Source Sans Pro has not
    bold_font: str | None = None  #: the same for what is set in bold; `font` where it is left out

    def __post_init__(self) -> None:
        for name in ("font", "bold_font"):
            path = getattr(self, name)
            if path is not None and not Path(path).is_file():
                raise ValueError(f"{name!r} is {path!r}, where there is no file; give the path of a TrueType font")

    def certifies(self, course_id: UUID) -> bool:
        """Return whether people who are enrolled in the course get a certificate."""
        return not self.courses or course_id in self.courses
