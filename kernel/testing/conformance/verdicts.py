"""What comes of looking at a rule."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

KEPT: Final = "kept"
BROKEN: Final = "broken"
NOT_CHECKED: Final = "not checked"


class Verdict(msgspec.Struct, frozen=True):
    """What came of one rule: `kept`, `broken` or `not checked`; what is broken says how it is mended."""

    rule: str
    verdict: str
    remedy: str = ""


class Finding(msgspec.Struct, frozen=True):
    """Why a rule is not simply kept."""

    verdict: str
    remedy: str


def broken(remedy: str) -> Finding:
    """Return that the rule is broken, and how to mend it."""
    return Finding(BROKEN, remedy)


def not_checked(reason: str) -> Finding:
    """Return that nothing is known of the rule, or of a part of it, and why."""
    return Finding(NOT_CHECKED, reason)


def kept(remark: str) -> Finding:
    """Return that the rule is kept, and what should be known all the same."""
    return Finding(KEPT, remark)


def judged(rule: str, findings: Iterable[Finding]) -> list[Verdict]:
    """Return the verdicts on *rule*: one for each finding; without any, it is kept."""
    return [Verdict(rule, one.verdict, one.remedy) for one in findings] or [Verdict(rule, KEPT)]
