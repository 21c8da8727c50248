"""What a notice says, in the language of whom it is for."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

_LOCALES: Final = Path(__file__).parent / "locales"
DEFAULT: Final = "en"
#: Currencies (ISO 4217) of which the unit that is counted is no hundredth: digits behind the point.
_DIGITS: Final[Mapping[str, int]] = {
    **dict.fromkeys(
        ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF"), 0
    ),
    **dict.fromkeys(("XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}


class Words(msgspec.Struct, frozen=True):
    """A notice in words."""

    title: str
    text: str


class Wording(msgspec.Struct, frozen=True, kw_only=True):
    """The texts of one locale."""

    somebody: str
    a_course: str
    greeting: str
    nameless: str
    footer: str
    kinds: Mapping[str, Words]

    def notice(self, kind: str, facts: Mapping[str, str | int], place: str) -> Words:
        """Return what a notice of the *kind* says; names that nobody knows are described."""
        told = {
            **facts,
            "place": place,
            "course": facts.get("course") or self.a_course,
            "author": facts.get("author") or self.somebody,
        }
        if "amount" in facts:
            told["amount"] = money(int(facts["amount"]), str(facts["currency"]))
        words = self.kinds[kind]
        return Words(words.title.format_map(told), words.text.format_map(told))

    def mail(self, notice: Words, *, name: str, link: str, place: str, preferences: str) -> str:
        """Return the text of a mail around a notice."""
        greeting = self.greeting.format(name=name) if name else self.nameless
        footer = self.footer.format(link=link, place=place, preferences=preferences)
        return f"{greeting}\n\n{notice.text}\n\n{footer}\n"


def money(amount: int, currency: str) -> str:
    """Return an amount of minor units as people write it.

    >>> money(1900, "EUR"), money(1900, "JPY"), money(1, "KWD")
    ('19.00 EUR', '1900 JPY', '0.001 KWD')
    """
    digits = _DIGITS.get(currency, 2)
    whole, rest = divmod(amount, 10**digits)
    return f"{whole}.{rest:0{digits}} {currency}" if digits else f"{whole} {currency}"


@functools.cache
def wordings() -> Mapping[str, Wording]:
    """Return the texts of each locale."""
    return {file.stem: _read(file) for file in sorted(_LOCALES.glob("*.toml"))}


def wording(locale: str) -> Wording:
    """Return the texts of the locale, or of its language, or those of English."""
    known = wordings()
    return known.get(locale) or known.get(locale.split("-")[0].lower()) or known[DEFAULT]


def _read(file: Path) -> Wording:
    told = tomllib.loads(file.read_text(encoding="utf-8"))
    kinds = {name: value for name, value in told.items() if isinstance(value, dict)}
    plain = {name: value for name, value in told.items() if name not in kinds}
    return msgspec.convert({**plain, "kinds": kinds}, Wording)
