"""What a text and an address may be, and the forms in which languages and names are compared."""

from __future__ import annotations

import unicodedata
from typing import Annotated, Final

import msgspec

#: Text with line breaks; markup in it is nothing but text.
Text = Annotated[str, msgspec.Meta(max_length=5000, pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$")]
Website = Annotated[str, msgspec.Meta(max_length=200, pattern=r"^(https?://[^\s\x00-\x1f\x7f]+)?$(?!\n)")]

#: Sorts after every character that follows a prefix.
LAST: Final = "\U0010ffff"


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
