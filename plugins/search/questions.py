"""Judged questions: what somebody types, and how good each answer to it is, from 0 to 3.

An institution writes its own in TOML, by code or by id of its courses:

    [[questions]]
    text = "knots"
    kind = "several words"
    first = "SEA-101"
    answers = { "SEA-101" = 3, "SEA-204" = 1 }
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from typing import Annotated, Final

import msgspec

#: What is no answer at all is not written down.
Grade = Annotated[int, msgspec.Meta(ge=1, le=3)]
PERFECT: Final = 3


class Question(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody types, and what they hope to find."""

    text: str
    kind: Annotated[str, msgspec.Meta(min_length=1)]  #: results are told for each kind
    answers: Mapping[str, Grade] = {}  #: by code or id; empty where nothing must be found
    first: str | None = None  #: the answer that was asked for by name, before all others

    def __post_init__(self) -> None:
        """Refuse a question that contradicts itself."""
        if self.first is not None and self.answers.get(self.first) != PERFECT:
            raise ValueError(
                f"question {self.text!r}: {self.first!r} shall come first; grade it {PERFECT} in `answers`"
            )


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    questions: Annotated[tuple[Question, ...], msgspec.Meta(min_length=1)]


def parse(text: str) -> Sequence[Question]:
    """Return the questions of a TOML file; a `ValueError` says what is wrong with it."""
    return msgspec.convert(tomllib.loads(text), _File).questions
