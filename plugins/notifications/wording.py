"""What a notice says, in the language of whom it is for."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import quote

import msgspec

from kernel.contracts.notifications import Facts, NotificationKind

_LOCALES: Final = Path(__file__).parent / "locales"
DEFAULT: Final = "en"
V = TypeVar("V")
#: Currencies (ISO 4217) of which the unit that is counted is no hundredth: digits behind the point.
_DIGITS: Final[Mapping[str, int]] = {
    **dict.fromkeys(
        ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF"), 0
    ),
    **dict.fromkeys(("XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}


@dataclass(frozen=True)
class Said:
    """A notice in words."""

    title: str
    text: str


class Wording(msgspec.Struct, frozen=True, kw_only=True):
    """What is around notices, in one language."""

    somebody: str
    a_course: str
    greeting: str
    nameless: str
    open: str
    several: str
    daily: str
    weekly: str
    quiet: str
    reason: str
    preferences: str
    unsubscribe: str

    def say(self, kind: NotificationKind, facts: Facts, locale: str, place: str) -> Said:
        """Return what a notice of *kind* says; names that nobody knows are described, other gaps are left open."""
        told = {
            **facts,
            "place": place,
            "course": facts.get("course") or self.a_course,
            "author": facts.get("author") or self.somebody,
        }
        if "amount" in facts:
            told["amount"] = money(int(facts["amount"]), str(facts.get("currency", "")))
        if "moment" in facts:
            told["moment"] = moment(str(facts["moment"]))
        words = in_language(kind.words, locale)
        return Said(" ".join(filled(words.title, told).split()), filled(words.text, told))

    def hello(self, name: str) -> str:
        """Return how a mail begins."""
        return self.greeting.format(name=name) if name else self.nameless


class _Told(dict[str, str | int]):
    def __missing__(self, name: str) -> str:
        return ""


def filled(template: str, facts: Facts) -> str:
    """Return *template* with facts in the place of their names; what there is no fact of stays open."""
    return template.format_map(_Told(facts))


def path_of(kind: NotificationKind, facts: Facts) -> str:
    """Return where a notice leads to; no fact can lead out of the part of the path where it stands."""
    return filled(kind.path, {name: quote(str(value), safe="") for name, value in facts.items()})


def money(amount: int, currency: str) -> str:
    """Return an amount of minor units as people write it.

    >>> money(1900, "EUR"), money(1900, "JPY"), money(1, "KWD")
    ('19.00 EUR', '1900 JPY', '0.001 KWD')
    """
    digits = _DIGITS.get(currency, 2)
    whole, rest = divmod(amount, 10**digits)
    return f"{whole}.{rest:0{digits}} {currency}" if digits else f"{whole} {currency}"


def moment(text: str) -> str:
    """Return a moment of RFC 3339 as people of every language read it.

    >>> moment("2027-01-31T09:00:00+00:00")
    '2027-01-31 09:00 UTC'
    """
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M} UTC"


@functools.cache
def wordings() -> Mapping[str, Wording]:
    """Return the texts of each locale."""
    return {file.stem: _read(file) for file in sorted(_LOCALES.glob("*.toml"))}


def wording(locale: str) -> Wording:
    """Return the texts of the locale, or of its language, or those of English."""
    return in_language(wordings(), locale)


def in_language(known: Mapping[str, V], locale: str) -> V:
    """Return what is *known* for the locale, or for its language, or in English."""
    found = known.get(locale) or known.get(locale.split("-")[0].lower())
    return known[DEFAULT] if found is None else found


def _read(file: Path) -> Wording:
    return msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), Wording)
