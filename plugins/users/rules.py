"""What a name, a language and a time zone may be."""

from __future__ import annotations

import unicodedata
import zoneinfo
from typing import Annotated, Final

import msgspec

#: Text of one line.
Line = Annotated[str, msgspec.Meta(max_length=120, pattern=r"^[^\x00-\x1f\x7f]*$(?!\n)")]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=80, pattern=r"^[^\x00-\x1f\x7f]*$(?!\n)")]
#: Text with line breaks; markup in it is nothing but text.
Text = Annotated[str, msgspec.Meta(max_length=5000, pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$")]
Website = Annotated[str, msgspec.Meta(max_length=200, pattern=r"^(https?://[^\s\x00-\x1f\x7f]+)?$(?!\n)")]
TimeZone = Annotated[
    str,
    msgspec.Meta(
        max_length=64,
        pattern=r"^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$(?!\n)",
        examples=["Europe/Berlin"],
        description="The IANA name of a time zone",
    ),
]

#: Sorts after every character that follows a prefix.
LAST: Final = "\U0010ffff"


def is_time_zone(name: str) -> bool:
    """Return whether *name* is an IANA time zone that this machine knows."""
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def tidy_locale(locale: str) -> str:
    """Return the language tag *locale* with the letter cases that BCP 47 recommends."""
    language, *others = locale.split("-")
    return "-".join((language.lower(), *map(_tidy_subtag, others)))


def key(text: str) -> str:
    """Return *text* as it is compared: without regard to case or to how its characters are composed."""
    return unicodedata.normalize("NFKC", text.strip()).casefold()


def _tidy_subtag(subtag: str) -> str:
    if len(subtag) == 2:
        return subtag.upper()
    return subtag.title() if len(subtag) == 4 and subtag.isalpha() else subtag.lower()
